"""The real peers in a guest: pptpd 1.4 and pptp-linux 1.10, each with pppd 2.4.9."""

from dataclasses import dataclass

from tests.interop.guest import Guest, GuestError
from tests.netns.programs import PASSWORD, USER

PPPD_COMMON = (
    *("debug", "noauth", "nobsdcomp", "nodeflate", "novj", "novjccomp", "nodefaultroute", "noipv6"),
    *("mtu 1400", "mru 1400", "child-timeout 1"),  # pptp ends only when told to
)


@dataclass(frozen=True, slots=True)
class Pptpd:
    """A running pptpd."""

    guest: Guest
    prefix: str
    pid: int

    def log(self) -> str:
        """Return what its pppds said."""
        return self.guest.run("cat /run/pptpd/pppd.log 2>/dev/null", check=False).output

    def stop(self) -> None:
        """End pptpd and every call it holds, and wait until its processes are gone."""
        # pptpd itself leaves its calls alone; a pptpctrl that is ended takes its pppd with it.
        calls = self.guest.run(f"pgrep -P {self.pid}", check=False).output.split()
        for pid in (str(self.pid), *calls):
            self.guest.run(f"kill {pid}", check=False)
        for pid in (self.pid, *map(int, calls)):
            assert self.guest.gone(pid), f"process {pid} of pptpd stays:\n{self.log()}"


def start_pptpd(
    guest: Guest, *options: str, listen: str, local: str, remote: str, namespace: str | None = None
) -> Pptpd:
    """Start pptpd with lines of pppd options; it knows USER only."""
    lines = [option for option in PPPD_COMMON if option != "noauth"]
    options_file = "\n".join(["name pptpd", "auth", *lines, "nologfd", "logfile /run/pptpd/pppd.log", *options])
    configuration = f"option /run/pptpd/options\nlocalip {local}\nremoteip {remote}\nlisten {listen}\nconnections 10"
    prefix = f"ip netns exec {namespace} " if namespace else ""
    guest.run(f"""set -e
        mkdir -p /run/pptpd; : >/run/pptpd/pppd.log
        cat >/run/pptpd/options <<'.'
{options_file}
.
        cat >/run/pptpd/pptpd.conf <<'.'
{configuration}
.
        printf '%s\\n' '{USER} * "{PASSWORD}" *' >/etc/ppp/chap-secrets
        cp /etc/ppp/chap-secrets /etc/ppp/pap-secrets; chmod 600 /etc/ppp/*-secrets
        {prefix}pptpd -c /run/pptpd/pptpd.conf -o /run/pptpd/options -p /run/pptpd/pid
        for _ in $(seq 100); do {prefix}ss -Htln 'sport = 1723' | grep -q . && exit 0; sleep 0.05; done
        echo 'pptpd does not listen'; exit 1""")
    return Pptpd(guest, prefix, int(guest.run("cat /run/pptpd/pid").output))


@dataclass(frozen=True, slots=True)
class PptpLinux:
    """A session that pptp-linux + pppd brought up."""

    guest: Guest
    pid: int
    interface: str

    def log(self) -> str:
        """Return what pppd and pptp said."""
        return client_log(self.guest)

    def ended(self, *, timeout: float = 15.0) -> bool:
        """Wait until its pppd has ended by itself; return whether it has."""
        return self.guest.gone(self.pid, timeout=timeout)

    def hang_up(self) -> None:
        """End the session as a user does, and wait until its pppd is gone."""
        self.guest.run(f"kill {self.pid}")
        assert self.ended(), f"pppd does not end:\n{self.log()}"


def client_log(guest: Guest) -> str:
    return guest.run("cat /run/client.log", check=False).output


def connect_pptp_linux(
    guest: Guest,
    server: str,
    *options: str,
    user: str = USER,
    password: str = PASSWORD,
    namespace: str | None = None,
    timeout: float = 30.0,
) -> PptpLinux:
    """Bring up a session; raise GuestError with pppd's log when there is none."""
    prefix = f"ip netns exec {namespace} " if namespace else ""
    # updetach: pppd returns once the network protocols are up, or with its reason to fail.
    words = " ".join((*PPPD_COMMON, "noipdefault", *options))
    finished = guest.run(
        f""": >/run/client.log; rm -f /run/ppp-session.pid
        {prefix}pppd pty 'pptp {server} --nolaunchpppd --nohostroute' user '{user}' password '{password}' \
            {words} logfile /run/client.log linkname session updetach >/dev/null 2>&1""",
        timeout=timeout,
        check=False,
    )
    if finished.status != 0:
        raise GuestError(f"pppd ended with {finished.status}:\n{client_log(guest)}")
    pid, interface = guest.run("cat /run/ppp-session.pid").output.split()
    return PptpLinux(guest, int(pid), interface)

"""Log-ins of the real pptp-linux and pppd, from the client's start to its address; pptpd beside us in one guest."""

import statistics
import tempfile
from pathlib import Path

from tests.interop.guest import Guest
from tests.interop.peers import Pptpd, start_pptpd
from tests.netns.programs import PASSWORD, USER

from bench.network import CLIENT, SERVER, TAP, Network
from bench.row import Row

TARGET = 1.5  # seconds; one of them is pptp-linux's own sleep
ONE_LOG_IN = """
began=$(date +%s%N)
{prefix} pppd pty 'pptp {server} --nolaunchpppd --nohostroute' user '{user}' password '{password}' noauth nobsdcomp \
  nodeflate novj novjccomp nodefaultroute noipdefault noipv6 mtu 1400 mru 1400 require-mppe-128 refuse-pap refuse-chap \
  refuse-mschap refuse-eap linkname bench logfile /run/bench.log updetach >/dev/null || exit 1
echo $(( ($(date +%s%N) - began) / 1000 ))
kill $(head -1 /run/ppp-bench.pid)
while [ -e /run/ppp-bench.pid ]; do sleep 0.05; done
sleep 0.3
"""


def pptpd_with_client(guest: Guest, *, listen: str) -> Pptpd:
    """Join a guest to the wire, start pptpd in it, and make a namespace `client` there that reaches it at 10.98.0.1."""
    guest.run(f"ip address add {CLIENT}/24 dev vec0; ip link set vec0 up; ping -c1 -W5 {SERVER}")
    guest.run("ip netns add client; ip link add peer0 type veth peer name peer1 netns client")
    guest.run("ip address add 10.98.0.1/24 dev peer0; ip link set peer0 up; : >/etc/ppp/options")
    guest.run("ip -n client address add 10.98.0.2/24 dev peer1; ip -n client link set peer1 up")
    options = ("require-mschap-v2", "require-mppe-128")
    return start_pptpd(guest, *options, listen=listen, local="10.88.0.1", remote="10.88.0.10-50")


def log_ins(runs: int) -> list[Row]:
    """Measure against our server and against pptpd, in turn."""
    with Network(guest=True) as network, network.our_server(), tempfile.TemporaryDirectory() as directory:
        guest = Guest(Path(directory) / "guest", tap=TAP, namespace=network.server)
        try:
            pptpd = pptpd_with_client(guest, listen="10.98.0.1")
            ours, theirs = [], []
            for _ in range(runs):
                ours.append(_log_in(guest, "", SERVER))
                theirs.append(_log_in(guest, "ip netns exec client", "10.98.0.1"))
            pptpd.stop()
        finally:
            guest.power_off()
    ours_median, theirs_median = statistics.median(ours), statistics.median(theirs)
    what = "log-in of the real pptp-linux + pppd in User-mode Linux, start of the client to its address"
    return [
        Row(
            what,
            f"{ours_median:.2f} s median, {max(ours):.2f} s most, of {runs} (pptpd beside it: {theirs_median:.2f} s)",
            "median within 1.5 s",
            ours_median <= TARGET,
        )
    ]


def _log_in(guest: Guest, prefix: str, server: str) -> float:
    """Return the seconds of one log-in by the guest's clock."""
    script = ONE_LOG_IN.format(prefix=prefix, server=server, user=USER, password=PASSWORD)
    return int(guest.run(script, timeout=60).output.split()[0]) / 1e6

"""The steps of the second seed document, followed word by word with our program in place of pptpd."""

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.interop.conftest import HOST, WORLD, Lab
from tests.interop.ours import nothing_left_in
from tests.interop.peers import client_log
from tests.netns.drop_in import PASSWORD, SERVER_INSIDE, USER, lay_out_etc, start_drop_in
from tests.netns.programs import Program, command

from openpptp.daemon.export.access import Access
from openpptp.daemon.export.pptp_linux import recipe

pytestmark = pytest.mark.interop

POOL = range(int(IPv4Address("192.168.10.100")), int(IPv4Address("192.168.10.200")) + 1)
PEER = recipe(Access(HOST, USER, name="seed", password=PASSWORD)).file
"What `openpptp export --for pptp-linux --password-file` gives."
PASTE = [line.replace("sudo ", "") for line in recipe(Access(HOST, USER, name="seed")).paste]
"What `openpptp setup` prints, for a shell that is root's."


def log_in(lab: Lab, set_up: str, connect: str) -> str:
    """Set up and connect in the guest; return the interface."""
    lab.guest.run(f"""{set_up}
        : >/run/client.log
        {connect} updetach usepeerdns debug logfile /run/client.log >/dev/null 2>&1 && exit
        cat /run/client.log; exit 1""")
    return lab.guest.run("sed -n 2p /run/ppp-seed.pid").output.strip()


def hang_up(lab: Lab) -> None:
    pid = int(lab.guest.run("sed -n 1p /run/ppp-seed.pid").output)
    lab.guest.run("pkill -HUP -F /run/ppp-seed.pid")
    assert lab.guest.gone(pid), client_log(lab.guest)


def reaches_the_world(lab: Lab, interface: str) -> None:
    """Ping what lies behind the server; it has no way back to 192.168.10.0/24, so the answer needs NAT."""
    lab.guest.run(f"""set -e
        ip route add {WORLD} dev {interface}
        ping -c3 -i0.2 -W2 {SERVER_INSIDE}; ping -c3 -i0.2 -W2 {WORLD}""")


def reboot(lab: Lab, server: Program) -> None:
    """Take away what a power cut and a start of the machine take away: processes, rules, sysctls, /run."""
    server.kill()
    lab.host.run("nft", "flush", "ruleset")
    lab.host.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    run = server.log_file.parent / "run"
    for file in sorted(run.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()


class StepsTests:
    """S17 to S23; the step that is left out is the one with iptables."""

    def test_a_client_logs_in_reaches_the_world_and_does_so_again_after_a_reboot(self, lab: Lab, tmp_path: Path):
        etc = lay_out_etc(tmp_path)
        with nothing_left_in(lab.host):
            server = start_drop_in(lab.host, tmp_path / "server", etc)
            try:
                self.serves(lab, server)
                file = f"cat >/etc/ppp/peers/seed <<'.'\n{PEER}.\nchmod 600 /etc/ppp/peers/seed"
                interface = log_in(lab, file, "pppd call seed")
                log = client_log(lab.guest)
                ours = IPv4Address(re.search(r"local +IP address (\S+)", log)[1])
                assert int(ours) in POOL
                assert f"remote IP address {SERVER_INSIDE}" in log
                assert "primary   DNS address 8.8.8.8" in log
                assert "secondary DNS address 114.114.114.114" in log
                assert "MPPE 128-bit stateless compression enabled" in log
                reaches_the_world(lab, interface)
                hang_up(lab)

                reboot(lab, server)
                assert "masquerade" not in lab.host.run("nft", "list", "ruleset").stdout
                server = start_drop_in(lab.host, tmp_path / "server", etc)
                self.serves(lab, server)
                set_up, connect = PASTE
                reaches_the_world(lab, log_in(lab, set_up.replace("PASSWORD", PASSWORD), connect))
                hang_up(lab)
                assert server.stop() == 0
            except BaseException as failure:
                failure.add_note(f"--- the server said:\n{server.log()}")
                server.process.kill()
                raise
        assert PASSWORD not in server.log()

    def serves(self, lab: Lab, server: Program) -> None:
        """Check what the document checks with netstat, and what it does with sysctl and iptables."""
        server.says("serving")
        status = command(server.log_file.parent / "run" / "openpptp", "status")
        assert "0.0.0.0:1723, interface pptp0" in status.stdout, status
        assert "LISTEN" in lab.host.run("ss", "-Htln", "sport", "=", ":1723").stdout
        assert lab.host.sysctl("net/ipv4/ip_forward") == "1"
        assert "masquerade" in lab.host.run("nft", "list", "ruleset").stdout

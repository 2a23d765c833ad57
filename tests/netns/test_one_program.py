"""connect --exec: one program in a namespace of its own, whose only way out is the tunnel."""

import contextlib
import os
import pty
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.machine import REPOSITORY
from tests.netns.namespace import Namespace
from tests.netns.programs import (
    OPENPPTP,
    PASSWORD,
    USER,
    Program,
    capturing,
    serving,
    start,
    start_server,
    state,
)
from tests.netns.topology import Topology

pytestmark = pytest.mark.root

SERVER, WORLD, CARRIER = str(Topology.SERVER), str(Topology.WORLD), "192.168.100.1"
NAME, ADDRESS = "www.example.test", "198.51.100.77"
FOREVER = "while :; do sleep 0.05; done"
DNS = {"network": {"dns": [WORLD]}}
QUIET = f"host {SERVER} and (tcp port 1723 or proto 47) or arp"


def executing(
    topology: Topology,
    folder: Path,
    script: str,
    *flags: str,
    name: str = "client",
    once: bool = True,
    **environment: str,
) -> Program:
    """Run a shell's script with the tunnel as its only way out, and do not wait."""
    folder.mkdir(exist_ok=True)
    flags = (*(("--once",) if once else ()), *flags)
    command = (*OPENPPTP, "connect", SERVER, "--user", USER, *flags, "--exec", "--", "sh", "-c", script)
    return start(topology.client, folder, *command, name=name, **environment)


@contextlib.contextmanager
def name_server(namespace: Namespace, address: str) -> Iterator[list[str]]:
    """Answer every name with ADDRESS, in a namespace; gives the addresses of those who asked."""
    asked: list[str] = []
    over = threading.Event()
    with namespace.inside():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.settimeout(0.1)
    server.bind((address, 53))

    def answer() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                query, who = server.recvfrom(512)
                asked.append(who[0])
                end = query.index(0, 12) + 5
                is_address = query[end - 4 : end - 2] == b"\0\1"
                head = query[:2] + bytes.fromhex("81800001") + bytes([0, is_address, 0, 0, 0, 0])
                record = bytes.fromhex("c00c000100010000003c0004") + socket.inet_aton(ADDRESS)
                server.sendto(head + query[12:end] + (record if is_address else b""), who)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()
        server.close()


def leaks(topology: Topology, file: Path) -> str:
    return topology.nat.run("tcpdump", "-n", "-r", str(file), f"not ({QUIET})").stdout


class WayOutTests:
    """The tunnel, and nothing else."""

    def test_it_reaches_the_world_and_asks_names_through_the_tunnel_only(self, topology, tmp_path):
        before, cable = state(topology.client), tmp_path / "cable.pcap"
        script = f"""
            ip -br -4 addr; cat /etc/resolv.conf; grep hosts /etc/nsswitch.conf
            getent ahostsv4 {NAME}
            ping -c1 -W2 {WORLD} >/dev/null && echo world is reached
            ping -c1 -W2 {SERVER} >/dev/null && echo server is reached
            ping -c1 -W1 {CARRIER} >/dev/null || echo carrier is not reached
        """
        with (
            serving(topology.server, tmp_path / "server", **DNS),
            name_server(topology.world, WORLD) as asked,
            capturing(topology.nat, "client0", cable, "--immediate-mode"),
        ):
            client = executing(topology, tmp_path / "client", script)
            assert client.exit_code() == 0
        said = client.log()
        devices = [line.split() for line in said.splitlines() if line.startswith(("lo ", "pptp-client "))]
        assert [device[2:] for device in devices] == [["127.0.0.1/8"], ["10.91.9.2", "peer", "10.91.9.1/32"]]
        assert f"nameserver {WORLD}\n" in said
        assert ADDRESS in said
        assert set(asked) == {str(Topology.SERVER_TO_WORLD)}
        assert "world is reached\nserver is reached\ncarrier is not reached" in said
        assert leaks(topology, cable) == ""
        assert state(topology.client) == before
        assert not list((tmp_path / "client/run/openpptp-client").iterdir())

    def test_other_programs_and_their_name_servers_stay_as_they_are(self, topology, tmp_path):
        client, folder = topology.client, tmp_path / "client"
        before, resolv_conf = state(client), Path("/etc/resolv.conf").read_text()
        with serving(topology.server, tmp_path / "server"):
            program = executing(topology, folder, f"echo ready; {FOREVER}", "--dns", "9.9.9.9", "--search", "a.example")
            program.says("ready")
            during = state(client)
            assert {each: during[each] for each in ("devices", "addresses", "routes", "rules", "firewall")} == {
                each: before[each] for each in ("devices", "addresses", "routes", "rules", "firewall")
            }
            assert client.run("cat", "/etc/resolv.conf").stdout == resolv_conf
            inside = start(client, folder, *OPENPPTP, "status", name="status")
            assert inside.exit_code() == 0
            assert "program     sh alone, in a network namespace\n" in inside.log()
            assert "dns         9.9.9.9 (by /etc/resolv.conf)" in inside.log()
            program.stop()

    def test_several_at_once_do_not_meet(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server"):
            script = f"ip -br -4 addr show pptp-client; ping -c1 -W2 {WORLD} >/dev/null && echo ready; {FOREVER}"
            programs = [executing(topology, tmp_path / "client", script, name=f"client{number}") for number in (1, 2)]
            for program in programs:
                program.says("ready")
            assert "10.91.9.2" in programs[0].log() + programs[1].log()
            assert "10.91.9.3" in programs[0].log() + programs[1].log()
            programs[0].stop()
            assert programs[1].process.poll() is None
            programs[1].stop()

    def test_when_the_tunnel_is_cut_nothing_leaks_and_when_it_is_back_all_goes_on(self, topology, tmp_path):
        cable = tmp_path / "cable.pcap"
        script = f"""
            ping -i 0.05 {WORLD} >/dev/null & echo ready
            until [ -e {tmp_path}/again ] && ping -c1 -W1 {WORLD} >/dev/null; do sleep 0.1; done
            kill $!; exit 4
        """
        server = start_server(topology.server, tmp_path / "server")
        server.says("serving")
        program = executing(topology, tmp_path / "client", script, once=False)
        program.says("ready")
        with capturing(topology.nat, "client0", cable, "--immediate-mode"):
            server.kill()
            program.says("tunnel down")
            with serving(topology.server, tmp_path / "server"):
                (tmp_path / "again").touch()
                assert program.exit_code() == 4
        assert leaks(topology, cable) == ""


class CallerTests:
    """As whom it runs, and what it finds."""

    def test_under_sudo_it_is_who_called_and_may_become_more(self, topology, tmp_path):
        """ping has a capability of its own, which a program that may get no new privileges would not have."""
        script = f"""
            id -un; id -G; echo $HOME $USER $LOGNAME $SUDO_USER.; env | grep -c OPENPPTP_PASSWORD
            grep -h -e NoNewPrivs -e CapEff /proc/self/status
            ping -c1 -W2 {WORLD} >/dev/null && echo pinged
        """
        with serving(topology.server, tmp_path / "server"):
            program = executing(topology, tmp_path / "client", script, SUDO_USER="nobody", HOME="/root", USER="root")
            assert program.exit_code() == 0
        lines = program.log().splitlines()
        at = lines.index("nobody")
        assert lines[at + 1 : at + 4] == ["65534", "/nonexistent nobody nobody .", "0"]
        assert [line.split() for line in lines[at + 4 : at + 6]] == [["CapEff:", "0" * 16], ["NoNewPrivs:", "0"]]
        assert lines[at + 6] == "pinged"

    def test_the_client_itself_has_given_its_powers_up(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server"):
            program = executing(topology, tmp_path / "client", f"echo ready; {FOREVER}")
            program.says("ready")
            status = Path(f"/proc/{program.process.pid}/status").read_text()
            assert "NoNewPrivs:\t1" in status
            assert "CapPrm:\t0000000000003002" in status
            program.stop()


class EndTests:
    """Program and tunnel end with each other."""

    @pytest.mark.parametrize(
        ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
    )
    def test_the_exit_code_is_the_programs(self, topology, tmp_path, script, code):
        with serving(topology.server, tmp_path / "server") as server:
            program = executing(topology, tmp_path / "client", script)
            assert program.exit_code() == code
            server.says("session ended", "reason=peer-request")

    @pytest.mark.parametrize(("command", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
    def test_one_that_cannot_be_run_ends_as_in_a_shell(self, topology, tmp_path, command, code):
        flags = (SERVER, "--user", USER, "--exec", "--", command)
        (tmp_path / "client").mkdir()
        with serving(topology.server, tmp_path / "server"):
            program = start(topology.client, tmp_path / "client", *OPENPPTP, "connect", *flags)
            assert program.exit_code() == code
            assert command in program.log()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
    def test_a_signal_is_passed_on(self, topology, tmp_path, number):
        name = number.name.removeprefix("SIG")
        with serving(topology.server, tmp_path / "server"):
            program = executing(topology, tmp_path / "client", f'trap "exit 9" {name}; echo ready; {FOREVER}')
            program.says("ready")
            program.process.send_signal(number)
            assert program.exit_code() == 9

    def test_a_signal_before_the_program_ends_the_attempt(self, topology, tmp_path):
        flags = ("--keep-trying", "--log-level", "info")
        client = executing(topology, tmp_path / "client", "echo never", *flags, once=False)
        client.says("next attempt")
        assert client.stop() == 128 + signal.SIGTERM
        assert "never" not in client.log()

    def test_when_the_tunnel_ends_for_good_the_program_is_told(self, topology, tmp_path):
        server = start_server(topology.server, tmp_path / "server")
        server.says("serving")
        program = executing(topology, tmp_path / "client", f'trap "echo told; exit 3" TERM; echo ready; {FOREVER}')
        program.says("ready")
        server.stop()
        assert program.exit_code() == 1
        assert "the tunnel is over; the program has 10 seconds to end" in program.log()
        assert "told" in program.log()

    def test_after_kill_9_of_the_client_nothing_is_left(self, topology, tmp_path):
        before = state(topology.client)
        with serving(topology.server, tmp_path / "server"):
            victim = executing(topology, tmp_path / "client", f"echo ready $$; {FOREVER}")
            victim.says("ready")
            program = int(victim.log().split("ready ")[1].split()[0])
            victim.kill()
            assert eventually(lambda: not Path(f"/proc/{program}").exists())
            assert eventually(lambda: not list((tmp_path / "client/run/openpptp-client").iterdir()))
            assert state(topology.client) == before


class TerminalTests:
    """The program has the terminal of its caller."""

    def test_ctrl_c_reaches_the_program_once(self, topology, tmp_path):
        script = """
            trap 'echo interrupted; [ $n ] && exit 6; n=1' INT; echo ready
            until [ $n ]; do sleep 0.05; done; sleep 0.3; exit 5
        """
        ours, theirs = pty.openpty()
        words = ("connect", SERVER, "--user", USER, "--once", "--exec", "--", "sh", "-c", script)
        (tmp_path / "run").mkdir()
        shell = f'mount --bind {tmp_path}/run /run; exec setsid -c "$@"'
        with serving(topology.server, tmp_path / "server"):
            client = topology.client.start(
                *("sh", "-c", shell, "sh", *OPENPPTP, *words),
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "OPENPPTP_PASSWORD": PASSWORD},
            )
            os.close(theirs)
            said = b""
            while b"ready" not in said:
                said += os.read(ours, 4096)
            os.write(ours, b"\x03")
            with contextlib.suppress(OSError):
                while octets := os.read(ours, 4096):
                    said += octets
            os.close(ours)
            assert client.wait(20) == 5
        assert said.count(b"interrupted") == 1
        assert b"connected to" not in said

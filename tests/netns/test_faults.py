"""Our programs under what goes wrong on a host: killed, twice, without privileges, unplugged."""

import os
import signal
import socket
import sys

import pytest
from tests.eventually import eventually
from tests.netns.kills import SESSIONS, Victims
from tests.netns.namespace import Namespace
from tests.netns.programs import (
    CLIENT_DEVICE,
    PASSWORD,
    SERVER_DEVICE,
    USER,
    WORLD_NETWORK,
    connecting,
    serving,
    start,
    start_client,
    start_server,
    state,
)
from tests.netns.topology import Topology

pytestmark = pytest.mark.root

WORLD = str(Topology.WORLD)
TO_WORLD = ("--route", WORLD_NETWORK)
IMPATIENT_CLIENT = """
import sys
from openpptp.daemon.client.run import connect
from openpptp.daemon.connect_request import ConnectRequest, Reconnect
from openpptp.errors import SetupError
impatient = {"echo_interval": 0.3, "echo_failures": 2, "reconnect": Reconnect("never")}
try:
    connect(ConnectRequest((sys.argv[1],), sys.argv[2], sys.argv[3], **impatient))
except SetupError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""
"The command line has no option for the echo."


FLOOD = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    out.connect((sys.argv[1], 9))
    while True:
        try:
            out.send(bytes(600))
        except OSError:
            pass
"""


def sent(client: Namespace) -> int:
    """Return how many packets a client has put into its tunnel."""
    return int(client.run("cat", f"/sys/class/net/{CLIENT_DEVICE}/statistics/tx_packets").stdout)


def pings(client: Namespace) -> bool:
    """Tell whether one ping through the tunnel is answered."""
    return client.run("ping", "-c", "1", "-W", "1", WORLD, check=False).returncode == 0


class KilledServerTests:
    """B-145, P-19: kill -9 at any point; the next start clears up, and the last stop leaves nothing."""

    @pytest.mark.parametrize("moment", ["device made", "rules made", "idle", "during set-up", "with a session"])
    def test_nothing_stale_stays(self, topology, tmp_path, moment):
        server, client = topology.server, topology.client
        before = state(server), state(client)
        victim, guest = start_server(server, tmp_path / "server"), None
        if moment == "device made":
            assert eventually(lambda: SERVER_DEVICE in server.run("ip", "-br", "link").stdout)
        elif moment == "rules made":
            assert eventually(lambda: "openpptp" in server.ruleset())
        else:
            victim.says("serving")
        if moment in ("during set-up", "with a session"):
            guest = start_client(client, tmp_path / "client")
            if moment == "during set-up":
                victim.says("control connection")
            else:
                guest.says("] connected ")
        victim.kill()
        if guest is not None:
            assert guest.exit_code(seconds=30) == 1
            assert "control connection broke" in guest.log() or moment == "during set-up"
        if moment != "device made":
            assert state(server)["firewall"] != before[0]["firewall"], "a killed server cannot clear up"
        with (
            serving(server, tmp_path / "server") as second,
            connecting(client, tmp_path / "client", *TO_WORLD) as guest,
        ):
            guest.connected()
            assert client.ping(WORLD)
            assert server.ruleset().count("masquerade") == 1
            assert len([line for line in state(server)["devices"].splitlines() if "pptp" in line]) == 1
            assert guest.stop() == 0
            assert second.stop() == 0
        assert (state(server), state(client)) == before

    def test_b145_p19_ten_random_moments_in_a_row_leave_nothing(self, make_namespace, tmp_path):
        """Each is followed by a server that listens and has what a first one has; bench/kills.py measures how soon."""
        victims = Victims(make_namespace("server"), make_namespace("client"), tmp_path / "server", seed=145)
        kills = list(victims.run(10))
        assert sum(kill.causes.get("lost", 0) for kill in kills) >= 2 * SESSIONS
        victims.stop()

    @pytest.mark.parametrize("settings", [{}, {"server": {"interface": "pptp9"}}], ids=["same name", "other name"])
    def test_a_start_that_needs_none_of_it_takes_it_back(self, topology, tmp_path, settings):
        server = topology.server
        before = state(server)
        victim = start_server(server, tmp_path / "server")
        victim.says("serving")
        victim.kill()
        none = {"nat": False, "mss_clamp": False, "forward": False}
        with serving(server, tmp_path / "server", network=none, **settings):
            now = state(server)
            assert now["firewall"] == before["firewall"]
            assert now["net/ipv4/ip_forward"] == before["net/ipv4/ip_forward"] == "0"
        assert state(server) == before


class KilledClientTests:
    """kill -9 of the client, then connect again."""

    def test_the_pinned_route_is_not_doubled_and_goes_at_the_end(self, topology, tmp_path):
        client = topology.client
        before = state(client)
        with serving(topology.server, tmp_path / "server"):
            victim = start_client(client, tmp_path / "client", "--default-route")
            victim.connected()
            victim.kill()
            assert "203.0.113.1 via" in client.run("ip", "route").stdout, "a killed client cannot clear up"
            with connecting(client, tmp_path / "client", "--default-route") as second:
                second.connected()
                assert client.run("ip", "route").stdout.count("203.0.113.1 via") == 1
                assert client.ping(WORLD)
                assert second.stop() == 0
            assert state(client) == before


class StartTests:
    """What stands in the way of a start is one sentence with its remedy, and nothing is left half done."""

    def fails(self, topology: Topology, folder, *words: str, exit_code: int, **how) -> None:
        before = state(topology.server)
        program = start_server(topology.server, folder, **how)
        assert program.exit_code() == exit_code, program.log()
        lines = [line for line in program.log().splitlines() if " [warning" not in line]
        assert len(lines) == 1, program.log()
        for word in words:
            assert word in lines[0]
        assert state(topology.server) == before

    def test_b146_a_second_server_does_not_break_the_first(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server"):
            self.fails(topology, tmp_path / "second", "1723 is taken", exit_code=1)
            other = {"port": 1724, "interface": "pptp1", "runtime_directory": "/run/openpptp"}
            again = start_server(topology.server, tmp_path / "server", name="again", server=other)
            assert again.exit_code() == 1
            assert "another openpptp" in again.log()
            with connecting(topology.client, tmp_path / "client", *TO_WORLD) as client:
                client.connected()
                assert topology.client.ping(WORLD)

    def test_the_port_is_taken_by_another_program(self, topology, tmp_path):
        with topology.server.inside(), socket.create_server(("0.0.0.0", 1723)):
            self.fails(topology, tmp_path / "server", "TCP port 1723 is taken", "ss -ltnp", exit_code=1)

    def test_the_device_is_taken(self, topology, tmp_path):
        topology.server.ip(f"tuntap add {SERVER_DEVICE} mode tap")
        self.fails(topology, tmp_path / "server", SERVER_DEVICE, "choose another name", exit_code=1)

    def test_there_is_no_nft(self, topology, tmp_path):
        empty = tmp_path / "empty"
        empty.mkdir()
        hide = " ".join(f"mount --bind {empty} {place};" for place in ("/usr/sbin",) if os.path.isdir(place))
        self.fails(topology, tmp_path / "server", "nft is missing", "nftables", exit_code=3, before=hide)

    def test_there_is_no_tun_device(self, topology, tmp_path):
        empty = tmp_path / "empty"
        empty.mkdir()
        hide = f"mount --bind {empty} /dev/net;"
        self.fails(topology, tmp_path / "server", "/dev/net/tun does not exist", "modprobe", exit_code=3, before=hide)

    def test_there_is_no_privilege(self, topology, tmp_path):
        before = state(topology.server)
        drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
        config = tmp_path / "openpptp.toml"
        start_server(topology.server, tmp_path, before="exit 0;").exit_code()
        command = (*drop, sys.executable, "-m", "openpptp", "serve", "--config", str(config))
        program = start(topology.server, tmp_path, *command, name="unprivileged")
        assert program.exit_code() == 3, program.log()
        assert len([line for line in program.log().splitlines() if " [warning" not in line]) == 1
        assert "root" in program.log()
        assert state(topology.server) == before

    def test_a_client_without_privilege(self, topology, tmp_path):
        before = state(topology.client)
        drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
        command = (*drop, sys.executable, "-m", "openpptp", "connect", str(Topology.SERVER), "--user", USER)
        program = start(topology.client, tmp_path, *command)
        assert program.exit_code() == 3, program.log()
        assert "root" in program.log()
        assert state(topology.client) == before

    def test_wrong_settings_are_all_told_at_once(self, topology, tmp_path):
        wrong = {"server": {"port": 0}, "auth": {"key_bits": [127]}, "network": {"pool": ["10.0.0.0/33"]}}
        before = state(topology.server)
        program = start_server(topology.server, tmp_path / "server", **wrong)
        assert program.exit_code() == 2
        for word in ("server.port", "auth.key_bits", "network.pool"):
            assert word in program.log()
        assert len(program.log().splitlines()) == 3
        assert state(topology.server) == before


class StoppedServerTests:
    """A server that stood still while packets came loses many at once."""

    @pytest.mark.parametrize("data_path", ["engine", "reference"])
    def test_a_session_goes_on_after_a_long_loss(self, topology, tmp_path, data_path):
        sections = {"server": {"data_path": data_path}}
        with (
            serving(topology.server, tmp_path / "server", **sections) as server,
            connecting(topology.client, tmp_path / "client", *TO_WORLD) as client,
        ):
            client.connected()
            flood = topology.client.start(sys.executable, "-c", FLOOD, WORLD)
            try:
                server.process.send_signal(signal.SIGSTOP)
                begin = sent(topology.client)
                # The server's socket keeps some of them; the engine's, megabytes.
                assert eventually(lambda: sent(topology.client) > begin + 60_000)
            finally:
                server.process.send_signal(signal.SIGCONT)
                flood.kill()
                flood.wait(10)
            assert eventually(lambda: pings(topology.client))
            client.stop()
            server.says("session ended", " lost=")
            lost = int(server.log().rpartition(" lost=")[2].split()[0])
            assert lost > 8191


class EndTests:
    """Every end is told to the other side, in words."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_p20_a_server_that_stops_takes_leave(self, topology, tmp_path, number):
        before = state(topology.server), state(topology.client)
        server = start_server(topology.server, tmp_path / "server")
        server.says("serving")
        with connecting(topology.client, tmp_path / "client", *TO_WORLD) as client:
            client.connected()
            server.process.send_signal(number)
            assert server.exit_code(seconds=5) == 0
            assert client.exit_code(seconds=5) == 1
            assert "shutting down" in client.log()
        assert (state(topology.server), state(topology.client)) == before

    def test_a_pulled_cable_is_noticed_by_both(self, topology, tmp_path):
        before = state(topology.client)
        ppp = {"echo_interval": 0.3, "echo_failures": 2}
        with serving(topology.server, tmp_path / "server", ppp=ppp) as server:
            command = (sys.executable, "-c", IMPATIENT_CLIENT, str(Topology.SERVER), USER, PASSWORD)
            client = start(topology.client, tmp_path, *command)
            client.connected()
            server.says("session up")
            topology.nat.ip("link set server0 down")
            server.says("reason=peer-silent", "the peer left 2 Echo-Requests unanswered")
            assert client.exit_code() == 1
            assert "left 2 Echo-Requests unanswered" in client.log()
        assert eventually(lambda: state(topology.client) == before)

    def test_nobody_is_there(self, topology, tmp_path):
        before = state(topology.client)
        client = start_client(topology.client, tmp_path / "client")
        assert client.exit_code() == 1
        assert "refuses TCP port 1723" in client.log()
        assert CLIENT_DEVICE not in state(topology.client)["devices"]
        assert state(topology.client) == before

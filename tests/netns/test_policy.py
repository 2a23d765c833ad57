"""Policies of users with real packets: rates, networks behind a user, fixed addresses, quotas, time-outs."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests import pcap
from tests.eventually import eventually
from tests.netns.programs import CLIENT_DEVICE, OUR_ADDRESS, SERVER_DEVICE, Counter, Program, connecting, serving
from tests.netns.target import ask, octets, target
from tests.netns.topology import Topology

from openpptp.cli.program import program
from openpptp.daemon.api_client import ApiClient
from openpptp.daemon.api_socket import path_in

pytestmark = pytest.mark.root

WORLD = str(Topology.WORLD)
BEHIND = "192.168.5.1"
SENT = 200


class Stage:
    """A server whose users are in a store, made by the commands, and one client."""

    def __init__(self, topology: Topology, folder: Path) -> None:
        self.topology, self.folder = topology, folder
        self.server: Program

    def user(self, *words: str) -> str:
        """Run a command on the server's users."""
        config = str(self.folder / "server" / "openpptp.toml")
        result = CliRunner().invoke(program, ["user", *words, "--config", config], env={"OPENPPTP_PASSWORD": "pw"})
        assert result.exit_code == 0, result.output
        return result.stdout

    def client(self, *flags: str) -> contextlib.AbstractContextManager[Program]:
        """Run a client as anna."""
        return connecting(self.topology.client, self.folder / "client", *flags, user="anna", password="pw")

    def dropped(self) -> int:
        """Return how many packets of the one session were more than its rate."""
        api = ApiClient(path_in(self.folder / "server" / "run" / "openpptp"))
        (session,) = api.sessions()
        return int(api.show(session["id"])["drops"]["rate"])

    def refused(self) -> str:
        """Let anna try until she is refused; return what she is told."""
        with self.client() as client:
            assert client.exit_code() == 1
            return client.log()


@contextlib.contextmanager
def stage(topology: Topology, folder: Path, *policy: str, **sections: dict[str, object]) -> Iterator[Stage]:
    """Serve anna with a policy."""
    made = Stage(topology, folder)
    with serving(topology.server, folder / "server", **sections) as made.server:
        made.user("add", "anna", "--store", *policy)
        yield made


def send(topology: Topology, source: str) -> None:
    """Send SENT datagrams of 1,000 octets from the client to the world, as fast as it goes."""
    datagram = pcap.ipv4(source, WORLD, 17, bytes.fromhex("1f901f9003e80000") + bytes(992))
    with topology.client.inside(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for _ in range(SENT):
            raw.sendto(datagram, (WORLD, 0))


class RateTests:
    def test_a_limit_set_while_she_is_connected_holds_within_seconds(self, topology, tmp_path):
        with stage(topology, tmp_path) as it, it.client("--route", "198.51.100.0/24") as client:
            client.connected()
            watch = Counter(topology.server, f'iifname "{SERVER_DEVICE}" udp dport 8080')
            send(topology, "10.91.9.2")
            assert eventually(lambda: watch.count == SENT)
            it.user("limit", "anna", "--rate", "8kbit")
            it.server.says("policy changed")
            send(topology, "10.91.9.2")
            # The burst of 3,000 octets, and one a second: all but a few are dropped, whatever the machine is busy with.
            assert eventually(lambda: it.dropped() > SENT // 2)
            assert watch.count < SENT + SENT // 2


class AddressTests:
    def test_a_fixed_address_outside_the_pool_is_reached_while_she_is_there(self, topology, tmp_path):
        with stage(topology, tmp_path, "--address", "10.77.1.5") as it:
            with it.client() as client:
                client.connected()
                assert "10.77.1.5" in topology.client.run("ip", "-4", "addr", "show", CLIENT_DEVICE).stdout
                assert eventually(lambda: "10.77.1.5" in topology.server.run("ip", "route").stdout)
                assert topology.server.ping("10.77.1.5", count=2)
            it.server.says("session ended")
            assert eventually(lambda: "10.77.1.5" not in topology.server.run("ip", "route").stdout)

    def test_a_pool_of_her_own(self, topology, tmp_path):
        pools = {"pools": {"office": ["10.92.0.8/30"]}}
        with (
            stage(topology, tmp_path, "--pool", "office", network=pools) as it,
            it.client("--route", f"{WORLD}/32") as client,
        ):
            client.connected()
            assert "10.92.0.9" in topology.client.run("ip", "-4", "addr", "show", CLIENT_DEVICE).stdout
            assert topology.client.ping(WORLD, count=2)  # routed and hidden by NAT as the first pool is


class RouteTests:
    def test_a_network_behind_her_is_reached_and_may_speak(self, topology, tmp_path):
        topology.client.ip(f"addr add {BEHIND}/24 dev lo")
        with stage(topology, tmp_path, "--route", "192.168.5.0/24") as it:
            with it.client() as client:
                client.connected()
                assert eventually(lambda: "192.168.5.0/24" in topology.server.run("ip", "route").stdout)
                assert topology.server.ping(BEHIND, count=2)
                assert topology.client.run("ping", "-c2", "-i0.2", "-W2", "-I", BEHIND, OUR_ADDRESS).returncode == 0
            it.server.says("session ended")
            assert eventually(lambda: "192.168.5.0/24" not in topology.server.run("ip", "route").stdout)

    def test_without_it_they_go_nowhere(self, topology, tmp_path):
        topology.client.ip(f"addr add {BEHIND}/24 dev lo")
        with stage(topology, tmp_path) as it, it.client() as client:
            client.connected()
            watch = Counter(topology.server, f'iifname "{SERVER_DEVICE}" ip saddr {BEHIND}')
            topology.client.run("ping", "-c2", "-i0.2", "-W1", "-I", BEHIND, OUR_ADDRESS, check=False)
            assert watch.count == 0


class EndTests:
    def test_a_quota_ends_the_session_and_refuses_the_next(self, topology, tmp_path):
        with stage(topology, tmp_path, "--quota", "1M/month") as it, target(topology.world, WORLD):
            with it.client("--route", "198.51.100.0/24") as client:
                client.connected()
                ask(topology.client, WORLD, "/", octets(1_100_000))
                assert client.exit_code() == 1
                assert "the quota is used up" in client.log()
            it.server.says("reason=quota")
            assert "The quota 1MiB/month is used up until" in it.refused()

    def test_an_idle_session_ends_by_itself(self, topology, tmp_path):
        with stage(topology, tmp_path, policy={"idle": "1s"}) as it, it.client() as client:
            assert client.exit_code() == 1
            it.server.says("reason=idle")
            assert "nothing passed for the allowed idle time" in client.log()

    def test_a_second_log_in_takes_the_place_of_the_first(self, make_topology, tmp_path):
        topology = make_topology(clients=2)
        with stage(topology, tmp_path, "--sessions", "1/replace", "--address", "10.77.1.5") as it, it.client() as first:
            first.connected()
            again = connecting(topology.clients[1], tmp_path / "again", user="anna", password="pw")
            with again as second:
                second.connected()
                assert first.exit_code() == 1
                assert "the same user has logged in elsewhere" in first.log()
                assert topology.server.ping("10.77.1.5", count=2)
                assert second.process.poll() is None

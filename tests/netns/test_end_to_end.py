"""Our server and our client as processes, in a small internet of namespaces with real packets."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from tests import pcap
from tests.eventually import eventually
from tests.machine import need_programs
from tests.netns.namespace import Namespace
from tests.netns.programs import (
    CLIENT_DEVICE,
    SERVER_DEVICE,
    USER,
    WORLD_NETWORK,
    Counter,
    Program,
    capturing,
    connecting,
    serving,
    state,
)
from tests.netns.target import ask, octets, target
from tests.netns.topology import Topology
from tests.tshark import fields, judge

from openpptp.net.gre import RawGrePort
from openpptp.wire import gre
from openpptp.wire.control import ControlStream, OutgoingCallRequest, StartControlConnectionRequest
from openpptp.wire.ppp import Code, Packet, Protocol, encode_frame

pytestmark = pytest.mark.root

WORLD = str(Topology.WORLD)
STRANGER = "10.66.66.66"
TO_WORLD = ("--route", WORLD_NETWORK)


def carries(client: Namespace, count: int = 2_000_000) -> bool:
    """Tell whether a client gets and gives that many octets unharmed."""
    got = ask(client, WORLD, f"/octets/{count}")
    given = ask(client, WORLD, "/", octets(count))
    return (got, given) == (octets(count), sha256(octets(count)).hexdigest().encode())


def spoof(namespace: Namespace, source: str, count: int = 5) -> None:
    """Send UDP to the world with a source address of somebody's choice."""
    with namespace.inside(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for _ in range(count):
            raw.sendto(pcap.ipv4(source, WORLD, 17, bytes.fromhex("1f901f9000100000") + bytes(8)), (WORLD, 0))


@dataclass
class Stage:
    """A topology with a server, and something to reach in the world."""

    topology: Topology
    server: Program
    folder: Path

    @contextlib.contextmanager
    def client(self, *flags: str, number: int = 0, **how: str) -> Iterator[Program]:
        """Connect a client, and wait for its end."""
        folder = self.folder / f"client{number}"
        with connecting(self.topology.clients[number], folder, *flags, **how) as client:
            client.connected()
            yield client

    def refused(self, *flags: str, **how: str) -> Program:
        """Run a client until it has ended by itself with exit code 1."""
        with connecting(self.topology.client, self.folder / "refused", *flags, **how) as client:
            assert client.exit_code() == 1
            return client


@contextlib.contextmanager
def stage(folder: Path, *, clients: int = 1, helper: bool = True, **sections: dict[str, object]) -> Iterator[Stage]:
    """Build a stage; sections are the server's settings beyond the defaults."""
    topology = Topology(clients=clients, helper=helper)
    try:
        with serving(topology.server, folder / "server", **sections) as server, target(topology.world, WORLD):
            yield Stage(topology, server, folder)
    finally:
        topology.close()


@dataclass
class Story:
    """What was seen from the start of a server to its end."""

    before: dict[str, dict[str, str]] = field(default_factory=dict)
    during: dict[str, dict[str, str]] = field(default_factory=dict)
    after: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: dict[str, object] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    capture: Path = Path()


class SessionTests:
    """One session with the default settings on both sides, from the first packet to the last."""

    @pytest.fixture(scope="class")
    @classmethod
    def story(cls, namespaces_possible, tmp_path_factory) -> Iterator[Story]:
        need_programs("tcpdump")
        story, folder = Story(), tmp_path_factory.mktemp("session")
        topology = Topology()

        def states() -> dict[str, dict[str, str]]:
            return {place: state(getattr(topology, place)) for place in ("server", "client")}

        try:
            story.capture = folder / "outside.pcap"
            story.before = states()
            with (
                capturing(topology.client, "nat0", story.capture),
                serving(topology.server, folder / "server") as server,
                target(topology.world, WORLD),
            ):
                with connecting(topology.client, folder / "client", *TO_WORLD) as client:
                    client.connected()
                    story.during = states()
                    story.seen["asked by"] = ask(topology.client, WORLD)
                    story.seen["octets unharmed"] = carries(topology.client)
                    story.seen["own pings"] = topology.client.ping("10.91.9.1", count=3)
                    cls._spoof(topology, story)
                    story.seen["client's exit code"] = client.stop()
                    story.logs["client"] = client.log()
                server.says("session ended")
                story.seen["server's exit code"] = server.stop()
                story.logs["server"] = server.log()
            story.after = states()
            yield story
        finally:
            topology.close()

    @staticmethod
    def _spoof(topology: Topology, story: Story) -> None:
        watch = Counter(topology.world, f"ip saddr {STRANGER}")
        inside = Counter(topology.server, f'iifname "{SERVER_DEVICE}" ip saddr {STRANGER}', name="inside")
        left = topology.client.run("ip", "-s", "-j", "link", "show", CLIENT_DEVICE).stdout
        spoof(topology.client, STRANGER)
        story.seen["ping after the spoofed"] = topology.client.ping(WORLD, count=3)
        story.seen["spoofed at the server's inside"] = inside.count
        story.seen["spoofed in the world"] = watch.count
        story.seen["spoofed went into the tunnel"] = (
            left != topology.client.run("ip", "-s", "-j", "link", "show", CLIENT_DEVICE).stdout
        )
        watch.remove()
        inside.remove()

    def test_the_world_sees_the_server_asking(self, story):
        assert story.seen["asked by"] == str(Topology.SERVER_TO_WORLD).encode()

    def test_two_megabytes_each_way_arrive_unharmed(self, story):
        assert story.seen["octets unharmed"]

    def test_the_servers_inside_answers_pings(self, story):
        assert story.seen["own pings"]

    def test_nothing_readable_is_on_the_wire(self, story):
        octets_on_wire = story.capture.read_bytes()
        assert len(octets_on_wire) > 4_000_000
        assert b"GET /octets" not in octets_on_wire
        assert octets(2_000_000)[:16] not in octets_on_wire
        in_clear = fields(
            story.capture, "gre && ip && (ppp.protocol == 0x0021 || ppp.protocol == 0x0057)", "frame.number"
        )
        assert in_clear == []
        assert len(fields(story.capture, "comp_data || ppp.protocol == 0x00fd", "frame.number")) > 1000

    def test_b088_a_foreign_inner_source_goes_nowhere(self, story):
        assert story.seen["spoofed went into the tunnel"]
        assert story.seen["spoofed at the server's inside"] == 0
        assert story.seen["spoofed in the world"] == 0
        assert story.seen["ping after the spoofed"]

    def test_tshark_finds_no_fault_in_anything_sent(self, story):
        # What is said inside TCP's and GRE's own analysis (out of order, window) is about the carrier, not about us.
        assert judge(story.capture, allowed=("TCP", "This frame is a (suspected)", "Previous segment")) == []

    def test_both_say_in_words_how_it_went(self, story):
        assert "encryption='MPPE 128 bit'" in story.logs["client"]
        assert "session up" in story.logs["server"]
        assert f"user={USER}" in story.logs["server"]
        assert "reason=peer-request" in story.logs["server"]
        assert "Traceback" not in story.logs["server"] + story.logs["client"]

    def test_both_end_with_0(self, story):
        assert (story.seen["client's exit code"], story.seen["server's exit code"]) == (0, 0)

    def test_the_way_to_the_server_is_pinned_meanwhile(self, story):
        assert f"{Topology.SERVER} via 192.168.100.1 dev nat0" in story.during["client"]["routes"]
        assert story.during["server"]["net/ipv4/ip_forward"] == "1"

    @pytest.mark.parametrize("place", ["server", "client"])
    def test_afterwards_everything_is_as_before(self, story, place):
        assert story.after[place] == story.before[place]
        assert story.during[place] != story.before[place]

    def test_no_password_is_in_any_log(self, story):
        assert "correct horse" not in story.logs["server"] + story.logs["client"]


class DefaultServerTests:
    """A server with the default settings under guests of all kinds."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, namespaces_possible, tmp_path_factory) -> Iterator[Stage]:
        with stage(tmp_path_factory.mktemp("default"), clients=2) as made:
            yield made

    def test_b058_the_default_route_leads_into_the_tunnel_but_not_the_tunnel_itself(self, stage):
        client = stage.topology.client
        before = state(client)
        with stage.client("--default-route"):
            assert f"dev {CLIENT_DEVICE}" in client.run("ip", "route", "get", WORLD).stdout
            assert "dev nat0" in client.run("ip", "route", "get", str(Topology.SERVER)).stdout
            pinned, floor = client.run("ip", "route", "show", str(Topology.SERVER)).stdout.splitlines()
            assert pinned.startswith("203.0.113.1 via 192.168.100.1")
            assert floor.startswith("unreachable 203.0.113.1")  # what the tunnel itself never enters
            assert client.run("ip", "route", "show", "default").stdout.startswith("default via 192.168.100.1")
            assert carries(client, 200_000)
        assert state(client) == before

    def test_p24_two_clients_behind_one_nat_box(self, stage):
        first, second = stage.topology.clients
        with stage.client(*TO_WORLD), stage.client(*TO_WORLD, number=1, user="bob", password="bobs"):
            assert first.ping(WORLD, count=5)
            assert second.ping(WORLD, count=5)
            assert carries(first, 100_000)
            assert carries(second, 100_000)
            addresses = {
                each.run("ip", "-br", "-4", "addr", "show", CLIENT_DEVICE).stdout.split()[2] for each in (first, second)
            }
            assert len(addresses) == 2

    def test_a_wrong_password_is_refused_in_words_on_both_sides(self, stage):
        before = state(stage.topology.client)
        client = stage.refused(password="wrong")
        assert "wrong user name or password" in client.log()
        stage.server.says("wrong password for user 'alice'")
        assert state(stage.topology.client) == before

    def test_b045_gre_from_a_third_address_with_the_right_call_id_is_ignored(self, stage):
        with stage.client(*TO_WORLD):
            call_id = int(stage.server.log().rpartition("session up ")[2].split("call=")[1].split()[0])
            ups = stage.server.log().count("session ended")
            terminate = encode_frame(Protocol.LCP, Packet(Code.TERMINATE_REQUEST, 1, b"").encode())
            with self._gre_from_the_world(stage) as port:
                for sequence in range(1, 20):
                    packet = gre.encode(call_id, terminate, sequence)
                    assert port.send(packet, int(Topology.SERVER), int(Topology.WORLD))
                assert stage.topology.client.ping(WORLD, count=5)
                assert stage.server.log().count("session ended") == ups

    def test_b047_unknown_gre_is_never_answered(self, stage):
        answers = Counter(stage.topology.world, f"ip saddr {Topology.SERVER} meta l4proto {{ gre, icmp }}")
        asked = Counter(stage.topology.server, f"ip saddr {WORLD} meta l4proto gre", name="asked")
        with self._gre_from_the_world(stage) as port:
            echo = encode_frame(Protocol.LCP, Packet(Code.ECHO_REQUEST, 1, bytes(4)).encode())
            for call_id in range(1, 60_000, 1000):
                port.send(gre.encode(call_id, echo, 0), int(Topology.SERVER), int(Topology.WORLD))
            port.send(bytes(3), int(Topology.SERVER), int(Topology.WORLD))
            assert asked.count == 61
            with stage.client(*TO_WORLD):  # a whole log-in later nothing has come back
                assert answers.count == 0
        answers.remove()
        asked.remove()

    def test_p27_nothing_passes_before_authentication(self, stage):
        """A call is up, nobody has logged in, and IPv4 in the clear arrives on it."""
        topology = stage.topology
        inside = Counter(topology.server, f'iifname "{SERVER_DEVICE}"', name="inside")
        with contextlib.ExitStack() as undo:
            with topology.nat.inside():
                control = undo.enter_context(socket.create_connection((str(Topology.SERVER), 1723), timeout=10))
                port = RawGrePort()
                undo.callback(port.close)
            control.sendall(StartControlConnectionRequest().encode() + OutgoingCallRequest(7, 1, 300, 1000).encode())
            stream, replies = ControlStream(), []
            while len(replies) < 2:
                replies += stream.feed(control.recv(4096))
            for sequence in range(20):
                packet = pcap.ipv4("10.91.9.2", WORLD, 17, bytes.fromhex("1f901f9000100000") + bytes(8))
                frame = encode_frame(Protocol.IPV4, packet)
                port.send(gre.encode(replies[1].call_id, frame, sequence), int(Topology.SERVER), int(Topology.NAT))
            echo = encode_frame(Protocol.LCP, Packet(Code.CONFIGURE_REQUEST, 9, b"").encode())
            port.send(gre.encode(replies[1].call_id, echo, 20), int(Topology.SERVER), int(Topology.NAT))
            acked: list[bytes] = []

            def answered() -> bool:
                acked.extend(bytes(datagram.payload) for datagram in port.receive())
                return any(bytes((Code.CONFIGURE_ACK, 9)) in payload for payload in acked)

            assert eventually(answered), "the server does not hear our GRE, so that this test would show nothing"
            assert inside.count == 0
        inside.remove()

    @contextlib.contextmanager
    def _gre_from_the_world(self, stage: Stage) -> Iterator[RawGrePort]:
        world = stage.topology.world
        world.ip(f"route add {Topology.SERVER} via {Topology.SERVER_TO_WORLD}")
        with world.inside():
            port = RawGrePort()
        try:
            yield port
        finally:
            port.close()
            world.ip(f"route del {Topology.SERVER}")


class LenientServerTests:
    """A server that allows what is weaker than the default."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, namespaces_possible, tmp_path_factory) -> Iterator[Stage]:
        auth = {"methods": ["MS-CHAPv2", "PAP"], "encryption": "optional", "key_bits": [40, 56, 128], "stateful": True}
        with stage(tmp_path_factory.mktemp("lenient"), auth=auth, ppp={"ipv6": True}) as made:
            yield made

    @pytest.mark.parametrize("bits", ["40", "56", "128"])
    def test_every_key_length_carries_data(self, stage, bits):
        with stage.client(*TO_WORLD, "--key-bits", bits) as client:
            assert f"encryption='MPPE {bits} bit'" in client.log()
            assert carries(stage.topology.client, 200_000)

    def test_stateful_encryption_under_light_loss(self, stage):
        topology = stage.topology
        with stage.client(*TO_WORLD, "--stateful", "--log-level", "debug") as client:
            assert eventually(lambda: topology.client.ping(WORLD, count=5))
            with losing(topology, 1):
                assert carries(topology.client, 300_000)
            # A packet lost last is missed by the next, which is lost with it.
            assert eventually(lambda: topology.client.ping(WORLD, count=5))
            assert "[CCP ConfAck id=0x1 <mppe -H -M +S -L -D -C>]" in client.log()

    def test_in_the_clear_where_both_want_it(self, stage):
        with stage.client(*TO_WORLD, "--encryption", "off", "--allow-method", "PAP") as client:
            assert "data goes in clear" in client.log()
            assert carries(stage.topology.client, 200_000)

    def test_a_session_comes_up_and_carries_under_loss_both_ways(self, stage):
        with losing(stage.topology, 5), stage.client(*TO_WORLD):
            assert carries(stage.topology.client, 200_000)


@contextlib.contextmanager
def losing(topology: Topology, percent: int) -> Iterator[None]:
    """Lose a share of the GRE packets, both ways."""
    ends = (topology.server, topology.client)
    for end in ends:
        end.lose(percent)
    try:
        yield
    finally:
        for end in ends:
            end.lose(0)


class UnsuitableTests:
    """What the two ends cannot agree on is said in words."""

    def test_who_offers_only_pap_is_refused_in_words_on_both_sides(self, namespaces_possible, tmp_path):
        words = "the client offers only PAP; this server requires MS-CHAPv2"
        with stage(tmp_path) as made:
            client = made.refused("--allow-method", "PAP", "--encryption", "off")
            assert words in client.log()
            made.server.says(words, "reason=authentication-unsuitable")


class BlockedGreTests:
    """Finding 11: without its helper a NAT box lets no GRE answer through."""

    def test_both_sides_say_so(self, namespaces_possible, tmp_path):
        with stage(tmp_path, helper=False) as made:
            client = made.refused()
            assert "GRE" in client.log()
            made.server.says("session ended")
            assert "GRE" in made.server.log().partition("session ended")[2]

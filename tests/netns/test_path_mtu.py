"""S24: some sites do not open through the tunnel. Real TCP over paths that lose what is too long, without a word."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.netns.namespace import Namespace, join
from tests.netns.programs import CLIENT_DEVICE, WORLD_NETWORK, Counter, Program, connecting, serving
from tests.netns.target import ask, octets, target
from tests.netns.topology import Topology

from openpptp.net import engine

pytestmark = pytest.mark.root

SITE = "192.0.2.80"
TO_SITE = ("--route", "192.0.2.0/24")
PAGE = 100_000
SILENCE = "table inet silence { chain out { type filter hook output priority 0; meta l4proto icmp drop; }; }"
ENGINES = pytest.mark.parametrize(
    "data_path",
    [
        pytest.param("engine", marks=pytest.mark.skipif(not engine.available(), reason=engine.why_not())),
        "reference",
    ],
)


def loads(client: Namespace, *, seconds: float = 2.0) -> bool:
    """Tell whether the site's page comes; a black hole swallows it after the headers, for ever."""
    try:
        return ask(client, SITE, f"/octets/{PAGE}", seconds=seconds) == octets(PAGE)
    except TimeoutError:
        return False


@pytest.fixture
def site(topology, make_namespace) -> Iterator[Namespace]:
    """A web server behind the world, with 1,400 octets on the last link but one: site -1500- world -1400- server."""
    made = make_namespace("site")
    join(topology.world, "192.0.2.1/24", made, f"{SITE}/24")
    made.ip("route add default via 192.0.2.1")
    topology.world.sysctl("net/ipv4/ip_forward", "1")
    topology.world.ip("link set server0 mtu 1400")
    topology.server.ip(f"route add 192.0.2.0/24 via {Topology.WORLD}")
    with target(made, SITE):
        yield made


@contextlib.contextmanager
def session(topology: Topology, folder: Path, *flags: str, **sections: dict[str, object]) -> Iterator[Program]:
    """Run a server and a client that believes its interface carries 1,500 octets, as that of a router would.

    Our client fits segment sizes as well, but to what the server asks to receive, which is more than the path carries.
    """
    sections = {"ppp": {"mru": 1500}, **sections}
    with (
        serving(topology.server, folder / "server", **sections),
        connecting(topology.client, folder / "client", *flags) as client,
    ):
        client.connected()
        topology.client.ip(f"link set {CLIENT_DEVICE} mtu 1500")
        yield client


class BlackHoleTests:
    """A path of 1,400 octets whose router says nothing; the VPN server's own links have 1,500."""

    def test_s24_the_page_does_not_load_without_the_clamp(self, topology, site, tmp_path):
        topology.world.nft(SILENCE)
        with session(topology, tmp_path, *TO_SITE, network={"mss_clamp": False}):
            assert ask(topology.client, SITE) == str(Topology.SERVER_TO_WORLD).encode(), "what is short passes"
            assert not loads(topology.client)

    @ENGINES
    def test_s24_the_page_loads_with_it(self, topology, site, tmp_path, data_path):
        topology.world.nft(SILENCE)
        with session(topology, tmp_path, *TO_SITE, server={"data_path": data_path}):
            assert loads(topology.client, seconds=20)

    def test_s24_without_the_clamp_it_loads_where_icmp_passes(self, topology, site, tmp_path):
        """The server's own too-big messages reach the site, past its NAT, and so do the world's."""
        told = Counter(site, "icmp type destination-unreachable icmp code frag-needed")
        with session(topology, tmp_path, *TO_SITE, network={"mss_clamp": False}):
            assert loads(topology.client, seconds=20)
        assert told.count > 0


class NarrowPeerTests:
    """Q-48: 1,400 octets between client and server, known from the segment size of the control connection."""

    @ENGINES
    def test_the_session_keeps_to_the_way_and_nothing_is_cut(self, topology, tmp_path, data_path):
        topology.nat.nft(
            "table inet narrow { chain c { type filter hook forward priority mangle;"
            " tcp flags & (syn | rst) == syn tcp option maxseg size set 1360; }; }"
        )
        cut = [Counter(place, "ip frag-off & 0x3fff != 0") for place in (topology.server, topology.client)]
        # The one device of the server has 1,396; this session has less, and its connections are told so.
        fitted = Counter(topology.world, "tcp flags & (syn | rst) == syn tcp option maxseg size 1316", name="fitted")
        flags = ("--route", WORLD_NETWORK, "--data-path", data_path)
        with (
            target(topology.world, str(Topology.WORLD)),
            session(topology, tmp_path, *flags, server={"data_path": data_path}) as client,
        ):
            assert " mtu=1356" in client.log()
            assert ask(topology.client, str(Topology.WORLD), f"/octets/{PAGE}") == octets(PAGE)
        assert fitted.count == 1
        assert [each.count for each in cut] == [0, 0]

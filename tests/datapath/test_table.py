"""Which call a packet belongs to.

A native twin subclasses these and overrides table.
"""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import pcap

from openpptp.datapath.path import Path
from openpptp.datapath.seam import Inside
from openpptp.datapath.table import CallTable
from openpptp.errors import Misuse

ANN, BOB = bytes.fromhex("0200000000000001"), bytes.fromhex("0200000000000002")


def inside(*addresses: str, identifier: bytes | None = None, behind: tuple[str, ...] = ()) -> Inside:
    networks = tuple(map(IPv4Network, behind))
    return Inside(1400, tuple(map(IPv4Address, addresses)), True, True, True, identifier, networks)


def to(destination: str) -> bytes:
    return pcap.ipv4("192.0.2.1", destination, 17, b"x")


def to6(destination: bytes) -> bytes:
    return b"\x60" + bytes(7) + bytes(16) + destination


class Subject:
    """Where the reference is made; a twin makes its own."""

    def table(self) -> CallTable:
        return CallTable()


class FromOutsideTests(Subject):
    """By Call ID and source address."""

    def test_call_id_0_is_legal(self):
        table = self.table()
        call = table.open(0, 10, 20, Path())
        assert table.find(0, 10) is call
        assert (call.peer, call.local, len(table)) == (10, 20, 1)

    def test_b045_the_source_must_be_the_control_connections_peer(self):
        table = self.table()
        table.open(7, 10, 20, Path())
        assert table.find(7, 11) is None
        assert table.unknown == 1

    def test_b047_unknown_calls_are_counted(self):
        table = self.table()
        assert [table.find(n, 10) for n in range(5)] == [None] * 5
        assert table.unknown == 5

    def test_b056_after_the_end_nothing_is_taken(self):
        table = self.table()
        call = table.open(7, 10, 20, Path())
        assert table.close(7) is call
        assert call.closed
        assert table.find(7, 10) is None

    def test_what_is_not_open_is_misuse(self):
        table = self.table()
        with pytest.raises(Misuse, match="call 3 is not open"):
            table.close(3)
        table.open(3, 1, 2, Path())
        with pytest.raises(Misuse, match="call 3 is open already"):
            table.open(3, 1, 2, Path())


class FromInsideTests(Subject):
    """By destination."""

    def test_each_address_leads_to_its_call_and_others_nowhere(self):
        table = self.table()
        ann, bob = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(ann, inside("10.0.0.1", "10.0.0.11"))
        table.attach(bob, inside("10.0.0.2"))
        assert [table.route(to(f"10.0.0.{n}")) for n in (1, 11, 2, 3)] == [ann, ann, bob, None]
        assert [table.route(packet) for packet in (b"", b"\x45", b"\x20" * 40)] == [None] * 3
        assert table.unrouted == 4

    def test_a_link_local_address_leads_by_its_identifier(self):
        table = self.table()
        ann, bob = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(ann, inside("10.0.0.1", identifier=ANN))
        table.attach(bob, inside("10.0.0.2", identifier=BOB))
        prefix = bytes.fromhex("fe80000000000000")
        assert [table.route(to6(prefix + who)) for who in (ANN, BOB)] == [ann, bob]
        assert table.route(to6(bytes.fromhex("20010db800000000") + ANN)) is None

    def test_a_clients_call_takes_all(self):
        table = self.table()
        call = table.open(1, 10, 20, Path())
        table.attach(call, inside(identifier=BOB))
        assert table.route(to("198.51.100.7")) is call
        assert table.route(to6(bytes.fromhex("20010db800000000") + ANN)) is call
        table.detach(call)
        assert table.route(to("198.51.100.7")) is None

    def test_a_call_that_took_over_an_address_keeps_it(self):
        """A user who comes again before the old session is noticed to be dead."""
        table = self.table()
        old, new = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(old, inside("10.0.0.1"))
        table.attach(new, inside("10.0.0.1"))
        table.close(1)
        assert table.route(to("10.0.0.1")) is new

    def test_an_attached_call_gives_up_its_old_addresses(self):
        table = self.table()
        call = table.open(1, 10, 20, Path())
        table.attach(call, inside("10.0.0.1"))
        table.attach(call, inside("10.0.0.2"))
        assert [table.route(to(f"10.0.0.{n}")) for n in (1, 2)] == [None, call]

    def test_only_a_whole_header_has_a_destination(self):
        table = self.table()
        ann, client = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(ann, inside("0.0.0.0", identifier=ANN, behind=("0.0.0.0/1",)))
        table.attach(client, inside())
        link_local = to6(bytes.fromhex("fe80000000000000") + ANN)
        assert {table.route(to("0.0.0.0")[:length]) for length in range(1, 20)} == {client}
        assert {table.route(link_local[:length]) for length in range(1, 40)} == {client}
        assert [table.route(to("0.0.0.0")[:20]), table.route(link_local[:40])] == [ann, ann]


class NetworkTests(Subject):
    """Networks behind a peer."""

    def test_the_longest_prefix_wins_and_an_address_before_any(self):
        table = self.table()
        site, house, room, ann, other = (table.open(n, 10, 20, Path()) for n in range(5))
        table.attach(ann, inside("10.1.2.3"))
        table.attach(house, inside("10.0.0.2", behind=("10.1.0.0/16",)))
        table.attach(room, inside("10.0.0.3", behind=("10.1.2.0/24",)))
        table.attach(site, inside("10.0.0.1", behind=("10.0.0.0/8", "192.0.2.0/25")))
        table.attach(other, inside())
        ways = {
            "10.1.2.3": ann,
            "10.1.2.4": room,
            "10.1.3.4": house,
            "10.2.3.4": site,
            "10.0.0.3": room,
            "192.0.2.127": site,
            "192.0.2.128": other,
        }
        assert {destination: table.route(to(destination)) for destination in ways} == ways
        table.detach(room)
        assert table.route(to("10.1.2.4")) is house
        table.detach(house)
        assert table.route(to("10.1.2.4")) is site

    def test_a_call_with_networks_and_no_address_does_not_take_all(self):
        table = self.table()
        call = table.open(1, 10, 20, Path())
        table.attach(call, inside(behind=("10.1.0.0/16",)))
        assert [table.route(to(destination)) for destination in ("10.1.0.0", "10.2.0.0")] == [call, None]

    def test_a_call_that_took_over_a_network_keeps_it(self):
        table = self.table()
        old, new = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(old, inside(behind=("10.1.0.0/16", "10.2.0.0/16")))
        table.attach(new, inside(behind=("10.1.0.0/16",)))
        table.detach(old)
        assert [table.route(to(destination)) for destination in ("10.1.0.1", "10.2.0.1")] == [new, None]

    def test_a_network_of_one_address_is_that_address(self):
        table = self.table()
        old, new = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(old, inside("10.1.0.1", "10.1.0.1"))
        table.attach(new, inside(behind=("10.1.0.1/32",)))
        assert table.route(to("10.1.0.1")) is new
        table.detach(new)
        assert table.route(to("10.1.0.1")) is None

    def test_the_widest_network_takes_all_of_ipv4_before_a_clients_call(self):
        table = self.table()
        wide, client = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(wide, inside(behind=("0.0.0.0/0",)))
        table.attach(client, inside())
        assert table.route(to("198.51.100.7")) is wide
        assert table.route(to6(bytes.fromhex("20010db800000000") + ANN)) is client


PLACES = st.builds(lambda high, low: high << 29 | low, st.integers(0, 7), st.integers(0, 7))
"Few addresses, so that networks contain, equal and take over each other."
NETWORKS = st.builds(lambda place, length: IPv4Network((place, length), strict=False), PLACES, st.integers(0, 32))
DEEDS = st.tuples(
    st.integers(0, 5),
    st.sampled_from(["attach", "attach", "attach", "detach", "close"]),
    st.lists(PLACES.map(IPv4Address), max_size=2),
    st.lists(NETWORKS, max_size=3),
    st.none() | st.sampled_from([ANN, BOB]),
)


class ModelTests(Subject):
    """Calls come and go; a list of who had what last, searched from end to end, says where packets must go."""

    @given(st.lists(DEEDS, max_size=30), st.lists(PLACES.map(IPv4Address), min_size=1, max_size=8))
    def test_routes_are_those_of_a_list(self, deeds, destinations):
        table = self.table()
        calls = {}
        owners: dict[IPv4Network | bytes | None, object] = {}
        "Of each network, identifier, and (None) of all else."
        for number, deed, addresses, networks, identifier in deeds:
            call = calls.get(number) or calls.setdefault(number, table.open(number, 10, 20, Path()))
            owners = {what: owner for what, owner in owners.items() if owner is not call}
            if deed == "attach":
                how = Inside(1400, tuple(addresses), True, True, True, identifier, tuple(networks))
                table.attach(call, how)
                own = [*map(IPv4Network, addresses), *networks] or [None]
                owners |= dict.fromkeys([*own, *filter(None, [identifier])], call)
            elif deed == "detach":
                table.detach(call)
            else:
                table.close(number)
                del calls[number]
            for destination in destinations:
                found = [n for n in owners if isinstance(n, IPv4Network) and destination in n]
                best = max(found, key=lambda network: network.prefixlen, default=None)
                assert table.route(to(str(destination))) is owners.get(best)
            for who in (ANN, BOB):
                wanted = owners.get(who, owners.get(None))
                assert table.route(to6(bytes.fromhex("fe80000000000000") + who)) is wanted

"""Which call a packet belongs to."""

from ipaddress import IPv4Address

import pytest
from tests import pcap

from openpptp.datapath.path import Path
from openpptp.datapath.seam import Inside
from openpptp.datapath.table import CallTable
from openpptp.errors import Misuse

ANN, BOB = bytes.fromhex("0200000000000001"), bytes.fromhex("0200000000000002")


def inside(*addresses: str, identifier: bytes | None = None) -> Inside:
    return Inside(1400, tuple(map(IPv4Address, addresses)), True, True, True, identifier)


def to(destination: str) -> bytes:
    return pcap.ipv4("192.0.2.1", destination, 17, b"x")


def to6(destination: bytes) -> bytes:
    return b"\x60" + bytes(7) + bytes(16) + destination


class FromOutsideTests:
    """By Call ID and source address."""

    def test_call_id_0_is_legal(self):
        table = CallTable()
        call = table.open(0, 10, 20, Path())
        assert table.find(0, 10) is call
        assert (call.peer, call.local, len(table)) == (10, 20, 1)

    def test_b045_the_source_must_be_the_control_connections_peer(self):
        table = CallTable()
        table.open(7, 10, 20, Path())
        assert table.find(7, 11) is None
        assert table.unknown == 1

    def test_b047_unknown_calls_are_counted(self):
        table = CallTable()
        assert [table.find(n, 10) for n in range(5)] == [None] * 5
        assert table.unknown == 5

    def test_b056_after_the_end_nothing_is_taken(self):
        table = CallTable()
        call = table.open(7, 10, 20, Path())
        assert table.close(7) is call
        assert call.closed
        assert table.find(7, 10) is None

    def test_what_is_not_open_is_misuse(self):
        table = CallTable()
        with pytest.raises(Misuse, match="call 3 is not open"):
            table.close(3)
        table.open(3, 1, 2, Path())
        with pytest.raises(Misuse, match="call 3 is open already"):
            table.open(3, 1, 2, Path())


class FromInsideTests:
    """By destination."""

    def test_each_address_leads_to_its_call_and_others_nowhere(self):
        table = CallTable()
        ann, bob = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(ann, inside("10.0.0.1", "10.0.0.11"))
        table.attach(bob, inside("10.0.0.2"))
        assert [table.route(to(f"10.0.0.{n}")) for n in (1, 11, 2, 3)] == [ann, ann, bob, None]
        assert [table.route(packet) for packet in (b"", b"\x45", b"\x20" * 40)] == [None] * 3
        assert table.unrouted == 4

    def test_a_link_local_address_leads_by_its_identifier(self):
        table = CallTable()
        ann, bob = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(ann, inside("10.0.0.1", identifier=ANN))
        table.attach(bob, inside("10.0.0.2", identifier=BOB))
        prefix = bytes.fromhex("fe80000000000000")
        assert [table.route(to6(prefix + who)) for who in (ANN, BOB)] == [ann, bob]
        assert table.route(to6(bytes.fromhex("20010db800000000") + ANN)) is None

    def test_a_clients_call_takes_all(self):
        table = CallTable()
        call = table.open(1, 10, 20, Path())
        table.attach(call, inside(identifier=BOB))
        assert table.route(to("198.51.100.7")) is call
        assert table.route(to6(bytes.fromhex("20010db800000000") + ANN)) is call
        table.detach(call)
        assert table.route(to("198.51.100.7")) is None

    def test_a_call_that_took_over_an_address_keeps_it(self):
        """A user who comes again before the old session is noticed to be dead."""
        table = CallTable()
        old, new = (table.open(n, 10, 20, Path()) for n in (1, 2))
        table.attach(old, inside("10.0.0.1"))
        table.attach(new, inside("10.0.0.1"))
        table.close(1)
        assert table.route(to("10.0.0.1")) is new

    def test_an_attached_call_gives_up_its_old_addresses(self):
        table = CallTable()
        call = table.open(1, 10, 20, Path())
        table.attach(call, inside("10.0.0.1"))
        table.attach(call, inside("10.0.0.2"))
        assert [table.route(to(f"10.0.0.{n}")) for n in (1, 2)] == [None, call]

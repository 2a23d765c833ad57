"""The tests of datapath/table.py against native/table.c and native/routes.c."""

from ipaddress import IPv4Address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.datapath import test_table as reference
from tests.native.parts import part

from openpptp.datapath.path import LINK_LOCAL, Path
from openpptp.datapath.seam import Inside
from openpptp.datapath.table import Call, CallTable

_PART = part(
    """
    struct engine_prefix { uint32_t network; uint32_t length; };
    struct engine_inside { int32_t has_peer_identifier; uint8_t peer_identifier[8]; ...; };
    struct call {
        uint16_t call_id;
        uint32_t peer;
        struct engine_inside inside;
        struct engine_prefix *allowed;
        uint32_t allowed_count;
        ...;
    };
    struct table { struct call *calls[65536]; ...; };
    int table_begin(struct table *table);
    void table_end(struct table *table);
    struct call *table_find(const struct table *table, uint16_t call_id, uint32_t source);
    struct call *table_route(const struct table *table, const uint8_t *packet, size_t length);
    int table_attach(struct table *table, struct call *call);
    void table_detach(struct table *table, struct call *call);
    void *aligned_call(size_t size);
    void free(void *memory);
    """,
    "table.c",
    "routes.c",
    include=r"""
    #include <stdlib.h>

    #include "table.h"

    /* As engine.c does: a call's halves have their own cache lines. */
    static void *aligned_call(size_t size)
    {
        return size == sizeof(struct call) ? aligned_alloc(_Alignof(struct call), size) : NULL;
    }
    """,
)
ffi, lib = _PART.ffi, _PART.lib
new_call = ffi.new_allocator(lib.aligned_call, lib.free)


class NativeTable:
    """Steers the table as native/engine.c does; gives calls of the reference for those of the engine."""

    def __init__(self) -> None:
        self.unknown = 0
        self.unrouted = 0
        self._table = ffi.gc(ffi.new("struct table *"), lib.table_end)
        assert lib.table_begin(self._table) == 0
        self._calls: dict[int, tuple[Call, Any]] = {}
        self._allowed: dict[int, Any] = {}
        "Keeps alive what the engine's calls point to."

    def __len__(self) -> int:
        return len(self._calls)

    def open(self, call_id: int, peer: int, local: int, path: Path) -> Call:
        call = Call(call_id, peer, local, path)
        native = new_call("struct call *", {"call_id": call_id, "peer": peer})
        self._table.calls[call_id] = native
        self._calls[call_id] = call, native
        return call

    def _found(self, native: Any) -> Call | None:
        if native == ffi.NULL:
            return None
        call, same = self._calls[native.call_id]
        assert same == native
        return call

    def find(self, call_id: int, source: int) -> Call | None:
        call = self._found(lib.table_find(self._table, call_id, source))
        self.unknown += call is None
        return call

    def attach(self, call: Call, inside: Inside) -> None:
        self.detach(call)
        native = self._calls[call.call_id][1]
        allowed = [(int(address), 32) for address in inside.allowed_ipv4]
        allowed += [(int(network.network_address), network.prefixlen) for network in inside.routed_ipv4]
        self._allowed[call.call_id] = ffi.new("struct engine_prefix[]", allowed)
        native.allowed = self._allowed[call.call_id]
        native.allowed_count = len(allowed)
        native.inside.has_peer_identifier = inside.peer_identifier is not None
        native.inside.peer_identifier = inside.peer_identifier or bytes(8)
        assert lib.table_attach(self._table, native) == 0

    def detach(self, call: Call) -> None:
        lib.table_detach(self._table, self._calls[call.call_id][1])

    def route(self, packet: bytes) -> Call | None:
        call = self._found(lib.table_route(self._table, packet, len(packet)))
        self.unrouted += call is None
        return call

    def close(self, call_id: int) -> Call:
        call, _ = self._calls[call_id]
        self.detach(call)
        self._table.calls[call_id] = ffi.NULL
        del self._calls[call_id]
        call.closed = True
        return call


class Subject:
    def table(self) -> NativeTable:
        return NativeTable()


class FromOutsideTests(Subject, reference.FromOutsideTests):
    test_what_is_not_open_is_misuse = None
    "Is asked in native/engine.c."


class FromInsideTests(Subject, reference.FromInsideTests):
    pass


class NetworkTests(Subject, reference.NetworkTests):
    pass


class ModelTests(Subject, reference.ModelTests):
    pass


ADDRESSES = reference.PLACES.map(lambda address: address.to_bytes(4))
IPV4 = st.builds(lambda address, end: (b"\x45" + bytes(15) + address + bytes(20))[:end], ADDRESSES, st.integers(1, 40))
IPV6 = st.builds(
    lambda prefix, who, end: reference.to6(prefix + who)[:end],
    st.sampled_from([LINK_LOCAL, bytes(8), b"\xfe\x80" + bytes(5) + b"\x01"]),
    st.sampled_from([reference.ANN, reference.BOB, bytes(8)]),
    st.sampled_from([40, 40, 40, *range(1, 40)]),
)
DEEDS = st.tuples(
    st.sampled_from([0, 1, 255, 256, 65535]),
    st.sampled_from(["open", "open", "attach", "attach", "attach", "detach", "close"]),
    st.builds(
        lambda addresses, networks, who: Inside(1400, tuple(addresses), True, True, True, who, tuple(networks)),
        st.lists(reference.PLACES.map(IPv4Address), max_size=3),
        st.lists(reference.NETWORKS, max_size=40),
        st.none() | st.sampled_from([reference.ANN, reference.BOB, bytes(8)]),
    ),
    st.integers(1, 3),
)


class DifferentialTests:
    """Both tables are asked the same, whatever it is, and answer alike."""

    @given(
        st.lists(DEEDS, max_size=40),
        st.lists(IPV4 | IPV6 | st.binary(max_size=60), min_size=1, max_size=10),
        st.lists(st.tuples(st.sampled_from([0, 1, 2, 255, 65535]), st.integers(1, 3)), max_size=5),
    )
    def test_any_packets_after_any_life(self, deeds, packets, datagrams):
        tables = CallTable(), NativeTable()
        both: dict[int, list[Call]] = {}
        for number, deed, inside, peer in deeds:
            if deed == "open":
                if number not in both:
                    both[number] = [table.open(number, peer, 9, Path()) for table in tables]
            elif number in both:
                for table, call in zip(tables, both[number], strict=True):
                    if deed == "attach":
                        table.attach(call, inside)
                    elif deed == "detach":
                        table.detach(call)
                    else:
                        table.close(number)
                if deed == "close":
                    del both[number]
            answers = []
            for table in tables:
                found = [table.route(packet) for packet in packets] + [table.find(*datagram) for datagram in datagrams]
                answers.append([call and call.call_id for call in found])
            assert answers[0] == answers[1]
        assert (tables[0].unknown, tables[0].unrouted) == (tables[1].unknown, tables[1].unrouted)

"""The whole data path, twice, without a network: the engine in memory mode, and the reference put together alike.

Both are asked the same things and return what follows as (way, Call ID, octets), in order.
"""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from tests.native.parts import NATIVE, part

from openpptp.credentials import Encryption
from openpptp.datapath.path import Item, Path, Way
from openpptp.datapath.seam import Counters, Inside
from openpptp.datapath.table import Call, CallTable
from openpptp.errors import BadMessage
from openpptp.wire import gre

WAYS = (Way.INSIDE, Way.OUTSIDE, Way.UP, Way.LOST_STEP, Way.GAVE_UP)
"In the order of engine.h."
TUN_HEADER = bytes(10)
LONGEST = 65536

Result = tuple[Way, int, bytes]
Datagram = tuple[int, bytes]
"Source address and GRE packet."


class ReferenceWhole:
    """The pure part of the reference, as daemon/reference.py runs it."""

    def __init__(self) -> None:
        self.malformed = 0
        self._table = CallTable()
        self._calls: dict[int, Call] = {}

    def open(self, call_id: int, peer: int, local: int) -> None:
        self._calls[call_id] = self._table.open(call_id, peer, local, Path())

    def connect(self, call_id: int, peer_call_id: int) -> None:
        self._calls[call_id].path.connect(peer_call_id)

    def encryption_up(self, call_id: int, send: Encryption, receive: Encryption) -> None:
        self._calls[call_id].path.encryption_up(send, receive)

    def encryption_down(self, call_id: int) -> None:
        self._calls[call_id].path.encryption_down()

    def encryption_flush(self, call_id: int) -> None:
        self._calls[call_id].path.encryption_flush()

    def interface_up(self, call_id: int, inside: Inside) -> None:
        self._calls[call_id].path.interface_up(inside)
        self._table.attach(self._calls[call_id], inside)

    def interface_down(self, call_id: int) -> None:
        self._calls[call_id].path.interface_down()
        self._table.detach(self._calls[call_id])

    def close(self, call_id: int) -> Counters:
        del self._calls[call_id]
        return self._table.close(call_id).path.counters

    def counters(self, call_id: int) -> Counters:
        return self._calls[call_id].path.counters

    def totals(self) -> tuple[int, int, int]:
        return self.malformed, self._table.unknown, self._table.unrouted

    def send_frame(self, call_id: int, frame: bytes) -> list[Result]:
        call = self._calls[call_id]
        return _of(call, call.path.encapsulate_frame(frame))

    def take_outside(self, datagrams: Sequence[Datagram], now: float) -> list[Result]:
        results: list[Result] = []
        for source, datagram in datagrams:
            try:
                call_id, *rest = gre.decode(datagram)
            except BadMessage:
                self.malformed += 1
                continue
            call = self._table.find(call_id, source)
            if call is not None:
                results += _of(call, call.path.decapsulate(*rest, now))
        return results

    def take_inside(self, packets: Sequence[bytes], now: float) -> list[Result]:
        results: list[Result] = []
        for packet in packets:
            call = self._table.route(packet)
            if call is not None:
                results += _of(call, call.path.encapsulate(packet, now))
        return [(way, 0 if way is Way.INSIDE else call_id, octets) for way, call_id, octets in results]

    def tick(self, now: float) -> list[Result]:
        results: list[Result] = []
        for call in self._calls.values():
            deadline = call.path.deadline
            if deadline is not None and deadline.when <= now:
                results += _of(call, call.path.tick(now))
        return results

    def free(self) -> None:
        """Nothing to do."""


def _of(call: Call, items: list[Item]) -> list[Result]:
    return [(way, call.call_id, octets) for way, octets in items]


class NativeWhole:
    """The engine in memory mode."""

    def __init__(self) -> None:
        module = part(
            re.sub(r"/\*.*?\*/|^#.*?$", "", (NATIVE / "engine.h").read_text(), flags=re.DOTALL | re.MULTILINE),
            *sorted(path.name for path in NATIVE.glob("*.c")),
            include='#include "engine.h"',
        )
        self._ffi, self._lib = module.ffi, module.lib
        self._engine = self._lib.engine_new(1)
        self._event = self._ffi.new("struct engine_event *")
        self._room = self._ffi.new("uint8_t[]", LONGEST)

    def open(self, call_id: int, peer: int, local: int) -> None:
        self._asked("open_call", call_id, peer, local, 0, 0)

    def connect(self, call_id: int, peer_call_id: int) -> None:
        self._asked("connect_call", call_id, peer_call_id)

    def encryption_up(self, call_id: int, send: Encryption, receive: Encryption) -> None:
        self._asked("encryption_up", call_id, self._encryption(send), self._encryption(receive))

    def encryption_down(self, call_id: int) -> None:
        self._asked("encryption_down", call_id)

    def encryption_flush(self, call_id: int) -> None:
        self._asked("encryption_flush", call_id)

    def interface_up(self, call_id: int, inside: Inside) -> None:
        given = self._ffi.new("struct engine_inside *")
        given.mtu = inside.mtu
        given.encryption_required = inside.encryption_required
        given.compress_address_control = inside.compress_address_control
        given.compress_protocol = inside.compress_protocol
        given.clamp_segment_size = inside.clamp_segment_size
        if inside.peer_identifier is not None:
            given.has_peer_identifier = 1
            given.peer_identifier = inside.peer_identifier
        for rate, place in ((inside.rate_in, given.rate_in), (inside.rate_out, given.rate_out)):
            if rate is not None:
                place.bits_per_second, place.burst_octets = rate.bits_per_second, rate.burst_octets
        allowed = [(int(address), 32) for address in inside.allowed_ipv4]
        allowed += [(int(network.network_address), network.prefixlen) for network in inside.routed_ipv4]
        self._asked("interface_up", call_id, given, self._ffi.new("struct engine_prefix[]", allowed), len(allowed))

    def interface_down(self, call_id: int) -> None:
        self._asked("interface_down", call_id)

    def close(self, call_id: int) -> Counters:
        return self._counters("close_call", call_id)

    def counters(self, call_id: int) -> Counters:
        return self._counters("counters", call_id)

    def totals(self) -> tuple[int, int, int]:
        totals = self._ffi.new("struct engine_totals *")
        self._lib.engine_totals(self._engine, totals)
        return totals.malformed, totals.unknown, totals.unrouted

    def send_frame(self, call_id: int, frame: bytes) -> list[Result]:
        self._asked("send_frame", call_id, frame, len(frame))
        return self._results()

    def take_outside(self, datagrams: Sequence[Datagram], now: float) -> list[Result]:
        return self._take("outside", [(source, octets) for source, octets in datagrams], now)

    def take_inside(self, packets: Sequence[bytes], now: float) -> list[Result]:
        return self._take("inside", [(0, TUN_HEADER + packet) for packet in packets], now)

    def take_frame(self, frame: bytes, now: float) -> list[Result]:
        """Take what a TUN device with large segments gives, its header included."""
        return self._take("inside", [(0, frame)], now)

    def tick(self, now: float) -> list[Result]:
        self._asked("tick", now)
        return self._results()

    def deadline(self) -> float | None:
        when: float = self._lib.engine_deadline(self._engine)
        return when if when >= 0 else None

    def free(self) -> None:
        self._lib.engine_free(self._engine)

    def _asked(self, what: str, *arguments: Any) -> None:
        result = getattr(self._lib, f"engine_{what}")(self._engine, *arguments)
        assert result == 0, (what, result)

    def _encryption(self, encryption: Encryption) -> Any:
        given = self._ffi.new("struct engine_encryption *")
        given.start_key[0 : len(encryption.start_key)] = list(encryption.start_key)
        given.key_bits, given.stateful = encryption.key_bits, encryption.stateful
        return given

    def _counters(self, what: str, call_id: int) -> Counters:
        counters = self._ffi.new("struct engine_counters *")
        self._asked(what, call_id, counters)
        return Counters(**{field.name: getattr(counters, field.name) for field in fields(Counters)})

    def _take(self, side: str, given: list[tuple[int, bytes]], now: float) -> list[Result]:
        packets = self._ffi.new("struct engine_packet[]", len(given))
        offset = 0
        for packet, (source, octets) in zip(packets, given, strict=True):
            packet.offset, packet.length, packet.source = offset, len(octets), source
            offset += len(octets)
        octets = self._ffi.new("uint8_t[]", b"".join(octets for _, octets in given) or b"\0")
        self._asked(f"take_{side}", octets, packets, len(given), now)
        return self._results()

    def _results(self) -> list[Result]:
        results: list[Result] = []
        while self._lib.engine_next_event(self._engine, self._event, self._room, LONGEST):
            octets = bytes(self._ffi.buffer(self._room, self._event.length))
            results.append((WAYS[self._event.way], self._event.call_id, octets))
        return results

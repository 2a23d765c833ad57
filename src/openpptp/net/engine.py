"""The binding of native/: the engine that carries data packets in threads of its own, at the speed of C.

Addresses are integers as in ports.Datagram. A call that is not open is Misuse; what the system denies is OSError.
"""

import errno
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from openpptp.errors import Misuse, SetupError

try:
    from openpptp.net import _engine
except ImportError as error:
    _problem = "is not built" if error.name == "openpptp.net" else f"cannot be loaded ({error})"
else:
    _problem = ""

DIRECTIONS = (0, 1)  # engine.h: ENGINE_OUTWARD, ENGINE_INWARD
INSIDE, OUTSIDE, UP, LOST_STEP, GAVE_UP = range(5)  # engine.h: what an event's way says
EVENT_ROOM = 65536
TUN_HEADER = 10  # octets of struct virtio_net_hdr, which comes before each inside packet

ThreadFailed = Callable[[OSError], None]
"Called, in the thread that ends, with what ended it."


class Keys(NamedTuple):
    """One direction of MPPE as CCP agreed on it."""

    start_key: bytes
    "16 octets when key_bits is 128, 8 otherwise."
    key_bits: int
    stateful: bool

    def __repr__(self) -> str:
        """Show all but the key."""
        return f"Keys(key_bits={self.key_bits}, stateful={self.stateful})"


class Rate(NamedTuple):
    """A token bucket."""

    bits_per_second: int
    burst_octets: int


class Event(NamedTuple):
    """What the engine has for its owner."""

    way: int
    call_id: int
    octets: bytes


class Packet(NamedTuple):
    """A packet for an engine in memory mode."""

    octets: bytes
    source: int = 0
    destination: int = 0


def available() -> bool:
    """Return whether the engine is built and can be loaded."""
    return not _problem


def why_not() -> str:
    """Return in words why it is not available and what to do; empty when it is."""
    if not _problem:
        return ""
    return (
        f"the engine {_problem}; install a C compiler and Python's headers "
        "(Debian: apt-get install gcc libc6-dev python3-dev), then install OpenPPTP again (scripts/install)"
    )


def features() -> str:
    """Return in words what of the processor the engine uses."""
    return str(_engine.ffi.string(_engine.lib.engine_features()).decode())


class Engine:
    """One engine with its calls; in memory mode until it is given a socket."""

    def __init__(self, shards: int = 1) -> None:
        """Make it; shards is the number of threads in each direction. Raises SetupError where there is none."""
        if _problem:
            raise SetupError(why_not(), exit_code=3)
        self.shards = shards
        self._lib, self._ffi = _engine.lib, _engine.ffi
        self._engine: Any = self._lib.engine_new(shards)
        if self._engine == self._ffi.NULL:
            raise SetupError("there is not memory enough for the engine")
        self._threads: list[threading.Thread] = []
        self._event = self._ffi.new("struct engine_event *")
        self._octets = self._ffi.new("uint8_t[]", EVENT_ROOM)
        self._room = self._ffi.buffer(self._octets)

    def close(self) -> None:
        """Stop the threads and free everything; the descriptors given to it are their owner's to close, afterwards."""
        if self._engine is None:
            return
        self.stop()
        self._lib.engine_free(self._engine)
        self._engine = None

    # --- calls

    def open_call(
        self, call_id: int, peer: int, local: int, *, receive_window: int = 0, first_sequence: int = 0
    ) -> None:
        """Take GRE for call_id from peer; answer from local. receive_window 0 is our usual one."""
        result = self._lib.engine_open_call(self._open, call_id, peer, local, receive_window, first_sequence)
        _judge(result, call_id)

    def connect_call(self, call_id: int, peer_call_id: int) -> None:
        """Learn the peer's Call ID; from here on the call may send."""
        _judge(self._lib.engine_connect_call(self._open, call_id, peer_call_id), call_id)

    def send_frame(self, call_id: int, frame: bytes) -> None:
        """Send one control-protocol PPP frame in clear."""
        _judge(self._lib.engine_send_frame(self._open, call_id, frame, len(frame)), call_id)

    def encryption_up(self, call_id: int, send: Keys, receive: Keys) -> None:
        """Install MPPE in both directions."""
        both = [self._ffi.new("struct engine_encryption *", tuple(keys)) for keys in (send, receive)]
        _judge(self._lib.engine_encryption_up(self._open, call_id, *both), call_id)

    def encryption_down(self, call_id: int) -> None:
        """Forget the keys."""
        _judge(self._lib.engine_encryption_down(self._open, call_id), call_id)

    def encryption_flush(self, call_id: int) -> None:
        """Make the next packet out a flushed one."""
        _judge(self._lib.engine_encryption_flush(self._open, call_id), call_id)

    def interface_up(
        self,
        call_id: int,
        mtu: int,
        allowed: Sequence[tuple[int, int]],
        *,
        encryption_required: bool,
        compress_address_control: bool,
        compress_protocol: bool,
        clamp_segment_size: bool = True,
        peer_identifier: bytes | None = None,
        rate_in: Rate | None = None,
        rate_out: Rate | None = None,
    ) -> None:
        """Let data flow; allowed are the networks (number, prefix length) behind the peer, none: any."""
        inside = self._ffi.new("struct engine_inside *")
        inside.mtu = mtu
        inside.encryption_required = encryption_required
        inside.compress_address_control = compress_address_control
        inside.compress_protocol = compress_protocol
        inside.clamp_segment_size = clamp_segment_size
        if peer_identifier is not None:
            inside.has_peer_identifier = True
            inside.peer_identifier = peer_identifier
        inside.rate_in = tuple(rate_in or (0, 0))
        inside.rate_out = tuple(rate_out or (0, 0))
        prefixes = self._ffi.new("struct engine_prefix[]", list(allowed))
        _judge(self._lib.engine_interface_up(self._open, call_id, inside, prefixes, len(allowed)), call_id)

    def interface_down(self, call_id: int) -> None:
        """Stop data; control-protocol frames still pass."""
        _judge(self._lib.engine_interface_down(self._open, call_id), call_id)

    def close_call(self, call_id: int) -> dict[str, Any]:
        """Forget the call and what waits of it; return its last counters by name."""
        counters = self._ffi.new("struct engine_counters *")
        _judge(self._lib.engine_close_call(self._open, call_id, counters), call_id)
        return self._named(counters)

    def counters(self, call_id: int) -> dict[str, Any]:
        """Return the counters of an open call by name."""
        counters = self._ffi.new("struct engine_counters *")
        _judge(self._lib.engine_counters(self._open, call_id, counters), call_id)
        return self._named(counters)

    def totals(self) -> dict[str, Any]:
        """Return what belonged to no call, and to all, by name."""
        totals = self._ffi.new("struct engine_totals *")
        self._lib.engine_totals(self._open, totals)
        return self._named(totals)

    # --- events

    def event_descriptor(self) -> int:
        """Return what a selector can watch: readable while an event waits."""
        return int(self._lib.engine_event_descriptor(self._open))

    def next_event(self) -> Event | None:
        """Return the oldest event; None when nothing waits."""
        if not self._lib.engine_next_event(self._open, self._event, self._octets, EVENT_ROOM):
            return None
        event = self._event
        return Event(event.way, event.call_id, self._room[: min(event.length, EVENT_ROOM)])

    # --- doors and threads

    def attach_gre(self, descriptor: int, shard: int = 0) -> None:
        """Give a raw GRE socket."""
        _judge(self._lib.engine_attach_gre(self._open, shard, descriptor))

    def attach_tun(self, descriptor: int, shard: int = 0, *, merges_udp: bool = False) -> None:
        """Give a TUN queue whose packets have a header (IFF_VNET_HDR); merges_udp as of Tun."""
        _judge(self._lib.engine_attach_tun(self._open, shard, descriptor, merges_udp))

    def open_ring(self, interface_index: int) -> None:
        """Take GRE that arrives at an Ethernet device from a packet ring."""
        _judge(self._lib.engine_open_ring(self._open, interface_index))

    def close_ring(self, interface_index: int) -> None:
        """Take it from the raw socket again."""
        _judge(self._lib.engine_close_ring(self._open, interface_index))

    def set_route(self, peer: int, local: int, interface_index: int, header: bytes, mtu: int) -> None:
        """Send a peer's packets as Ethernet frames; header is the 14 octets of destination, source and type."""
        _judge(self._lib.engine_set_route(self._open, peer, local, interface_index, header, mtu))

    def forget_route(self, peer: int, local: int) -> None:
        """Send a peer's packets through the raw socket again."""
        _judge(self._lib.engine_forget_route(self._open, peer, local))

    def start(self, failed: ThreadFailed) -> None:
        """Serve both directions of every shard, each in a thread."""
        for shard in range(self.shards):
            for direction in DIRECTIONS:
                thread = threading.Thread(target=self._serve, args=(direction, shard, failed), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, direction: int, shard: int, failed: ThreadFailed) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are the main thread's
        result = self._lib.engine_run(self._engine, direction, shard)
        if result < 0:
            failed(_system_error(result))

    def stop(self) -> None:
        """End the threads and wait for them."""
        if self._threads:
            self._lib.engine_stop(self._open)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    # --- memory mode

    def take_outside(self, packets: Sequence[Packet], now: float) -> None:
        """Take what came from outside, GRE header first; what follows is drawn by next_event."""
        _judge(self._lib.engine_take_outside(self._open, *self._batch(packets), now))

    def take_inside(self, packets: Sequence[Packet], now: float) -> None:
        """Take what came from the TUN queue, its header first."""
        _judge(self._lib.engine_take_inside(self._open, *self._batch(packets), now))

    def tick(self, now: float) -> None:
        """Do what is due."""
        _judge(self._lib.engine_tick(self._open, now))

    def deadline(self) -> float | None:
        """Return when tick will next have something to do; None: never."""
        when = float(self._lib.engine_deadline(self._open))
        return when if when >= 0 else None

    def _batch(self, packets: Sequence[Packet]) -> tuple[bytes, Any, int]:
        places, offset = [], 0
        for octets, source, destination in packets:
            places.append((offset, len(octets), source, destination))
            offset += len(octets)
        octets = b"".join(packet.octets for packet in packets)
        return octets, self._ffi.new("struct engine_packet[]", places), len(places)

    @property
    def _open(self) -> Any:
        if self._engine is None:
            raise Misuse("the engine is closed")
        return self._engine

    def _named(self, struct: Any) -> dict[str, Any]:
        return {name: getattr(struct, name) for name in dir(struct)}


def _judge(result: int, call_id: int | None = None) -> None:
    if result >= 0:
        return
    if call_id is not None and result in (-errno.ENOENT, -errno.EEXIST):
        raise Misuse(f"call {call_id} is {'not open' if result == -errno.ENOENT else 'open already'}")
    raise _system_error(result)


def _system_error(result: int) -> OSError:
    return OSError(-result, os.strerror(-result))

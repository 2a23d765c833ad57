"""Steers the engine: what drivers ask goes down to it, its events come up through the event loop.

Data packets pass in the engine's own threads and are never seen here.
"""

import asyncio
import dataclasses
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from openpptp.credentials import Encryption
from openpptp.daemon.guarded import Broken, Guarded, ignored
from openpptp.daemon.shortcuts import Shortcuts, open_shortcuts
from openpptp.daemon.wishes import CarrierWord
from openpptp.datapath.seam import Counters, EncryptionLost, FrameReceived, Inside, Rate
from openpptp.datapath.window import WINDOW
from openpptp.net import engine as native
from openpptp.net.engine import Engine, Event, Keys
from openpptp.net.ports import address_number

EVENTS_AT_ONCE = 64  # ours: taken before the control connections have their turn
COUNTERS = tuple(field.name for field in dataclasses.fields(Counters))


class HasDescriptor(Protocol):
    """A socket of the system."""

    def fileno(self) -> int:
        """Return the descriptor."""


class EngineDataPath(Guarded):
    """Implements seam.DataPath; the ports stay their owner's to close, after this is closed."""

    def __init__(
        self,
        gre: Sequence[HasDescriptor],
        tun: Sequence[int] = (),
        *,
        merges_udp: bool = False,
        frame_received: FrameReceived,
        encryption_lost: EncryptionLost,
        loop: asyncio.AbstractEventLoop,
        carrier: CarrierWord = "raw",
        broken: Broken = ignored,
        receive_window: int = WINDOW,
        log: FilteringBoundLogger | None = None,
    ) -> None:
        """Start the threads, one in each direction for each socket; the queues of the TUN device may come later.

        merges_udp says whether that device takes several datagrams as one large one. broken hears when packets are
        read no more.
        The callbacks are called from the loop, never from within a method of this object. Raises SetupError where
        there is no engine.
        """
        super().__init__(log)
        self.engine = Engine(len(gre))
        self._frame_received = frame_received
        self._encryption_lost = encryption_lost
        self._loop = loop
        self._closed = False
        self._merges_udp = merges_udp
        self._broken = broken
        self._receive_window = receive_window
        self._shortcuts: Shortcuts | None = None
        self._peers: dict[int, tuple[int, int]] = {}
        "Peer and our address of each call."
        self._open_doors(gre, tun)
        if carrier != "raw":
            self._shortcuts = open_shortcuts(self.engine, wanted=carrier == "ring", log=self._log)
        loop.add_reader(self.engine.event_descriptor(), self._take_events)

    def _open_doors(self, gre: Sequence[HasDescriptor], tun: Sequence[int]) -> None:
        for shard, port in enumerate(gre):
            self.engine.attach_gre(port.fileno(), shard)
        self.attach_tun(tun)
        self.engine.start(self._thread_failed)

    def attach_tun(self, queues: Sequence[int]) -> None:
        """Give the queues, one for each socket, of the device, made for offload, through which inside packets go."""
        for shard, descriptor in enumerate(queues):
            self.engine.attach_tun(descriptor, shard, merges_udp=self._merges_udp)

    # --- what the driver asks for

    def open_call(self, call_id: int, peer: IPv4Address, local: IPv4Address) -> None:
        """Take GRE for call_id from peer; answer from local."""
        pair = address_number(peer), address_number(local)
        self.engine.open_call(call_id, *pair, receive_window=self._receive_window)
        self._peers[call_id] = pair
        if self._shortcuts is not None:
            self._shortcuts.watch(*pair)

    def connect_call(self, call_id: int, peer_call_id: int) -> None:
        """Learn the peer's Call ID; from here on the call may send."""
        self.engine.connect_call(call_id, peer_call_id)

    def send_frame(self, call_id: int, frame: bytes) -> None:
        """Send one control-protocol PPP frame in clear."""
        self.engine.send_frame(call_id, frame)

    def encryption_up(self, call_id: int, send: Encryption, receive: Encryption) -> None:
        """Install MPPE in both directions."""
        self.engine.encryption_up(call_id, keys(send), keys(receive))

    def encryption_down(self, call_id: int) -> None:
        """Forget the keys."""
        self.engine.encryption_down(call_id)

    def encryption_flush(self, call_id: int) -> None:
        """Make the next packet out a flushed one."""
        self.engine.encryption_flush(call_id)

    def interface_up(self, call_id: int, inside: Inside) -> None:
        """Let data flow."""
        self.engine.interface_up(
            call_id,
            inside.mtu,
            prefixes(inside),
            encryption_required=inside.encryption_required,
            compress_address_control=inside.compress_address_control,
            compress_protocol=inside.compress_protocol,
            clamp_segment_size=inside.clamp_segment_size,
            peer_identifier=inside.peer_identifier,
            rate_in=rate(inside.rate_in),
            rate_out=rate(inside.rate_out),
        )

    def interface_down(self, call_id: int) -> None:
        """Stop data; control-protocol frames still pass."""
        self.engine.interface_down(call_id)

    def close_call(self, call_id: int) -> Counters:
        """Forget the call and return its last counters; nothing that waits of it is called back any more."""
        last = self.engine.close_call(call_id)
        pair = self._peers.pop(call_id)
        if self._shortcuts is not None:
            self._shortcuts.forget(*pair)
        return counters(last)

    def counters(self, call_id: int) -> Counters:
        """Return the counters of an open call."""
        return counters(self.engine.counters(call_id))

    def unknown_packets(self) -> int:
        """Return how many GRE packets belonged to no call."""
        return int(self.engine.totals()["unknown"])

    @property
    def malformed(self) -> int:
        """GRE packets nobody could read."""
        return int(self.engine.totals()["malformed"])

    @property
    def unrouted_packets(self) -> int:
        """How many inside packets went to no call."""
        return int(self.engine.totals()["unrouted"])

    def close(self) -> None:
        """Stop the threads and forget every call."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self.engine.event_descriptor())
        if self._shortcuts is not None:
            self._shortcuts.close()
        self._log.debug("what the engine did", **self.engine.totals())
        self.engine.close()

    # --- what the engine tells

    def _take_events(self) -> None:
        for _ in range(EVENTS_AT_ONCE):
            if self._closed:
                return
            event = self.engine.next_event()
            if event is None:
                return
            self._guarded(self._take, event)

    def _take(self, event: Event) -> None:
        if event.way == native.UP:
            self._frame_received(event.call_id, event.octets)
        else:
            self._encryption_lost(event.call_id, event.way == native.GAVE_UP)

    def _thread_failed(self, error: OSError) -> None:
        self._loop.call_soon_threadsafe(self._report, error)

    def _report(self, error: OSError) -> None:
        self._log.error("a thread of the engine ended; its packets are read no more", error=str(error))
        self._broken(f"a thread of the engine ended ({error.strerror})")


def keys(encryption: Encryption) -> Keys:
    """Return the engine's form of one direction of MPPE."""
    return Keys(encryption.start_key, encryption.key_bits, encryption.stateful)


def prefixes(inside: Inside) -> list[tuple[int, int]]:
    """Return the addresses and networks behind the peer as the engine takes them."""
    networks = [(address_number(network.network_address), network.prefixlen) for network in inside.routed_ipv4]
    return [(address_number(address), 32) for address in inside.allowed_ipv4] + networks


def rate(limit: Rate | None) -> native.Rate | None:
    """Return the engine's form of a limit."""
    return native.Rate(limit.bits_per_second, limit.burst_octets) if limit is not None else None


def counters(values: dict[str, Any]) -> Counters:
    """Return the seam's form of a call's counters."""
    return Counters(**{name: values[name] for name in COUNTERS})

"""Runs the reference data path: packets of all calls between the GRE port and the TUN device, in the event loop.

Everything that happens to a packet is in datapath/; here is only who is read when, and one timer for all calls.
"""

import asyncio
import heapq
from collections.abc import Callable
from ipaddress import IPv4Address

from structlog.typing import FilteringBoundLogger

from openpptp.credentials import Encryption
from openpptp.daemon.guarded import Broken, Guarded, ignored
from openpptp.datapath.path import Item, Path, Way
from openpptp.datapath.seam import Counters, EncryptionLost, FrameReceived, Inside
from openpptp.datapath.table import Call, CallTable
from openpptp.datapath.window import WINDOW
from openpptp.errors import BadMessage
from openpptp.net.ports import Datagram, GrePort, TunDevice, address_number
from openpptp.wire import gre as enhanced_gre

BATCH = 64  # ours: packets taken from one side before the other side and the control connections have their turn
IDLE_WAKES = 64  # ours: wake-ups in a row with nothing to read, after which a side counts as broken


class ReferenceDataPath(Guarded):
    """Implements seam.DataPath; the ports stay their owner's to close, after this is closed."""

    def __init__(
        self,
        gre: GrePort,
        tun: TunDevice | None,
        *,
        frame_received: FrameReceived,
        encryption_lost: EncryptionLost,
        loop: asyncio.AbstractEventLoop,
        broken: Broken = ignored,
        receive_window: int = WINDOW,
        log: FilteringBoundLogger | None = None,
    ) -> None:
        """Start to read both sides; tun may come later by attach_tun. broken hears when one is read no more.

        The callbacks are called from the loop, never from within a method of this object.
        """
        super().__init__(log)
        self.malformed = 0
        "GRE packets nobody could read."
        self._gre = gre
        self._tun: TunDevice | None = None
        self._frame_received = frame_received
        self._encryption_lost = encryption_lost
        self._loop = loop
        self._broken = broken
        self._receive_window = receive_window
        self._table = CallTable()
        self._due: list[tuple[float, int, Call]] = []
        "Heap of (when, tie-breaker, call); entries other than for the time a call is armed for are stale."
        self._pushed = 0
        self._timer: asyncio.TimerHandle | None = None
        self._readers: dict[int, int] = {}
        "Watched descriptors, each with its wake-ups in vain."
        self._watch(gre.fileno(), self._read_gre)
        if tun is not None:
            self.attach_tun(tun)

    def attach_tun(self, tun: TunDevice) -> None:
        """Give the device through which inside packets go; once."""
        assert self._tun is None
        self._tun = tun
        self._watch(tun.fileno(), self._read_tun)

    # --- what the driver asks for

    def open_call(self, call_id: int, peer: IPv4Address, local: IPv4Address) -> None:
        """Take GRE for call_id from peer; answer from local."""
        self._table.open(
            call_id, address_number(peer), address_number(local), Path(receive_window=self._receive_window)
        )

    def connect_call(self, call_id: int, peer_call_id: int) -> None:
        """Learn the peer's Call ID; from here on the call may send."""
        call = self._table.call(call_id)
        call.path.connect(peer_call_id)
        self._arm(call)  # GRE may have come already, and is acknowledged now

    def send_frame(self, call_id: int, frame: bytes) -> None:
        """Send one control-protocol PPP frame in clear."""
        call = self._table.call(call_id)
        self._perform(call, call.path.encapsulate_frame(frame))

    def encryption_up(self, call_id: int, send: Encryption, receive: Encryption) -> None:
        """Install MPPE in both directions."""
        self._table.call(call_id).path.encryption_up(send, receive)

    def encryption_down(self, call_id: int) -> None:
        """Forget the keys."""
        self._table.call(call_id).path.encryption_down()

    def encryption_flush(self, call_id: int) -> None:
        """Make the next packet out a flushed one."""
        self._table.call(call_id).path.encryption_flush()

    def interface_up(self, call_id: int, inside: Inside) -> None:
        """Let data flow."""
        call = self._table.call(call_id)
        call.path.interface_up(inside)
        self._table.attach(call, inside)

    def interface_down(self, call_id: int) -> None:
        """Stop data; control-protocol frames still pass."""
        call = self._table.call(call_id)
        call.path.interface_down()
        self._table.detach(call)

    def close_call(self, call_id: int) -> Counters:
        """Forget the call and return its last counters."""
        return self._table.close(call_id).path.counters

    def counters(self, call_id: int) -> Counters:
        """Return the counters of an open call."""
        return self._table.call(call_id).path.counters

    def unknown_packets(self) -> int:
        """Return how many GRE packets belonged to no call."""
        return self._table.unknown

    @property
    def unrouted_packets(self) -> int:
        """How many inside packets went to no call."""
        return self._table.unrouted

    def close(self) -> None:
        """Read no more and forget every call."""
        for descriptor in list(self._readers):
            self._unwatch(descriptor)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due.clear()
        self._table = CallTable()

    # --- outside to inside

    def _read_gre(self) -> int:
        datagrams = self._gre.receive(BATCH)
        for datagram in datagrams:
            self._guarded(self._take_gre, datagram)
        return len(datagrams)

    def _take_gre(self, datagram: Datagram) -> None:
        try:
            call_id, sequence, acknowledgement, payload = enhanced_gre.decode(datagram.payload)
        except BadMessage:
            self.malformed += 1
            return
        call = self._table.find(call_id, datagram.source)
        if call is not None:
            now = self._loop.time()
            self._perform(call, call.path.decapsulate(sequence, acknowledgement, payload, now))

    # --- inside to outside

    def _read_tun(self) -> int:
        assert self._tun is not None
        packets = self._tun.receive(BATCH)
        for packet in packets:
            self._guarded(self._take_inside, packet)
        return len(packets)

    def _take_inside(self, packet: bytes) -> None:
        call = self._table.route(packet)
        if call is not None:
            self._perform(call, call.path.encapsulate(packet, self._loop.time()))

    # --- both

    def _perform(self, call: Call, items: list[Item]) -> None:
        """Do what a path returned, in order; a callback may close the call on the way."""
        for way, octets in items:
            if call.closed:
                return
            if way is Way.OUTSIDE:
                if not self._gre.send(octets, call.peer, call.local):
                    call.path.counters.dropped_queue_full += 1
            elif way is Way.INSIDE:
                if self._tun is None or not self._tun.send(octets):
                    call.path.counters.dropped_queue_full += 1
            elif way is Way.UP:
                self._frame_received(call.call_id, octets)
            else:
                self._encryption_lost(call.call_id, way is Way.GAVE_UP)
        self._arm(call)

    def _watch(self, descriptor: int, read: Callable[[], int]) -> None:
        self._readers[descriptor] = 0
        self._loop.add_reader(descriptor, self._wake, descriptor, read)

    def _unwatch(self, descriptor: int) -> None:
        if self._readers.pop(descriptor, None) is not None:
            self._loop.remove_reader(descriptor)

    def _wake(self, descriptor: int, read: Callable[[], int]) -> None:
        """Read one batch; stop to watch what is ready for ever and gives nothing, as a deleted device does."""
        try:
            count = read()
        except OSError as error:
            count = 0
            if not self._readers[descriptor]:
                self._log.warning("cannot read packets", error=str(error))
        if descriptor not in self._readers:
            return
        self._readers[descriptor] = 0 if count else self._readers[descriptor] + 1
        if self._readers[descriptor] > IDLE_WAKES:
            self._log.error("a packet device is broken; it is read no more", descriptor=descriptor)
            self._unwatch(descriptor)
            self._broken("a packet device is always ready and gives nothing")

    # --- time

    def _arm(self, call: Call) -> None:
        """See to it that the call is looked at when it wants to be; looked at too early, it is armed again."""
        deadline = call.path.deadline
        if deadline is None or call.closed or (call.armed is not None and call.armed <= deadline.when):
            return
        call.armed = deadline.when
        self._pushed += 1
        heapq.heappush(self._due, (deadline.when, self._pushed, call))
        self._arm_timer()

    def _arm_timer(self) -> None:
        if not self._due:
            return
        when = self._due[0][0]
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._due and self._due[0][0] <= now:
            when, _, call = heapq.heappop(self._due)
            if call.closed or call.armed != when:
                continue
            call.armed = None
            self._guarded(self._tick_call, call, now)
        self._arm_timer()

    def _tick_call(self, call: Call, now: float) -> None:
        deadline = call.path.deadline
        items = call.path.tick(now) if deadline is not None and deadline.when <= now else []
        self._perform(call, items)

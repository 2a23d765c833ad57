"""Twins of the raw socket and the TUN device that live in memory, so that tests run without root and without luck.

A Wire joins the GRE ports. It loses, doubles, damages and reorders by a seeded generator, so that a failing run can
be repeated; it has its own clock, which moves only when told to. Everything on it is bounded.
"""

import heapq
import os
from collections import deque
from dataclasses import dataclass
from ipaddress import IPv4Address
from random import Random
from typing import Protocol

from openpptp.net.ports import Datagram

QUEUE_LIMIT = 4096  # ours: packets waiting at one port or under way on one wire; more are lost, as in a kernel


@dataclass(frozen=True, slots=True)
class Faults:
    """How often a wire does what; each a probability from 0 to 1."""

    loss: float = 0.0
    duplication: float = 0.0
    corruption: float = 0.0
    "One bit of the payload is flipped."
    reordering: float = 0.0
    "The packet is held until up to reordering_span later ones of its direction have passed it."
    reordering_span: int = 3


@dataclass(slots=True)
class WireCounters:
    """What the wire did."""

    sent: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    corrupted: int = 0
    reordered: int = 0
    overflowed: int = 0
    "Lost because a queue was full."
    unroutable: int = 0
    "Sent to an address at which no port is."


@dataclass(slots=True, eq=False)
class _Held:
    """A packet that others overtake."""

    overtakers: int
    until: float
    datagram: Datagram


class Wire:
    """Join GRE ports; delay is one way, in seconds of the wire's own clock.

    Without delay a packet that suffers no fault is at its port when send returns. A delayed one waits for advance
    or step; a held one for its overtakers, or until the clock has moved by hold.
    """

    def __init__(
        self, faults: Faults | None = None, *, seed: int = 0, delay: float = 0.0, hold: float = 0.05, start: float = 0.0
    ) -> None:
        """Lay the wire; its clock begins at start."""
        self.faults = faults or Faults()
        self.now = start
        self.counters = WireCounters()
        self._random = Random(seed)  # noqa: S311 - repeatable is the point
        self._delay = delay
        self._hold = hold
        self._ports: dict[int, MemoryGrePort] = {}
        self._under_way: list[tuple[float, int, Datagram]] = []
        self._number = 0
        self._held: list[_Held] = []

    def port(self, *addresses: IPv4Address | str) -> "MemoryGrePort":
        """Return a new port that has these addresses."""
        port = MemoryGrePort(self, frozenset(int(IPv4Address(address)) for address in addresses))
        self._ports.update(dict.fromkeys(port.addresses, port))
        return port

    @property
    def waiting(self) -> int:
        """How many packets are under way or held."""
        return len(self._under_way) + len(self._held)

    @property
    def next_due(self) -> float | None:
        """When the next packet arrives by the wire's clock; None when none is under way."""
        return min([due for due, _, _ in self._under_way[:1]] + [held.until for held in self._held], default=None)

    def advance(self, seconds: float) -> int:
        """Move the clock and deliver what is then due; return how many packets arrived."""
        before = self.counters.delivered
        end = self.now + seconds
        while (due := self.next_due) is not None and due <= end:
            self._deliver_next(due)
        self.now = end
        return self.counters.delivered - before

    def step(self) -> bool:
        """Move the clock to the next arrival and deliver that one packet; False when none is under way."""
        due = self.next_due
        if due is None:
            return False
        self._deliver_next(due)
        return True

    def settle(self) -> int:
        """Deliver everything under way, held packets included; return how many packets arrived."""
        before = self.counters.delivered
        while self.step():
            pass
        return self.counters.delivered - before

    def carry(self, datagram: Datagram) -> bool:
        """Take one packet from a port; False when the wire had no room."""
        if self.waiting >= QUEUE_LIMIT:
            self.counters.overflowed += 1
            return False
        self.counters.sent += 1
        if self._happens(self.faults.loss):
            self.counters.lost += 1
            return True
        if datagram.payload and self._happens(self.faults.corruption):
            self.counters.corrupted += 1
            datagram = datagram._replace(payload=self._flip_one_bit(datagram.payload))
        copies = 1
        if self._happens(self.faults.duplication):
            self.counters.duplicated += 1
            copies = 2
        if self._happens(self.faults.reordering):
            self.counters.reordered += 1
            overtakers = self._random.randint(1, self.faults.reordering_span)
            self._held.append(_Held(overtakers, self.now + self._delay + self._hold, datagram))
            copies -= 1
            if not copies:
                return True
        for _ in range(copies):
            self._dispatch(datagram)
        self._release_overtaken(datagram)
        return True

    def detach(self, port: "MemoryGrePort") -> None:
        """Take a closed port off the wire."""
        self._ports = {address: other for address, other in self._ports.items() if other is not port}

    def _happens(self, probability: float) -> bool:
        # One draw for every question asked, so that a fault switched off does not shift the others' luck.
        return self._random.random() < probability

    def _flip_one_bit(self, payload: bytes) -> bytes:
        bit = self._random.randrange(8 * len(payload))
        damaged = bytearray(payload)
        damaged[bit // 8] ^= 1 << bit % 8
        return bytes(damaged)

    def _dispatch(self, datagram: Datagram) -> None:
        if self._delay > 0.0:
            self._number += 1
            heapq.heappush(self._under_way, (self.now + self._delay, self._number, datagram))
        else:
            self._arrive(datagram)

    def _release_overtaken(self, overtaker: Datagram) -> None:
        """Count one arrival against every older held packet of its direction, and so for each that this frees."""
        passing = [(len(self._held), overtaker)]
        while passing:
            position, datagram = passing.pop(0)
            for held in self._held[:position]:
                if held.datagram.destination == datagram.destination:
                    held.overtakers -= 1
                    if held.overtakers == 0:
                        passing.append((self._held.index(held), held.datagram))
                        self._held.remove(held)
                        self._dispatch(held.datagram)

    def _deliver_next(self, due: float) -> None:
        self.now = max(self.now, due)
        if self._under_way and self._under_way[0][0] <= due:
            self._arrive(heapq.heappop(self._under_way)[2])
            return
        held = min(self._held, key=lambda held: held.until)
        self._held.remove(held)
        self._arrive(held.datagram)

    def _arrive(self, datagram: Datagram) -> None:
        port = self._ports.get(datagram.destination)
        if port is None:
            self.counters.unroutable += 1
        elif port.deliver(datagram):
            self.counters.delivered += 1
        else:
            self.counters.overflowed += 1


class _Doorbell:
    """A descriptor that is readable while something waits."""

    def __init__(self) -> None:
        self._file = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ringing = False

    def fileno(self) -> int:
        return self._file

    def set(self, *, ringing: bool) -> None:
        if ringing == self._ringing or self._file < 0:
            return
        self._ringing = ringing
        if ringing:
            os.eventfd_write(self._file, 1)
        else:
            os.eventfd_read(self._file)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class MemoryGrePort:
    """A GrePort on a Wire."""

    def __init__(self, wire: Wire, addresses: frozenset[int]) -> None:
        """Make a port; Wire.port is the way to get one."""
        self.addresses = addresses
        self._wire = wire
        self._queue: deque[Datagram] = deque()
        self._doorbell = _Doorbell()

    def fileno(self) -> int:
        """Return what a selector can watch."""
        return self._doorbell.fileno()

    def receive(self, limit: int = 64) -> list[Datagram]:
        """Return what has arrived, at most limit datagrams; empty when nothing waits."""
        arrived = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._doorbell.set(ringing=bool(self._queue))
        return arrived

    def send(self, payload: bytes, peer: int, local: int) -> bool:
        """Send from local to peer; False when the wire had no room or local is not an address of this port."""
        if local == 0:
            local = min(self.addresses)
        return local in self.addresses and self._wire.carry(Datagram(bytes(payload), local, peer))

    def deliver(self, datagram: Datagram) -> bool:
        """Queue one arrived packet; False when the queue is full."""
        if len(self._queue) >= QUEUE_LIMIT:
            return False
        self._queue.append(datagram)
        self._doorbell.set(ringing=True)
        return True

    def close(self) -> None:
        """Close for good."""
        self._wire.detach(self)
        self._queue.clear()
        self._doorbell.close()


class OtherEnd(Protocol):
    """What takes the packets of a MemoryTun."""

    def deliver(self, packet: bytes) -> bool:
        """Take one packet; False when closed or full."""


class MemoryTun:
    """A TunDevice whose packets come from and go to its other end."""

    def __init__(self, name: str) -> None:
        """Make one end; tun_pair is the way to get two that are joined."""
        self._name = name
        self._queue: deque[bytes] = deque()
        self._doorbell = _Doorbell()
        self._closed = False
        self.other: OtherEnd | None = None

    @property
    def name(self) -> str:
        """The interface's name."""
        return self._name

    def fileno(self) -> int:
        """Return what a selector can watch."""
        return self._doorbell.fileno()

    def receive(self, limit: int = 64) -> list[bytes]:
        """Return packets the other end has sent, at most limit; empty when nothing waits."""
        packets = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._doorbell.set(ringing=bool(self._queue))
        return packets

    def send(self, packet: bytes) -> bool:
        """Hand one packet to the other end; False when it is closed or full."""
        return self.other is not None and self.other.deliver(packet)

    def deliver(self, packet: bytes) -> bool:
        """Queue one packet; False when closed or full."""
        if self._closed or len(self._queue) >= QUEUE_LIMIT:
            return False
        self._queue.append(bytes(packet))
        self._doorbell.set(ringing=True)
        return True

    def close(self) -> None:
        """Close this end."""
        self._closed = True
        self._queue.clear()
        self._doorbell.close()


def gre_pair(
    one: IPv4Address, other: IPv4Address, faults: Faults | None = None, *, seed: int = 0, delay: float = 0.0
) -> tuple[MemoryGrePort, MemoryGrePort, Wire]:
    """Return two ports and the wire that joins them."""
    wire = Wire(faults, seed=seed, delay=delay)
    return wire.port(one), wire.port(other), wire


def tun_pair(name: str = "pptp0") -> tuple[MemoryTun, MemoryTun]:
    """Return the device as the program sees it, and the system's end: what one sends the other receives."""
    device, system = MemoryTun(name), MemoryTun(name)
    device.other, system.other = system, device
    return device, system

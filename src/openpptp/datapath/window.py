"""Which GRE packet is next, late or a duplicate, what is held until its forerunners come, and what we acknowledge.

RFC 2637 section 4. The window itself is advisory: Windows keeps none, Linux sends no acknowledgement that stands
alone, so nothing here ever stops our sending. A packet is first placed, then (once MPPE found it plausible) accepted:
what was only placed has changed nothing but the resynchronisation count.
"""

from enum import Enum
from typing import Generic, TypeVar

from openpptp.datapath.seam import Counters
from openpptp.machine import Deadline
from openpptp.wire.gre import serial_add, serial_distance

ACK_DELAY = 0.1  # ours and Windows': seconds until an acknowledgement goes alone; thereby at most ten a second
WINDOW = 64  # ours: what we name as Packet Recv. Window Size unless told otherwise
MAX_WINDOW = 1024  # ours: some peers name 65,535 and mean nothing by it
MAX_HELD = 32  # ours: packets held for a missing forerunner
HOLD_LEAST = 0.005  # ours: seconds a packet is held on a path that loses but does not reorder
HOLD_MOST = 0.05  # ours: and on one that reorders; more would be felt as delay
MAX_JUMP = 2047  # ours: farther is believed only after RESYNC_AHEAD packets; also the reach of MPPE's count
RESYNC_AHEAD = 4  # ours: packets in step with each other that make a far jump believable
RESYNC_BEHIND = 64  # ours: and that make a restart behind believable, which late packets in a burst look like
REMEMBERED = 64  # ours: numbers given up whose late coming is still told from a duplicate

_NUMBERS = 1 << 32

T = TypeVar("T")


class Place(Enum):
    """Where a sequence number stands."""

    AHEAD = "ahead"
    "Next or soon: accept it."
    RESYNCHRONISED = "resynchronised"
    "Far off, but so were its forerunners: accept it and count from there."
    DUPLICATE = "duplicate"
    LATE = "late"
    "What follows it has been handed on already."
    FAR = "far"
    "Too far off to be believed yet."


def clamp_window(size: int) -> int:
    """Return a usable window for one a peer or a person named; 0 is as good as nothing said."""
    return min(size, MAX_WINDOW) if size > 0 else WINDOW


class ReceiveWindow(Generic[T]):
    """The order of what the peer sends: hands items on in order, each once, holding a few for a short time."""

    def __init__(self, counters: Counters, size: int = WINDOW) -> None:
        self.counters = counters
        self._half = max(1, clamp_window(size) // 2)
        self._next: int | None = None
        "The sequence number whose item is handed on next."
        self._highest = 0
        self._held: dict[int, tuple[float, T]] = {}
        self._gap_since = 0.0
        self._hold = HOLD_MOST
        self._given_up: dict[int, float] = {}
        self._stray = 0
        self._strays = 0
        self._owed_since: float | None = None
        self._owed = 0

    @property
    def highest(self) -> int | None:
        """The highest sequence number accepted, None before the first."""
        return None if self._next is None else self._highest

    def place(self, sequence: int, now: float) -> Place:
        """Say where a packet stands before anything is done with it; RESYNCHRONISED is granted once."""
        if self._next is None:
            return Place.AHEAD  # 0 or 1, or anything after a restart: the first number is the peer's choice
        distance = serial_distance(sequence, self._next)
        if 0 <= distance <= MAX_JUMP:
            return Place.DUPLICATE if sequence in self._held else Place.AHEAD
        if self._in_step(sequence, RESYNC_AHEAD if abs(distance) > MAX_JUMP else RESYNC_BEHIND):
            return Place.RESYNCHRONISED
        if distance > MAX_JUMP or distance < -MAX_JUMP:
            return Place.FAR
        noticed = self._given_up.pop(sequence, None)
        if noticed is not None:
            self.counters.lost -= 1
            self._hold = min(HOLD_MOST, max(self._hold, 1.5 * (now - noticed)))
            return Place.LATE
        return Place.DUPLICATE if distance >= -REMEMBERED else Place.LATE

    def _in_step(self, sequence: int, needed: int) -> bool:
        ahead = serial_distance(sequence, self._stray)
        self._strays = self._strays + 1 if self._strays and 0 < ahead <= MAX_HELD else 1
        self._stray = sequence
        if self._strays < needed:
            return False
        self._strays = 0
        return True

    def accept(self, sequence: int, item: T, now: float) -> list[T]:
        """Take an item whose place allows it; return what may be handed on now, in order."""
        self._strays = 0
        self._owed += 1
        if self._owed_since is None:
            self._owed_since = now
        if self._next is None:
            return self._begin(sequence, item)
        distance = serial_distance(sequence, self._next)
        if not 0 <= distance <= MAX_JUMP:
            released = self._release_all()
            self.counters.lost += max(0, serial_distance(sequence, self._next))
            return released + self._begin(sequence, item)
        if serial_distance(sequence, self._highest) > 0:
            self._highest = sequence
        elif self._held:
            self.counters.late_recovered += 1
            self._hold = min(HOLD_MOST, max(self._hold, 2 * (now - self._gap_since)))
        if not distance and not self._held:
            self._next = serial_add(sequence)
            return [item]
        if not self._held:
            self._gap_since = now
        self._held[sequence] = (now, item)
        released = self._release_ready()
        while len(self._held) > MAX_HELD:
            released += self._skip_gap()
        return released

    def _begin(self, sequence: int, item: T) -> list[T]:
        self._next = serial_add(sequence)
        self._highest = sequence
        self._given_up.clear()
        return [item]

    def _release_ready(self) -> list[T]:
        assert self._next is not None
        released = []
        while (held := self._held.pop(self._next, None)) is not None:
            released.append(held[1])
            self._next = serial_add(self._next)
        if released and self._held:
            self._gap_since = min(arrival for arrival, _ in self._held.values())
        return released

    def _skip_gap(self) -> list[T]:
        """Give up what is missing before the first held item."""
        assert self._next is not None
        begin = self._next
        missing = min(serial_distance(sequence, begin) for sequence in self._held)
        self.counters.lost += missing
        for offset in range(max(0, missing - REMEMBERED), missing):
            self._given_up[serial_add(begin, offset)] = self._gap_since
        while len(self._given_up) > REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
        self._next = serial_add(begin, missing)
        return self._release_ready()

    def _release_all(self) -> list[T]:
        released = self._release_ready()
        while self._held:
            released += self._skip_gap()
        return released

    def expire(self, now: float) -> list[T]:
        """Return what has been held long enough; the numbers before it are lost."""
        released: list[T] = []
        while self._held and now >= self._gap_since + self._hold:
            released += self._skip_gap()
            self._hold = max(HOLD_LEAST, 0.9 * self._hold)
        return released

    def acknowledgement(self) -> int | None:
        """Return the number owed to the peer and owe it no longer; None when nothing is owed."""
        if self._owed_since is None:
            return None
        self._owed_since = None
        self._owed = 0
        return self._highest

    def acknowledgement_due(self, now: float) -> bool:
        """Say whether the acknowledgement can wait no longer for a packet to ride on."""
        return self._owed_since is not None and (self._owed >= self._half or now >= self._owed_since + ACK_DELAY)

    @property
    def deadline(self) -> Deadline | None:
        """When expire or acknowledgement_due will next have something."""
        held = Deadline(self._gap_since + self._hold, "held packets") if self._held else None
        if self._owed_since is None:
            return held
        owed = Deadline(self._owed_since + ACK_DELAY, "owed acknowledgement")
        return owed if held is None else min(held, owed)


class SendWindow:
    """Our own sequence numbers, and how far the peer says it has them; never a reason to wait (section 4.2)."""

    def __init__(self, first: int = 0) -> None:
        self._next = first
        self._unacknowledged = 0

    def number(self) -> int:
        """Return the sequence number of the next packet with a payload."""
        sequence = self._next
        self._next = serial_add(sequence)
        self._unacknowledged = min(self._unacknowledged + 1, _NUMBERS // 2)
        return sequence

    def acknowledged(self, number: int) -> bool:
        """Note what the peer has; False for a number never sent or gone back to, which is ignored.

        Cisco's first acknowledgement is 0xFFFFFFFF: nothing yet.
        """
        outstanding = serial_distance(self._next, number) - 1
        if not 0 <= outstanding <= self._unacknowledged:
            return False
        self._unacknowledged = outstanding
        return True

    @property
    def unacknowledged(self) -> int:
        """How many packets the peer has not acknowledged."""
        return self._unacknowledged

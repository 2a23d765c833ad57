"""Call IDs: who has which, for all tunnels of a daemon together.

Unique for the whole daemon (RFC 2637 section 3.2.2 asks for less), so that a GRE packet's Call ID alone finds its call.
"""

from array import array
from collections import deque

from openpptp.machine import Random

QUARANTINE = 60.0  # ours: late GRE of a call that ended must not reach the next one


class CallIds:
    """A store of free Call IDs; leasing and releasing take constant time."""

    def __init__(self, random: Random, *, first: int = 1, last: int = 0xFFFF) -> None:
        """Hold the Call IDs from first to last; 0 is legal but never ours, since some peers read it as "none"."""
        self._random = random
        self._free = array("H", range(first, last + 1))
        self._resting: deque[tuple[float, int]] = deque()
        self._leased: set[int] = set()

    def __len__(self) -> int:
        """Return how many are leased."""
        return len(self._leased)

    def lease(self, now: float) -> int | None:
        """Return an unpredictable free Call ID; None when all are leased or in quarantine."""
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        if not self._free:
            return None
        chosen = int.from_bytes(self._random(4), "big") % len(self._free)
        call_id = self._free[chosen]
        last = self._free.pop()
        if chosen < len(self._free):
            self._free[chosen] = last
        self._leased.add(call_id)
        return call_id

    def release(self, call_id: int, now: float) -> None:
        """Take a Call ID back; it rests before it is leased again. Releasing twice does nothing."""
        if call_id in self._leased:
            self._leased.remove(call_id)
            self._resting.append((now + QUARANTINE, call_id))

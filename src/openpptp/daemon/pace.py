"""How fast a peer may talk on its control connection; the rest waits in TCP, which slows the sender down.

A message costs the event loop microseconds and its sender nothing: without a bound a few connections full of them keep
it from everybody else (B-028, B-030, P-17).
"""

STRANGER = 4096.0, 8192.0  # ours: octets a second, and at once; a whole log-in needs 350
KNOWN = 65536.0, 65536.0  # ours: with a user logged in; an access concentrator places 300 calls a second with it


class Pace:
    """So many octets a second, some more at once."""

    def __init__(self, per_second: float, at_once: float) -> None:
        """Begin with all that may be said at once."""
        self._per_second = per_second
        self._at_once = self._credit = at_once
        self._since = 0.0

    def spend(self, octets: int, now: float) -> float:
        """Count octets that have come; return for how many seconds no more of them are to be read."""
        self._credit = min(self._at_once, self._credit + (now - self._since) * self._per_second) - octets
        self._since = now
        return max(0.0, -self._credit / self._per_second)

"""Token bucket: what one call may carry in one direction."""

from openpptp.datapath.seam import Rate

BURST_TIME = 0.125  # ours: seconds of the rate that may come at once when nothing else is said
BURST_LEAST = 3000.0  # ours: octets; less would not let two packets through


class Bucket:
    """Fills with the rate up to the burst; a packet passes when its octets are there."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate.bits_per_second / 8
        self._burst = float(rate.burst_octets) or max(self._rate * BURST_TIME, BURST_LEAST)
        self._level = self._burst
        self._filled: float | None = None

    def take(self, octets: int, now: float) -> bool:
        """Take so many octets; False when they are not there."""
        if not self._rate:
            return True
        if self._filled is not None:
            self._level = min(self._burst, self._level + (now - self._filled) * self._rate)
        self._filled = now
        if self._level < octets:
            return False
        self._level -= octets
        return True

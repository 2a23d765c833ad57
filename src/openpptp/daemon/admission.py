"""Who may open a control connection, and who may try a password.

Nothing here does I/O or reads a clock. Modelled on two of OpenSSH's promises: MaxStartups, and a penalty for failed
log-ins. Where OpenSSH drops newcomers by chance, here whoever waits longest of the largest crowd makes room: so a flood
of half-open connections, that never log in, does not shut out a client that does so at once.
"""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address

FAILURES_ALLOWED = 20  # ours: log-ins that may fail per source before it has to wait
FAILURE_FORGIVEN_AFTER = 15.0  # ours: seconds until one of them is forgiven, so 20 in 5 minutes
SOURCES_REMEMBERED = 10_000  # ours: bounds the memory an attacker with many addresses can take


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many may be at the door."""

    waiting: int = 100
    "Control connections that have not logged in yet, in all."
    waiting_per_source: int = 10


class Admission:
    """Counts connections that have not logged in."""

    def __init__(self, limits: AdmissionLimits) -> None:
        """Start empty."""
        self._limits = limits
        self._waiting: Counter[IPv4Address] = Counter()
        self._total = 0

    def enter(self, source: IPv4Address) -> str | None:
        """Count a new connection from source; or return in words why it is refused."""
        if self._waiting[source] >= self._limits.waiting_per_source:
            return f"{self._limits.waiting_per_source} connections from this address wait to log in already"
        self._waiting[source] += 1
        self._total += 1
        return None

    def leave(self, source: IPv4Address) -> None:
        """Count a connection out: it has logged in, or closed without."""
        self._total -= 1
        self._waiting[source] -= 1
        if not self._waiting[source]:
            del self._waiting[source]

    @property
    def crowded(self) -> bool:
        """Whether more wait than may; one of them has to go, best one of the source with the largest waiting_of."""
        return self._total > self._limits.waiting

    def waiting_of(self, source: IPv4Address) -> int:
        """Return how many connections of a source wait."""
        return self._waiting[source]


class LoginGuard:
    """Slows down whoever guesses passwords; another source, or the same user from one, is not touched."""

    def __init__(self) -> None:
        """Start with nobody under suspicion."""
        self._debt: dict[IPv4Address, tuple[float, float]] = {}

    def failed(self, source: IPv4Address, now: float) -> None:
        """Count a refused log-in."""
        debt = self._owed(source, now) + 1
        self._debt.pop(source, None)  # re-inserted last: the dict is in the order of last failures
        self._debt[source] = (debt, now)
        if len(self._debt) > SOURCES_REMEMBERED:
            del self._debt[next(iter(self._debt))]

    def may_try(self, source: IPv4Address, now: float) -> bool:
        """Tell whether a password from source is looked at."""
        return self._owed(source, now) <= FAILURES_ALLOWED - 1

    def _owed(self, source: IPv4Address, now: float) -> float:
        debt, since = self._debt.get(source, (0.0, now))
        return max(0.0, debt - (now - since) / FAILURE_FORGIVEN_AFTER)

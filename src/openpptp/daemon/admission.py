"""Who may open a control connection, and who may try a password.

Nothing here does I/O or reads a clock. Modelled on two of OpenSSH's promises: MaxStartups (a random early drop, so
that a flood of half-open connections does not shut out everybody else) and a penalty for failed log-ins.
"""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address

from openpptp.machine import Random

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
    """Counts connections that have not logged in, and refuses by chance before the house is full."""

    def __init__(self, limits: AdmissionLimits, random: Random) -> None:
        """Start empty."""
        self._limits = limits
        self._random = random
        self._waiting: Counter[IPv4Address] = Counter()
        self._total = 0

    def enter(self, source: IPv4Address) -> str | None:
        """Count a new connection from source; or return in words why it is refused."""
        if self._waiting[source] >= self._limits.waiting_per_source:
            return f"{self._limits.waiting_per_source} connections from this address wait to log in already"
        if self._total >= self._limits.waiting or self._drop_early():
            return f"{self._total} connections wait to log in (limit {self._limits.waiting})"
        self._waiting[source] += 1
        self._total += 1
        return None

    def leave(self, source: IPv4Address) -> None:
        """Count a connection out: it has logged in, or closed without."""
        self._total -= 1
        self._waiting[source] -= 1
        if not self._waiting[source]:
            del self._waiting[source]

    def _drop_early(self) -> bool:
        """Refuse by chance from half of the limit on, surely at the limit."""
        half = self._limits.waiting // 2
        if self._total < half:
            return False
        chance = (self._total - half) / max(1, self._limits.waiting - half)
        return self._random(1)[0] < chance * 256


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

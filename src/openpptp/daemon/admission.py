"""Who may open a control connection, and who may try a password.

Nothing here does I/O or reads a clock. Modelled on two of OpenSSH's promises: MaxStartups, and a penalty for failed
log-ins. Where OpenSSH drops newcomers by chance, here whoever waits longest of the largest crowd makes room: so a flood
of half-open connections, that never log in, does not shut out a client that does so at once.
"""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Generic, TypeVar

DEBTORS_REMEMBERED = 10_000  # ours: bounds the memory an attacker with many addresses or names can take

Debtor = TypeVar("Debtor")


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
        self.limits = limits
        "For whoever comes from now on."
        self._waiting: Counter[IPv4Address] = Counter()
        self._total = 0

    def refusal(self, source: IPv4Address) -> str | None:
        """Return in words why a connection from source would be refused now; None when it would not."""
        if self._waiting[source] < self.limits.waiting_per_source:
            return None
        return f"{self.limits.waiting_per_source} connections from this address wait to log in already"

    def enter(self, source: IPv4Address) -> None:
        """Count a connection in that is not refused."""
        self._waiting[source] += 1
        self._total += 1

    def leave(self, source: IPv4Address) -> None:
        """Count a connection out: it has logged in, or closed without."""
        self._total -= 1
        self._waiting[source] -= 1
        if not self._waiting[source]:
            del self._waiting[source]

    @property
    def crowded(self) -> bool:
        """Whether more wait than may; one of them has to go, best one of a source with the largest crowd."""
        return self._total > self.limits.waiting

    @property
    def largest_crowd(self) -> int:
        """How many wait of the source that has most."""
        return max(self._waiting.values(), default=0)

    def waiting_of(self, source: IPv4Address) -> int:
        """Return how many connections of a source wait."""
        return self._waiting[source]


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How many log-ins may fail before one has to wait, and how soon one of them is forgiven, in seconds.

    By default at most 20 passwords from one source are looked at in the first 5 minutes (P-16).
    """

    failures_per_source: int = 10
    source_forgiven_after: float = 30.0
    failures_per_user: int = 5
    "Of one user name from one source."
    user_forgiven_after: float = 60.0
    "Slower than the source's, so that one name alone cannot bring the source down."


class LoginGuard:
    """Slows down whoever guesses passwords; another source, or the same user from one, is not touched.

    A user at a source is given up sooner than the source: one device with an old password, behind the address that a
    whole site shares, must not shut out the site.
    """

    def __init__(self, limits: LoginLimits) -> None:
        """Start with nobody under suspicion."""
        self.limits = limits
        "For every log-in from now on, what failed before counts by them too."
        self._sources: _Debts[IPv4Address] = _Debts()
        self._users: _Debts[tuple[IPv4Address, bytes]] = _Debts()

    def failed(self, source: IPv4Address, user: bytes, now: float) -> None:
        """Count a refused log-in whose password was looked at."""
        self._sources.add(source, now, self.limits.source_forgiven_after)
        self._users.add((source, user), now, self.limits.user_forgiven_after)

    def may_connect(self, source: IPv4Address, now: float) -> bool:
        """Tell whether any password from source is looked at."""
        owed = self._sources.owed(source, now, self.limits.source_forgiven_after)
        return owed <= self.limits.failures_per_source - 1

    def may_try(self, source: IPv4Address, user: bytes, now: float) -> bool:
        """Tell whether a password of that user from source is looked at."""
        owed = self._users.owed((source, user), now, self.limits.user_forgiven_after)
        return self.may_connect(source, now) and owed <= self.limits.failures_per_user - 1


class _Debts(Generic[Debtor]):
    """Failures that are forgiven one by one with time."""

    def __init__(self) -> None:
        self._debts: dict[Debtor, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._debts)

    def add(self, debtor: Debtor, now: float, forgiven_after: float) -> None:
        debt = self.owed(debtor, now, forgiven_after) + 1
        self._debts.pop(debtor, None)  # re-inserted last: the dict is in the order of last failures
        self._debts[debtor] = (debt, now)
        if len(self._debts) > DEBTORS_REMEMBERED:
            del self._debts[next(iter(self._debts))]

    def owed(self, debtor: Debtor, now: float, forgiven_after: float) -> float:
        debt, since = self._debts.get(debtor, (0.0, now))
        return max(0.0, debt - (now - since) / forgiven_after)

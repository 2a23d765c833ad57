"""Who may open a control connection, and who may try a password.

Nothing here does I/O or reads a clock. Modelled on two of OpenSSH's promises: MaxStartups, and a penalty for failed
log-ins. Where OpenSSH drops newcomers by chance, here whoever waits longest of the largest crowd makes room: so a flood
of half-open connections, that never log in, does not shut out a client that does so at once.
"""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Generic, TypeVar

FAILURES_ALLOWED = 20  # ours: log-ins that may fail per source before it has to wait
FORGIVEN_AFTER = 15.0  # ours: seconds until one of them is forgiven, so 20 in 5 minutes
USER_FAILURES_ALLOWED = 10  # ours: the same for one user name from one source
USER_FORGIVEN_AFTER = 30.0  # ours: slower than the source's, so that one name alone cannot bring the source down
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

    def enter(self, source: IPv4Address) -> str | None:
        """Count a new connection from source; or return in words why it is refused."""
        if self._waiting[source] >= self.limits.waiting_per_source:
            return f"{self.limits.waiting_per_source} connections from this address wait to log in already"
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
        return self._total > self.limits.waiting

    def waiting_of(self, source: IPv4Address) -> int:
        """Return how many connections of a source wait."""
        return self._waiting[source]


class LoginGuard:
    """Slows down whoever guesses passwords; another source, or the same user from one, is not touched.

    A user at a source is given up sooner than the source: one device with an old password, behind the address that a
    whole site shares, must not shut out the site.
    """

    def __init__(self) -> None:
        """Start with nobody under suspicion."""
        self._sources: _Debts[IPv4Address] = _Debts(FAILURES_ALLOWED, FORGIVEN_AFTER)
        self._users: _Debts[tuple[IPv4Address, bytes]] = _Debts(USER_FAILURES_ALLOWED, USER_FORGIVEN_AFTER)

    def failed(self, source: IPv4Address, user: bytes, now: float) -> None:
        """Count a refused log-in whose password was looked at."""
        self._sources.add(source, now)
        self._users.add((source, user), now)

    def may_connect(self, source: IPv4Address, now: float) -> bool:
        """Tell whether any password from source is looked at."""
        return self._sources.bearable(source, now)

    def may_try(self, source: IPv4Address, user: bytes, now: float) -> bool:
        """Tell whether a password of that user from source is looked at."""
        return self.may_connect(source, now) and self._users.bearable((source, user), now)


class _Debts(Generic[Debtor]):
    """Failures that are forgiven one by one with time."""

    def __init__(self, allowed: int, forgiven_after: float) -> None:
        self._allowed = allowed
        self._forgiven_after = forgiven_after
        self._debts: dict[Debtor, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._debts)

    def add(self, debtor: Debtor, now: float) -> None:
        debt = self.owed(debtor, now) + 1
        self._debts.pop(debtor, None)  # re-inserted last: the dict is in the order of last failures
        self._debts[debtor] = (debt, now)
        if len(self._debts) > DEBTORS_REMEMBERED:
            del self._debts[next(iter(self._debts))]

    def bearable(self, debtor: Debtor, now: float) -> bool:
        return self.owed(debtor, now) <= self._allowed - 1

    def owed(self, debtor: Debtor, now: float) -> float:
        debt, since = self._debts.get(debtor, (0.0, now))
        return max(0.0, debt - (now - since) / self._forgiven_after)

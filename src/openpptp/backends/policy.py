"""What a user may do once his password is right: one value, and one notation for it wherever it is written.

The notation is words in pairs, `rate 10mbit/2mbit pool office`: behind -- in a secrets file, in the users store, as
options of `openpptp user limit`, and key by key in [policy] of the settings. `none` lifts what [policy] says.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from openpptp.backends import policy_values as values
from openpptp.backends.hours import Hours, parse_hours
from openpptp.backends.policy_values import Quota, SessionLimit, UnusableValue, Way
from openpptp.errors import SetupError

NONE = "none"
PARSED = 4096  # ours: policies remembered by their text; most users share a few


@dataclass(frozen=True, slots=True)
class Policy:
    """What is said of one user; None where nothing is said. The order is the one in which it is written."""

    address: IPv4Address | None = None
    "This address and no other, in the pool or outside."
    pool: str | None = None
    "Name of the pool he is given an address of."
    route: tuple[IPv4Network, ...] | None = None
    "Networks behind him."
    dns: tuple[IPv4Address, ...] | None = None
    wins: tuple[IPv4Address, ...] | None = None
    rate: Way[int] | None = None
    "Bits per second of the packets inside."
    burst: Way[int] | None = None
    "Octets that may come at once, where there is a rate."
    quota: Quota | None = None
    sessions: SessionLimit | None = None
    hours: Hours | None = None
    idle: int | None = None
    "Seconds without a data packet after which his session ends."
    maxconnect: int | None = None
    "Seconds after which his session ends."
    expires: datetime | None = None
    "From then on he is refused; local time."
    disabled: bool | None = None
    lifted: frozenset[str] = frozenset()
    "Items said to be none."

    def __str__(self) -> str:
        """Give the policy as it is written; empty when nothing is said."""
        return " ".join(word for pair in self.items() for word in pair)

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield what is said, item by item, as it is written."""
        for name, item in ITEMS.items():
            value = getattr(self, name)
            if name in self.lifted:
                yield name, NONE
            elif value is not None:
                yield name, item.show(value)

    def said(self, name: str, text: str) -> "Policy":
        """Return the policy with one item said anew; raise UnusablePolicy."""
        if text == NONE or (text == "0" and name in {"idle", "maxconnect"}):  # 0 is pppd's word for it
            return replace(self, **{name: None}, lifted=self.lifted | {name})
        try:
            return replace(self, **{name: ITEMS[name].parse(text)}, lifted=self.lifted - {name})
        except UnusableValue as error:
            raise UnusablePolicy(name, str(error)) from None

    def cleared(self, name: str) -> "Policy":
        """Return the policy with nothing said of one item."""
        return replace(self, **{name: None}, lifted=self.lifted - {name})

    def over(self, defaults: "Policy") -> "Policy":
        """Return what holds where defaults are those of everybody: they count where this says nothing."""
        if self == NOTHING:
            return defaults
        unsaid = [name for name in ITEMS if getattr(self, name) is None and name not in self.lifted]
        return replace(self, **{name: getattr(defaults, name) for name in unsaid})


class Item(NamedTuple):
    """How one item is read and written, and how a person is told about it."""

    parse: Callable[[str], Any]
    show: Callable[[Any], str]
    metavar: str
    help: str


ITEMS: dict[str, Item] = {
    "address": Item(values.parse_host, str, "ADDRESS", "Fixed address: this one or none."),
    "pool": Item(values.parse_pool, str, "NAME", "Pool to take the address from (network.pools)."),
    "route": Item(values.parse_routes, values.show_list, "NETWORK,...", "Networks behind the user."),
    "dns": Item(values.parse_servers, values.show_list, "ADDRESS,...", "DNS servers, at most two."),
    "wins": Item(values.parse_servers, values.show_list, "ADDRESS,...", "WINS servers, at most two."),
    "rate": Item(
        values.parse_rate, values.show_rate, "DOWN/UP", "Rate to and from the user: 10mbit/2mbit, or one for both."
    ),
    "burst": Item(
        values.parse_burst, values.show_burst, "DOWN/UP", "Octets that may come at once where a rate is set: 64K/16K."
    ),
    "quota": Item(
        values.parse_quota, str, "SIZE/PERIOD", "Octets of both directions: 10G/day, 10G/week, 10G/month, 10G for good."
    ),
    "sessions": Item(
        values.parse_sessions, str, "N", "Sessions at the same time: 2, or 1/replace to end the oldest for a new one."
    ),
    "hours": Item(parse_hours, str, "HOURS", "Times of day, this machine's: mon-fri/08:00-18:00,sat/09:00-12:00."),
    "idle": Item(values.parse_seconds, values.show_seconds, "TIME", "Time without data until a session ends: 30m."),
    "maxconnect": Item(values.parse_seconds, values.show_seconds, "TIME", "Time until a session ends: 8h."),
    "expires": Item(
        values.parse_expiry, values.show_expiry, "DATE", "Date from whose beginning the user is refused: 2027-01-31."
    ),
    "disabled": Item(values.parse_yes, values.show_yes, "yes/no", "Refuse the user."),
}
assert [field.name for field in fields(Policy)] == [*ITEMS, "lifted"]

NOTHING = Policy()
"Of whom nothing is said."


class UnusablePolicy(SetupError):
    """An item that is known and cannot be read."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}", exit_code=2)
        self.name = name


class UnknownItem(SetupError):
    """A word that is no item; what follows it cannot be read either."""

    def __init__(self, word: str) -> None:
        near = difflib.get_close_matches(word[:64], ITEMS, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(ITEMS)}"
        super().__init__(f"{word!r} is nothing a policy can say; {hint}", exit_code=2)


def read_words(words: Iterable[str]) -> tuple[Policy, SetupError | None]:
    """Read words in pairs, a later one over an earlier; return what was read before a word nobody knows, and that.

    Raises UnusablePolicy for an item that is known and cannot be read.
    """
    policy, rest = NOTHING, iter(words)
    for name in rest:
        if name not in ITEMS:
            return policy, UnknownItem(name)
        text = next(rest, None)
        if text is None:
            raise UnusablePolicy(name, "a word is missing after it")
        policy = policy.said(name, text)
    return policy, None


@lru_cache(maxsize=PARSED)
def parse(text: str) -> Policy:
    """Read a whole policy; raise UnusablePolicy or UnknownItem when any of it cannot be read."""
    policy, unknown = read_words(text.split())
    if unknown is not None:
        raise unknown
    return policy

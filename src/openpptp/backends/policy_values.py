"""The values a user's policy is made of, each as people write it: times, octets, rates, quotas, sessions, an expiry.

Each parse_... raises UnusableValue; each value prints in the one form that is read back as it is.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from typing import Generic, TypeVar

from openpptp.backends.ranges import UNUSABLE
from openpptp.errors import SetupError

SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
OCTETS = {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1}
BITS = {"gbit": 10**9, "mbit": 10**6, "kbit": 10**3, "bit": 1}
LONGEST = 10 * 365 * 86400  # ours: seconds; a longer time-out is none
RATE_LEAST, RATE_MOST = 8_000, 10**12  # ours: bits per second; below, a single packet takes more than a second
BURST_LEAST, BURST_MOST = 3000, 2**30  # ours: octets; less would not let two packets through (datapath/bucket.py)
QUOTA_LEAST, QUOTA_MOST = 2**20, 2**60  # ours: octets
SESSIONS_MOST = 65535
ROUTES_MOST = 64  # ours: networks behind one user
ROUTE_BITS_LEAST = 8  # ours: what is shorter would lead the host's own way to the world into a tunnel
POOL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")

_NUMBER = re.compile(r"([0-9]{1,19})([A-Za-z]*)")

Part = TypeVar("Part")


class UnusableValue(SetupError):
    """A text that is no such value, and how to write one."""

    def __init__(self, text: str, what: str, remedy: str) -> None:
        super().__init__(f"{text!r} {what}; {remedy}", exit_code=2)
        self.what = what
        self.remedy = remedy


class Period(Enum):
    """How often a quota begins anew, in local time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Way(Generic[Part]):
    """A value for each direction; None: no limit that way."""

    down: Part | None
    "To the user."
    up: Part | None
    "From the user."


@dataclass(frozen=True, slots=True)
class Quota:
    """Octets, of both directions together, in a period; without one for good."""

    octets: int
    period: Period | None = None

    def __str__(self) -> str:
        return show_octets(self.octets) + (f"/{self.period.value}" if self.period is not None else "")

    def bounds(self, now: float) -> tuple[float, float | None]:
        """Return when the period of a moment began and when the next does, in seconds since 1970; None: never."""
        if self.period is None:
            return 0.0, None
        day = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        match self.period:
            case Period.DAY:
                begin, end = day, day + timedelta(days=1)
            case Period.WEEK:
                begin = day - timedelta(days=day.weekday())
                end = begin + timedelta(days=7)
            case Period.MONTH:
                begin = day.replace(day=1)
                end = (begin + timedelta(days=32)).replace(day=1)
        return begin.timestamp(), end.timestamp()


@dataclass(frozen=True, slots=True)
class SessionLimit:
    """Sessions at the same time, and whether one more takes the place of the oldest or is refused."""

    most: int
    replace: bool = False

    def __str__(self) -> str:
        return f"{self.most}/replace" if self.replace else str(self.most)


def parse_seconds(text: str) -> int:
    """Read "90", "90s", "30m", "8h", "7d" or "2w"."""
    seconds = _measured(text, {**SECONDS, "": 1}, "is no time", "write it as 1800, 30m, 8h or 7d")
    return _within(text, seconds, 1, LONGEST, "a time is from 1s to 10 years")


def show_seconds(seconds: int) -> str:
    """Write seconds with the largest unit that leaves no rest."""
    return _shown(seconds, SECONDS)


def parse_octets(text: str) -> int:
    """Read "500M", "500MiB", "2G": binary units, octets without one."""
    units = {**OCTETS, "": 1, **{unit[0]: factor for unit, factor in OCTETS.items()}}
    folded = {unit.lower(): factor for unit, factor in units.items()}
    return _measured(text.lower(), folded, "is no number of octets", "write it as 500M or 2GiB", shown=text)


def show_octets(octets: int) -> str:
    """Write octets with the largest binary unit that leaves no rest."""
    return _shown(octets, OCTETS)


def parse_rate(text: str) -> Way[int]:
    """Read "10mbit/2mbit" (to the user / from him), "10mbit" for both, "10mbit/none": bits per second."""
    return _way(text, _bits, "a rate is written as 10mbit/2mbit, to the user and from the user")


def show_rate(rate: Way[int]) -> str:
    """Write a rate."""
    return _show_way(rate, BITS)


def _bits(text: str) -> int:
    remedy = "write it as 512kbit, 10mbit or 1gbit"
    bits = _measured(text.lower(), BITS, "is no rate", remedy, shown=text)
    return _within(text, bits, RATE_LEAST, RATE_MOST, "a rate is from 8kbit to 1000gbit")


def parse_burst(text: str) -> Way[int]:
    """Read "64K/16K" or "64K": octets that may come at once."""
    return _way(text, _burst, "a burst is written as 64K/16K, to the user and from the user")


def show_burst(burst: Way[int]) -> str:
    """Write a burst."""
    return _show_way(burst, OCTETS)


def _burst(text: str) -> int:
    return _within(text, parse_octets(text), BURST_LEAST, BURST_MOST, "a burst is from 3000 octets to 1G")


def parse_quota(text: str) -> Quota:
    """Read "10G/month", "500M/day", "100G" (for good)."""
    size, slash, period = text.partition("/")
    octets = _within(text, parse_octets(size), QUOTA_LEAST, QUOTA_MOST, "a quota is from 1M on")
    try:
        return Quota(octets, Period(period.lower()) if slash else None)
    except ValueError:
        raise UnusableValue(text, "has no such period", "write 10G/day, 10G/week, 10G/month, or 10G for good") from None


def parse_sessions(text: str) -> SessionLimit:
    """Read "2" or "1/replace"."""
    count, slash, way = text.partition("/")
    if not (count.isascii() and count.isdigit() and len(count) < 6) or (slash and way not in {"replace", "deny"}):
        raise UnusableValue(text, "is no number of sessions", "write 2, or 1/replace to end the oldest in favour")
    return SessionLimit(_within(text, int(count), 1, SESSIONS_MOST, "it is from 1 to 65535"), way == "replace")


def parse_expiry(text: str) -> datetime:
    """Read "2027-01-31", from whose beginning the user is refused, or "2027-01-31T18:00", in local time."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M" if "T" in text else "%Y-%m-%d")
        moment.timestamp()
    except (ValueError, OverflowError, OSError):
        raise UnusableValue(text, "is no date", "write it as 2027-01-31 or 2027-01-31T18:00") from None
    return moment


def show_expiry(moment: datetime) -> str:
    """Write a date, with the time of day unless that is midnight."""
    return moment.strftime("%Y-%m-%d" if (moment.hour, moment.minute) == (0, 0) else "%Y-%m-%dT%H:%M")


def parse_host(text: str) -> IPv4Address:
    """Read the address of a host."""
    try:
        address = IPv4Address(text)
    except ValueError:
        raise UnusableValue(text, "is no IPv4 address", "write it as 192.0.2.7") from None
    if any(address in network for network in UNUSABLE):
        raise UnusableValue(text, "is an address no host can have", "take a private one, as 10.0.0.7")
    return address


def parse_servers(text: str) -> tuple[IPv4Address, ...]:
    """Read one address or two, with a comma between them."""
    addresses = _listed(text, parse_host)
    if len(addresses) > 2:
        raise UnusableValue(text, "names more than two servers", "clients take two at most")
    return addresses


def parse_routes(text: str) -> tuple[IPv4Network, ...]:
    """Read networks with commas between them."""
    networks = tuple(dict.fromkeys(_listed(text, _network)))
    if len(networks) > ROUTES_MOST:
        raise UnusableValue(text[:40], "names too many networks", f"{ROUTES_MOST} is the most")
    return networks


def _network(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise UnusableValue(text, f"is no network ({error})", "write it as 192.168.5.0/24") from None
    if network.prefixlen < ROUTE_BITS_LEAST or any(network.overlaps(other) for other in UNUSABLE):
        raise UnusableValue(text, "cannot lie behind a user", f"the prefix has {ROUTE_BITS_LEAST} bits at least")
    return network


def show_list(parts: Iterable[object]) -> str:
    """Write several values with commas between them."""
    return ",".join(map(str, parts))


def parse_pool(text: str) -> str:
    """Read the name of a pool."""
    if not POOL_NAME.fullmatch(text):
        raise UnusableValue(text, "is no name of a pool", "take letters, digits, dots and dashes, as office-2")
    return text


def parse_yes(text: str) -> bool:
    """Read "yes" or "no"."""
    if text not in {"yes", "no"}:
        raise UnusableValue(text, "is neither yes nor no", "write yes or no")
    return text == "yes"


def show_yes(flag: bool) -> str:
    """Write yes or no."""
    return "yes" if flag else "no"


def _listed(text: str, parse: Callable[[str], Part]) -> tuple[Part, ...]:
    return tuple(parse(part) for part in text.split(","))


def _way(text: str, parse: Callable[[str], int], remedy: str) -> Way[int]:
    down, slash, up = text.partition("/")
    if "/" in up:
        raise UnusableValue(text, "has more than two directions", remedy)
    ends = [None if part == "none" else parse(part) for part in (down, up if slash else down)]
    if ends == [None, None]:
        raise UnusableValue(text, "limits nothing", "write none alone")
    return Way(*ends)


def _show_way(way: Way[int], units: dict[str, int]) -> str:
    down, up = ("none" if part is None else _shown(part, units) for part in (way.down, way.up))
    return down if down == up else f"{down}/{up}"


def _measured(text: str, units: dict[str, int], what: str, remedy: str, *, shown: str | None = None) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in units:
        raise UnusableValue(text if shown is None else shown, what, remedy)
    return int(match[1]) * units[match[2]]


def _within(text: str, number: int, least: int, most: int, remedy: str) -> int:
    if not least <= number <= most:
        raise UnusableValue(text, "is out of range", remedy)
    return number


def _shown(number: int, units: dict[str, int]) -> str:
    unit, factor = next((unit, factor) for unit, factor in units.items() if number % factor == 0 and number >= factor)
    return f"{number // factor}{unit}"

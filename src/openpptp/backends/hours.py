"""Times of day at which a user may be connected, by weekday and in local time: mon-fri/08:00-18:00,sat/09:00-12:00."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from openpptp.backends.policy_values import UnusableValue

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60  # minutes
WEEK = 7 * DAY
MOST = 28  # ours: spans; four a day
REMEDY = "write it as 08:00-18:00 or mon-fri/08:00-18:00,sat/09:00-12:00"

_SPAN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))?/)?([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Span:
    """Some hours of some days in a row; after midnight they belong to the day they began on."""

    first: int
    "Weekday, 0 is Monday."
    last: int
    "The same as first for one day; before it when the days lead over Sunday."
    begin: int
    "Minutes since midnight."
    end: int
    "At most 1440. Not after begin: it is on the next day."

    def __str__(self) -> str:
        times = f"{_clock(self.begin)}-{_clock(self.end)}"
        if (self.last - self.first) % 7 == 6:
            return times
        days = DAYS[self.first] if self.first == self.last else f"{DAYS[self.first]}-{DAYS[self.last]}"
        return f"{days}/{times}"

    def minutes(self) -> list[tuple[int, int]]:
        """Return begin and end of each day's hours, in minutes since Monday 00:00; an end may lie in the next week."""
        long = self.end - self.begin if self.end > self.begin else self.end - self.begin + DAY
        days = [(self.first + day) % 7 for day in range((self.last - self.first) % 7 + 1)]
        return [(day * DAY + self.begin, day * DAY + self.begin + long) for day in days]


@dataclass(frozen=True, slots=True)
class Hours:
    """All the spans of a user."""

    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.spans))

    def until(self, now: float) -> float | None:
        """Return the moment up to which the user may stay, in seconds since 1970; None when he may not be there now.

        It is a week away at most: who may always be there is asked again then.
        """
        here = datetime.fromtimestamp(now)
        midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
        minute = here.weekday() * DAY + here.hour * 60 + here.minute
        reached = minute
        # Spans may follow each other without a gap, or overlap: go on to the end of the last of the row.
        week = [edge for span in self.spans for edge in span.minutes()]
        for begin, end in sorted((begin + shift, end + shift) for begin, end in week for shift in (-WEEK, 0, WEEK)):
            if begin <= reached < end:
                reached = end
        if reached == minute:
            return None
        reached = min(reached, minute + WEEK)
        return (midnight + timedelta(minutes=reached - here.weekday() * DAY)).timestamp()


def parse_hours(text: str) -> Hours:
    """Read spans with commas between them; raise UnusableValue otherwise."""
    spans = tuple(dict.fromkeys(_span(part, text) for part in text.lower().split(",")))
    if len(spans) > MOST:
        raise UnusableValue(text[:40], "has too many parts", f"{MOST} is the most")
    return Hours(spans)


def _span(part: str, text: str) -> Span:
    match = _SPAN.fullmatch(part)
    if match is None or not {match[1], match[2]} <= {None, *DAYS}:
        raise UnusableValue(text, "is no time of day", REMEDY)
    begin, end = (int(match[group]) * 60 + int(match[group + 1]) for group in (3, 5))
    if begin >= DAY or end > DAY:
        raise UnusableValue(text, "has an hour after 24:00", REMEDY)
    if match[1] is None:
        return Span(0, 6, begin, end)
    first = DAYS.index(match[1])
    last = first if match[2] is None else DAYS.index(match[2])
    # All seven days are one thing, whatever day they are said to begin with.
    return Span(0, 6, begin, end) if (last - first) % 7 == 6 else Span(first, last, begin, end)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"

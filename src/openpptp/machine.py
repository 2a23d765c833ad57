"""What all our state machines share: outputs, deadlines and patience with floods.

A machine is pure: octets, time and answers go in, a list of outputs comes back. It owns no socket, no timer
and no clock; `now` is monotonic seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

Random = Callable[[int], bytes]
"Gives that many unpredictable octets; os.urandom outside tests."


class Output:
    """Something a machine asks its driver to do or tells it has happened."""

    __slots__ = ()


class Level(Enum):
    """How much a Note matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Note(Output):
    """A line for the log."""

    text: str
    level: Level = Level.INFO


class Deadline(NamedTuple):
    """When a machine wants to be ticked, and what for."""

    when: float
    reason: str


def earliest(*deadlines: Deadline | None) -> Deadline | None:
    """Return the deadline that comes first, None when there is none."""
    return min((d for d in deadlines if d is not None), default=None)


class Allowance:
    """How often something may be done for a peer that asks without end: so much a second, some more at once."""

    def __init__(self, per_second: float, at_once: float) -> None:
        """Begin with all that may be done at once."""
        self._per_second = per_second
        self._at_once = self._credit = at_once
        self._since = 0.0

    def take(self, now: float) -> bool:
        """Take one; return whether it was there."""
        self._credit = min(self._at_once, self._credit + (now - self._since) * self._per_second)
        self._since = now
        if self._credit < 1:
            return False
        self._credit -= 1
        return True

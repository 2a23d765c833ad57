"""What all our state machines share: outputs, deadlines and the shape of a machine.

A machine is pure: octets, time and answers go in, a list of outputs comes back. It owns no socket, no timer
and no clock; `now` is monotonic seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

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


class Machine(Protocol):
    """What a driver needs of any machine to keep its time."""

    @property
    def deadline(self) -> Deadline | None:
        """The next moment this machine must be ticked."""

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""

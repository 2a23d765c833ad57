"""One thing the server changes on its host: it can be told before, made, verified from outside, and undone."""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Condition:
    """What the host shows of one piece."""

    piece: str
    state: Literal["present", "missing", "overridden"]
    sentence: str
    "What was found; when overridden, by whom."
    remedy: str = ""
    "What to do; empty when nothing is to be done."


class Piece(Protocol):
    """One change of the host, written in the journal before it is made."""

    @property
    def name(self) -> str:
        """What people call it."""

    def describe(self) -> list[str]:
        """Say what it would do here, a line each; nothing is changed."""

    def apply(self) -> None:
        """Make the change; twice is once. Raises SetupError in words, with nothing half done."""

    def verify(self) -> Condition:
        """Compare what the host shows with what is wanted; works from another process, and changes nothing."""

    def undo(self) -> list[str]:
        """Put back what was there before, also for a process that was killed; return a sentence for what stays."""

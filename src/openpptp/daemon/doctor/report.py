"""What a check found, the verdict over all of them, and how both are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

AS_ROOT = "run the doctor with sudo"


class Standing(Enum):
    """How one piece stands."""

    OK = "ok"
    MISSING = "MISSING"
    "Not there, or not usable."
    OVERRIDDEN = "OVERRIDDEN"
    "There, but something else on this machine has the better of it."
    FAILED = "FAILED"
    "Tried, and it did not work."
    UNKNOWN = "-"
    "Not looked at; the sentence says why."


TROUBLE = frozenset({Standing.MISSING, Standing.OVERRIDDEN, Standing.FAILED})


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found."""

    check: str
    standing: Standing
    sentence: str
    remedy: str = ""
    "What to do; empty when nothing is to be done."
    seconds: float | None = None
    "How long it took, where that tells something."

    def facts(self) -> dict[str, Any]:
        """Return it for JSON."""
        standing = "unknown" if self.standing is Standing.UNKNOWN else self.standing.value.lower()
        facts: dict[str, Any] = {
            "check": self.check,
            "standing": standing,
            "sentence": self.sentence,
            "remedy": self.remedy,
        }
        return facts if self.seconds is None else {**facts, "seconds": round(self.seconds, 4)}


def ok(check: str, sentence: str) -> Result:
    """Return that a piece is in place."""
    return Result(check, Standing.OK, sentence)


def missing(check: str, sentence: str, remedy: str) -> Result:
    """Return that a piece is not there or not usable."""
    return Result(check, Standing.MISSING, sentence, remedy)


def overridden(check: str, sentence: str, remedy: str) -> Result:
    """Return that something else has the better of a piece."""
    return Result(check, Standing.OVERRIDDEN, sentence, remedy)


def failed(check: str, sentence: str, remedy: str = "") -> Result:
    """Return that something was tried and did not work."""
    return Result(check, Standing.FAILED, sentence, remedy)


def unknown(check: str, why: str, remedy: str = "") -> Result:
    """Return that a piece was not looked at."""
    return Result(check, Standing.UNKNOWN, why, remedy)


@dataclass(frozen=True, slots=True)
class Report:
    """All results, in the order in which one rests on the other."""

    patient: str
    "What was looked at, as the subject of the last sentence."
    results: Sequence[Result]

    @property
    def troubles(self) -> list[Result]:
        """What is missing, overridden or failed."""
        return [each for each in self.results if each.standing in TROUBLE]

    @property
    def exit_code(self) -> int:
        """0: all is well. 1: something is not. 3: all that could be looked at is well, the rest needs a privilege."""
        if self.troubles:
            return 1
        return 3 if any(each.standing is Standing.UNKNOWN for each in self.results) else 0

    @property
    def verdict(self) -> str:
        """The last sentence."""
        troubles = self.troubles
        if troubles:
            first = troubles[0]
            count = f"{len(troubles)} of {len(self.results)} checks found something"
            begin = f"begin with {first.check}" if len(troubles) > 1 else "mend it"
            return f"{self.patient} is not whole: {count}; {begin}: {first.remedy}"
        dark = [each.check for each in self.results if each.standing is Standing.UNKNOWN]
        if dark:
            return f"{self.patient} is whole as far as can be seen; not looked at: {', '.join(dark)}"
        return f"{self.patient} is whole: all {len(self.results)} checks are well"

    def lines(self) -> list[str]:
        """Return a line for each check, its remedy under it, and the verdict."""
        return [*self.result_lines(), "", visible(self.verdict)]

    def result_lines(self) -> list[str]:
        """Return a line for each check, and its remedy under it."""
        width = max((len(each.check) for each in self.results), default=0)
        timed = any(each.seconds is not None for each in self.results)
        lines = []
        for each in self.results:
            took = f"{_duration(each.seconds):>7}  " if timed else ""
            lines.append(f"{each.standing.value:10}  {each.check:{width}}  {took}{visible(each.sentence)}")
            if each.remedy:
                lines.append(f"{'':10}  {'':{width}}  {'':{len(took)}}-> {visible(each.remedy)}")
        return lines

    def facts(self) -> dict[str, Any]:
        """Return it for JSON."""
        checks = [each.facts() for each in self.results]
        return {"patient": self.patient, "well": not self.troubles, "verdict": self.verdict, "checks": checks}


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def visible(text: str) -> str:
    """Return text that steers no terminal: names of programs and interfaces are other people's choice."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)

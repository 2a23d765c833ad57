"""One line of the table, and how a measured number is held against its target."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

STATED = "stated only"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    subject: str
    reached: str
    target: str = STATED
    met: bool | None = None
    "None: nothing is promised."

    def __str__(self) -> str:
        """Return the line in Markdown."""
        verdict = {True: "yes", False: "**no**", None: "-"}[self.met]
        return f"| {self.subject} | {self.reached} | {self.target} | {verdict} |"


def at_least(subject: str, number: float, target: float | None, reached: str, *, aim: float | None = None) -> Row:
    """Return the row of a number that should be large; without a target it is stated only."""
    if target is None:
        return Row(subject, reached)
    wished = f"at least {target:g}" + (f", aim {aim:g}" if aim is not None else "")
    return Row(subject, reached, wished, number >= target)


def at_most(subject: str, number: float, target: float | None, reached: str, *, aim: float | None = None) -> Row:
    """Return the row of a number that should be small; without a target it is stated only."""
    if target is None:
        return Row(subject, reached)
    wished = f"at most {target:g}" + (f", aim {aim:g}" if aim is not None else "")
    return Row(subject, reached, wished, number <= target)


def median_ratio(inside: Sequence[float], plain: Sequence[float]) -> float:
    """Return the median of the runs' ratios; the two sequences are of the same runs."""
    return statistics.median(one / other for one, other in zip(inside, plain, strict=True))


def of(inside: Sequence[float], plain: Sequence[float], unit: str) -> str:
    """Say what a ratio is made of."""
    ratios = [one / other for one, other in zip(inside, plain, strict=True)]
    return (
        f"{statistics.median(ratios):.3f} (runs {min(ratios):.3f} to {max(ratios):.3f}; "
        f"{statistics.median(inside):,.0f} of {statistics.median(plain):,.0f} {unit})"
    )

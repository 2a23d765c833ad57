"""What became of each line of somebody else's settings: honoured, ignored, dangerous or unreadable, and why."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from openpptp.daemon.mistakes import plain, toml_value

MAX_TEXT = 120  # ours: characters of a line that are shown
MAX_FINDINGS = 20_000  # ours: a longer report helps nobody; the rest is counted


class Verdict(Enum):
    """What a line is to us."""

    HONOURED = "honoured"
    IGNORED = "ignored"
    DANGEROUS = "dangerous"
    "Honoured, or left out, in a way that makes somebody less safe."
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line stands."""

    file: Path
    line: int = 0
    "0: the file as a whole."

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one line, or of one option on it."""

    place: Place
    text: str
    "The line without its secrets."
    verdict: Verdict
    words: str

    def __str__(self) -> str:
        """Give the one line a person reads."""
        because = ": " if self.verdict is Verdict.HONOURED else " because "
        shown = f" {self.text}:" if self.text else ""
        return f"{self.place}:{shown} {self.verdict.value}{because}{self.words}"

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {
            "file": str(self.place.file),
            "line": self.place.line,
            "text": self.text,
            "verdict": self.verdict.value,
            "why": self.words,
        }


@dataclass(slots=True)
class Draft:
    """Settings as they come together, with the line that made each, and the report."""

    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    "Section and key to a value as TOML could hold it."
    places: dict[tuple[str, str], Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    left_out: int = 0
    "Findings beyond MAX_FINDINGS."

    def tell(self, place: Place, text: str, verdict: Verdict, words: str) -> None:
        """Add a finding; control characters of the line are not repeated."""
        if len(self.findings) >= MAX_FINDINGS:
            self.left_out += 1
            return
        self.findings.append(Finding(place, shown(text), verdict, words))

    def set(self, place: Place, section: str, key: str, value: Any) -> str:
        """Take a value over and return the words for it."""
        if isinstance(value, str):
            value = value.encode("utf-8", "backslashreplace").decode()  # octets that were no UTF-8
        self.values[section, key] = value
        self.places[section, key] = place
        return f"{section}.{key} = {toml_value(plain(value))}"

    def ordered(self) -> list[Finding]:
        """Return the findings as the files stand: file by file, line by line, what no line says at each file's end."""
        first: dict[Path, int] = {}
        for number, finding in enumerate(self.findings):
            first.setdefault(finding.place.file, number)
        return sorted(self.findings, key=lambda f: (first[f.place.file], not f.place.line, f.place.line))

    def nested(self) -> dict[str, dict[str, Any]]:
        """Return the values by section, as a settings file would be read."""
        sections: dict[str, dict[str, Any]] = {}
        for (section, key), value in self.values.items():
            sections.setdefault(section, {})[key] = value
        return sections

    def counts(self) -> Counter[Verdict]:
        """Count the findings by verdict."""
        return Counter(finding.verdict for finding in self.findings)

    def exit_code(self) -> int:
        """Return 2 when something was unreadable, 1 when something is dangerous, else 0."""
        counts = self.counts()
        return 2 if counts[Verdict.UNREADABLE] else 1 if counts[Verdict.DANGEROUS] else 0

    def lines(self) -> Iterator[str]:
        """Yield the report a person reads."""
        yield from map(str, self.ordered())
        if self.left_out:
            yield f"{self.left_out} more lines are not shown"
        counts = self.counts()
        yield ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)


def shown(text: str) -> str:
    """Return a line cut and without what could steer a terminal."""
    text = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(text.split())
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."

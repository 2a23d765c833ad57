"""Lines of accel-ppp.conf, as accel-ppp's conf_file.c takes them apart."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from openpptp.daemon.accel_names import OPEN
from openpptp.daemon.foreign_files import read_text
from openpptp.daemon.import_report import Draft, Place, Verdict
from openpptp.errors import SetupError

MAX_LINE = 1023  # octets: accel-ppp's buffer
MAX_DEPTH = 8  # ours: files that include files
MAX_LINES = 20_000  # ours: of all files together
COMMENT = re.compile(r"\s+#.*$")
ITEM = re.compile(r"([^ \t=]*)[ \t]*(?:[=,][ \t]*(.*))?$", re.DOTALL)


class Item(NamedTuple):
    """One line of a section."""

    section: str
    key: str
    value: str | None
    raw: str
    place: Place

    @property
    def text(self) -> str:
        """The line, of a section that holds no secret; else its key."""
        return self.raw if self.section in OPEN else f"{self.key} (not shown)"


class AccelLines:
    """Reads files and what they include, and tells of what is no line of a section."""

    def __init__(self, draft: Draft) -> None:
        """Begin outside any section."""
        self._draft = draft
        self._section = ""
        self._depth = 0
        self._lines = 0

    def read(self, path: Path) -> Iterator[Item]:
        """Yield the lines of a file and of those it includes; raise SetupError when it cannot be read."""
        for number, raw in enumerate(read_text(path).split("\n"), 1):
            place, line = Place(path, number), raw.strip(" \t\r")
            self._lines += 1
            if self._lines > MAX_LINES:
                raise SetupError(
                    f"{place}: more than {MAX_LINES} lines in all; no accel-ppp has that many", exit_code=2
                )
            if not line or line.startswith("#"):
                continue
            if len(line.encode("utf-8", "surrogateescape")) > MAX_LINE:
                self._draft.tell(
                    place, "", Verdict.UNREADABLE, f"it is longer than {MAX_LINE} octets, as accel-ppp allows"
                )
            elif line.startswith("$include"):
                yield from self._include(place, line)
            elif line.startswith("["):
                self._open(place, line)
            elif not self._section:
                self._draft.tell(place, "", Verdict.UNREADABLE, "it stands before any [section]")
            else:
                yield self._item(place, line)

    def _include(self, place: Place, line: str) -> Iterator[Item]:
        path = Path("/", line.removeprefix("$include").strip())
        if self._depth >= MAX_DEPTH:
            self._draft.tell(place, line, Verdict.UNREADABLE, f"files include files more than {MAX_DEPTH} deep")
            return
        self._depth += 1
        try:
            read_text(path)
            self._draft.tell(place, line, Verdict.HONOURED, f"{path} is read here")
            yield from self.read(path)
        except SetupError as error:
            self._draft.tell(place, line, Verdict.UNREADABLE, str(error))
        self._depth -= 1

    def _open(self, place: Place, line: str) -> None:
        name, closed, _ = line[1:].partition("]")
        if not closed:
            self._draft.tell(place, "[", Verdict.UNREADABLE, "the section's name is not closed with ]")
            name = ""
        self._section = name or self._section

    def _item(self, place: Place, line: str) -> Item:
        match = ITEM.match(line)
        key, value = (match[1], match[2]) if match is not None else (re.split("[ \t]", line, maxsplit=1)[0], None)
        if value is not None:
            value = COMMENT.sub("", value)
        return Item(self._section, key, value, line, place)

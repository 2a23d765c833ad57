"""Words of pppd's secrets files: how they are told apart, quoted and written back (pppd(8), its getword).

White space separates words; double and single quotes may open anywhere in a word; a backslash escapes, inside quotes
too; an unquoted # ends the word and begins a comment, even in the middle of a word; backslash-newline joins lines.
Stricter than pppd in one point: a quote must close on its own line, or one slip would swallow the rest of the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_WORD = 1023  # octets, pppd's MAXWORDLEN less its final zero

_TOKEN = re.compile(
    rb"""(?P<join>\\\r?\n)
    |(?P<newline>\n)
    |(?P<space>[ \t\v\f\r]+)
    |(?P<comment>\#[^\n]*)
    |(?P<quoted>"(?:[^"\\\n]|\\(?:.|\n))*"|'(?:[^'\\\n]|\\(?:.|\n))*')
    |(?P<plain>(?:[^\s\\"'#]|\\.)+)
    |(?P<stray>["'\\])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\(?:(\n)|([0-7]{1,3})|x([0-9A-Fa-f]{0,2})|(.))", re.DOTALL)
_NAMED = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"s": b" ", b"t": b"\t"}
_BARE = re.compile(rb"[A-Za-z0-9_.@%+=:,/~^*-]+")
_TO_ESCAPE = re.compile(rb'[\\"\x00-\x1f\x7f]')


@dataclass(slots=True)
class Word:
    """One word: its octets, and where it stands in the file."""

    octets: bytearray
    start: int
    end: int


@dataclass(slots=True)
class Line:
    """One logical line: physical lines joined by backslash-newline."""

    number: int
    start: int
    end: int = 0
    "After the newline."
    words: list[Word] = field(default_factory=list)
    defect: str | None = None


def split_lines(data: bytes) -> Iterator[Line]:
    """Yield every logical line, blank ones and comments too; line numbers begin with 1."""
    line, word, number = Line(1, 0), None, 1
    position = 0
    while position < len(data):
        match = _TOKEN.match(data, position)
        assert match is not None, "every octet begins some token"
        position = match.end()
        number += match[0].count(b"\n")
        match match.lastgroup:
            case "newline":
                line.end = position
                yield line
                line, word = Line(number, position), None
            case "space" | "comment":
                word = None
            case "join":
                if word is not None:
                    word.end = position
            case "stray":
                line.defect = "a quote is not closed on its line" if match[0] != b"\\" else "a backslash ends the file"
                position = data.find(b"\n", position) % (len(data) + 1)
            case kind:
                if word is None:
                    word = Word(bytearray(), match.start(), position)
                    line.words.append(word)
                word.octets += _unescape(match[0][1:-1] if kind == "quoted" else match[0])
                word.end = position
                if len(word.octets) > MAX_WORD:
                    line.defect = f"a word is longer than {MAX_WORD} octets"
    line.end = len(data)
    if line.end > line.start:
        yield line


def quote(word: str) -> bytes:
    """Return a word as it must be written to be read back as it is."""
    octets = word.encode()
    if _BARE.fullmatch(octets):
        return octets
    return b'"' + _TO_ESCAPE.sub(_escape, octets) + b'"'


def _unescape(octets: bytes) -> bytes:
    if b"\\" not in octets:
        return octets
    return _ESCAPE.sub(_meaning, octets)


def _meaning(match: re.Match[bytes]) -> bytes:
    newline, octal, hexadecimal, other = match.groups()
    if newline is not None:
        return b""
    if octal is not None:
        return bytes((int(octal, 8) & 0xFF,))
    if hexadecimal is not None:
        return bytes((int(hexadecimal or b"0", 16),))
    return _NAMED.get(other, other)


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\" + match[0] if match[0] in b'\\"' else b"\\%03o" % match[0][0]

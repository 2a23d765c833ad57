"""How past sessions are written: a table for people, JSON and CSV for programs."""

import csv
import io
import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from openpptp.backends.accounting_store import SessionRow, UserTotal
from openpptp.errors import SetupError

UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
AGO = re.compile(rf"(\d{{1,6}})([{''.join(UNITS)}])")
SESSION_HEAD = ("user", "from", "address", "started", "time", "in", "out", "ended")
TOTAL_HEAD = ("user", "sessions", "open", "time", "in", "out")
NUMBERS = frozenset({"time", "in", "out", "sessions", "open"})


def parse_since(text: str | None, now: float | None = None) -> float:
    """Return a moment in seconds since 1970; 0 for None. Raises SetupError with exit code 2."""
    if text is None:
        return 0.0
    if (ago := AGO.fullmatch(text.strip())) is not None:
        return (time.time() if now is None else now) - int(ago[1]) * UNITS[ago[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError):
        raise SetupError(
            f"--since {text!r} is no moment; write a date as 2026-11-20, with a time as '2026-11-20 18:30', "
            "or how long ago: 30m, 12h, 7d, 4w",
            exit_code=2,
        ) from None


def show_sessions(rows: Sequence[SessionRow], form: str | None) -> str:
    """Return sessions in a form: "json", "csv", or a table for None."""
    if form is None:
        return _table(SESSION_HEAD, map(_session_line, rows))
    facts = [_session_facts(row) for row in rows]
    if form == "json":
        return json.dumps({"sessions": facts}, ensure_ascii=False) + "\n"
    return _csv(list(SESSION_FACTS), facts)


def show_totals(rows: Sequence[UserTotal], form: str | None) -> str:
    """Return totals in a form: "json", "csv", or a table for None."""
    if form is None:
        return _table(TOTAL_HEAD, map(_total_line, rows))
    facts = [{**asdict(row), "seconds": round(row.seconds, 1)} for row in rows]
    if form == "json":
        return json.dumps({"users": facts}, ensure_ascii=False) + "\n"
    return _csv(TOTAL_FACTS, facts)


SESSION_FACTS = (
    *("id", "user", "peer", "address", "started", "stopped", "last", "seconds"),
    *("octets_in", "octets_out", "packets_in", "packets_out", "cause"),
)
"Columns of the CSV and keys of the JSON; times in UTC, empty (null) while the session goes on."
TOTAL_FACTS = ["user", "sessions", "open", "seconds", "octets_in", "octets_out", "packets_in", "packets_out"]


def _session_facts(row: SessionRow) -> dict[str, object]:
    facts = {
        **asdict(row),
        "started": _utc(row.started),
        "stopped": None if row.stopped is None else _utc(row.stopped),
        "last": _utc(row.last),
        "seconds": round(row.last - row.started, 1),
    }
    return {name: facts[name] for name in SESSION_FACTS}


def _session_line(row: SessionRow) -> tuple[str, ...]:
    return (
        _visible(row.user),
        row.peer,
        row.address,
        datetime.fromtimestamp(row.started).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        _duration(row.last - row.started),
        _octets(row.octets_in),
        _octets(row.octets_out),
        row.cause if row.cause is not None else "goes on",
    )


def _total_line(row: UserTotal) -> tuple[str, ...]:
    duration = _duration(row.seconds)
    return (
        *(_visible(row.user), str(row.sessions), str(row.open), duration),
        *(_octets(row.octets_in), _octets(row.octets_out)),
    )


def _table(head: Sequence[str], lines: Iterable[tuple[str, ...]]) -> str:
    whole = [tuple(head), *lines]
    if len(whole) == 1:
        return "no sessions\n"
    widths = [max(len(line[column]) for line in whole) for column in range(len(head))]
    return "".join(
        "  ".join(
            word.rjust(width) if name in NUMBERS else word.ljust(width)
            for name, word, width in zip(head, line, widths, strict=True)
        ).rstrip()
        + "\n"
        for line in whole
    )


def _csv(names: Sequence[str], facts: Iterable[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\r\n")  # RFC 4180; with \n alone a \r in a name is not quoted
    writer.writeheader()
    writer.writerows(facts)
    return text.getvalue()


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _duration(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def _octets(count: int) -> str:
    """Write a count of octets as people read it, with binary units."""
    size = float(count)
    for unit in ("", "Ki", "Mi", "Gi", "Ti"):
        if size < 1024 or unit == "Ti":
            break
        size /= 1024
    return f"{count} B" if not unit else f"{size:.1f} {unit}B"


def _visible(text: str) -> str:
    """Return a name that steers no terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)

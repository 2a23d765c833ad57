"""What the commands that ask a running server share: how it is found, and how its answers are written."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from openpptp.daemon.api_client import ApiClient
from openpptp.daemon.api_socket import path_for

json_option = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")

RIGHT = frozenset({"idle", "in", "out", "time"})
"Columns of numbers."


def client(config: Path) -> ApiClient:
    """Return a client of the server that runs with these settings."""
    return ApiClient(path_for(config))


def echo_json(facts: Any) -> None:
    """Print facts as one line of JSON."""
    click.echo(json.dumps(facts, ensure_ascii=False))


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table with its head, in columns."""
    whole = [tuple(head), *lines]
    widths = [max(len(line[column]) for line in whole) for column in range(len(head))]
    rows = (
        "  ".join(
            word.rjust(width) if name in RIGHT else word.ljust(width)
            for name, word, width in zip(head, line, widths, strict=True)
        ).rstrip()
        for line in whole
    )
    return "\n".join(rows)


def listed(facts: Sequence[tuple[str, str]]) -> str:
    """Return names with what belongs to them, one below the other; a name that is repeated is written once."""
    width = max((len(name) for name, _ in facts), default=0)
    lines, before = [], ""
    for name, text in facts:
        lines.append(f"{'' if name == before else name:{width}}  {text}".rstrip())
        before = name
    return "\n".join(lines)


def visible(text: object) -> str:
    """Return a text, "-" for none, that steers no terminal: what a peer calls itself is the peer's choice."""
    words = "-" if text is None or text == "" else str(text)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in words)


def duration(seconds: float | None) -> str:
    """Write seconds as people read them."""
    if seconds is None:
        return "-"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def octets(count: int) -> str:
    """Write a count of octets as people read it, with binary units."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def moment(utc: str | None, timespec: str = "seconds") -> str:
    """Write a moment of the API, which speaks UTC, in this machine's time."""
    if utc is None:
        return "-"
    return datetime.fromisoformat(utc).astimezone().replace(tzinfo=None).isoformat(" ", timespec)

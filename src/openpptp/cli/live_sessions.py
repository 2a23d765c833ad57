"""How the sessions of a running server are written, once or again and again."""

import time
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import click

from openpptp.cli.asking import duration, echo_json, moment, octets, table, visible
from openpptp.daemon.api_client import ApiClient

HEAD = ("id", "user", "peer", "address", "since", "idle", "in", "out", "encryption")
Row = dict[str, Any]
SORTS: dict[str, Callable[[Row], Any]] = {
    "id": lambda row: row["id"],
    "user": lambda row: row["user"] or "",
    "peer": lambda row: IPv4Address(row["peer"]),
    "address": lambda row: IPv4Address(row["address"] or 0),
    "since": lambda row: row["since"] or row["connected"],
    "idle": lambda row: -(row["idle"] or 0.0),
    "in": lambda row: -row["octets_in"],
    "out": lambda row: -row["octets_out"],
    "encryption": lambda row: row["encryption"] or "",
}
"What --sort takes; the largest first where it is how much."


def show_live(server: ApiClient, *, user: str | None, sort: str, watch: float | None, as_json: bool) -> None:
    """Print the sessions, every watch seconds when that is given."""
    while True:
        rows = sorted(server.sessions(user), key=SORTS[sort])
        if as_json:
            echo_json({"sessions": rows})
        else:
            if watch is not None:
                click.clear()
            click.echo(table(HEAD, [_line(row) for row in rows]) if rows else "no sessions")
        if watch is None:
            return
        time.sleep(watch)


def _line(row: Row) -> tuple[str, ...]:
    waits = f"waits for {row['waits_for']}" if row["state"] != "up" else row["encryption"]
    return (
        row["id"],
        *map(visible, (row["user"], row["peer"], row["address"])),
        moment(row["since"] or row["connected"]),
        duration(row["idle"]),
        octets(row["octets_in"]),
        octets(row["octets_out"]),
        visible(waits),
    )

"""Turns what happens to sessions into rows of the accounting: start, interim, stop."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from openpptp.backends.accounting_store import SessionRow, owner
from openpptp.daemon.session_record import SessionRecord
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason, PptpError

AT_ONCE = 100  # ours: sessions read in one turn of the event loop, about a millisecond


class Book(Protocol):
    """Where rows go (backends/accounting.py)."""

    def write(self, rows: Iterable[SessionRow]) -> None:
        """Take the newest rows of sessions, and do not wait."""


@dataclass(slots=True)
class _Entry:
    session: SessionRecord
    started: float
    "Seconds since 1970; what comes after is counted from here by the monotonic clock (B-144)."
    since: float
    before: Counters
    "What the call had carried when the session began: the call may have carried another one."


class Ledger:
    """A SessionWatcher that keeps the accounting of every session that carried data."""

    def __init__(self, book: Book, *, wall: Callable[[], float] = time.time) -> None:
        """Write into book; wall returns seconds since 1970."""
        self._book = book
        self._wall = wall
        self._owner = owner()
        self._open: dict[str, _Entry] = {}

    # daemon/session_record.py's SessionWatcher

    def logged_in(self, session: SessionRecord, now: float) -> None:
        """Do nothing: a session counts from its first interface up."""

    def went_up(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Begin a row; not anew when the same session has only renegotiated."""
        if session.id not in self._open:
            entry = self._open[session.id] = _Entry(session, self._wall(), now, _copy(counters))
            self._book.write([self._row(entry, counters, now)])

    def went_down(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Do nothing: it may come up again, and if not, its end follows."""

    def ended(self, session: SessionRecord, reason: EndReason, counters: Counters, now: float) -> None:
        """Close the row."""
        entry = self._open.pop(session.id, None)
        if entry is not None:
            self._book.write([self._row(entry, counters, now, cause=reason.value.label)])

    # Interim

    async def keep(self, interval: float, counters: Callable[[int], Counters]) -> None:
        """Write the counters of every open session each interval, in seconds, until cancelled."""
        while True:
            await asyncio.sleep(interval)
            await self.interim(counters)

    async def interim(self, counters: Callable[[int], Counters]) -> None:
        """Write the counters of every open session, and let the event loop turn in between."""
        rows: dict[str, SessionRow] = {}
        for identifiers in _batches(list(self._open), AT_ONCE):
            for identifier in identifiers:
                entry = self._open.get(identifier)
                if entry is None:
                    continue
                # A defect elsewhere that left a session without its call must not end everybody's accounting.
                with contextlib.suppress(PptpError, KeyError):
                    now = asyncio.get_running_loop().time()
                    rows[identifier] = self._row(entry, counters(entry.session.call_id), now)
            await asyncio.sleep(0)
        # Who has ended meanwhile has its last row already.
        self._book.write([row for identifier, row in rows.items() if identifier in self._open])

    def _row(self, entry: _Entry, counters: Counters, now: float, *, cause: str | None = None) -> SessionRow:
        session, before = entry.session, entry.before
        last = entry.started + max(0.0, now - entry.since)
        return SessionRow(
            id=session.id,
            owner=self._owner,
            user=session.user.encode("utf-8", "backslashreplace").decode("utf-8"),  # SQLite takes no half characters
            peer=str(session.peer),
            address=str(session.address),
            started=entry.started,
            last=last,
            stopped=last if cause is not None else None,
            octets_in=max(0, counters.octets_in - before.octets_in),
            octets_out=max(0, counters.octets_out - before.octets_out),
            packets_in=max(0, counters.packets_in - before.packets_in),
            packets_out=max(0, counters.packets_out - before.packets_out),
            cause=cause,
        )


def _copy(counters: Counters) -> Counters:
    """Return the four counters that matter; a data path may go on counting in the object it gave."""
    return Counters(counters.packets_in, counters.octets_in, counters.packets_out, counters.octets_out)


def _batches(items: list[str], size: int) -> Iterator[list[str]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch

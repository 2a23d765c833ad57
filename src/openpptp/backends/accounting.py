"""Writes the accounting: one thread, one batch a second, and never more in memory than the newest row of a session.

Who tells it a row never waits. While the file cannot be written (a full disk, B-143) rows are kept and tried again;
serving goes on.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from openpptp.backends.accounting_store import AccountingStore, SessionRow

BATCH = 1.0  # ours: seconds in which rows gather before they are written together
RETRY = 5.0  # ours: seconds until a file that could not be written is tried again
PRUNE_EVERY = 3600.0  # ours: seconds between removals of what is too old
WAITING_MOST = 10_000  # ours: rows of ended sessions kept while the file cannot be written, some 500 octets each
CLOSE_TIMEOUT = 2.0  # ours: seconds the last batch may take; the server's exit waits no longer
DAY = 86400.0

Say = Callable[[str], None]
"Takes a sentence for the log, from any thread."


class Accounting:
    """A file of sessions and the thread that writes it."""

    def __init__(
        self,
        path: Path,
        *,
        keep_days: int = 0,
        say: Say = lambda _text: None,
        waiting_most: int = WAITING_MOST,
        batch: float = BATCH,
        retry: float = RETRY,
    ) -> None:
        """Start the thread, which opens the file; keep_days of 0 keeps everything.

        waiting_most bounds the rows in memory: give it the number of sessions that can be open, and then some.
        """
        self._path = path
        self._keep_days = keep_days
        self._say = say
        self._waiting_most = waiting_most
        self._batch, self._retry = batch, retry
        self._waiting: dict[str, SessionRow] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._store: AccountingStore | None = None
        self._prune_at = 0.0
        self._failing = False
        self.dropped = 0
        "Rows given up because too many waited."
        self._thread = threading.Thread(target=self._run, name="accounting", daemon=True)
        self._thread.start()

    def write(self, rows: Iterable[SessionRow]) -> None:
        """Take the newest rows of sessions; each replaces what waits of the same session."""
        with self._changed:
            first = not self._waiting
            for row in rows:
                # Moved to the end: what has to go when there is no room is what changed longest ago.
                self._waiting.pop(row.id, None)
                self._waiting[row.id] = row
            self._bound()
            if first:  # what comes after gathers anyway; to wake the thread for it would cost the event loop its turn
                self._changed.notify()

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return len(self._waiting)

    def close(self) -> bool:
        """Write what waits and end the thread, within CLOSE_TIMEOUT; return whether all was written."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_TIMEOUT)
        if self._waiting or self._thread.is_alive():
            self._say(f"{self._path}: accounting ends with {len(self._waiting)} sessions not written")
            return False
        return True

    def _bound(self) -> None:
        while len(self._waiting) > self._waiting_most:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1

    # The thread

    def _run(self) -> None:
        while True:
            done = self._write_batch()
            with self._changed:
                if self._closing:
                    break
                if done:
                    self._changed.wait_for(lambda: self._waiting or self._closing, PRUNE_EVERY)
                # Rows gather; whoever closes does not wait for that.
                self._changed.wait_for(lambda: self._closing, self._batch if done else self._retry)
        self._write_batch()
        self._close_store()

    def _write_batch(self) -> bool:
        """Write what waits; return whether that worked, and have said when it no longer, or again, does."""
        with self._changed:
            batch, self._waiting = self._waiting, {}
        try:
            self._put(batch)
        except (sqlite3.Error, OSError) as error:
            self._close_store()
            self._put_back(batch)
            self._report(error)
            return False
        if self._failing:
            self._failing = False
            lost = f"; {self.dropped} sessions were given up meanwhile" if self.dropped else ""
            self._say(f"{self._path}: accounting is written again{lost}")
        return True

    def _put(self, batch: dict[str, SessionRow]) -> None:
        if self._store is not None and self._store.moved:
            self._close_store()
        if self._store is None:
            self._store = AccountingStore(self._path)
            lost = self._store.close_lost()
            if lost:
                self._say(f"{self._path}: {lost} sessions of a server that was killed are closed with cause lost")
            self._prune_at = 0.0
        if batch:
            self._store.write(batch.values())
        if self._keep_days and time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_EVERY
            self._store.prune(time.time() - self._keep_days * DAY)

    def _put_back(self, batch: dict[str, SessionRow]) -> None:
        with self._changed:
            self._waiting = batch | self._waiting  # what came meanwhile is newer
            self._bound()

    def _report(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._say(
                f"{self._path}: accounting cannot be written: {why}; serving goes on, and what is to be written waits "
                f"in memory, {self._waiting_most} sessions at most; make room or mend the file"
            )

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

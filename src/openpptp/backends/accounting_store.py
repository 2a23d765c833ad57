"""The accounting file: one SQLite table, one row per session, written in batches and read by whoever asks."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from openpptp.errors import SetupError

LOST = "lost"
"Cause of a session whose server was killed: when it ended is not known, only when it was last seen."
VERSION = 1  # ours: of the table, kept in the file's user_version
BUSY_TIMEOUT = 2.0  # ours: seconds to wait for another writer, a second server or a person with sqlite3
PRUNE_AT_ONCE = 10_000  # ours: rows removed in one transaction, so that no transaction is long


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session as the file keeps it; times are seconds since 1970, counters those of the inside packets."""

    id: str
    owner: str
    "Which process keeps the row up to date (owner())."
    user: str
    peer: str
    "Where the user came from."
    address: str
    "The address the user was given."
    started: float
    last: float
    "When the counters were read."
    stopped: float | None
    "None while the session goes on."
    octets_in: int
    "From the user."
    octets_out: int
    packets_in: int
    packets_out: int
    cause: str | None
    "Why it ended: a label of EndReason, or LOST."


@dataclass(frozen=True, slots=True)
class UserTotal:
    """What one user's sessions come to."""

    user: str
    sessions: int
    open: int
    seconds: float
    octets_in: int
    octets_out: int
    packets_in: int
    packets_out: int


COLUMNS = [field.name for field in fields(SessionRow)]
_KEPT = {"id", "user", "peer", "address", "started"}
_TABLE = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, user TEXT NOT NULL, peer TEXT NOT NULL, address TEXT NOT NULL,
    started REAL NOT NULL, last REAL NOT NULL, stopped REAL,
    octets_in INTEGER NOT NULL, octets_out INTEGER NOT NULL, packets_in INTEGER NOT NULL, packets_out INTEGER NOT NULL,
    cause TEXT
) WITHOUT ROWID"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS sessions_by_start ON sessions (started)",
    "CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user, started)",
    "CREATE INDEX IF NOT EXISTS sessions_open ON sessions (id) WHERE stopped IS NULL",
)
# A whole row each time: whatever was lost before, the next write makes it right.
_WRITE = (
    f"INSERT INTO sessions ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "  # noqa: S608 - our names
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS if name not in _KEPT)}"
)
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM sessions WHERE started >= ? AND (? IS NULL OR user = ?)"  # noqa: S608
_TOTALS = """
SELECT user, COUNT(*), SUM(stopped IS NULL), SUM(COALESCE(stopped, last) - started),
       SUM(octets_in), SUM(octets_out), SUM(packets_in), SUM(packets_out)
FROM sessions WHERE started >= ? AND (? IS NULL OR user = ?) GROUP BY user ORDER BY user"""


class AccountingStore:
    """The file, open for writing; used by one thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it for its owner only; raise OSError or sqlite3.Error."""
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._inode = os.fstat(file).st_ino
        finally:
            os.close(file)
        self._database = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"it is of version {version} and this program writes version {VERSION}")
        with self._transaction():
            for statement in (_TABLE, *_INDEXES, f"PRAGMA user_version = {VERSION}"):
                self._database.execute(statement)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._database.in_transaction:  # SQLite has rolled back by itself when the disk is full
                self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @property
    def moved(self) -> bool:
        """Whether the file was taken away or replaced under us; what is written into it then is seen by nobody."""
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    def write(self, rows: Iterable[SessionRow]) -> None:
        """Write rows in one transaction; raise sqlite3.Error, and then none is written."""
        with self._transaction():
            self._database.executemany(_WRITE, map(astuple, rows))

    def close_lost(self) -> int:
        """End the sessions of servers that no longer live when they were last seen; return how many."""
        open_rows = self._database.execute("SELECT DISTINCT owner FROM sessions WHERE stopped IS NULL").fetchall()
        dead = [name for (name,) in open_rows if not lives(name)]
        closed = 0
        for name in dead:
            with self._transaction():
                closed += self._database.execute(
                    "UPDATE sessions SET stopped = last, cause = ? WHERE stopped IS NULL AND owner = ?", (LOST, name)
                ).rowcount
        return closed

    def prune(self, before: float) -> int:
        """Remove sessions that ended before a time; return how many."""
        removed = 0
        while True:
            with self._transaction():
                count = self._database.execute(
                    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE stopped < ? LIMIT ?)",
                    (before, PRUNE_AT_ONCE),
                ).rowcount
            removed += count
            if count < PRUNE_AT_ONCE:
                return removed

    def close(self) -> None:
        """Close the file; what cannot be moved out of the log any more stays in it for the next to open it."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()


def owner() -> str:
    """Name this process so that no other ever has the same name."""
    return _name(os.getpid()) or "?"


def lives(name: str) -> bool:
    """Tell whether the process with a name that owner() gave runs."""
    pid = name.partition(" ")[0]
    return pid.isdigit() and _name(int(pid)) == name


def _name(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{pid} {rest[18]} {boot}"  # proc(5): field 22, when it started


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        there = path.exists()
    except PermissionError:
        raise SetupError(f"{path}: may not be read by this user; run as root (sudo)", exit_code=3) from None
    if not there:
        raise SetupError(
            f"{path}: there is no accounting file; a server makes it at its first session, "
            "unless accounting.on is false in its settings"
        )
    database = None
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)
        yield database
    except sqlite3.Error as error:
        if not os.access(path, os.R_OK, effective_ids=True):
            raise SetupError(f"{path}: may not be read by this user; run as root (sudo)", exit_code=3) from None
        raise SetupError(f"{path}: cannot be read as an accounting file: {error}; name the right one") from None
    finally:
        if database is not None:
            database.close()


def sessions(path: Path, *, since: float = 0.0, user: str | None = None, newest: int | None = None) -> list[SessionRow]:
    """Return sessions that began at a time or later, the oldest first; at most so many of the newest.

    Raises SetupError when the file cannot be read.
    """
    with _reading(path) as database:
        found = database.execute(
            f"{_SELECT} ORDER BY started DESC, id LIMIT ?", (since, user, user, -1 if newest is None else newest)
        )
        return [SessionRow(*row) for row in found][::-1]


def octets_of(path: Path, user: str, *, since: float, without: Iterable[str] = ()) -> int:
    """Return the octets, both directions, of a user's sessions that began at a time or later, some left out by id.

    Raises SetupError when the file cannot be read; one that does not exist holds nothing.
    """
    left_out = list(without)
    if not path.exists():
        return 0
    with _reading(path) as database:
        found = database.execute(
            "SELECT id, octets_in + octets_out FROM sessions WHERE user = ? AND started >= ?", (user, since)
        )
        return sum(octets for identifier, octets in found if identifier not in left_out)


def totals(path: Path, *, since: float = 0.0, user: str | None = None) -> list[UserTotal]:
    """Return what each user's sessions that began at a time or later come to; raise SetupError."""
    with _reading(path) as database:
        return [UserTotal(*row) for row in database.execute(_TOTALS, (since, user, user))]

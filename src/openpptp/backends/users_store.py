"""The users store: one SQLite table, a row per user, changed by commands and the API while the server reads it.

Of a password it keeps the NT hash, which serves MS-CHAP and PAP; the password itself only where that is asked for.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from openpptp import crypto
from openpptp.backends.policy import NOTHING, Policy, parse
from openpptp.backends.proof import Secret
from openpptp.backends.secrets_edit import check_name, check_secret
from openpptp.errors import SetupError

APPLICATION = int.from_bytes(
    b"PPTu", "big"
)  # ours: the file's application_id, so that no other database is taken for it
VERSION = 1  # ours: of the table, kept in the file's user_version
BUSY_TIMEOUT = 2.0  # ours: seconds to wait for another writer
MOST_USERS = 300_000  # ours: as many as the longest secrets file has; all are kept in memory
COMPANIONS = ("", "-wal")
"What SQLite writes to: the file, and the log beside it."

_TABLE = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY, nt_hash BLOB NOT NULL, password TEXT, policy TEXT NOT NULL DEFAULT '',
    added REAL NOT NULL, changed REAL NOT NULL
) WITHOUT ROWID"""

_SELECT = "SELECT * FROM users WHERE ? IS NULL OR name = ? ORDER BY name LIMIT ?"


@dataclass(frozen=True, slots=True)
class StoredUser:
    """One row."""

    name: str
    secret: Secret = field(repr=False)
    policy: Policy
    added: float
    "Seconds since 1970."
    changed: float


class UsersStore:
    """The file, open for one change or a few; used by one thread."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        """Open the file, making it for its owner only when make is set; raise SetupError in words."""
        self.path = path
        self._database: sqlite3.Connection | None = None
        with self._in_words("opened"):
            _create(path) if make else os.stat(path)
            self._database = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
            if make and self._database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] == 0:
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute(_TABLE)
                self._database.execute(f"PRAGMA application_id = {APPLICATION}")
                self._database.execute(f"PRAGMA user_version = {VERSION}")
            _check(self._database)
            self._database.execute("PRAGMA secure_delete = ON")  # a password that was replaced is overwritten

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()

    def add(self, name: str, password: str, policy: Policy = NOTHING, *, clear_text: bool = False) -> None:
        """Add a user; raise SetupError when the name is taken."""
        check_name(name)
        check_secret(password)
        now = time.time()
        row = (name, crypto.nt_password_hash(password), password if clear_text else None, str(policy), now, now)
        try:
            self._change("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)", *row)
        except sqlite3.IntegrityError:
            sentence = f"user {name} is already in {self.path}; change the password with: openpptp user passwd"
            raise SetupError(sentence) from None

    def set_password(self, name: str, password: str, *, clear_text: bool = False) -> None:
        """Give a user another password."""
        check_secret(password)
        row = crypto.nt_password_hash(password), password if clear_text else None, time.time(), name
        self._change("UPDATE users SET nt_hash = ?, password = ?, changed = ? WHERE name = ?", *row, of=name)

    def limit(self, name: str, change: Callable[[Policy], Policy]) -> Policy:
        """Change what is said of a user; return it as it is then."""
        assert self._database is not None
        with self._in_words("written"):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                found = self._database.execute("SELECT policy FROM users WHERE name = ?", (name,)).fetchone()
                if found is None:
                    raise SetupError(no_user(name, self.path))
                policy = change(parse(found[0]))
                row = str(policy), time.time(), name
                self._database.execute("UPDATE users SET policy = ?, changed = ? WHERE name = ?", row)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            return policy

    def remove(self, name: str) -> None:
        """Take a user out."""
        self._change("DELETE FROM users WHERE name = ?", name, of=name)

    def _change(self, statement: str, *row: object, of: str | None = None) -> None:
        assert self._database is not None
        with self._in_words("written"):
            if self._database.execute(statement, row).rowcount == 0 and of is not None:
                raise SetupError(no_user(of, self.path))

    @contextlib.contextmanager
    def _in_words(self, done: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as error:
            if done == "opened":
                self.close()
            raise _sentence(self.path, error, done) from None


def read(path: Path, name: str | None = None) -> tuple[list[StoredUser], list[str]]:
    """Return every user or one, and a sentence for each row that cannot be used; raise SetupError in words."""
    users, problems = [], []
    database = None
    try:
        os.stat(path)
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)
        _check(database)
        for row in database.execute(_SELECT, (name, name, MOST_USERS + 1)):
            try:
                users.append(_user(row))
            except (SetupError, TypeError, ValueError, AttributeError) as error:
                why = error if isinstance(error, SetupError) else "its row is damaged"
                problems.append(f"{path}: user {row[0]!r} cannot log in: {why}; mend it with: openpptp user limit")
    except (sqlite3.Error, OSError) as error:
        raise _sentence(path, error, "read") from None
    finally:
        if database is not None:
            database.close()
    if len(users) > MOST_USERS:
        raise SetupError(f"{path} has more than {MOST_USERS} users; keep that many in RADIUS", exit_code=2)
    return users, problems


def exists(path: Path) -> bool:
    """Tell whether there is a store, or may be one where nobody lets us look."""
    try:
        return path.exists()
    except OSError:
        return True


def may_write(path: Path) -> bool:
    """Tell whether this process may change the store, or make it; SQLite writes beside it as well."""
    folder = path.parent
    while not os.access(folder, os.F_OK):
        folder = folder.parent
    there = os.access(path, os.F_OK)
    return os.access(folder, os.W_OK, effective_ids=True) and (
        not there or os.access(path, os.W_OK, effective_ids=True)
    )


def no_user(name: str, path: Path) -> str:
    """Return in words that there is no such user."""
    return f"there is no user {name} in {path}; see: openpptp user list"


def _user(row: tuple[Any, ...]) -> StoredUser:
    name, nt_hash, password, policy, added, changed = row
    if len(nt_hash) != 16 or not isinstance(name, str):
        raise ValueError
    return StoredUser(name, Secret(password, nt_hash), parse(policy), added, changed)


def _check(database: sqlite3.Connection) -> None:
    application, version = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if application != APPLICATION:
        raise sqlite3.DatabaseError("it is no users store; name another file")
    if version != VERSION:
        raise sqlite3.DatabaseError(f"it is of version {version}, and this program knows version {VERSION}")


def _create(path: Path) -> None:
    """Make the file, if there is none, for its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _sentence(path: Path, error: Exception, done: str) -> SetupError:
    match error:
        case FileNotFoundError():
            return SetupError(f"{path} does not exist; make it with: openpptp user add NAME --store", exit_code=2)
        case PermissionError():
            return SetupError(f"{path} cannot be {done} by this user; run as root (sudo)", exit_code=3)
        case OSError():
            return SetupError(f"{path} cannot be {done}: {error.strerror}")
    code = getattr(error, "sqlite_errorcode", None)
    match (code & 0xFF) if code is not None else None:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return SetupError(f"{path} cannot be {done}: another program has locked it; try again when that is done")
        case sqlite3.SQLITE_FULL:
            return SetupError(f"{path} cannot be {done}: the disk is full; make room")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return SetupError(f"{path} cannot be {done} by this user; run as root (sudo)", exit_code=3)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return SetupError(f"{path} cannot be {done}: it is damaged ({error}); put a copy of it back")
    return SetupError(f"{path} cannot be {done}: {error}")

"""What we changed on this host and must take back, kept on disk so that kill -9 does not lose it.

Each change is written down before it is made. Undoing walks the same list whether this process made the changes or
one before it that died. A directory belongs to one running process at a time.
"""

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any, Self

from openpptp.errors import SetupError

NAME, DRAFT, LOCK = "undo.json", "undo.json.new", "lock"
FILES = (NAME, DRAFT, LOCK)
"All that lies in the directory because of us."

Entry = dict[str, Any]
"One change: its kind, and the facts that identify it."


class Journal:
    """The list of changes; without a directory it lives in memory only."""

    def __init__(self, directory: Path | None = None) -> None:
        """Open the directory, making it when missing, and read what an earlier process left.

        Raises SetupError when another process holds it or it cannot be written.
        """
        self._directory = directory
        self._entries: list[Entry] = []
        self._lock = self._folder = -1
        if directory is not None:
            self._lock, self._folder = _lock(directory)
            self._entries = _read(self._path())

    @classmethod
    def as_left(cls, directory: Path) -> Self:
        """Read what is written down now, for whoever looks on while another process owns the directory.

        It takes no lock and writes nothing; changes noted in it live in memory only.
        """
        journal = cls()
        journal._entries = _read(directory / NAME)
        return journal

    @property
    def changes(self) -> int:
        """How many are not undone."""
        return len(self._entries)

    def entries(self, *kinds: str) -> list[Entry]:
        """Return the changes of these kinds, the newest first: the order of undoing."""
        return [entry for entry in reversed(self._entries) if entry["kind"] in kinds]

    def remember(self, kind: str, **facts: str | int | None) -> Entry:
        """Write down a change that is about to be made; return its entry."""
        entry: Entry = {"kind": kind, **facts}
        self._entries.append(entry)
        try:
            self._write()
        except SetupError:
            self._entries.remove(entry)
            raise
        return entry

    def forget(self, entry: Entry) -> None:
        """Strike out a change that is undone; an unknown one is no error."""
        if entry in self._entries:
            self._entries.remove(entry)
            # On a full disk the entry outlives the change; undoing what is not there is harmless, to stop here is not.
            with contextlib.suppress(SetupError):
                self._write()

    def close(self) -> None:
        """Let go of the directory; what is still written down waits for the next process."""
        if self._lock >= 0:
            os.close(self._lock)
            os.close(self._folder)
            self._lock = self._folder = -1

    def _path(self) -> Path:
        assert self._directory is not None
        return self._directory / NAME

    def _write(self) -> None:
        if self._directory is None:
            return
        path = self._path()
        try:
            # Always anew: the directory may be the server's, whose user could lay a link there, while we are root.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(DRAFT, dir_fd=self._folder)
            with open(DRAFT, "x", encoding="utf-8", opener=self._open) as file:
                file.write(json.dumps({"world": world(), "entries": self._entries}, indent=1))
            os.replace(DRAFT, NAME, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError as error:
            raise SetupError(f"cannot write {path}, which says how to undo our changes: {error.strerror}") from error

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags, 0o644, dir_fd=self._folder)


def is_held(directory: Path) -> bool:
    """Tell whether a running process has the directory."""
    try:
        file = os.open(directory / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _read(path: Path) -> list[Entry]:
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
        # After a reboot, or in another network namespace, none of it exists any more; to undo would be to meddle.
        if text["world"] != world():
            return []
        return [entry for entry in text["entries"] if isinstance(entry["kind"], str)]
    except (OSError, ValueError, KeyError, TypeError):  # none, or damaged: then there is nothing we can rely on
        return []


def world() -> str:
    """Name this boot and this network namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {Path('/proc/thread-self/ns/net').readlink()}"


def _lock(directory: Path) -> tuple[int, int]:
    """Return descriptors of the lock, which we hold then, and of the directory it lies in."""
    folder = -1
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        file = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644, dir_fd=folder)
    except OSError as error:
        if folder >= 0:
            os.close(folder)
        exit_code = 3 if isinstance(error, PermissionError) else 1
        message = f"cannot use the runtime directory {directory}: {error.strerror}; run as root or name another one"
        raise SetupError(message, exit_code=exit_code) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(file, 20, 0).decode("ascii", "replace").strip()
        os.close(file)
        os.close(folder)
        message = (
            f"another openpptp (process {owner or '?'}) already runs with {directory}; stop it or name another one"
        )
        raise SetupError(message) from error
    if os.fstat(file).st_nlink == 1:  # else it is another name of somebody's file
        with contextlib.suppress(OSError):  # a full disk: the number is for people only
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file, folder

"""How files are opened that this process itself may not be allowed to read.

It may run as a user who must not read them; whom it asks then is said once, as its privileges are the process's.
"""

import os
from pathlib import Path
from typing import Protocol

Look = tuple[int, int, int]
"When a file was changed last, in nanoseconds, its inode and its size: another file, or a changed one, has another."


class Opener(Protocol):
    """Opens files for us (daemon/monitor/link.py)."""

    def open(self, path: Path) -> int:
        """Return a descriptor to read from; raise OSError."""

    def look(self, path: Path) -> Look:
        """Return what stands in the directory; raise OSError."""


_opener: Opener | None = None


def ask_when_refused(opener: Opener | None) -> None:
    """Ask opener, from now on, for what the system refuses us."""
    global _opener  # noqa: PLW0603 - a process has its privileges once, too
    _opener = opener


def open_file(path: Path) -> int:
    """Return a descriptor to read a file from; raise OSError."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except PermissionError:
        if _opener is None:
            raise
        return _opener.open(path)


def look(path: Path) -> Look:
    """Return what tells a file from its earlier contents; raise OSError."""
    try:
        return look_of(os.stat(path))
    except PermissionError:
        if _opener is None:
            raise
        return _opener.look(path)


def missing(path: Path) -> bool:
    """Tell whether there is surely no such file."""
    try:
        look(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def look_of(status: os.stat_result) -> Look:
    """Return of a file's status what tells it from its earlier contents."""
    return status.st_mtime_ns, status.st_ino, status.st_size

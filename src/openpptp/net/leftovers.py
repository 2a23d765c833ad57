"""Who holds a runtime directory, and what is noted in it; nothing is locked for the answer."""

import os
from pathlib import Path
from typing import NamedTuple

from openpptp.net.journal import Journal

LOCKS = Path("/proc/locks")


class Runtime(NamedTuple):
    """A runtime directory as it lies there."""

    holder: int | None
    "The process that holds the lock."
    changes: int
    "Changes of the host that are noted in it, not undone yet."


def look(directory: Path, locks: Path = LOCKS) -> Runtime:
    """Return how a runtime directory stands; one that does not exist is empty."""
    return Runtime(_holder(directory / "lock", locks), Journal.as_left(directory).changes)


def _holder(lock: Path, locks: Path) -> int | None:
    """Return who holds the lock, by the kernel's list: to try the lock could make a server's start fail."""
    try:
        found = lock.stat()
        lines = locks.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == place:
            return int(words[4])
    return None

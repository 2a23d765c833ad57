"""Gives the server's directories to the user it is about to become, with what an earlier version left there as root.

Only what is surely the server's own changes hands, and no link is followed on the way.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from openpptp.daemon.api_socket import NAME as SOCKET
from openpptp.daemon.config import Settings
from openpptp.daemon.server_user import Owner
from openpptp.net.journal import FILES as JOURNAL_FILES

SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")
OURS = frozenset({Path("/run/openpptp"), Path("/var/lib/openpptp")})
"These are the server's whatever lies in them; of any other only one that has nothing but the server's files."


class Place(NamedTuple):
    """A directory the server writes to."""

    directory: Path
    mode: int
    files: frozenset[str]
    "What the server has in it."


def places(settings: Settings) -> list[Place]:
    """Return the directories of a server with these settings."""
    found = [Place(settings.server.runtime_directory, 0o755, frozenset({SOCKET, *JOURNAL_FILES}))]
    databases = [settings.users.store, *([settings.accounting.file] if settings.accounting.on else [])]
    for directory in dict.fromkeys(file.parent for file in databases):
        names = [file.name for file in databases if file.parent == directory]
        files = frozenset(name + suffix for name in names for suffix in SQLITE_SUFFIXES)
        found.append(Place(directory, 0o700, files))
    return found


def hand_over(all_places: Iterable[Place], owner: Owner) -> list[str]:
    """Make the directories where they are missing and give them to owner; return a sentence for each that stays."""
    return [sentence for place in all_places for sentence in _hand_over(place, owner)]


def _hand_over(place: Place, owner: Owner) -> Iterator[str]:
    directory = place.directory
    try:
        directory.mkdir(mode=place.mode, parents=True, exist_ok=True)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        yield f"{directory} cannot be given to the user {owner.name}: {error.strerror}"
        return
    try:
        before = os.fstat(folder)
        names = os.listdir(folder)
        if directory.resolve() not in OURS and not place.files.issuperset(names):
            if before.st_uid != owner.uid:
                yield (
                    f"{directory} has other files in it and keeps its owner; where the user {owner.name} may not "
                    f"write to it, name a directory of its own, as {directory / 'openpptp'}"
                )
            return
        os.fchown(folder, owner.uid, owner.gid)
        os.fchmod(folder, stat.S_IMODE(before.st_mode) & place.mode)
        for name in place.files.intersection(names):
            _give_file(folder, name, owner, before.st_uid)
    except OSError as error:
        yield f"{directory} cannot be given to the user {owner.name}: {error.strerror}"
    finally:
        os.close(folder)


def _give_file(folder: int, name: str, owner: Owner, before: int) -> None:
    """Give one regular file that has no other name; what else has its place there stays as it is."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:  # a link, or a socket, which the server removes by itself
        return
    try:
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid in (0, before, owner.uid):
            os.fchown(file, owner.uid, owner.gid)
            os.fchmod(file, stat.S_IMODE(found.st_mode) & ~0o022)
    finally:
        os.close(file)

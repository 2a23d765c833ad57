"""Who listens on a TCP port and who takes GRE, as /proc tells it; no program is run for it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LISTEN = "0A"  # TCP_LISTEN of net/tcp_states.h
SOCKET = re.compile(r"socket:\[(\d+)\]")

PROC = Path("/proc")


class Listener(NamedTuple):
    """A socket that takes connections, and whose it is."""

    port: int
    process: int | None
    "None: this user may not see it."
    program: str


def tcp_listeners(port: int, proc: Path = PROC) -> list[Listener]:
    """Return who takes connections on a TCP port in this network namespace, over IPv4 or IPv6."""
    inodes = [
        words[9]
        for table in ("tcp", "tcp6")
        for words in _rows(proc / "thread-self" / "net" / table)
        if words[3] == LISTEN and int(words[1].rpartition(":")[2], 16) == port
    ]
    owners = _owners(set(inodes), proc) if inodes else {}
    found = [owners.get(inode) for inode in inodes]
    return list(dict.fromkeys(Listener(port, owner, _name(owner, proc)) for owner in found))


def raw_sockets(protocol: int, proc: Path = PROC) -> int:
    """Return how many raw IPv4 sockets take an IP protocol in this network namespace."""
    rows = _rows(proc / "thread-self" / "net" / "raw")
    return sum(int(words[1].rpartition(":")[2], 16) == protocol for words in rows)


def _rows(table: Path) -> Iterator[list[str]]:
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:  # a kernel without IPv6
        return
    yield from (line.split() for line in lines)


def _owners(inodes: set[str], proc: Path) -> dict[str, int]:
    """Find the processes that hold these sockets; the lowest number, where children hold them too."""
    found: dict[str, int] = {}
    for process in sorted(int(path.name) for path in proc.iterdir() if path.name.isdigit()):
        for inode in inodes & set(_sockets(proc / str(process) / "fd")):
            found.setdefault(inode, process)
    return found


def _sockets(directory: Path) -> Iterator[str]:
    try:
        entries = list(os.scandir(directory))
    except OSError:  # it ended, or is not ours to see
        return
    for entry in entries:
        try:
            match = SOCKET.fullmatch(os.readlink(entry.path))
        except OSError:
            continue
        if match is not None:
            yield match[1]


def _name(process: int | None, proc: Path) -> str:
    if process is None:
        return "another program"
    try:
        words = (proc / str(process) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program that has ended"
    return "".join(char if char.isprintable() else "?" for char in words)

"""Reading somebody else's files: bounded, in words when it fails, names looked up where their programs do so."""

import os
import socket
import stat
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from openpptp.errors import SetupError

MAX_OCTETS = 1024 * 1024  # ours: no settings file is larger

Resolve = Callable[[str], IPv4Address | None]
"Turns a host name into its address; None when it has none."


def resolve(name: str) -> IPv4Address | None:
    """Look a host name up as pptpd and pppd do, at the start; None when that fails."""
    if not name.strip("0123456789.") or "\0" in name:
        return None  # the resolver would make an address of 10.0.0, and of nothing
    try:
        return IPv4Address(socket.gethostbyname(name))
    except (OSError, ValueError):  # UnicodeError, which a name in no encoding of DNS raises, is a ValueError
        return None


def host_name() -> str:
    """Return this host's name, as pppd takes it when it is told none."""
    return socket.gethostname() or "localhost"


def address_of(word: str, look_up: Resolve) -> IPv4Address | None:
    """Return the address a word is or names."""
    try:
        return IPv4Address(word)
    except ValueError:
        return look_up(word)


def read_text(path: Path) -> str:
    """Return a file's text; octets that are no UTF-8 stay what they are. Raise SetupError in words."""
    return read_octets(path).decode("utf-8", "surrogateescape").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")


def read_octets(path: Path) -> bytes:
    """Return a regular file's octets; raise SetupError in words when it cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SetupError(f"{path}: is not a regular file; name the file itself", exit_code=2)
            data = file.read(MAX_OCTETS + 1)
    except FileNotFoundError:
        raise SetupError(f"{path}: there is no such file; correct the name", exit_code=2) from None
    except PermissionError:
        raise SetupError(f"{path}: may not be read by this user; run as root (sudo)", exit_code=3) from None
    except (OSError, ValueError) as error:  # ValueError: a zero octet in the name
        why = getattr(error, "strerror", None) or str(error)
        raise SetupError(f"{path}: cannot be read: {why}; correct the name", exit_code=2) from None
    if len(data) > MAX_OCTETS:
        raise SetupError(f"{path}: is larger than {MAX_OCTETS} octets, which no settings file is", exit_code=2)
    return data

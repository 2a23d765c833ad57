"""Changes to a secrets file: one line at a time, everything else kept as it stands, never half written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openpptp.backends.secrets_file import WILDCARD, Entry, parse, read_octets
from openpptp.backends.secrets_words import Line, quote, split_lines
from openpptp.crypto import MAX_PASSWORD
from openpptp.errors import SetupError

MAX_NAME = 255  # octets: PAP's length field


def users(path: Path) -> tuple[Entry, ...]:
    """Return the usable lines in their order."""
    return parse(read_octets(path)[0], path).entries


def add(path: Path, client: str, secret: str, *, server: str = WILDCARD, addresses: tuple[str, ...] = ("*",)) -> None:
    """Append a line; make the file, mode 0600, when there is none.

    The address column is * unless told otherwise: without one pppd, and so we, allow no address at all.
    """
    _check_name(client)
    _check_secret(secret)
    with _locked(path):
        data = read_octets(path)[0] if path.exists() else b""
        if any(entry.client == client and entry.server == server for entry in parse(data, path).entries):
            raise SetupError(f"user {client} is already in {path}; change the password with: sudo openpptp user passwd")
        line = b" ".join((quote(client), quote(server), quote(secret), *map(quote, addresses))) + b"\n"
        separator = b"" if not data or data.endswith(b"\n") else b"\n"
        if data.rstrip(b"\r\n").endswith(b"\\"):
            separator += b"\n"  # or the last line's backslash would join ours to it
        _replace(path, data + separator + line)


def set_secret(path: Path, client: str, secret: str, *, server: str) -> int:
    """Write a new secret into the client's lines for this server or any; return how many there were."""
    _check_secret(secret)
    with _locked(path):
        data = read_octets(path)[0]
        lines = _lines_of(data, path, client, server)
        for line in reversed(lines):
            word = line.words[2]
            data = data[: word.start] + quote(secret) + data[word.end :]
        _replace(path, data)
        return len(lines)


def remove(path: Path, client: str, *, server: str) -> int:
    """Take the client's lines for this server or any out; return how many there were."""
    with _locked(path):
        data = read_octets(path)[0]
        lines = _lines_of(data, path, client, server)
        for line in reversed(lines):
            data = data[: line.start] + data[line.end :]
        _replace(path, data)
        return len(lines)


def _lines_of(data: bytes, path: Path, client: str, server: str) -> list[Line]:
    name, servers = client.encode("utf-8", "surrogateescape"), (server.encode(), WILDCARD.encode())
    found = [
        line
        for line in split_lines(data)
        if len(line.words) >= 3 and line.words[0].octets == name and line.words[1].octets in servers
    ]
    if not found:
        raise SetupError(f"there is no user {client} in {path}; see: sudo openpptp user list")
    return found


def _check_name(name: str) -> None:
    if not name or name == WILDCARD or not name.isprintable():
        raise SetupError("a user name needs printable characters and is not *", exit_code=2)
    if len(name.encode()) > MAX_NAME:
        raise SetupError(f"a user name has at most {MAX_NAME} octets", exit_code=2)


def _check_secret(secret: str) -> None:
    if not 0 < len(secret.encode("utf-16-le", "surrogatepass")) <= 2 * MAX_PASSWORD:
        raise SetupError(f"a password has 1 to {MAX_PASSWORD} characters", exit_code=2)
    if not secret.isprintable():
        raise SetupError("a password cannot hold control characters", exit_code=2)
    if secret.startswith("@/"):
        raise SetupError("a password cannot begin with @/ (it would name a file that holds it)", exit_code=2)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other editors of ours out; a file of its own is locked, and stays, since the secrets file is replaced."""
    target = path.resolve()
    try:
        lock = os.open(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise SetupError(f"the folder {target.parent} does not exist; make it first") from None
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}; run as root", exit_code=3) from None
    try:
        os.lockf(lock, os.F_LOCK, 0)
        yield
    finally:
        os.close(lock)


def _replace(path: Path, data: bytes) -> None:
    """Put data in place of the file in one step, mode 0600, owner kept; a symbolic link stays one."""
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.new")
    try:
        temporary.unlink(missing_ok=True)  # left by a kill; the lock says nobody is writing it now
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            if target.exists():
                owner = target.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except PermissionError:
        raise SetupError(f"{path} cannot be written; run as root", exit_code=3) from None
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}") from None

"""Changes to a secrets file: one line at a time, everything else kept as it stands, never half written."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from openpptp.backends.policy import NOTHING, Policy, read_words
from openpptp.backends.secrets_file import POLICY, WILDCARD, Entry, parse, read_octets
from openpptp.backends.secrets_words import Line, quote, split_lines
from openpptp.crypto import MAX_PASSWORD
from openpptp.errors import SetupError

MAX_NAME = 255  # octets: PAP's length field


def users(path: Path) -> tuple[Entry, ...]:
    """Return the usable lines in their order."""
    return parse(read_octets(path)[0], path).entries


def add(
    path: Path,
    client: str,
    secret: str,
    *,
    server: str = WILDCARD,
    addresses: tuple[str, ...] = ("*",),
    policy: Policy = NOTHING,
) -> None:
    """Append a line; make the file, mode 0600, when there is none.

    The address column is * unless told otherwise: without one pppd, and so we, allow no address at all.
    """
    check_name(client)
    check_secret(secret)
    with _locked(path):
        data = read_octets(path)[0] if path.exists() else b""
        if any(entry.client == client and entry.server == server for entry in parse(data, path).entries):
            raise SetupError(f"user {client} is already in {path}; change the password with: sudo openpptp user passwd")
        line = (
            b" ".join((quote(client), quote(server), quote(secret), *map(quote, addresses))) + _written(policy) + b"\n"
        )
        separator = b"" if not data or data.endswith(b"\n") else b"\n"
        if data.rstrip(b"\r\n").endswith(b"\\"):
            separator += b"\n"  # or the last line's backslash would join ours to it
        _replace(path, data + separator + line)


def set_secret(path: Path, client: str, secret: str, *, server: str) -> int:
    """Write a new secret into the client's lines for this server or any; return how many there were."""
    check_secret(secret)
    with _locked(path):
        data = read_octets(path)[0]
        lines = _lines_of(data, path, client, server)
        for line in reversed(lines):
            word = line.words[2]
            data = data[: word.start] + quote(secret) + data[word.end :]
        _replace(path, data)
        return len(lines)


def limit(path: Path, client: str, change: Callable[[Policy], Policy], *, server: str) -> Policy:
    """Change what the client's lines for this server or any say after --; return it as the first of them has it then.

    Raises SetupError for a line that says what this program does not know: it would be lost.
    """
    with _locked(path):
        data = read_octets(path)[0]
        policies = []
        for line in reversed(_lines_of(data, path, client, server)):
            texts = [bytes(word.octets).decode("utf-8", "replace") for word in line.words]
            end = texts.index(POLICY, 3) if POLICY in texts[3:] else len(texts)
            try:
                said, unknown = read_words(texts[end + 1 :])
            except SetupError as error:
                unknown = error
            if unknown is not None:
                raise SetupError(f"{path}:{line.number}: {unknown}; mend the line by hand first", exit_code=2)
            policies.append(change(said))
            data = data[: line.words[end - 1].end] + _written(policies[-1]) + data[line.words[-1].end :]
        _replace(path, data)
        return policies[-1]


def remove(path: Path, client: str, *, server: str) -> int:
    """Take the client's lines for this server or any out; return how many there were."""
    with _locked(path):
        data = read_octets(path)[0]
        lines = _lines_of(data, path, client, server)
        for line in reversed(lines):
            data = data[: line.start] + data[line.end :]
        _replace(path, data)
        return len(lines)


def _written(policy: Policy) -> bytes:
    words = str(policy).split()
    return b" ".join((b"", POLICY.encode(), *map(quote, words))) if words else b""


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


def check_name(name: str) -> None:
    """Raise SetupError for a name no user can have."""
    if not name or name == WILDCARD or not name.isprintable():
        raise SetupError("a user name needs printable characters and is not *", exit_code=2)
    if len(name.encode()) > MAX_NAME:
        raise SetupError(f"a user name has at most {MAX_NAME} octets", exit_code=2)


def check_secret(secret: str) -> None:
    """Raise SetupError for a password that cannot be kept."""
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

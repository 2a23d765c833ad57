"""Settings out of nothing: a file that explains itself, a first user, a pool that collides with nothing."""

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from openpptp.backends import secrets_edit
from openpptp.backends.pools import free_pool
from openpptp.daemon.config import DEFAULT_PATH, load
from openpptp.daemon.settings_text import settings_file
from openpptp.errors import SetupError
from openpptp.net.links import Links

FIRST_USER = "user"
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that look alike, l 1 I and O 0
LENGTH = 14  # ours: 81 bits; MS-CHAPv2 falls to a search of 56 whatever the password
OUTSIDE = IPv4Address("192.0.2.1")
"TEST-NET-1: nothing is sent to it; the way to it shows which of our addresses the world sees first."


@dataclass(frozen=True, slots=True)
class Host:
    """What this host's network looks like."""

    networks: list[IPv4Network]
    addresses: list[str]
    "The one the world most likely reaches first; no loopback."


@dataclass(frozen=True, slots=True)
class FirstRun:
    """What prepare found or made."""

    settings_path: Path
    secrets_path: Path
    made: tuple[Path, ...]
    "Files that did not exist before."
    user: str | None = None
    "None: there were users already."
    password: str | None = field(default=None, repr=False)


def random_password() -> str:
    """Return a password that needs no quotes in any file or shell."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def look_at_host() -> Host:
    """Read this host's networks and addresses; raise SetupError when it does not say."""
    links = Links()
    try:
        networks = [entry.network for entry in links.networks()]
        found = [str(address.ip) for address, _ in links.addresses() if not address.ip.is_loopback]
        try:
            first = str(links.route_to(OUTSIDE).source)
        except SetupError:  # no way to the world: any address is as good
            first = ""
    finally:
        links.close()
    return Host(networks, sorted(dict.fromkeys(found), key=lambda address: address != first))


def prepare(networks: Iterable[IPv4Network], *, settings_path: Path = DEFAULT_PATH, user: str = FIRST_USER) -> FirstRun:
    """Make what is missing of settings and users, and overwrite nothing.

    networks are those the host knows, which the pool must not overlap. Raises SetupError when the directory cannot
    be written, or when settings exist and are wrong.
    """
    made: list[Path] = []
    secrets_path = settings_path.parent / "chap-secrets"
    if settings_path.exists():
        secrets_path = load(settings_path, need_users=False).users.file
    else:
        pool = free_pool(networks)
        values: dict[tuple[str, str], object] = {("network", "pool"): [str(pool)]}
        if settings_path != DEFAULT_PATH:
            values["users", "file"] = str(secrets_path)
        _create(settings_path, settings_file(values), 0o644)
        made.append(settings_path)
    if secrets_path.exists():
        return FirstRun(settings_path, secrets_path, tuple(made))
    password = random_password()
    _make_directory(secrets_path.parent)
    secrets_edit.add(secrets_path, user, password)
    made.append(secrets_path)
    return FirstRun(settings_path, secrets_path, tuple(made), user, password)


def _create(path: Path, text: str, mode: int) -> None:
    """Write a file that must not exist yet."""
    _make_directory(path.parent)
    with _making(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)


def _make_directory(path: Path) -> None:
    with _making(path):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)


@contextlib.contextmanager
def _making(path: Path) -> Iterator[None]:
    """Say what hinders us, and the remedy."""
    try:
        yield
    except PermissionError:
        raise SetupError(f"{path}: may not be made by this user; run as root (sudo)", exit_code=3) from None
    except OSError as error:
        raise SetupError(f"{path}: cannot be made: {error.strerror}") from None

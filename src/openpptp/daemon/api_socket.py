"""The Unix socket of the local API: where it lies, and who may use it."""

import grp
import os
import re
import socket
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

from openpptp.errors import SetupError

NAME = "api.sock"
DEFAULT_DIRECTORY = Path("/run/openpptp")
DEFAULT_CONFIG = Path("/etc/openpptp/openpptp.toml")
WRITTEN = re.compile(r"""^\s*runtime_directory\s*=\s*["']([^"']+)["']""", re.MULTILINE)
LONGEST_PATH = 107  # octets; struct sockaddr_un has room for 108 with the final zero


def path_in(directory: Path) -> Path:
    """Return where the socket of a server with this runtime directory lies."""
    return directory / NAME


def path_for(config: Path) -> Path:
    """Return where the socket of a server with this settings file lies.

    Nothing else of the file is looked at: a broken one must not keep anybody from steering the server that still runs.
    Raises SetupError for a file that cannot be read, unless it is the usual one, which a group's members may not read.
    """
    try:
        text = config.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if config != DEFAULT_CONFIG:
            raise SetupError(f"{config}: cannot be read: {error.strerror}", exit_code=2) from None
        return path_in(DEFAULT_DIRECTORY)
    try:
        return path_in(Path(tomllib.loads(text)["server"]["runtime_directory"]))
    except tomllib.TOMLDecodeError:
        named = WRITTEN.search(text)
        return path_in(Path(named[1]) if named is not None else DEFAULT_DIRECTORY)
    except (KeyError, TypeError):
        return path_in(DEFAULT_DIRECTORY)


def open_socket(path: Path, group: str | None) -> socket.socket:
    """Return a listening socket for root, and for the members of group; raise SetupError in words.

    The caller holds the lock of the directory, so whatever socket lies there is of a server that was killed.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        sentence = f"{path} is too long for a socket's name; choose a shorter server.runtime_directory"
        raise SetupError(sentence, exit_code=2)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # nobody but us may connect before the group is set
    try:
        listener.bind(str(path))
        give_to(path, group)
        listener.listen()
    except (OSError, SetupError) as error:
        listener.close()
        if isinstance(error, SetupError):
            raise
        raise SetupError(f"cannot make the socket {path}: {error.strerror}") from None
    finally:
        os.umask(before)
    return listener


def give_to(path: Path, group: str | None, *, as_root: Callable[[], None] | None = None) -> None:
    """Let the members of group use the socket as root may; without a group, root alone.

    as_root gives it to that group when we may not: to groups the server was not in when it ceased to be root.
    """
    try:
        os.chmod(path, 0o600)
        if group is not None:
            try:
                os.chown(path, -1, grp.getgrnam(group).gr_gid)
            except PermissionError:
                if as_root is None:
                    raise
                as_root()
            os.chmod(path, 0o660)
    except KeyError:
        raise SetupError(no_group(group), exit_code=2) from None
    except OSError as error:
        raise SetupError(f"cannot give {path} to the group {group}: {error.strerror}; run as root") from None


def has_group(name: str) -> bool:
    """Return whether this machine knows a group."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def no_group(name: str | None) -> str:
    """Return in words that there is no such group."""
    return f"admin.group: this machine has no group {name!r}; make it with: sudo groupadd --system {name}"


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SetupError(f"{path} is no socket; remove it, or choose another server.runtime_directory")
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SetupError(f"cannot remove {path} of a server before: {error.strerror}") from None

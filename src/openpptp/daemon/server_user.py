"""The user of this machine that the server runs as: found, or made by `openpptp setup`."""

import pwd
import subprocess
from typing import NamedTuple

PATIENCE = 30.0  # ours: seconds; useradd waits for whoever has /etc/passwd locked
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class Owner(NamedTuple):
    """A user, and his group."""

    name: str
    uid: int
    gid: int


ROOT = Owner("root", 0, 0)


def find_user(name: str) -> Owner | None:
    """Return a user of this machine; None when there is none of that name."""
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):  # ValueError: a zero octet in the name
        return None
    return Owner(name, found.pw_uid, found.pw_gid)


def command_for(name: str) -> list[str]:
    """Return the command that makes the user, whom nobody can log in as, and a group of the same name."""
    nobody_logs_in = ("--home-dir", "/nonexistent", "--no-create-home", "--shell", "/usr/sbin/nologin")
    return ["useradd", "--system", "--user-group", *nobody_logs_in, name]


def make_user(name: str) -> str | None:
    """Make the user; return None, or why that failed and what to do."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell reads it
            command_for(name), capture_output=True, text=True, timeout=PATIENCE, check=False, env={"PATH": PATH}
        )
        why = done.stderr.strip() if done.returncode != 0 else None
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "it takes too long"
    if why is None:
        return None
    return (
        f"the user {name} cannot be made ({why}): until there is one the server stays root, without most of its "
        f"powers; make it with: sudo {' '.join(command_for(name))}"
    )

"""As whom, and with what environment, a program of the person who called us runs; under sudo we are root ourselves."""

import contextlib
import os
import pwd
from typing import Any

from openpptp.daemon.client.profile_files import Account

OF_SUDO = ("SUDO_COMMAND", "SUDO_USER", "SUDO_UID", "SUDO_GID", "SUDO_HOME")


def identity(account: Account | None) -> dict[str, Any]:
    """Return what makes subprocess run a program as an account; nothing when that is who we are already."""
    if account is None or os.geteuid() != 0 or account.uid == 0:
        return {}
    groups = os.getgrouplist(account.name, account.gid)
    return {"user": account.uid, "group": account.gid, "extra_groups": groups}


def environment(account: Account | None) -> dict[str, str]:
    """Return our environment as the account has it, without the password of the tunnel."""
    found = {name: value for name, value in os.environ.items() if name != "OPENPPTP_PASSWORD"}
    if account is None or not identity(account):
        return found
    for name in OF_SUDO:
        found.pop(name, None)
    runtime = f"/run/user/{account.uid}"
    found |= {"HOME": str(account.home), "USER": account.name, "LOGNAME": account.name, "XDG_RUNTIME_DIR": runtime}
    with contextlib.suppress(KeyError):
        found["SHELL"] = pwd.getpwuid(account.uid).pw_shell or "/bin/sh"
    found.setdefault("DBUS_SESSION_BUS_ADDRESS", f"unix:path={runtime}/bus")
    return found

"""The server gives up what it no longer needs, once what needs root is open (docs/privileges.md).

Capabilities belong to threads: all of this happens before any other thread begins.
"""

import asyncio
import codecs
import contextlib
import grp
import os
from contextlib import AsyncExitStack

from structlog.typing import FilteringBoundLogger

from openpptp import crypto
from openpptp.backends import file_access
from openpptp.daemon.config import Settings
from openpptp.daemon.handover import hand_over, places
from openpptp.daemon.monitor.link import MonitorLink
from openpptp.daemon.monitor.policy import policy_of
from openpptp.daemon.server_user import ROOT, command_for, find_user
from openpptp.errors import SetupError
from openpptp.net import capabilities
from openpptp.net.capabilities import Capability
from openpptp.net.journal import is_held

KEPT = (Capability.NET_ADMIN, Capability.NET_RAW)


def give_up(settings: Settings, log: FilteringBoundLogger, monitor: MonitorLink | None, undo: AsyncExitStack) -> None:
    """Become the server's own user, with CAP_NET_ADMIN and CAP_NET_RAW only, and leave the rest to the monitor.

    Where there is no such user, or this process is not root, keep the user and hold no more than these all the same.
    """
    _load_what_comes_late()
    try:
        if os.geteuid() == 0:
            capabilities.forgo_others(KEPT)
            _become(settings, log)
        capabilities.hold_only(KEPT)
        capabilities.refuse_new()
        capabilities.hide_memory()
        capabilities.forbid_cores()
    except OSError as error:
        raise SetupError(
            f"this system does not let the server give up being root: {error.strerror}; "
            "whatever confines it, a container or a service manager, must allow prctl and capset",
            exit_code=3,
        ) from None
    if monitor is not None:
        loop = asyncio.get_running_loop()

        def report(words: str) -> None:
            with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody is there to hear it
                loop.call_soon_threadsafe(log.error, words)

        monitor.begin(policy_of(settings, os.geteuid()))
        monitor.start(report)
        file_access.ask_when_refused(monitor)
        undo.callback(file_access.ask_when_refused, None)


def _become(settings: Settings, log: FilteringBoundLogger) -> None:
    """Give the server's user the server's directories, then be it."""
    name = settings.server.user
    owner = find_user(name)
    if owner is None:
        remedy = " ".join(command_for(name))
        why = f"there is no user {name} on this machine; make it with: sudo {remedy}"
        log.warning(f"the server stays root, without most of its powers: {why}")
    given = [] if is_held(settings.server.runtime_directory) else places(settings)  # a second server will be told
    for sentence in hand_over(given, owner or ROOT):
        log.warning(sentence)
    uid, gid = (owner or ROOT)[1:]
    try:
        capabilities.become(uid, gid, _groups(settings))
    except OSError as error:
        if owner is not None:
            log.warning(
                f"the server stays root, without most of its powers: it may not become {name} ({error.strerror}); "
                "grant it CAP_SETUID and CAP_SETGID"
            )
            hand_over(given, ROOT)


def _load_what_comes_late() -> None:
    """Load what is imported at its first use only: the user we become may not be able to read our own files.

    They can lie in somebody's home, when the server is run from a checkout.
    """
    crypto.lm_password_hash("-")
    crypto.nt_password_hash("-")
    for name in ("ascii", "latin-1", "idna", "unicode_escape"):
        codecs.lookup(name)


def _groups(settings: Settings) -> list[int]:
    """Return the only group the server needs besides its own: the one it gives its API to."""
    if settings.admin.group is None:
        return []
    return [grp.getgrnam(settings.admin.group).gr_gid]

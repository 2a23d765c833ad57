"""Tells the service manager how we are: sd_notify(3), with what it needs and no more."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import Self

from openpptp.errors import SetupError

LONGEST_STATUS = 300  # ours: characters; a log-in name of a peer may be among them


class Notifier:
    """The way to the service manager that started this process; without one, everything is said to nobody."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Read where it listens, and whether it wants signs of life, from the environment."""
        name = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero octet that an abstract socket's name begins with.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self.heartbeat = _heartbeat(environment) if self._address else None
        "Seconds between the signs of life it wants, with room for one that comes late; None: it wants none."

    def ready(self, status: str) -> None:
        """Say that we serve, after the start or after a reload."""
        self._tell("READY=1", _status(status))

    def reloading(self) -> None:
        """Say that we read our settings again; ready() ends it."""
        # sd_notify(3): the manager has to know which of its own requests this answers.
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that we end."""
        self._tell("STOPPING=1", _status("taking leave of every client"))

    def __enter__(self) -> Self:
        """Begin; a SetupError that ends the block is told."""
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, SetupError):
            self._tell(_status(str(error)))

    def alive(self, status: str) -> None:
        """Give a sign of life, and say what we are at."""
        self._tell("WATCHDOG=1", _status(status))

    @property
    def listens(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._address)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # Nothing of ours depends on being heard; a manager that is too busy must not hold the event loop either.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)


def _status(words: str) -> str:
    return "STATUS=" + " ".join(words.split())[:LONGEST_STATUS]


def _heartbeat(environment: Mapping[str, str]) -> float | None:
    """Return half of the time after which the manager takes us for dead (sd_watchdog_enabled(3))."""
    meant_for = environment.get("WATCHDOG_PID", "")
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or int(microseconds) == 0 or (meant_for and meant_for != str(os.getpid())):
        return None
    return int(microseconds) / 2_000_000

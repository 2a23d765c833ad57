"""What a client is at, for its own terminal, for programs, and for `openpptp status`: one value, written down in /run.

The file may be read by everybody and holds no secret.
"""

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from openpptp.daemon.client.host import Configured
from openpptp.daemon.client.running import NAME, started
from openpptp.daemon.connect_request import ConnectRequest


@dataclass(slots=True)
class ClientState:
    """All that is known of one client. Its fields are the keys that programs read."""

    interface: str
    profile: str | None
    hosts: tuple[str, ...]
    user: str
    process: int = field(default_factory=os.getpid)
    process_started: int = field(default_factory=lambda: started(os.getpid()))
    "In the kernel's ticks since boot: a number that is given again is another process."
    state: str = "starting"
    "starting, resolving, calling, logging in, up, leaving, waiting or over."
    stage: str = ""
    "Of the attempt: connect, control, call, lcp, authentication, encryption, addresses, up."
    detail: str = ""
    "Why there is no tunnel; empty while there is one."
    since: str = ""
    "Since when there is a tunnel, or since when there is none; in UTC."
    next_attempt: str | None = None
    sessions: int = 0
    "How often it has come up."
    server: str | None = None
    server_host: str | None = None
    server_vendor: str | None = None
    address: str | None = None
    peer: str | None = None
    ipv6: str | None = None
    mtu: int | None = None
    encryption: str | None = None
    routes: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_by: str = ""
    carrier: dict[str, Any] | None = None
    "Device, gateway and MTU of the way to the server."
    while_down: str = "hold"
    program: str | None = None
    "The only program that uses the tunnel, in a network namespace of its own; None: all do."

    def connected(self, given: Configured, encryption: str, host: str, vendor: str) -> None:
        """Take over what the host was given for a session, and what the server calls itself."""
        self.enter("up")
        self.stage = "up"
        self.sessions += 1
        self.server_host, self.server_vendor = host, vendor
        self.address = _text(given.address)
        self.peer = _text(given.peer)
        self.ipv6 = _text(given.ipv6)
        self.mtu, self.encryption = given.mtu, encryption
        self.routes, self.dns = tuple(map(str, given.routes)), tuple(map(str, given.dns))
        self.dns_by = given.dns_by

    def enter(self, state: str, detail: str = "", *, wait: float | None = None) -> None:
        """Be at something else from now on; wait is until the next attempt, in seconds."""
        now = datetime.now(UTC)
        if not self.since or (state == "up") != (self.state == "up"):
            self.since = now.isoformat(timespec="milliseconds")
        self.state, self.detail = state, detail
        self.next_attempt = (now + timedelta(seconds=wait)).isoformat(timespec="milliseconds") if wait else None


class Observer(Protocol):
    """Whoever is told each change."""

    def told(self, event: str, state: ClientState) -> None:
        """Take an event: resolving, calling, stage, connected, down, waiting or ended; the state is as after it."""


class StateFile:
    """An observer that keeps the state where `openpptp status` reads it."""

    def __init__(self, directory: Path) -> None:
        """Write below a directory that is this client's alone."""
        self._path = directory / NAME

    def told(self, event: str, state: ClientState) -> None:
        """Write it down; a full disk costs the file, not the tunnel."""
        draft = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(asdict(state)), encoding="utf-8")
            draft.chmod(0o644)
            draft.replace(self._path)

    def remove(self) -> None:
        """Say no more."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def new_state(request: ConnectRequest) -> ClientState:
    """Return the state of a client that begins."""
    return ClientState(
        request.interface,
        request.profile,
        request.hosts,
        request.user,
        while_down=request.while_down,
        program=request.program,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)

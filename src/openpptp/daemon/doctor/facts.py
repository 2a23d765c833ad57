"""What the doctor of a server looks at on its machine, gathered once; nothing is changed, and no check is made here."""

import os
import pwd
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import openpptp
from openpptp.backends import secrets_file
from openpptp.daemon.api_client import ApiClient
from openpptp.daemon.config import Settings
from openpptp.daemon.host import examined
from openpptp.daemon.host_piece import Condition, Piece
from openpptp.daemon.service.machine import Machine
from openpptp.daemon.service.source import Source
from openpptp.daemon.service.status import status
from openpptp.errors import SetupError
from openpptp.net import engine, leftovers, tun
from openpptp.net.leftovers import Runtime
from openpptp.net.listeners import Listener, raw_sockets, tcp_listeners

PROC = Path("/proc")
GRE = 47  # IP protocol
HELPER = Path("/sys/module/nf_conntrack_pptp")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Users:
    """Who may log in, as the server reads it."""

    count: int
    problems: Sequence[str]
    places: Sequence[Path]
    "Store and secrets file, those that there are."
    unread: bool = False
    "Whether there is a store that was not looked into, since no server runs that would."


class Process(NamedTuple):
    """Who a process is, and what it may."""

    user: str
    capabilities: int
    "The effective ones, as bits (capabilities(7))."


class Unseen(NamedTuple):
    """A piece of the host that cannot be looked at."""

    piece: str
    why: SetupError


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What can be looked at only where the settings are right. A SetupError says why there is no value."""

    settings: Settings
    users: Users | SetupError
    runtime: Runtime
    listeners: Sequence[Listener]
    gre_sockets: int
    pieces: Sequence[Condition | Unseen]
    reverse_path: dict[str, int]
    "The switch rp_filter, by interface; all stands for the least of any."
    free: int | None
    "Octets left where the accounting is written; None: it is off."


@dataclass(frozen=True, slots=True)
class Facts:
    """One look at a machine. A SetupError says why there is no value."""

    source: Source
    host: HostFacts | SetupError
    "A SetupError where the settings are not right."
    root: bool
    now: float
    "Seconds since 1970."
    installed_at: float
    "When the program's files were written, in the same seconds."
    python: tuple[int, int]
    engine_lacks: str
    "Why the engine cannot be used; empty when it can."
    tun_lacks: str
    helper: bool
    "Whether the kernel's PPTP connection tracking is loaded."
    server: dict[str, Any] | SetupError
    "What the API says."
    service: Sequence[tuple[str, str]] | None
    "What the service lacks, each with its remedy; None: this machine has no systemd."
    process_is: Process | None
    "The server's process, else ours; None: not ours to see."

    @property
    def process(self) -> int | None:
        """The server's process: the one that answers, or that holds the runtime directory."""
        if isinstance(self.server, dict):
            return int(self.server["process"])
        return self.host.runtime.holder if isinstance(self.host, HostFacts) else None


def gather(source: Source, machine: Machine) -> Facts:
    """Look at this machine."""
    api = tried(lambda: ApiClient(source.api()))
    server = tried(api.status) if isinstance(api, ApiClient) else api
    answers = api if isinstance(api, ApiClient) and isinstance(server, dict) else None
    settings = tried(lambda: source.load(need_users=False))
    return Facts(
        source=source,
        host=_host(settings, answers) if isinstance(settings, Settings) else settings,
        root=os.geteuid() == 0,
        now=time.time(),
        installed_at=Path(openpptp.__file__).stat().st_mtime,
        python=(sys.version_info.major, sys.version_info.minor),
        engine_lacks="" if engine.available() else engine.why_not(),
        tun_lacks=str(tried(tun.check_node) or ""),
        helper=HELPER.exists(),
        server=server,
        service=_service(machine, source) if machine.systemd.runs() else None,
        process_is=_process(server["process"] if isinstance(server, dict) else None),
    )


def _host(settings: Settings, api: ApiClient | None) -> HostFacts:
    device = settings.server.interface
    return HostFacts(
        settings=settings,
        users=tried(lambda: _users(settings, api)),
        runtime=leftovers.look(settings.server.runtime_directory),
        listeners=tcp_listeners(settings.server.port),
        gre_sockets=raw_sockets(GRE),
        pieces=_conditions(settings),
        reverse_path={name: number for name in ("all", device) if (number := _reverse_path(name)) is not None},
        free=_free(settings.accounting.file) if settings.accounting.on else None,
    )


def _service(machine: Machine, source: Source) -> list[tuple[str, str]]:
    try:
        return status(machine, source).missing
    except SetupError as error:
        return [(str(error), "see what systemd lacks: systemctl status")]


def tried(look: Callable[[], Value]) -> Value | SetupError:
    """Return what a look gives, or why it cannot be had."""
    try:
        return look()
    except SetupError as error:
        return error


def _users(settings: Settings, api: ApiClient | None) -> Users:
    """Count the users of both places.

    The store lies in a directory of the server's user, where root had better open nothing: the server itself is asked.
    """
    places = settings.users.places()
    count, problems = 0, []
    if settings.users.file in places or not places:
        secrets = secrets_file.read(settings.users.file)
        count, problems = len(secrets.entries), [str(problem) for problem in secrets.problems]
    has_store = settings.users.store in places
    if has_store and api is not None:
        stored = api.users()
        count, problems = count + len(stored["users"]), [*problems, *stored["problems"]]
    return Users(count, problems, places, unread=has_store and api is None)


def _conditions(settings: Settings) -> list[Condition | Unseen]:
    try:
        with examined(settings) as pieces:
            return [_condition(piece) for piece in pieces]
    except SetupError as error:
        return [Unseen("host", error)]


def _condition(piece: Piece) -> Condition | Unseen:
    try:
        return piece.verify()
    except SetupError as error:
        return Unseen(piece.name, error)


def _process(number: int | None) -> Process | None:
    """Return what the kernel says of a process; of this one without a number."""
    try:
        text = (PROC / (str(number) if number else "self") / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    said = {line.split()[0]: line.split()[1] for line in text.splitlines() if len(line.split()) > 1}
    uid = int(said["Uid:"])
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = f"number {uid}"
    return Process(user, int(said["CapEff:"], 16))


def _reverse_path(interface: str) -> int | None:
    try:
        path = PROC / "sys/net/ipv4/conf" / interface / "rp_filter"
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _free(file: Path) -> int | None:
    """Return the room left where a file is, or will be made."""
    for place in file.parents:
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize
    return None

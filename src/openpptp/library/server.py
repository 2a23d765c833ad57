"""A server as a program has it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from openpptp.backends.given_users import GivenUsers, LookUp, Users
from openpptp.backends.known import UserSource
from openpptp.backends.users import open_users
from openpptp.daemon import words
from openpptp.daemon.beside import beside
from openpptp.daemon.config import Settings, load, of_sections
from openpptp.daemon.disconnect import disconnect, targets_of
from openpptp.daemon.events import Event
from openpptp.daemon.overview import show
from openpptp.daemon.reload import Report, compare, merged
from openpptp.daemon.server import Server as Policy
from openpptp.daemon.session_record import SessionRecord
from openpptp.datapath.seam import Counters
from openpptp.library.events import Events
from openpptp.library.inside import Inside, existing


@dataclass(frozen=True, slots=True)
class Session:
    """A user who is logged in, as of the moment it was asked for."""

    id: str
    "The same in log, events and accounting."
    user: str
    address: IPv4Address
    "What the user was given inside."
    peer: IPv4Address
    "Where the user comes from."
    is_up: bool
    "Whether data may flow."
    mtu: int | None
    encryption: str | None
    "In words; None, as mtu is, until data may flow for the first time."
    counters: Counters


class Server:
    """A server that serves; serve() is the way to get one."""

    def __init__(
        self,
        policy: Policy,
        settings: Settings,
        *,
        address: tuple[str, int],
        inside: Inside | None,
        events: Events,
        log: FilteringBoundLogger,
        own_users: bool,
    ) -> None:
        """Steer a server that runs; own_users says that they are not those of the settings."""
        self.settings = settings
        "Those in force."
        self.address = address
        "Where it listens: host and port."
        self._policy = policy
        self._inside = inside
        self._events = events
        self._log = log
        self._own_users = own_users

    def __repr__(self) -> str:
        """Say where it listens and how many are in."""
        return f"<Server at {self.address[0]}:{self.address[1]}: {len(self._policy.sessions)} sessions>"

    @property
    def sessions(self) -> list[Session]:
        """Everybody who is logged in, the longest first."""
        return [self._session(record) for record in self._policy.sessions.values()]

    def show(self, session: Session | str) -> dict[str, Any]:
        """Return all that is known of a session, its negotiation packet by packet; raise SetupError without one.

        The keys are those of `openpptp show --json`.
        """
        return show(self._policy, _id(session))

    async def disconnect(self, session: Session | str | None = None, *, user: str | None = None) -> list[str]:
        """End a session, or all of a user, or all there are; return the ids of those that are over."""
        wanted = None if session is None else _id(session)
        targets = [
            (driver, each)
            for driver, each in targets_of(self._policy, user)
            if wanted is None or (each is not None and driver.names.of(each.call_id) == wanted)
        ]
        return (await disconnect(self._policy, targets))["disconnected"]

    async def adopt(
        self,
        settings: Settings | Path | None = None,
        *,
        users: Users | LookUp | UserSource | None = None,
        **sections: dict[str, Any],
    ) -> Report:
        """Take other settings, users, or both, for whoever comes from now on; no session ends.

        sections are laid over the settings, as those in force when none are given. Returns what changed and what only
        another serve() would change; raises SetupError, with nothing changed, when they are not right.
        """
        source = None if users is None else source_of(users)
        own_users = self._own_users or users is not None
        wanted = settings_of(self.settings if settings is None else settings, sections, need_users=not own_users)
        report = compare(self.settings, wanted)
        new = merged(self.settings, wanted, report.applied)
        if not own_users and any(change.key.startswith("users.") for change in report.applied):
            source = await beside(users_of, new, self._log)
        self._policy.adopt(new, source)
        if source is None:
            await self._policy.users.read()
        self.settings, self._own_users = new, own_users
        report.warnings = new.warnings()
        return report

    def events(self) -> AsyncIterator[Event]:
        """Return an iterator of what happens from now on, with the keys of `openpptp events --json`."""
        return self._events.follow()

    @property
    def packets(self) -> AsyncIterator[bytes]:
        """The IP packets that users send; for ports without a device. NoTunnel is raised when the server has ended."""
        return existing(self._inside)

    async def send(self, packet: bytes) -> None:
        """Send an IP packet to the user who has its destination; for ports without a device.

        One for nobody is dropped, as on a network. Raises NoTunnel when the server has ended.
        """
        await existing(self._inside).send(packet)

    def _session(self, record: SessionRecord) -> Session:
        machines = record.driver.tunnel.sessions
        up = next((each.interface for each in machines if each.call_id == record.call_id), None)
        return Session(
            record.id,
            record.user,
            record.address,
            record.peer,
            record.is_up,
            up.mtu if up is not None else None,
            words.encryption(up.key_bits) if up is not None else None,
            replace(self._policy.counters(record.call_id)),
        )


def settings_of(settings: Settings | Path | None, sections: dict[str, dict[str, Any]], *, need_users: bool) -> Settings:
    """Return settings with sections laid over them; raise SetupError with one line per mistake."""
    if isinstance(settings, Path):
        settings = load(settings, need_users=need_users)
    whole = settings.model_dump(mode="json", exclude_unset=True) if settings is not None else {}
    for name, section in sections.items():
        whole[name] = {**whole.get(name, {}), **section} if isinstance(section, dict) else section
    return of_sections(whole, need_users=need_users)


def source_of(users: Users | LookUp | UserSource) -> UserSource:
    """Return whom to ask."""
    return GivenUsers(users) if callable(users) or isinstance(users, Mapping) else users


def users_of(settings: Settings, log: FilteringBoundLogger) -> UserSource:
    """Return the users of the settings' files; raise SetupError when they cannot be read."""
    where = settings.users.file, settings.users.pap_file, settings.server.name, log.warning
    return open_users(*where, store=settings.users.store)


def _id(session: Session | str) -> str:
    return session if isinstance(session, str) else session.id

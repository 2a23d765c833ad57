"""Reads the settings again while the server runs: what can change does, what cannot is named, no session ends."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from structlog.typing import FilteringBoundLogger

from openpptp.backends import users_store
from openpptp.backends.file_access import missing
from openpptp.backends.secrets_file import read
from openpptp.backends.users import open_users
from openpptp.daemon import log as logs
from openpptp.daemon.beside import beside
from openpptp.daemon.config import Settings
from openpptp.daemon.server import Server
from openpptp.errors import SetupError

LIVE = frozenset({
    *("server.name", "server.control_echo_interval"),
    *("network.dns", "network.wins"),
    *("ppp.echo_interval", "ppp.echo_failures"),
    *("auth.methods", "auth.encryption", "auth.key_bits", "auth.stateful", "auth.refusal_delay"),
    *("limits.sessions", "limits.calls_per_connection", "limits.unauthenticated", "limits.per_source"),
    *("limits.failures_per_source", "limits.source_forgiven_after"),
    *("limits.failures_per_user", "limits.user_forgiven_after"),
    *("limits.sources", "limits.start_timeout", "limits.call_timeout", "limits.session_timeout", "limits.gre_timeout"),
    *("policy.pool", "policy.rate", "policy.burst", "policy.quota", "policy.sessions", "policy.hours", "policy.idle"),
    *("policy.maxconnect", "users.store", "users.file", "users.pap_file", "admin.group", "log.level", "log.format"),
})  # fmt: skip
"What changes without a restart, for whoever connects from then on; any other key, also one added later, needs one."


@dataclass(frozen=True, slots=True)
class Reading:
    """The settings read again."""

    settings: Settings
    warnings: list[str]
    "What whoever read them has to say of them; he may have seen what we may not."

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what we have read ourselves."""
        return cls(settings, settings.warnings())

    def encode(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"settings": self.settings.model_dump(mode="json", exclude_unset=True), "warnings": self.warnings}

    @classmethod
    def decode(cls, values: Mapping[str, Any]) -> Self:
        """Return what encode was given."""
        return cls(Settings.model_validate(values["settings"]), list(values["warnings"]))


Reread = Callable[[], Reading]
"Reads the settings as at the start, command line included; raises SetupError."


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that is another now."""

    key: str
    before: Any
    after: Any

    def facts(self) -> dict[str, Any]:
        """Return it for JSON; what could be a secret is left out."""
        hidden = self.key.rpartition(".")[2].rpartition("_")[2] in logs.SECRET
        return {"key": self.key} | ({} if hidden else {"before": self.before, "after": self.after})


@dataclass(slots=True)
class Report:
    """What a reload did."""

    applied: list[Change] = field(default_factory=list)
    restart: list[Change] = field(default_factory=list)
    "Changed in the file, but only a restart can make them real."
    warnings: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "applied": [change.facts() for change in self.applied],
            "needs_restart": [change.facts() for change in self.restart],
            "warnings": self.warnings,
        }


class Reloader:
    """Holds the settings the server runs with, and changes them."""

    def __init__(
        self,
        server: Server,
        settings: Settings,
        reread: Reread,
        log: FilteringBoundLogger,
        *,
        regroup: Callable[[str | None], None] = lambda _group: None,
        warnings: Sequence[str] = (),
    ) -> None:
        """Begin with the settings of the start, and the warnings they deserved then.

        regroup gives the API's socket to a group, or to root alone.
        """
        self.settings = settings
        self.warnings = list(warnings)
        "Of the settings read last, by whoever could see all they name."
        self.regroup = regroup
        self._server = server
        self._reread = reread
        self._log = log
        self.meanwhile: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
        "Entered for as long as a reload takes."
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def hung_up(self) -> None:
        """Reload because SIGHUP came; the log has what came of it."""
        task = asyncio.get_running_loop().create_task(self._reload_in_silence())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload_in_silence(self) -> None:
        with contextlib.suppress(SetupError):
            await self.reload()

    async def reload(self) -> Report:
        """Read everything again and apply what can be; raise SetupError, with nothing changed, when it is not right."""
        async with self._one_at_a_time:
            try:
                with self.meanwhile():
                    report = await self._reload()
            except SetupError as error:
                for line in str(error).splitlines():
                    self._log.warning("settings not read again; nothing has changed", why=line)
                self._server.events.publish("reload refused", why=str(error))
                raise
        self._log.info("settings read again", changed=", ".join(change.key for change in report.applied) or "nothing")
        for change in report.restart:
            self._log.warning("this setting changes with the next start only", setting=change.key)
        self._server.events.publish("reloaded", **report.facts())
        return report

    async def _reload(self) -> Report:
        reading = await beside(self._reread)
        wanted = reading.settings
        report = compare(self.settings, wanted)
        settings = merged(self.settings, wanted, report.applied)
        problems = await beside(problems_of_users, settings)
        keys = {change.key for change in report.applied}
        users = None
        if keys & {"users.store", "users.file", "users.pap_file", "server.name"}:
            where = settings.users.file, settings.users.pap_file, settings.server.name, self._log.warning
            users = await beside(open_users, *where, store=settings.users.store)
        if "admin.group" in keys:
            self.regroup(settings.admin.group)
        self._server.adopt(settings, users)
        if users is None:
            await self._server.users.read()
        if keys & {"log.level", "log.format"}:
            logs.set_up(settings.log.level, settings.log.format)
        self.settings = settings
        self.warnings = reading.warnings
        report.warnings = [*problems, *reading.warnings]
        return report


def problems_of_users(settings: Settings) -> list[str]:
    """Return what is wrong with the secrets files, by line; raise SetupError when one cannot be read."""
    files = dict.fromkeys((settings.users.file, settings.users.pap_file))
    if missing(settings.users.file) and users_store.exists(settings.users.store):
        return []
    return [str(problem) for file in files if file is not None for problem in read(file).problems]


def compare(running: Settings, wanted: Settings) -> Report:
    """Return which settings differ, those that can change at once apart from the others."""
    report = Report()
    before, after = running.model_dump(mode="json"), wanted.model_dump(mode="json")
    # The device's MTU was chosen with or without room for MPPE's header. Methods and encryption must fit together.
    mppe_comes_or_goes = running.encryption().enabled != wanted.encryption().enabled
    for section, values in before.items():
        for name, value in values.items():
            if value == after[section][name]:
                continue
            key = f"{section}.{name}"
            live = key in LIVE and not (mppe_comes_or_goes and section == "auth")
            (report.applied if live else report.restart).append(Change(key, value, after[section][name]))
    return report


def merged(running: Settings, wanted: Settings, changes: list[Change]) -> Settings:
    """Return the running settings with these changes."""
    updates: dict[str, dict[str, Any]] = {}
    for change in changes:
        section, _, name = change.key.partition(".")
        updates.setdefault(section, {})[name] = getattr(getattr(wanted, section), name)
    return running.model_copy(
        update={name: getattr(running, name).model_copy(update=update) for name, update in updates.items()}
    )

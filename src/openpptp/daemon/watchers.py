"""Who hears of sessions: the accounting and the hooks, made from the settings and ended with the server."""

import asyncio
import contextlib
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from openpptp.backends.accounting import WAITING_MOST, Accounting
from openpptp.daemon.config import Settings
from openpptp.daemon.hooks import Hooks, Runner
from openpptp.daemon.ledger import Ledger
from openpptp.daemon.session_record import SessionWatcher
from openpptp.datapath.seam import Counters


class Watchers:
    """The session watchers a server is given, as its settings want them."""

    def __init__(
        self, settings: Settings, interface: str, log: FilteringBoundLogger, runner: Runner | None = None
    ) -> None:
        """Open what the settings ask for; interface is the device all sessions share, runner runs hooks if not we."""
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._interval = settings.accounting.interim
        self._hooks = Hooks(settings.hooks, interface, log, runner) if settings.hooks.wanted else None
        self._accounting: Accounting | None = None
        self._ledger: Ledger | None = None
        self._keeping: asyncio.Task[None] | None = None
        if settings.accounting.on:
            self._accounting = Accounting(
                settings.accounting.file,
                keep_days=settings.accounting.keep_days,
                say=self._say,
                waiting_most=settings.limits.sessions + WAITING_MOST,
            )
            self._ledger = Ledger(self._accounting)

    @property
    def all(self) -> list[SessionWatcher]:
        """Return them in the order in which they are told."""
        return [watcher for watcher in (self._ledger, self._hooks) if watcher is not None]

    def start(self, counters: Callable[[int], Counters]) -> None:
        """Begin the interim accounting; counters returns what a call has carried."""
        if self._ledger is not None:
            self._keeping = self._loop.create_task(self._ledger.keep(self._interval, counters))

    async def close(self) -> None:
        """Let the hooks run out and write what is to be written; each has its limit."""
        if self._keeping is not None:
            self._keeping.cancel()
        if self._hooks is not None:
            await self._hooks.close()
        if self._accounting is not None:
            await self._loop.run_in_executor(None, self._accounting.close)

    def _say(self, sentence: str) -> None:
        """Log a sentence from another thread."""
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody is there to hear it
            self._loop.call_soon_threadsafe(self._log.warning, sentence)

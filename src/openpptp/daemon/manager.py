"""Keeps the service manager informed while the server runs: that it serves, reloads, lives and ends."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from openpptp.net.notify import Notifier

STATUS_INTERVAL = 10.0  # ours: seconds; how old the number of sessions may be that `systemctl status` shows


class Manager:
    """What the server tells its service manager, if it has one."""

    def __init__(self, notifier: Notifier, summary: Callable[[], str]) -> None:
        """Tell it summary() from time to time."""
        self._notifier = notifier
        self._summary = summary
        self._task: asyncio.Task[None] | None = None

    def serving(self) -> None:
        """Say that we serve, and give signs of life from now on."""
        self._notifier.ready(self._summary())
        if self._notifier.listens:
            self._task = asyncio.get_running_loop().create_task(self._live())

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that we read our settings again, for as long as the block lasts."""
        self._notifier.reloading()
        try:
            yield
        finally:
            self._notifier.ready(self._summary())

    def stopping(self) -> None:
        """Say that we end; signs of life go on, since a stop takes seconds."""
        self._notifier.stopping()

    async def close(self) -> None:
        """Give no more signs of life."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _live(self) -> None:
        """Tell from the event loop itself: while it hangs, nothing is told, and the manager starts us anew."""
        interval = min(STATUS_INTERVAL, self._notifier.heartbeat or STATUS_INTERVAL)
        while True:
            await asyncio.sleep(interval)
            self._notifier.alive(self._summary())

"""What tells the client that its surroundings have changed: the network, and sleep."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from openpptp.net.news import NetworkNews

QUIET = 0.1  # ours: seconds in which changes of the network are taken as one: they come in bursts
SLEEP_CHECK = 5.0  # ours: seconds between looks whether this system has slept
SLEPT = 2.0  # ours: seconds of sleep that are worth a thought


def watch_network(device: str, changed: Callable[[], None], undo: AsyncExitStack) -> None:
    """Call changed after links, addresses or routes have changed, but for those of the tunnel's device."""
    loop = asyncio.get_running_loop()
    news = NetworkNews(device)
    settling: list[asyncio.TimerHandle] = []

    def settled() -> None:
        settling.clear()
        changed()

    def arrived() -> None:
        if news.take() and not settling:
            settling.append(loop.call_later(QUIET, settled))

    def close() -> None:
        loop.remove_reader(news.fileno())
        for timer in settling:
            timer.cancel()
        news.close()

    loop.add_reader(news.fileno(), arrived)
    undo.callback(close)


async def watch_sleep(woke: Callable[[float], None]) -> None:
    """Call woke with the seconds this system has slept, soon after it did; never returns."""
    before = _asleep()
    while True:
        await asyncio.sleep(SLEEP_CHECK)
        now = _asleep()
        if now - before >= SLEPT:
            woke(now - before)
        before = now


def _asleep() -> float:
    """Return the seconds this system has slept since it started: the clock of asyncio stands still meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()

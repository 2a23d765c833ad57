"""Waiting with a bound for what has no event of its own."""

import asyncio
import time
from collections.abc import Callable

POLL_INTERVAL = 0.02


def eventually(condition: Callable[[], object], *, seconds: float = 20.0) -> bool:
    """Wait until something holds, at most some seconds; return whether it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_INTERVAL)
    return True


async def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Wait in the event loop until something holds; raise TimeoutError when it never does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - of what is waited for, much has no event
            await asyncio.sleep(0.001)

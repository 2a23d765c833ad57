"""Waiting for something outside this process, with a bound."""

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

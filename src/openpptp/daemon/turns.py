"""The server's event loop, which keeps its turns short and measures them: whatever waits, waits a turn at the most."""

import asyncio
import contextlib
import gc
import selectors
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

import structlog

LONG = 0.25  # ours: seconds from which a turn is worth a line in the log (B-148)
READY_AT_ONCE = 64  # ours: connections served in one turn; when a site hangs up, a thousand are ready at once
PAUSE = 0.05  # ours: seconds until memory is asked for again; without it there would be nothing but asking
YOUNG, MIDDLE, OLD = 700, 10, 1000
"""Thresholds of the collector of cyclic garbage; the first two are Python's own.

A full collection walks every object of every session, 0.1 ms each, and Python's own threshold begins one a few times
per thousand log-ins. What ends leaves little to it: sessions are no cycles, asyncio's transports are small ones.
"""

Result = TypeVar("Result")
Ready = tuple[selectors.SelectorKey, int]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Turns(selectors.EpollSelector):
    """A selector that hands out what is ready in portions, and knows how long each was worked on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin; clock returns monotonic seconds."""
        super().__init__()
        self.longest = 0.0
        "Seconds the loop took for one turn, at the most, since it was last forgotten."
        self._clock = clock
        self._woke: float | None = None
        self._ready: deque[Ready] = deque()

    def forget(self) -> None:
        """Measure from the next turn on."""
        self.longest, self._woke = 0.0, None

    def select(self, timeout: float | None = None) -> list[Ready]:
        """Return what is ready, READY_AT_ONCE at most; nobody is asked again before all who were had their turn."""
        self._measure()
        if not self._ready:
            self._ready.extend(super().select(timeout))
        portion: list[Ready] = []
        known = self.get_map()
        while self._ready and len(portion) < READY_AT_ONCE:
            key, events = self._ready.popleft()
            # Who has been closed or watches for something else meanwhile is asked again, or is another by now.
            if known.get(key.fd) is key:
                portion.append((key, events))
        self._woke = self._clock()
        return portion

    def _measure(self) -> None:
        if self._woke is None:
            return
        seconds = self._clock() - self._woke
        self.longest = max(self.longest, seconds)
        if seconds > LONG:
            _log.warning("the event loop was busy without a pause", seconds=round(seconds, 3), seldom=1)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose turns are measured, and which goes on when memory runs out within itself."""

    def __init__(self) -> None:
        """Make it with its own selector."""
        self.turns = Turns()
        super().__init__(self.turns)

    def run_until_complete(self, future: Generator[Any, None, Result] | Awaitable[Result]) -> Result:
        """Run as any loop does; where it finds no memory itself, it loses a turn, not the program (B-141)."""
        while True:
            try:
                return super().run_until_complete(future)
            except MemoryError:
                if not asyncio.isfuture(future) or future.done():
                    raise
                with contextlib.suppress(MemoryError):
                    _log.error("the system refuses", what="the event loop", why="no memory is left", seldom=1)
                time.sleep(PAUSE)


def longest_turn() -> float | None:
    """Return how long the running loop took for one turn at the most, in seconds; None where it does not measure."""
    loop = asyncio.get_running_loop()
    return loop.turns.longest if isinstance(loop, Loop) else None


def begin_to_serve() -> None:
    """Leave out of the measurement, and of the collector's work, what there is before the first connection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    loop = asyncio.get_running_loop()
    if isinstance(loop, Loop):
        loop.turns.forget()

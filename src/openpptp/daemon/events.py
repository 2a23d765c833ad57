"""What happens on the server, told to whoever listens: connections, sessions, refused log-ins.

A listener that does not keep up loses events and is told how many; it never holds up the server.
"""

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Any, Protocol

Event = dict[str, Any]
"What happened under the key event, when under time, and what belongs to it."

QUEUE = 1000  # ours: events that may wait for one listener


class Listener(Protocol):
    """Takes each event at once."""

    def take(self, event: Event) -> None:
        """Take one event; must not wait."""


class EventStream:
    """Hands each event to every listener."""

    def __init__(self) -> None:
        """Begin without listeners."""
        self._listeners: dict[Listener, None] = {}

    def __len__(self) -> int:
        return len(self._listeners)

    def listen(self, listener: Listener) -> None:
        """Let a listener hear what happens from now on."""
        self._listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Let a listener go."""
        self._listeners.pop(listener, None)

    def publish(self, what: str, **facts: Any) -> None:
        """Tell all listeners; without any it costs nothing."""
        if not self._listeners:
            return
        event = {"event": what, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}
        for listener in list(self._listeners):
            listener.take(event)


class Queue:
    """A listener that keeps events until they are fetched; bounded."""

    def __init__(self, size: int = QUEUE) -> None:
        """Begin empty."""
        self._size = size
        self._events: deque[Event] = deque()
        self._lost = 0
        self._closed = False
        self._something = asyncio.Event()

    def take(self, event: Event) -> None:
        """Keep an event; with a full queue, count it as lost."""
        if self._lost or len(self._events) >= self._size:
            self._lost += 1
        else:
            self._events.append(event)
        self._something.set()

    def close(self) -> None:
        """Let fetch return None once all that waits is fetched."""
        self._closed = True
        self._something.set()

    async def fetch(self) -> Event | None:
        """Return the next event, waiting for it; None after close.

        Where events were lost, the event `lost` stands in their place and says how many.
        """
        while not self._events and not self._lost and not self._closed:
            self._something.clear()
            await self._something.wait()
        if self._events:
            return self._events.popleft()
        if self._lost:
            lost, self._lost = self._lost, 0
            return {"event": "lost", "count": lost}
        return None

"""What happens, told to a program: by a function, or by iteration."""

from collections.abc import AsyncIterator, Callable

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.events import Event, EventStream, Queue

OnEvent = Callable[[Event], None]
"Is called with each event, and must not wait."


class Events:
    """The listeners of one tunnel or server."""

    def __init__(self, stream: EventStream, log: FilteringBoundLogger, on_event: OnEvent | None) -> None:
        """Let on_event hear all of stream from now on."""
        self._stream = stream
        self._log = log
        self._on_event = on_event
        self._queues: set[Queue] = set()
        if on_event is not None:
            stream.listen(self)

    def take(self, event: Event) -> None:
        """Call the function; what it raises costs a line in the log."""
        assert self._on_event is not None
        try:
            self._on_event(event)
        except Exception:
            self._log.exception("the function that is told the events has failed", seldom=1)

    def follow(self) -> AsyncIterator[Event]:
        """Return an iterator of what happens from now on; it ends with the tunnel or the server."""
        queue = Queue()
        self._queues.add(queue)
        self._stream.listen(queue)
        return self._drain(queue)

    async def _drain(self, queue: Queue) -> AsyncIterator[Event]:
        try:
            while (event := await queue.fetch()) is not None:
                yield event
        finally:
            self._stream.leave(queue)
            self._queues.discard(queue)

    def close(self) -> None:
        """Let every iterator end."""
        for queue in self._queues:
            queue.close()

"""The log: lines for people or JSON for machines, on standard error, without secrets and without floods."""

import asyncio
import contextlib
import errno
import logging
import select
import sys
import time
from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Any, NamedTuple, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
SECRET = frozenset(
    {"password", "secret", "passwd", "key", "keys", "hash", "nt_hash", "challenge", "response", "nt_response"}
)
"Names whose values are never written, at any level; also as the last word of a longer name."
FIRST = ("timestamp", "level", "event", "session", "peer", "call")
QUIET = 10.0  # ours: seconds until the same kind of line from the same source is written again (B-149)
READER_PATIENCE = 0.1  # ours: seconds we stand still for a reader of the log that hangs; once, then not at all
PORTION = 1024  # characters; four octets each fit into a pipe that is ready, which has room for 4,096 (pipe(7))
SOURCES = 4096  # ours: sources remembered, so that spoofed addresses cannot fill the memory

Event = MutableMapping[str, Any]


def set_up(level: str = "info", style: str = "text", stream: TextIO | None = None) -> None:
    """Send the log of this process to stream (standard error), as text or JSON, from level upwards.

    A line given seldom=n is written n times in QUIET seconds for one peer; what counts as the same line is its event,
    or what it is given as kind.
    """
    stream = stream if stream is not None else sys.stderr
    writer: list[Any]
    stamp = structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False)
    if style == "json":
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        writer = [structlog.processors.format_exc_info, in_order, structlog.processors.JSONRenderer(default=str)]
    else:
        # Of its own accord it shows the local variables, secrets among them, wherever the package rich is installed.
        plain = structlog.dev.plain_traceback
        colors = stream.isatty()
        writer = [
            structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, sort_keys=False, exception_formatter=plain)
        ]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _SeldomLines(),
            structlog.processors.add_log_level,
            stamp,
            without_secrets,
            printable,
            *writer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Unfailing(stream))),
        cache_logger_on_first_use=False,
    )


def to_logging(logger: logging.Logger) -> FilteringBoundLogger:
    """Return a log that is a program's own, by the standard library's logging; nothing of the process is configured.

    Which levels are wanted is asked once, now.
    """
    wanted = logger.getEffectiveLevel()
    level = next((level for level in LEVELS.values() if level >= wanted), max(LEVELS.values()))
    plain = structlog.dev.plain_traceback
    log: FilteringBoundLogger = structlog.wrap_logger(
        logger,
        processors=[
            _SeldomLines(),
            without_secrets,
            printable,
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False, exception_formatter=plain),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    return log


class _Unfailing:
    """Writes where it can; a full disk (B-143) or a reader that hangs (B-148) costs lines, never the program."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0
        self._poll: select.poll | None = None
        with contextlib.suppress(OSError, ValueError):  # what has no descriptor cannot make us wait
            descriptor = stream.fileno()
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)

    def write(self, text: str) -> None:
        try:
            if self._lost:
                self._put(f"{self._lost} lines of the log could not be written\n")
                self._lost = 0
            self._put(text)
        except OSError:
            self._lost += 1

    def _put(self, text: str) -> None:
        """Write in portions of which each fits where there is room at all; raise OSError when there is none in time."""
        for start in range(0, len(text), PORTION):
            patience = 0 if self._lost else READER_PATIENCE
            if self._poll is not None and not self._poll.poll(1000 * patience):
                raise BlockingIOError(errno.EAGAIN, "the reader of the log does not read")
            self._stream.write(text[start : start + PORTION])
            self._stream.flush()

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _SeldomLines:
    """Keeps back lines marked seldom that come too often (B-149)."""

    def __init__(self) -> None:
        self._seldom = Seldom()

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        lines = event.pop("seldom", None)
        if lines is None:
            return event
        kind = event.pop("kind", event["event"])
        kept_back = self._seldom.admit(kind, event.get("peer"), time.monotonic(), lines)
        if kept_back is None:
            raise structlog.DropEvent
        if kept_back:
            event["kept_back"] = kept_back
        return event


def report_defect(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what the event loop caught, for loop.set_exception_handler; asyncio's own way is not this log."""
    error = context.get("exception")
    if error is not None and out_of_memory(error):
        report_refusal(OSError(errno.ENOMEM, "no memory is left"), context["message"])
    elif isinstance(error, OSError):
        report_refusal(error, context["message"])
    else:
        structlog.get_logger().error("a defect in this program", what=context["message"], exc_info=error, seldom=1)


def report_refusal(error: OSError, what: str) -> None:
    """Log that the system lacks what we need, as descriptors."""
    structlog.get_logger().error("the system refuses", what=what, why=error.strerror or str(error), seldom=1)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether what went wrong is that memory has run out (B-141): no defect, and no traceback is of use."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def without_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Blank every value whose name says that it is a secret."""
    for name in event:
        if name in SECRET or name.rpartition("_")[2] in SECRET:
            event[name] = "(not shown)"
    return event


def printable(_logger: Any, _method: str, event: Event) -> Event:
    """Escape what a peer could put into a line to forge another or to steer a terminal."""
    for name, value in event.items():
        if name == "exc_info" or isinstance(value, (bool, int, float)) or value is None:
            continue
        text = str(value)
        event[name] = text if text.isprintable() else "".join(_visible(char) for char in text)
    return event


def in_order(_logger: Any, _method: str, event: Event) -> Event:
    """Put first what each line has and no peer has a say in: docs/fail2ban/openpptp.conf reads lines from the left."""
    return {name: event[name] for name in FIRST if name in event} | dict(event)


def _visible(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


class _Heard(NamedTuple):
    since: float
    written: int
    kept_back: int


class Seldom:
    """Lets one line, or a few, per kind and source through in QUIET seconds and counts the rest (B-149)."""

    def __init__(self, quiet: float = QUIET, sources: int = SOURCES) -> None:
        """Start with nothing heard."""
        self._quiet = quiet
        self._sources = sources
        self._heard: OrderedDict[tuple[str, object], _Heard] = OrderedDict()
        self.kept_back = 0
        "Lines kept back in all."

    def admit(self, kind: str, source: object, now: float, lines: int = 1) -> int | None:
        """Return None when the line is to be kept back, else how many like it were kept back since the last.

        lines of a kind and source are let through in QUIET seconds.
        """
        key = (kind, source)
        heard = self._heard.get(key)
        if heard is None and len(self._heard) >= self._sources and not self._forget(now):
            key = (kind, None)  # all further sources share one line
            heard = self._heard.get(key)
        if heard is not None and now - heard.since < self._quiet:
            if heard.written < lines:
                self._heard[key] = heard._replace(written=heard.written + 1)
                return 0
            self._heard[key] = heard._replace(kept_back=heard.kept_back + 1)
            self.kept_back += 1
            return None
        self._heard[key] = _Heard(now, 1, 0)
        self._heard.move_to_end(key)
        return heard.kept_back if heard is not None else 0

    def _forget(self, now: float) -> bool:
        """Drop the source that was let through longest ago, when its quiet time is over."""
        oldest = next(iter(self._heard))
        if now - self._heard[oldest].since < self._quiet:
            return False
        del self._heard[oldest]
        return True

"""The log: lines for people or JSON for machines, on standard error, without secrets and without floods."""

import sys
from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Any, NamedTuple, TextIO

import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
SECRET = frozenset(
    {"password", "secret", "passwd", "key", "keys", "hash", "nt_hash", "challenge", "response", "nt_response"}
)
"Names whose values are never written, at any level; also as the last word of a longer name."
QUIET = 10.0  # ours: seconds until the same kind of line from the same source is written again (B-149)
SOURCES = 4096  # ours: sources remembered, so that spoofed addresses cannot fill the memory

Event = MutableMapping[str, Any]


def set_up(level: str = "info", style: str = "text", stream: TextIO | None = None) -> None:
    """Send the log of this process to stream (standard error), as text or JSON, from level upwards."""
    stream = stream if stream is not None else sys.stderr
    writer: list[Any]
    stamp = structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False)
    if style == "json":
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        writer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    else:
        writer = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, sort_keys=False)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            stamp,
            without_secrets,
            printable,
            *writer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


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


def _visible(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


class _Heard(NamedTuple):
    since: float
    kept_back: int


class Seldom:
    """Lets one line per kind and source through in QUIET seconds and counts the rest (B-149)."""

    def __init__(self, quiet: float = QUIET, sources: int = SOURCES) -> None:
        """Start with nothing heard."""
        self._quiet = quiet
        self._sources = sources
        self._heard: OrderedDict[tuple[str, object], _Heard] = OrderedDict()
        self.kept_back = 0
        "Lines kept back in all."

    def admit(self, kind: str, source: object, now: float) -> int | None:
        """Return None when the line is to be kept back, else how many like it were kept back since the last."""
        key = (kind, source)
        heard = self._heard.get(key)
        if heard is None and len(self._heard) >= self._sources and not self._forget(now):
            key = (kind, None)  # all further sources share one line
            heard = self._heard.get(key)
        if heard is not None and now - heard.since < self._quiet:
            self._heard[key] = heard._replace(kept_back=heard.kept_back + 1)
            self.kept_back += 1
            return None
        self._heard[key] = _Heard(now, 0)
        self._heard.move_to_end(key)
        return heard.kept_back if heard is not None else 0

    def _forget(self, now: float) -> bool:
        """Drop the source that was let through longest ago, when its quiet time is over."""
        oldest = next(iter(self._heard))
        if now - self._heard[oldest].since < self._quiet:
            return False
        del self._heard[oldest]
        return True

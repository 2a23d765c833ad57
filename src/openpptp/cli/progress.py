"""How a client is watched: one line redrawn at a terminal, a JSON object per change for programs, else the log."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO, cast

from openpptp.cli.asking import listed, visible
from openpptp.cli.client_status import summary
from openpptp.daemon.log import set_up as set_up_log

if TYPE_CHECKING:
    from openpptp.daemon.client.state import ClientState, Observer

ERASE = "\r\033[K"
STAGES = {
    "connect": "TCP connection",
    "control": "control connection",
    "call": "call",
    "lcp": "link (LCP)",
    "authentication": "authentication",
    "encryption": "encryption (CCP)",
    "addresses": "addresses (IPCP)",
    "up": "routes",
}


@contextlib.contextmanager
def shown(*, as_json: bool, log_level: str | None, brief: bool = False) -> Iterator[Sequence["Observer"]]:
    """Set the log up, and give the observers that show the rest; brief leaves the terminal to another program."""
    if as_json:
        set_up_log(log_level or "warning")
        yield [JsonLines(sys.stdout)]
    elif log_level is None and sys.stderr.isatty():
        terminal = Terminal(sys.stderr, brief=brief)
        set_up_log("warning", stream=cast("TextIO", terminal))
        try:
            yield [terminal]
        finally:
            terminal.clear()
    else:
        set_up_log(log_level or ("warning" if brief else "info"))
        yield []


class JsonLines:
    """Prints each change as one object; the keys are those of the state, with event and time before them."""

    def __init__(self, stream: TextIO) -> None:
        """Print to stream; a reader that goes away costs lines, not the tunnel."""
        self._stream = stream

    def told(self, event: str, state: "ClientState") -> None:
        """Print one object."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"event": event, "time": now} | asdict(state), ensure_ascii=False)
        with contextlib.suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()


class Terminal:
    """Redraws one line as the attempt goes on, and leaves a summary; the log passes through it, above that line."""

    def __init__(self, stream: TextIO, *, brief: bool = False) -> None:
        """Write to a terminal; a brief one says nothing more once the tunnel is up."""
        self._stream = stream
        self._brief = brief
        self._line = ""
        self._began = time.monotonic()

    def told(self, event: str, state: "ClientState") -> None:
        """Show a change."""
        if self._brief and state.sessions:
            self.clear()
            return
        match event:
            case "resolving":
                self._began = time.monotonic()
                self.draw(f"looking up {visible(', '.join(state.hosts))} ...")
            case "calling":
                self._began = time.monotonic()
            case "stage":
                self.draw(f"connecting to {_server(state)}: {STAGES.get(state.stage, state.stage)} ...")
            case "connected":
                self.draw("")
                seconds = time.monotonic() - self._began
                self.say(f"connected to {_server(state)} in {seconds:.2f} s\n{_summary(state)}")
            case "waiting":
                self.draw(f"waiting to connect again: {visible(state.detail)} ...")
            case "ended":
                self.draw("")
                if state.sessions:
                    self.say("disconnected")

    def draw(self, line: str) -> None:
        """Show a line in place of the one before; an empty one leaves nothing."""
        self._line = line
        with contextlib.suppress(OSError):
            self._stream.write(ERASE + line)
            self._stream.flush()

    def clear(self) -> None:
        """Leave no line behind; where there is none, what another program has written stays."""
        if self._line:
            self.draw("")

    # What the log wants of a stream

    def say(self, text: str) -> None:
        """Write a line of our own; a terminal that went away costs it, not the tunnel."""
        with contextlib.suppress(OSError):
            self.write(f"{text}\n")
            self.flush()

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> None:
        """Write whole lines above the one that is redrawn."""
        self._stream.write((ERASE if self._line or not self._brief else "") + text + self._line)

    def flush(self) -> None:
        """Show what was written."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Return whether colours are seen."""
        return self._stream.isatty()


def _server(state: "ClientState") -> str:
    named = [host for host in state.hosts if host != state.server]
    name = named[0] if len(state.hosts) == 1 and named else None
    return visible(f"{name} ({state.server})" if name else state.server)


def _summary(state: "ClientState") -> str:
    lines = [(name, visible(text)) for name, text in summary(asdict(state))]
    return "\n".join(f"  {line}" for line in listed(lines).splitlines())

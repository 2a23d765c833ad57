"""The server's end of the monitor: each method asks it for one thing and waits for the answer.

They may be called from any thread; look(), regroup() and end_hooks() are quick enough for the event loop.
"""

import contextlib
import itertools
import json
import os
import queue
import select
import socket
import struct
import threading
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from openpptp.backends import file_access
from openpptp.daemon.hook_programs import Finding, HookJob
from openpptp.daemon.monitor import wire
from openpptp.daemon.monitor.policy import Policy
from openpptp.daemon.monitor.process import REREAD_TIMEOUT, Forked, Reread, fork
from openpptp.errors import SetupError

PATIENCE = 10.0  # ours: seconds for opening a file, also when a large one has to be searched for its name first
QUICK = 0.2  # ours: seconds for what the event loop waits for
END_PATIENCE = 5.0  # ours: seconds for the monitor to end after us; its own last wait is shorter
LONGEST_SETTINGS = 16 * 1024 * 1024  # ours: octets; limits.sources can make some hundred thousand
ROOM_FOR_ONE = socket.CMSG_SPACE(array("i").itemsize)
ENDED = "the monitor, this server's helper process that runs as root, has ended; restart the server"

Answers = queue.SimpleQueue[tuple[dict[str, Any], list[int]] | None]
"What comes for one request, and the descriptors with it; None: nothing more will."


class MonitorLost(OSError):
    """The monitor is no more, or does not answer."""

    def __init__(self, words: str = ENDED) -> None:
        super().__init__(words)
        self.strerror = words


class MonitorLink:
    """Asks the monitor that was forked for this server."""

    def __init__(self, forked: Forked) -> None:
        """Take the connection; nothing is asked before begin()."""
        self._connection, self._pid = forked
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, int(QUICK * 1e6)))
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, Answers] = {}
        self._lost = self._closing = False
        self._report: Callable[[str], object] = lambda _words: None
        self._thread = threading.Thread(target=self._receive, name="monitor", daemon=True)

    def begin(self, policy: Policy) -> None:
        """Say what is allowed; the monitor takes it once, and believes us while nobody can have broken in."""
        with contextlib.suppress(OSError):  # it has ended: start() tells
            self._connection.send(wire.write(policy.encode()))

    def start(self, report: Callable[[str], object]) -> None:
        """Begin the thread that takes the answers; report gets a sentence, in that thread, should the monitor end."""
        self._report = report
        self._thread.start()

    def close(self) -> None:
        """Let the monitor end, and what it still runs with it; wait for that, within limits."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(PATIENCE)
        self._connection.close()
        # OSError: nobody to wait for, or no descriptor to wait with.
        with contextlib.suppress(OSError), _process(self._pid) as ended:
            if _readable(ended, seconds=END_PATIENCE):
                os.waitpid(self._pid, 0)

    # backends/file_access.Opener

    def open(self, path: Path) -> int:
        """Return a descriptor of one of the secrets files; raise OSError."""
        _, files = self._ask(wire.Open(path.absolute()), PATIENCE)
        if len(files) != 1:
            raise MonitorLost
        return files[0]

    def look(self, path: Path) -> file_access.Look:
        """Return what tells a secrets file from its earlier contents; raise OSError."""
        answer, _ = self._ask(wire.Look(path.absolute()), QUICK)
        changed, inode, size = answer["look"]
        return changed, inode, size

    # Settings

    def reread(self) -> dict[str, Any]:
        """Return what the monitor was given of the settings as they are now; raise SetupError in words."""
        try:
            answer, files = self._ask(wire.Reread(), REREAD_TIMEOUT + PATIENCE)
            if answer.get("failed") or len(files) != 1:
                raise MonitorLost("they could not be read within a minute")
        except OSError as error:
            raise SetupError(f"the settings cannot be read again: {error.strerror}") from None
        with open(files[0], "rb") as file:
            file.seek(0)
            told: dict[str, Any] = json.loads(file.read(LONGEST_SETTINGS))
        if "error" in told:
            raise SetupError(told["error"], exit_code=told["exit_code"])
        return told

    def regroup(self) -> None:
        """Give the API's socket to the group in the settings read last; raise OSError."""
        self._ask(wire.Regroup(), QUICK)

    # Hooks

    def run(self, job: HookJob) -> list[Finding]:
        """Run the programs of an event as root, one after another; return what a person should read of it."""
        found: list[Finding] = []
        why = ""
        try:
            answer, _ = self._ask(wire.Run(job), None, found)
            if answer.get("failed"):
                why = "the monitor has too much to do, or its child was ended"
        except OSError as error:
            why = error.strerror or str(error)
        if why:
            found.append(Finding("a hook is not run", wrong=True, facts={"hook": str(job.event), "why": why}))
        return found

    def end_hooks(self) -> None:
        """End what runs, and run no more."""
        with contextlib.suppress(OSError):
            self._ask(wire.EndHooks(), QUICK)

    # Packets

    def _ask(
        self, request: wire.Request, patience: float | None, found: list[Finding] | None = None
    ) -> tuple[dict[str, Any], list[int]]:
        """Return the last answer to a request, with the descriptors in it; findings before it go into found."""
        answers: Answers = queue.SimpleQueue()
        with self._lock:
            if self._lost:
                raise MonitorLost
            number = next(self._numbers)
            self._waiting[number] = answers
        try:
            self._connection.send(wire.write_request(number, request))
            while True:
                received = answers.get(timeout=patience)
                if received is None:
                    raise MonitorLost
                answer, files = received
                if answer.get("done"):
                    break
                if found is not None:
                    found.append(Finding(**answer["finding"]))
        except (queue.Empty, BlockingIOError):
            raise MonitorLost("the monitor does not answer") from None
        finally:
            with self._lock:
                del self._waiting[number]
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]))
        return answer, files

    def _receive(self) -> None:
        """Hand out the answers, until there are no more."""
        # A child that still runs a hook holds the connection, too: that it is open does not say the monitor lives.
        with contextlib.suppress(OSError, wire.BadRequest), _process(self._pid) as ended:
            while packet := self._next_packet(ended):
                self._hand_out(*packet)
        with self._lock:
            self._lost = True
            waiting = list(self._waiting.values())
        for answers in waiting:
            answers.put(None)
        if not self._closing:
            self._report(
                f"{ENDED}: until then hooks are not run, and changed settings and secrets that only root may read "
                "are not read; sessions go on"
            )

    def _next_packet(self, ended: int) -> tuple[dict[str, Any], list[int]] | None:
        """Wait for an answer, and return it with the descriptors in it; None when there will be none."""
        ready = _readable(self._connection.fileno(), ended)
        if self._connection.fileno() not in ready:
            return None
        octets, more, _, _ = self._connection.recvmsg(wire.LONGEST, ROOM_FOR_ONE, socket.MSG_CMSG_CLOEXEC)
        files = array("i")
        for _, _, descriptors in more:
            files.frombytes(descriptors)
        return (wire.read(octets), list(files)) if octets else None

    def _hand_out(self, answer: dict[str, Any], files: list[int]) -> None:
        with self._lock:
            answers = self._waiting.get(answer["number"])
            if answers is not None:
                answers.put((answer, files))
                return
        for file in files:  # who asked has lost patience
            os.close(file)


@contextlib.contextmanager
def _process(pid: int) -> Iterator[int]:
    """Give a descriptor that becomes readable when a child of ours has ended."""
    ended = os.pidfd_open(pid)
    try:
        yield ended
    finally:
        os.close(ended)


def _readable(*descriptors: int, seconds: float | None = None) -> set[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)}


@contextlib.contextmanager
def monitor_beside(reread: Reread) -> Iterator[MonitorLink | None]:
    """Have a monitor beside us for as long as the block lasts; none when we are not root, as it could do no more."""
    if os.geteuid() != 0:
        yield None
        return
    link = MonitorLink(fork(reread))
    try:
        yield link
    finally:
        link.close()

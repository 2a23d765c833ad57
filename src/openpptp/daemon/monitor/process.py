"""The monitor itself: it waits for requests, and does each in a child of its own if it takes time.

It ends when the server ends. It opens nothing to the network, and holds nothing the server opens.
"""

import contextlib
import errno
import grp
import json
import os
import select
import signal
import socket
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from openpptp.backends.file_access import look_of
from openpptp.daemon.hook_programs import HookJob, HookPrograms
from openpptp.daemon.monitor import wire
from openpptp.daemon.monitor.policy import NamedSecrets, Policy, within_reach
from openpptp.errors import SetupError
from openpptp.net import capabilities

MOST_CHILDREN = 72  # ours: hooks.at_once may be 64
KEPT = 2  # ours: readings, as a server that refuses what was read last goes on with what was before
REREAD_TIMEOUT = 60  # ours: seconds; a name in pptpd's files may have to be looked up
LAST_WAIT = 3.0  # ours: seconds for hooks that are ended to be gone (hook_programs.KILL_AFTER, twice, and some)
LONGEST_POLICY = 1024 * 1024  # ours: octets; hundreds of paths are far less
NAME = "openpptp-root"  # what ps -o comm shows

Reread = Callable[[int], tuple[Mapping[str, Any], Policy]]
"Reads the settings for a server that runs as a uid: what it is told of them, and what they allow. Raises SetupError."


class Forked(NamedTuple):
    """A monitor just begun, for the server."""

    connection: socket.socket
    pid: int


def fork(reread: Reread) -> Forked:
    """Begin the monitor; call it before threads, heavy imports and whatever is not for the monitor."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            _keep_only(theirs)
            capabilities.name_process(NAME)
            capabilities.hide_memory()
            Monitor(theirs, reread).run()
            code = 0
        finally:
            os._exit(code)
    theirs.close()
    return Forked(ours, pid)


def _keep_only(connection: socket.socket) -> None:
    """Let go of every other descriptor, and of the signals that are meant for the server."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.closerange(3, connection.fileno())
    os.closerange(connection.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        # A handler and not SIG_IGN, which the programs we run would inherit.
        signal.signal(sign, lambda *_: None)


@dataclass(slots=True)
class _Child:
    pid: int
    over: Callable[[bool], None]
    "Told, when it has ended, whether it ended well."


class Monitor:
    """Answers one server, until that ends."""

    def __init__(self, connection: socket.socket, reread: Reread) -> None:
        """Prepare; run() does the rest."""
        self._connection = connection
        self._reread = reread
        self._start: Policy
        self._latest: deque[Policy] = deque(maxlen=KEPT)
        "Of the settings read since; the newest last."
        self._named = NamedSecrets()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._programs = HookPrograms()
        self._children: dict[int, _Child] = {}
        "By a descriptor that becomes readable when it has ended."

    def run(self) -> None:
        """Take requests until the server is gone or sends what no server of ours sends; end what still runs."""
        with contextlib.suppress(wire.BadRequest, OSError):
            self._begin(Policy.decode(wire.read(self._connection.recv(wire.LONGEST + 1))))
            while packet := self._next_packet():
                self._take(*wire.read_request(packet))
        self._connection.close()
        os.eventfd_write(self._stop, 1)
        end = time.monotonic() + LAST_WAIT
        while self._children and (left := end - time.monotonic()) > 0:
            for descriptor in _readable(self._children, left):
                os.waitpid(self._children.pop(descriptor).pid, 0)

    def _begin(self, policy: Policy) -> None:
        """Take the policy of the start, which the server sends while it is still root and has read no packet."""
        self._start = policy
        self._programs = HookPrograms(
            policy.directory, policy.commands, timeout=policy.timeout, stop=self._stop, also_refused=self._refused
        )

    def _refused(self, program: Path) -> str | None:
        """Return why a hook must not be run that the server's user could have put there."""
        if within_reach(program, self._start.uid):
            return "a directory on the way to it belongs to the server's own user; give that to root"
        return None

    def _next_packet(self) -> bytes:
        """Wait for a packet, and meanwhile for children that end; empty when the server is gone."""
        while True:
            ready = _readable((self._connection.fileno(), *self._children))
            for descriptor in ready:
                if descriptor in self._children:
                    self._ended(descriptor)
            if self._connection.fileno() in ready:
                return self._connection.recv(wire.LONGEST + 1)

    def _take(self, number: int, request: wire.Request) -> None:
        try:
            match request:
                case wire.Open(path):
                    self._open(number, path)
                case wire.Look(path):
                    self._answer(number, look=look_of(os.stat(self._allowed(path))))
                case wire.Run(job):
                    self._in_child(partial(self._run_hook, number, job), partial(self._ran, number))
                case wire.EndHooks():
                    os.eventfd_write(self._stop, 1)
                    self._answer(number)
                case wire.Regroup():
                    regroup(self._latest[-1] if self._latest else self._start)
                    self._answer(number)
                case wire.Reread():
                    self._read_again(number)
        except OSError as error:
            self._answer(number, errno=error.errno or errno.EIO)

    def _answer(self, number: int, *files: int, **facts: object) -> None:
        socket.send_fds(self._connection, [wire.write({"number": number, "done": True} | facts)], files)

    # Files

    def _open(self, number: int, path: Path) -> None:
        file = os.open(self._allowed(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            self._answer(number, file)
        finally:
            os.close(file)

    def _allowed(self, path: Path) -> Path:
        """Return the path if the settings name it, or a file they name does; raise OSError otherwise."""
        files = {file for policy in (self._start, *self._latest) for file in policy.files}
        files = {file for file in files if not within_reach(file, self._start.uid)}
        if path in files:
            return path
        if any(path in self._named.of(file) for file in files) and not within_reach(path, self._start.uid):
            return path
        raise PermissionError(errno.EACCES, "no file of this server")

    # Settings

    def _read_again(self, number: int) -> None:
        """Read in a child, as that takes memory and, where names have to be looked up, time."""
        answer, policy = os.memfd_create("settings"), os.memfd_create("policy")

        def over(well: bool) -> None:
            try:
                octets = os.pread(policy, LONGEST_POLICY, 0) if well else b""
                if octets:
                    self._latest.append(Policy.decode(json.loads(octets)))
                self._answer(number, answer, failed=not well)
            finally:
                os.close(answer)
                os.close(policy)

        self._in_child(partial(self._read_settings, answer, policy), over)

    def _read_settings(self, answer: int, policy: int) -> None:
        signal.alarm(REREAD_TIMEOUT)
        try:
            told, allowed = self._reread(self._start.uid)
        except SetupError as error:
            _write(answer, {"error": str(error), "exit_code": error.exit_code})
            return
        _write(answer, told)
        _write(policy, allowed.encode())

    # Hooks

    def _run_hook(self, number: int, job: HookJob) -> None:
        """Run them as pppd's are: by root, whatever the server is."""
        environment = {**job.environment, "ORIG_UID": str(os.getuid()), "PPPLOGNAME": "root"}
        for finding in self._programs.run(HookJob(job.event, job.arguments, environment)):
            facts = {"event": finding.event, "wrong": finding.wrong, "facts": finding.facts}
            self._connection.send(wire.write({"number": number, "finding": facts}))

    def _ran(self, number: int, well: bool) -> None:
        self._answer(number, failed=not well)

    # Children

    def _in_child(self, work: Callable[[], None], over: Callable[[bool], None]) -> None:
        """Do what takes time in a child; over is told at its end, also when it could not begin."""
        try:
            pid = os.fork() if len(self._children) < MOST_CHILDREN else -1
        except OSError:
            pid = -1
        if pid == 0:
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        if pid < 0:
            over(False)
            return
        try:
            self._children[os.pidfd_open(pid)] = _Child(pid, over)
        except OSError:  # no descriptor is left (B-140): what cannot be watched must not run on
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            over(False)

    def _ended(self, descriptor: int) -> None:
        child = self._children.pop(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(child.pid, 0)
        child.over(status == 0)


def regroup(policy: Policy) -> None:
    """Give the API's socket to the policy's group; raise OSError. Without a group there is nothing to do."""
    if policy.group is None:
        return
    try:
        group = grp.getgrnam(policy.group).gr_gid
    except KeyError:
        raise OSError(errno.EINVAL, "no such group") from None
    file = os.open(policy.socket, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(file)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != policy.uid:
            raise PermissionError(errno.EACCES, "not the server's socket")
        os.chown(f"/proc/self/fd/{file}", -1, group)  # this very one, whatever has its name by now
    finally:
        os.close(file)


def _readable(descriptors: Iterable[int], seconds: float | None = None) -> list[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)]


def _write(file: int, message: Mapping[str, Any]) -> None:
    with open(file, "wb", closefd=False) as opened:
        opened.write(wire.write(message))

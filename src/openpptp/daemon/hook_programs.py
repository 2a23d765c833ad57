"""One run of a hook: which programs an event has, whether they may be run, and the running itself, with its limits.

All of it happens in a thread beside the event loop. No shell is ever between: pppd(8), SCRIPTS.
"""

import contextlib
import os
import re
import select
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

OUTPUT_MOST = 2000  # ours: octets of a hook's output that are logged; the rest is read and dropped
KILL_AFTER = 1.0  # ours: seconds between SIGTERM and SIGKILL
READ_AT_ONCE = 4096
READ_MOST = 1 << 20  # ours: octets after which a hook that only writes is ended: reading costs the server time
RUN_PARTS_NAME = re.compile(r"[A-Za-z0-9_-]+")  # run-parts(8): what the names in ip-up.d must be made of
PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
RUN_PARTS_NAMES = ("PPP_IFACE", "PPP_TTY", "PPP_SPEED", "PPP_LOCAL", "PPP_REMOTE", "PPP_IPPARAM")
"What Debian's /etc/ppp/ip-up gives the programs in ip-up.d, in the order of its arguments."
ENVIRONMENT = frozenset({
    *("DEVICE", "IFNAME", "SPEED", "PEERNAME", "IPLOCAL", "IPREMOTE", "REMOTENUMBER", "LINKNAME"),
    *("DNS1", "DNS2", "WINS1", "WINS2", "CONNECT_TIME", "BYTES_SENT", "BYTES_RCVD", "ORIG_UID", "PPPLOGNAME"),
})  # fmt: skip
"All that a session can put into the environment; no variable among them changes what a program or its loader does."


class HookEvent(StrEnum):
    """The events pppd has a script for and we run."""

    AUTH_UP = "auth-up"
    IP_UP = "ip-up"
    IP_DOWN = "ip-down"
    AUTH_DOWN = "auth-down"


@dataclass(frozen=True, slots=True)
class HookJob:
    """One event of one session, with what its programs are told."""

    event: HookEvent
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """A line for the log about a hook."""

    event: str
    wrong: bool
    facts: dict[str, object]


@dataclass(slots=True)
class HookPrograms:
    """Finds and runs the programs of an event; one object serves all threads."""

    directory: Path | None = None
    "With pppd's names in it: ip-up, ip-up.d/ and so on; what is not there is not run."
    commands: Mapping[HookEvent, Path] = field(default_factory=dict)
    "Instead of the directory's; each must be there."
    timeout: float = 30.0
    stop: int = -1
    "A descriptor that becomes readable when running hooks are to be ended at once; -1: there is none."
    also_refused: Callable[[Path], str | None] = lambda _path: None
    "Says why a program that could be run must not be."

    def run(self, job: HookJob) -> list[Finding]:
        """Run the programs of an event, one after another, and return what a person should read of it."""
        found: list[Finding] = []
        try:
            for path, environment in self._programs(job):
                if self._stopping():
                    break
                found += self._run_one(path, job, environment)
        except OSError as error:
            found.append(_wrong("the hooks cannot be read", self.directory, str(error)))
        return found

    def _programs(self, job: HookJob) -> Iterator[tuple[Path, Mapping[str, str]]]:
        if job.event in self.commands:
            yield self.commands[job.event], job.environment
            return
        if self.directory is None:
            return
        script, parts = self.directory / job.event, self.directory / f"{job.event}.d"
        if script.exists() or script.is_symlink():
            yield script, job.environment
        elif parts.is_dir():
            extra = dict(zip(RUN_PARTS_NAMES, job.arguments, strict=False))
            for part in sorted(parts.iterdir()):
                # As run-parts does: other names and what is not executable are passed over in silence.
                if RUN_PARTS_NAME.fullmatch(part.name) and part.is_file() and os.access(part, os.X_OK):
                    yield part, {**job.environment, **extra}

    def _run_one(self, path: Path, job: HookJob, environment: Mapping[str, str]) -> list[Finding]:
        why_not = refusal(path) or self.also_refused(path)
        if why_not is not None:
            return [_wrong("a hook is not run", path, why_not)]
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell; the arguments are the program's own
                [path, *job.arguments],
                env={"PATH": PATH, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return [_wrong("a hook is not run", path, start_error(error))]
        assert process.stdout is not None
        with process.stdout:  # not `with process`: that would wait for ever for one that cannot be killed
            output = _Output(process.stdout.fileno())
            try:
                watched = os.pidfd_open(process.pid)
            except OSError as error:  # no descriptor is left (B-140): what cannot be watched must not run on
                _signal_group(process.pid, signal.SIGKILL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(KILL_AFTER)
                return [_wrong("a hook was ended", path, f"it cannot be watched: {error.strerror}")]
            try:
                return self._watch(process, watched, output, path)
            finally:
                os.close(watched)

    def _watch(self, process: subprocess.Popen[bytes], watched: int, output: "_Output", path: Path) -> list[Finding]:
        """Read what it says until it ends; end it, and all it started, when its time is over."""
        began = time.monotonic()
        ended_by = None if self._wait_for(watched, output) else self._reason(output)
        if ended_by is not None:
            _end(process.pid, watched)
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout=KILL_AFTER)
        output.drain()
        facts: dict[str, object] = {"output": output.text} if output.text else {}
        if ended_by is not None:
            facts["after_seconds"] = round(time.monotonic() - began, 1)
            return [_wrong("a hook was ended", path, ended_by, **facts)]
        if code:
            return [_wrong("a hook failed", path, _exit_words(code), **facts)]
        return [Finding("a hook said", wrong=False, facts={"hook": str(path), **facts})] if facts else []

    def _reason(self, output: "_Output") -> str:
        """Say why a hook that has not ended by itself must end."""
        if self._stopping():
            return "the server stops"
        if output.too_much:
            return f"it wrote more than {READ_MOST} octets; send its output to a file"
        return f"it ran longer than hooks.timeout, {self.timeout:g} seconds"

    def _stopping(self) -> bool:
        return self.stop >= 0 and _readable(self.stop, 0)

    def _wait_for(self, watched: int, output: "_Output") -> bool:
        """Read a process's output until it has ended by itself; False when it must end first."""
        end = time.monotonic() + self.timeout
        poll = select.poll()
        for descriptor in (watched, output.descriptor, self.stop):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        while (left := end - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
            if watched in ready:
                return True
            if self.stop in ready or output.too_much:
                return False
            if output.descriptor in ready:
                output.read()
                if not output.open:
                    poll.unregister(output.descriptor)
        return False


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()  # not select(): it takes no descriptor above 1023
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _end(pid: int, watched: int) -> None:
    """Ask a process and all it started to end, then end them; its process group is its own (start_new_session)."""
    _signal_group(pid, signal.SIGTERM)
    _readable(watched, KILL_AFTER)
    _signal_group(pid, signal.SIGKILL)  # in any case: it may have gone and left others that ignore SIGTERM


def _signal_group(pid: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, sign)


class _Output:
    """The first octets of what a hook says; it never blocks on us."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._octets, self._count = b"", 0
        self.open = True

    def read(self) -> bool:
        """Read once; return whether there may be more."""
        try:
            octets = os.read(self.descriptor, READ_AT_ONCE)
        except BlockingIOError:
            return False
        self.open = bool(octets)
        self._count += len(octets)
        self._octets += octets[: OUTPUT_MOST - len(self._octets)]
        return self.open

    @property
    def too_much(self) -> bool:
        """Whether it writes without end."""
        return self._count > READ_MOST

    def drain(self) -> None:
        """Take what is left of a program that has ended; its children may go on writing for ever."""
        for _ in range(READ_MOST // READ_AT_ONCE):
            if not self.open or not self.read():
                return

    @property
    def text(self) -> str:
        """What is shown of it."""
        return self._octets.decode("utf-8", "replace").strip()


def refusal(path: Path) -> str | None:
    """Return why a program must not be run, with the remedy; None when it may."""
    try:
        found = path.stat()
        folder = path.resolve().parent.stat()
    except FileNotFoundError:
        return "there is no such file; put it there or correct the [hooks] settings"
    except OSError as error:
        return f"it cannot be looked at: {error.strerror}"
    if not stat.S_ISREG(found.st_mode):
        return "it is not a file"
    if found.st_mode & stat.S_IWOTH:
        return f"everybody on this machine may change it; sudo chmod o-w {path}"
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        return "everybody on this machine may replace it; take the right to write into its directory from others"
    if found.st_uid not in (0, os.geteuid()):
        return f"it belongs to another user (uid {found.st_uid}); sudo chown root {path}"
    if not os.access(path, os.X_OK):
        return f"it is not executable; sudo chmod +x {path}"
    return None


def start_error(error: OSError | ValueError) -> str:
    """Say why a program could not be started."""
    if isinstance(error, OSError) and error.strerror == "Exec format error":
        return "it is no program: a script needs a first line such as #!/bin/sh"
    if isinstance(error, FileNotFoundError):
        return "the interpreter its first line names is not there"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _exit_words(code: int) -> str:
    if code > 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


def _wrong(event: str, hook: Path | None, why: str, **facts: object) -> Finding:
    return Finding(event, wrong=True, facts={"hook": str(hook), "why": why, **facts})


def clean(values: Mapping[str, str | None]) -> dict[str, str]:
    """Return an environment without what is not known and without what an environment cannot hold."""
    return {name: text(value) for name, value in values.items() if value is not None}


def text(value: str) -> str:
    """Return a word a program can be given: no NUL, and no half character."""
    return value.replace("\0", "").encode("utf-8", "backslashreplace").decode("utf-8")

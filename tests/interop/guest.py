"""A User-mode Linux guest: a kernel with PPP for the real peers, run as an ordinary program.

Its root is the host's, read-only under a memory overlay, so every installed program runs in it; what it writes is gone
with it. One folder is shared both ways. Everything is bounded by a time-out and ended by process id.
"""

import contextlib
import itertools
import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.eventually import eventually
from tests.netns.namespace import Namespace

MODULES = Path("/usr/lib/uml/modules")
INIT = Path(__file__).with_name("guest-init")
BOOT_TIMEOUT = 60.0


class GuestError(Exception):
    """The guest, or a command in it, did not do what it should; the text holds what it printed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left behind."""

    status: int
    output: str


class Guest:
    """One booted guest; with tap, its interface vec0 is the other end of that device in a host namespace."""

    def __init__(self, shared: Path, *, tap: str, namespace: Namespace, memory_mib: int = 384) -> None:
        self.shared = shared
        self.console = shared / "console.log"
        self._numbers = itertools.count()
        (shared / "modules" / "lib").mkdir(parents=True)
        (shared / "modules" / "lib" / "modules").symlink_to(MODULES)
        shutil.copy(INIT, shared / "init")
        arguments = [
            *("linux.uml", f"mem={memory_mib}M", "umid=guest", f"uml_dir={shared}/uml"),
            *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={shared}/init"),
            *(f"guest_shared={shared}", f"guest_modules={shared}/modules"),
            *(f"vec0:transport=tap,ifname={tap},depth=128,gro=1", "con=null", "con0=fd:0,fd:1"),
        ]
        with self.console.open("wb") as console:
            self._process = namespace.start(
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"TMPDIR": self._memory_folder(memory_mib)},
            )
        if not eventually(lambda: (shared / "up").exists() or not self.alive, seconds=BOOT_TIMEOUT) or not self.alive:
            self._kill()
            raise GuestError(f"the guest did not come up; its console:\n{self._console_tail()}")

    def _memory_folder(self, memory_mib: int) -> str:
        """Name where the guest's memory is mapped from; containers often have a tiny /dev/shm."""
        room = shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else 0
        return "/dev/shm" if room > memory_mib << 20 else str(self.shared)

    def _console_tail(self) -> str:
        return "\n".join(self.console.read_text(errors="replace").splitlines()[-20:])

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, command: str, *, timeout: float = 20.0, check: bool = True) -> Finished:
        """Run a shell command in the guest; raise GuestError when it fails (with check) or takes too long."""
        job = self.shared / f"job-{next(self._numbers)}"
        bounded = f"timeout --kill-after=2 {timeout} bash -c {shlex.quote(command)}\n"
        job.with_suffix(".tmp").write_text(bounded)
        job.with_suffix(".tmp").rename(job.with_suffix(".cmd"))
        status, output = job.with_suffix(".status"), job.with_suffix(".out")
        ended = eventually(lambda: status.exists() or not self.alive, seconds=timeout + 10)
        text = output.read_text(errors="replace") if output.exists() else ""
        if not ended or not status.exists():
            died = "" if self.alive else f"; the guest died:\n{self._console_tail()}"
            raise GuestError(f"no end of `{command}`{died}\n{text}")
        finished = Finished(int(status.read_text()), text)
        for file in self.shared.glob(f"{job.name}.*"):
            file.unlink()
        if check and finished.status != 0:
            raise GuestError(f"`{command}` ended with {finished.status}:\n{text}")
        return finished

    def processes(self, *names: str) -> list[str]:
        """List the living processes of these names in the guest, as `pid name`."""
        listed = [line.split() for line in self.run("ps -e -o pid=,stat=,comm=").output.splitlines()]
        return [f"{pid} {name}" for pid, state, name, *_ in listed if name in names and not state.startswith("Z")]

    def gone(self, pid: int, *, timeout: float = 10.0) -> bool:
        """Wait in the guest until a process is no more; return whether it ended in time."""
        alive = f"ps -o stat= -p {pid} | grep -qv Z"
        waiting = f"for _ in $(seq {int(timeout / 0.05)}); do {alive} || exit 0; sleep 0.05; done; exit 1"
        return self.run(waiting, timeout=timeout + 60, check=False).status == 0

    def power_off(self) -> None:
        """Shut the guest down, by force when it does not listen."""
        (self.shared / "poweroff").touch()
        eventually(lambda: not self.alive, seconds=5)
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

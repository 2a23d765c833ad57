"""What systemd does with a unit, as far as it can be done in a namespace: the very commands of the unit, in its limits.

manager = ServiceManager(namespace, folder, unit)
manager.start()
"""

import os
import re
import shlex
import signal
import socket
import subprocess
from pathlib import Path

from tests.eventually import eventually
from tests.netns.namespace import Namespace
from tests.netns.programs import Program, start

CONFINED = Path(__file__).with_name("confined.py")
HEADER = "#include <sys/syscall.h>\n"
WATCHDOG = "400000"  # microseconds; the unit's own is too long for a test


def allowed_calls(unit: str) -> dict[str, int]:
    """Return the system calls a unit allows by their numbers on this machine."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
    groups: dict[str, list[str]] = {}
    for line in listed.splitlines():
        if line.startswith("@"):
            names = groups.setdefault(line.strip(), [])
        elif line.strip() and not line.strip().startswith("#"):
            names.append(line.strip())
    (wanted,) = re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE)
    found, left = set(), [*wanted.split(), "@default"]
    while left:
        name = left.pop()
        if name.startswith("@"):
            left += groups.pop(name, [])
        else:
            found.add(name)
    defined = subprocess.run(["cpp", "-dM", "-"], input=HEADER, capture_output=True, text=True, check=True).stdout
    return {
        name: int(number)
        for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", defined, re.MULTILINE)
        if name in found
    }


class ServiceManager:
    """One service."""

    def __init__(
        self, namespace: Namespace, folder: Path, unit: str, *, mounts: str = "", abstract: bool = False
    ) -> None:
        self._namespace, self._folder, self._mounts = namespace, folder, mounts
        self._unit = folder / "openpptp.service"
        self._unit.write_text(unit)
        self._calls = folder / "calls"
        self._calls.write_text("".join(f"{name} {number}\n" for name, number in allowed_calls(unit).items()))
        self._commands = dict(re.findall(r"^(Exec\w+)=(.*)$", unit, re.MULTILINE))
        # A network namespace has abstract sockets of its own: systemd's own listener is a file too.
        self._name = f"{folder}/notify"
        with namespace.inside():
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            if abstract:
                self._name = f"@openpptp-{os.getpid()}-{folder.name}"
            self._listener.bind("\0" + self._name[1:] if abstract else self._name)
        self._listener.setblocking(False)
        self._told: list[str] = []
        self.server: Program

    def start(self) -> None:
        """Run ExecStart and wait for READY=1."""
        self.server = self._run("ExecStart", "server", NOTIFY_SOCKET=self._name, WATCHDOG_USEC=WATCHDOG)
        self.waits_for("READY=1")
        assert "serving" in self.server.log(), "it was ready before it served"

    def reload(self) -> int:
        """Run ExecReload and return its exit code."""
        return self._run("ExecReload", "reload", MAINPID=str(self.server.process.pid)).exit_code()

    def stop(self) -> int:
        """End the main process as KillMode=mixed does, and return its exit code."""
        self.server.process.send_signal(signal.SIGTERM)
        return self.server.exit_code(seconds=20)

    def told(self) -> list[str]:
        """Return every line the service has sent so far."""
        while True:
            try:
                self._told += self._listener.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self._told

    def waits_for(self, line: str, *, times: int = 1) -> None:
        """Wait until the service has sent a line so often."""
        eventually(lambda: self.told().count(line) >= times or self.server.process.poll() is not None)
        assert self.told().count(line) >= times, f"{line} is not in {self.told()}; the log:\n{self.server.log()}"

    def close(self) -> None:
        self._listener.close()
        if self.server.process.poll() is None:
            self.server.kill()

    def _run(self, key: str, name: str, **environment: str) -> Program:
        words = shlex.split(self._commands[key].replace("$$", "$"))
        confined = ("python3", str(CONFINED), str(self._unit), str(self._calls), *words)
        return start(self._namespace, self._folder, *confined, name=name, before=self._mounts, **environment)

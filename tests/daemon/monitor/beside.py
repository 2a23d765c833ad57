"""A monitor in a process of its own, with a link to it, as a server has them."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.machine import REPOSITORY

from openpptp.daemon.monitor.link import MonitorLink
from openpptp.daemon.monitor.policy import Policy
from openpptp.daemon.monitor.process import Forked

CODE = """
import socket, sys
from pathlib import Path
from openpptp.daemon.monitor.policy import Policy
from openpptp.daemon.monitor.process import Monitor
from openpptp.errors import SetupError

def reread(uid):
    return {"settings": {"uid": uid}}, Policy(uid, (Path("/nowhere"),))

REREAD
Monitor(socket.socket(fileno=int(sys.argv[1])), reread).run()
"""


class Beside:
    """The process, the link, and what the link reported."""

    def __init__(self, policy: Policy, reread: str) -> None:
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE.replace("REREAD", reread), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={"PYTHONPATH": str(REPOSITORY / "src")},
        )
        self.theirs = theirs.fileno()
        "The number of its end of the connection."
        theirs.close()
        self.said: list[str] = []
        self.link = MonitorLink(Forked(self.connection, self.process.pid))
        self.link.begin(policy)
        self.link.start(self.said.append)

    def raw(self, packet: bytes) -> None:
        """Send what no server of ours would."""
        self.connection.send(packet)


@contextlib.contextmanager
def monitor_for(policy: Policy, reread: str = "") -> Iterator[Beside]:
    """Run a monitor for as long as the block lasts; reread is Python that says how it reads the settings again."""
    beside = Beside(policy, reread)
    try:
        yield beside
    finally:
        beside.link.close()
        beside.process.kill()
        beside.process.wait(10)


def contents(beside: Beside, path: Path) -> bytes:
    """Read a file through the monitor."""
    with open(beside.link.open(path), "rb") as file:
        return file.read()

"""A server in a namespace and the namespace its peers are in, honest and hostile ones."""

import contextlib
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.eventually import eventually
from tests.machine import REPOSITORY
from tests.netns.adversary import ATTACKER, PORT, SERVER, Vitals, attack, canary
from tests.netns.namespace import Namespace, join
from tests.netns.programs import Program, serving

HONEST = "10.77.255.1"
SOURCES = [f"10.77.1.{number}" for number in range(1, 61)]
CROWD = [f"10.77.2.{number}" for number in range(1, 251)]
CONNECTIONS = 5000


class House:
    """A server, its peer's namespace, and what both are asked for."""

    def __init__(self, server: Namespace, peer: Namespace, program: Program) -> None:
        self.server, self.peer, self.program = server, peer, program

    def vitals(self) -> Vitals:
        return Vitals.of(self.program)

    def lines(self) -> int:
        return len(self.program.log().splitlines())

    def attack(self, doing, *, seconds: float = 60.0) -> None:
        attack(self.peer, doing, seconds=seconds)

    def canary(self) -> None:
        canary(self.peer, source=HONEST)

    def rests(self, before: Vitals, *, seconds: float = 20.0) -> None:
        """Wait until the server holds no more files than before."""
        assert eventually(lambda: self.vitals().files <= before.files, seconds=seconds), f"{before} {self.vitals()}"

    @contextlib.contextmanager
    def connection(self, octets: bytes = b"", *, source: str = ATTACKER) -> Iterator[socket.socket]:
        """Open a TCP connection that says some octets."""
        with self.peer.inside():
            stream = socket.create_connection((SERVER, PORT), 10, (source, 0))
        with stream:
            with contextlib.suppress(ConnectionError):
                stream.sendall(octets)
            yield stream


@contextlib.contextmanager
def house(folder: Path, **sections: dict[str, object]) -> Iterator[House]:
    """Run a server and its peer's namespace, which has many addresses."""
    server, peer = Namespace("server"), Namespace("client")
    try:
        join(server, f"{SERVER}/16", peer, f"{ATTACKER}/16")
        for source in (HONEST, *SOURCES):
            peer.ip(f"addr add {source}/16 dev server0")
        with serving(server, folder, **sections) as program:
            assert eventually(lambda: any("-shm" in name for name in open_files(program))), "the accounting is not open"
            yield House(server, peer, program)
            assert "a defect in this program" not in program.log(), program.log()
            assert program.stop(seconds=8) == 0
    finally:
        peer.close()
        server.close()


def open_files(program: Program) -> list[str]:
    """Return what a program has open; the accounting's thread opens its file while the server serves already."""
    found = []
    for descriptor in Path("/proc", str(program.process.pid), "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return found


def closed(stream: socket.socket, *, seconds: float = 10.0) -> bool:
    """Read until the other end closes; return whether it did in time."""
    stream.settimeout(seconds)
    try:
        while stream.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def reset(stream: socket.socket) -> None:
    """Close with RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


@contextlib.contextmanager
def flooding(namespace: Namespace, sources: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Open thousands of connections that say nothing, for as long as the standard input of what is returned is open."""
    flooder = namespace.start(
        *(sys.executable, "-m", "tests.netns.flooder", str(CONNECTIONS), *sources),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'src'}"},
    )
    try:
        yield flooder
    finally:
        flooder.kill()
        flooder.wait()

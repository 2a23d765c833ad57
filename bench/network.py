"""Two namespaces of this host joined by a cable, our server in one, and what runs in the other."""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from tests.eventually import eventually
from tests.netns.namespace import Namespace, join, sweep
from tests.netns.programs import Program, start, start_client, start_server

SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
POOL, INSIDE = "10.91.0.0/20", "10.91.0.1"
TAP = "tap0"
TICKS = os.sysconf("SC_CLK_TCK")
OFFLOADS = ("tso", "gso", "gro", "tx", "rx")
LIMITS = {"sessions": 4000, "unauthenticated": 2000, "per_source": 2000}


class Network:
    """The namespaces; everything in them ends with the block."""

    def __init__(self, *, guest: bool = False) -> None:
        """Join them by a cable; or put TAP, for a guest, into the server's."""
        sweep()
        self.server, self.client = Namespace("server"), Namespace("client")
        if guest:
            self.server.ip(f"tuntap add dev {TAP} mode tap")
            self.server.ip(f"address add {SERVER}/24 dev {TAP}")
            self.server.ip(f"link set {TAP} up")
            return
        join(self.server, f"{SERVER}/24", self.client, f"{CLIENT}/24")
        off = [word for feature in OFFLOADS for word in (feature, "off")]
        self.server.run("ethtool", "-K", "client0", *off)
        self.client.run("ethtool", "-K", "server0", *off)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in (self.server, self.client):
            namespace.close()

    @contextlib.contextmanager
    def our_server(self, *, processor: int | None = None) -> Iterator[Program]:
        """Serve in the server's namespace, on one processor if asked."""
        pinned = "" if processor is None else f"taskset -cp {processor} $$ >/dev/null;"
        with tempfile.TemporaryDirectory() as directory:
            server = start_server(
                self.server,
                Path(directory),
                before=pinned,
                network={"pool": [POOL]},
                limits=LIMITS,
                log={"level": "warning"},
            )
            with _ready(server, lambda: ":1723" in self.server.run("ss", "-Htln").stdout):
                yield server

    @contextlib.contextmanager
    def our_client(self) -> Iterator[Program]:
        """Connect from the client's namespace."""
        with tempfile.TemporaryDirectory() as directory:
            client = start_client(self.client, Path(directory), "--log-level", "warning", host=SERVER)
            with _ready(client, lambda: INSIDE in self.client.run("ip", "-4", "address").stdout):
                yield client

    def iperf(self, target: str, seconds: int, *, download: bool) -> float:
        """Return what one TCP connection reaches between the namespaces, in Mbit/s."""
        with tempfile.TemporaryDirectory() as directory:
            measured = start(self.server, Path(directory), "iperf3", "-s", "-1", "-B", target)
            with _ready(measured, lambda: ":5201" in self.server.run("ss", "-Htln").stdout):
                options = ("-R",) if download else ()
                said = self.client.run("iperf3", "-J", "-c", target, "-t", str(seconds), *options).stdout
                measured.exit_code()
        return float(json.loads(said)["end"]["sum_received"]["bits_per_second"]) / 1e6


@contextlib.contextmanager
def _ready(program: Program, condition: Callable[[], object]) -> Iterator[None]:
    """Wait until a program is ready; end it with the block."""
    try:
        if not eventually(lambda: condition() or program.process.poll() is not None) or not condition():
            raise RuntimeError(f"what the bench waits for did not come:\n{program.log()}")
        yield
    finally:
        if program.process.poll() is None:
            program.stop(seconds=30)


def processor_seconds(process: int) -> float:
    """Return what a process has used of the processors."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_octets(process: int) -> int:
    """Return how much memory a process has resident."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024

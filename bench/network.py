"""Two namespaces of this host joined by a veth pair, our server in one, and what runs in the other."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
POOL, INSIDE = "10.91.0.0/20", "10.91.0.1"
USER, PASSWORD = "bench", "bench"
PROGRAM = (sys.executable, "-m", "openpptp")
VETH = "outside"
TICKS = os.sysconf("SC_CLK_TCK")
SETTINGS = f"""
[server]
runtime_directory = "{{directory}}/run"
[network]
pool = ["{POOL}"]
[limits]
sessions = 4000
unauthenticated = 2000
per_source = 2000
[users]
file = "{{directory}}/chap-secrets"
[log]
level = "warning"
"""


class Network:
    """The namespaces; everything in them ends with the block."""

    def __init__(self, *, wire: str = VETH) -> None:
        """Join them by a veth pair; or put a tap device of that name, for a guest, into the server's."""
        self.wire = wire
        self.server, self.client = (f"openpptp-bench-{os.getpid()}-{name}" for name in ("server", "client"))

    def __enter__(self) -> Self:
        for name in (self.server, self.client):
            _run("ip", "netns", "add", name)
        ends = [(self.server, SERVER), (self.client, CLIENT)]
        if self.wire == VETH:
            peer = ("type", "veth", "peer", self.wire, "netns", self.client)
            _run("ip", "link", "add", self.wire, "netns", self.server, *peer)
        else:
            self.run(self.server, "ip", "tuntap", "add", "dev", self.wire, "mode", "tap")
            ends.pop()
        for name, address in ends:
            _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", self.wire)
            for device in ("lo", self.wire):
                _run("ip", "-n", name, "link", "set", device, "up")
            if self.wire == VETH:
                off = [word for feature in ("tso", "gso", "gro", "tx", "rx") for word in (feature, "off")]
                self.run(name, "ethtool", "-K", self.wire, *off)
        return self

    def __exit__(self, *_: object) -> None:
        for name in (self.server, self.client):
            _run("ip", "netns", "delete", name)

    def run(self, where: str, *command: str) -> str:
        """Run a command in a namespace and return what it printed."""
        return _run("ip", "netns", "exec", where, *command)

    @contextlib.contextmanager
    def running(self, where: str, *command: str, processor: int | None = None) -> Iterator[subprocess.Popen[str]]:
        """Run a program in a namespace, on one processor if asked, until the block ends."""
        pinned: Sequence[str] = () if processor is None else ("taskset", "-c", str(processor))
        process = subprocess.Popen(
            ["ip", "netns", "exec", where, *pinned, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=30)

    @contextlib.contextmanager
    def our_server(self, *, processor: int | None = None) -> Iterator[subprocess.Popen[str]]:
        """Serve in the server's namespace."""
        with tempfile.TemporaryDirectory() as directory:
            secrets = Path(directory, "chap-secrets")
            secrets.write_text(f"{USER} * {PASSWORD} *\n")
            secrets.chmod(0o600)
            settings = Path(directory, "openpptp.toml")
            settings.write_text(SETTINGS.format(directory=directory))
            with self.running(
                self.server, *PROGRAM, "serve", "--config", str(settings), processor=processor
            ) as process:
                self.wait_for(lambda: ":1723" in self.run(self.server, "ss", "-Htln"))
                yield process

    @contextlib.contextmanager
    def our_client(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Connect from the client's namespace."""
        with tempfile.TemporaryDirectory() as directory:
            password = Path(directory, "password")
            password.write_text(PASSWORD)
            password.chmod(0o600)
            command = (*PROGRAM, "connect", SERVER, "--user", USER, "--password-file", str(password), *options)
            with self.running(self.client, *command, "--interface", "inside", "--log-level", "warning") as process:
                self.wait_for(lambda: INSIDE in self.run(self.client, "ip", "-4", "address"))
                yield process

    def iperf(self, target: str, seconds: int, *, download: bool) -> float:
        """Return what one TCP connection reaches between the namespaces, in Mbit/s."""
        with self.running(self.server, "iperf3", "-s", "-1", "-B", target) as measured:
            self.wait_for(lambda: ":5201" in self.run(self.server, "ss", "-Htln"))
            options = ("-R",) if download else ()
            report = json.loads(self.run(self.client, "iperf3", "-J", "-c", target, "-t", str(seconds), *options))
            measured.wait(10)
        return float(report["end"]["sum_received"]["bits_per_second"]) / 1e6

    @staticmethod
    def wait_for(condition: Callable[[], object], seconds: float = 15.0) -> None:
        """Wait until condition holds; raise TimeoutError when it never does."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError("what the bench waits for did not come")
            time.sleep(0.05)


def processor_seconds(process: int) -> float:
    """Return what a process has used of the processors."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_octets(process: int) -> int:
    """Return how much memory a process has resident."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}{done.stdout}")
    return done.stdout

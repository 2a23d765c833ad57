"""Two namespaces of this host joined by a cable, our server in one, our client in the other."""

import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any, Self

from tests.eventually import eventually
from tests.netns.namespace import Namespace, sweep
from tests.netns.programs import OPENPPTP, USER, Program, start, write_settings

from bench.helpers import helper

SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
POOL, INSIDE = "10.91.0.0/20", "10.91.0.1"
CABLE = "cable0"
TUNNEL = {"server": "pptp0", "client": "pptp-client"}
TAP = "tap0"
TICKS = os.sysconf("SC_CLK_TCK")
OFFLOADS = ("tso", "gso", "gro", "tx", "rx")
LIMITS = {"sessions": 4000, "unauthenticated": 2000, "per_source": 2000}
DATA_PATHS = ("engine", "reference")


@dataclass(frozen=True, slots=True)
class Transfer:
    """What TCP reached."""

    megabits: float
    segment: int
    "Payload octets of a full packet."


class Network:
    """The namespaces; everything in them ends with the block."""

    def __init__(self, *, guest: bool = False, relay: bool = False) -> None:
        """Join them by a cable; or by two with a namespace between them, for a relay; or make TAP for a guest."""
        sweep()
        self.server, self.client = Namespace("server"), Namespace("client")
        self._relay = Namespace("relay") if relay else None
        if guest:
            self.server.ip(f"tuntap add dev {TAP} mode tap")
            self.server.ip(f"address add {SERVER}/24 dev {TAP}")
            self.server.ip(f"link set {TAP} up")
            return
        if self._relay is None:
            _cable(self.server, CABLE, self.client, CABLE)
        else:
            _cable(self.server, CABLE, self._relay, "server0")
            _cable(self.client, CABLE, self._relay, "client0")
        self.server.ip(f"address add {SERVER}/24 dev {CABLE}")
        self.client.ip(f"address add {CLIENT}/24 dev {CABLE}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in (self.server, self.client, self._relay):
            if namespace is not None:
                namespace.close()

    @contextlib.contextmanager
    def our_server(
        self, *, data_path: str | None = None, processor: int | None = None, encrypted: bool = True
    ) -> Iterator[Program]:
        """Serve in the server's namespace, on one processor if asked; the default data path without a name."""
        pinned = "" if processor is None else f"taskset -cp {processor} $$ >/dev/null;"
        auth = {"encryption": "required" if encrypted else "off"}
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            settings = write_settings(folder, network={"pool": [POOL]}, limits=LIMITS, auth=auth, log={"level": "info"})
            command = (*OPENPPTP, "serve", "--config", str(settings), *data_path_flags(data_path))
            server = start(self.server, folder, *command, name="server", before=pinned)
            with _ready(server, lambda: ":1723" in self.server.run("ss", "-Htln").stdout):
                yield server

    @contextlib.contextmanager
    def our_client(self, *, data_path: str | None = None, encrypted: bool = True) -> Iterator[Program]:
        """Connect from the client's namespace."""
        encryption = () if encrypted else ("--encryption", "off")
        flags = (*data_path_flags(data_path), *encryption, "--log-level", "debug")
        with tempfile.TemporaryDirectory() as directory:
            command = (*OPENPPTP, "connect", SERVER, "--user", USER, *flags)
            client = start(self.client, Path(directory), *command, name="client")
            with _ready(client, lambda: INSIDE in self.client.run("ip", "-4", "address").stdout):
                yield client

    @contextlib.contextmanager
    def session(self, *, data_path: str | None = None, encrypted: bool = True) -> Iterator[tuple[Program, Program]]:
        """Run server and client; return both."""
        with (
            self.our_server(data_path=data_path, encrypted=encrypted) as server,
            self.our_client(data_path=data_path, encrypted=encrypted) as client,
        ):
            yield server, client

    @contextlib.contextmanager
    def relaying(self, *, reordered: int = 0, lost: int = 0, seed: int = 1) -> Iterator[dict[str, int]]:
        """Join the two cables; of 1,000 GRE packets so many are reordered or lost.

        What is returned fills at the end; "overrun" are packets that relay and cables could not take.
        """
        assert self._relay is not None
        before = self._dropped_by_cables()
        command = (helper("relay"), "server0", "client0", str(reordered), str(lost), str(seed))
        report: dict[str, int] = {}
        process = start_helper(self._relay, *command)
        yield report
        report.update(finish_helper(process))
        report["overrun"] += self._dropped_by_cables() - before

    def _dropped_by_cables(self) -> int:
        namespaces = [namespace for namespace in (self.server, self.client, self._relay) if namespace is not None]
        listed = [json.loads(namespace.run("ip", "-s", "-j", "link").stdout) for namespace in namespaces]
        cables = [device for devices in listed for device in devices if "link_netnsid" in device]
        return sum(int(device["stats64"]["tx"]["dropped"]) for device in cables)

    def iperf(self, target: str, seconds: int, mode: str) -> Transfer:
        """Return what one TCP connection reaches between the namespaces; mode is up, down or both."""
        flags = {"up": (), "down": ("-R",), "both": ("--bidir",)}[mode]
        with tempfile.TemporaryDirectory() as directory:
            measured = start(self.server, Path(directory), "iperf3", "-s", "-1", "-B", target)
            with _ready(measured, lambda: ":5201" in self.server.run("ss", "-Htln").stdout):
                command = ("iperf3", "-J", "-c", target, "-t", str(seconds), *flags)
                said = json.loads(self.client.run(*command, timeout=seconds + 30).stdout)
                measured.exit_code()
        sums = [said["end"][name] for name in ("sum_received", "sum_received_bidir_reverse") if name in said["end"]]
        megabits = sum(float(one["bits_per_second"]) for one in sums) / 1e6
        if not megabits:
            raise RuntimeError("no octet arrived")
        return Transfer(megabits, int(said["start"]["tcp_mss_default"]))


def _cable(one: Namespace, one_device: str, other: Namespace, other_device: str) -> None:
    """Lay a cable between two namespaces, with every offload off."""
    one.ip(f"link add {one_device} type veth peer name {other_device} netns {other.name}")
    off = [word for feature in OFFLOADS for word in (feature, "off")]
    for namespace, device in ((one, one_device), (other, other_device)):
        namespace.ip(f"link set {device} up")
        namespace.run("ethtool", "-K", device, *off)


@functools.cache
def data_path_flags(data_path: str | None) -> tuple[str, ...]:
    """Return the option that chooses a data path; a program without it has the reference only."""
    if data_path is None:
        return ()
    command = (sys.executable, "-m", "openpptp", "serve", "--help")
    source = Path(__file__).parent.parent / "src"
    said = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(source)}, check=True
    )
    if "--data-path" in said.stdout:
        return ("--data-path", data_path)
    if data_path != "reference":
        raise RuntimeError(f"this program knows no data path {data_path}")
    return ()


@contextlib.contextmanager
def _ready(program: Program, condition: Callable[[], object]) -> Iterator[None]:
    """Wait until a program is ready; end it with the block."""
    try:
        if not eventually(lambda: condition() or program.process.poll() is not None) or not condition():
            raise RuntimeError(f"what the bench waits for did not come:\n{program.log()}")
        yield
    finally:
        end(program)


def end(program: Program) -> None:
    """Stop a program if it still runs."""
    if program.process.poll() is None:
        program.stop(seconds=30)


def hang_up(server: Program, client: Program) -> tuple[dict[str, str], dict[str, str]]:
    """End the session; return what both sides log of it. Counters that were 0 are not there."""
    end(client)
    server.says("session ended")
    return _last_words(server), _last_words(client)


def _last_words(program: Program) -> dict[str, str]:
    line = next(line for line in reversed(program.log().splitlines()) if "session ended" in line)
    return dict(re.findall(r"(\w+)=(\S+)", line))


def processor_seconds(process: int) -> float:
    """Return what a process has used of the processors."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_octets(process: int) -> int:
    """Return how much memory a process has resident."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def start_helper(namespace: Namespace, *command: str) -> "subprocess.Popen[str]":
    """Start a program of bench/native and wait until it is ready; it ends when its standard input does."""
    process = namespace.start(*command, stdin=PIPE, stdout=PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"{Path(command[0]).name} does not start")
    return process


def finish_helper(process: "subprocess.Popen[str]", seconds: float = 60.0) -> dict[str, Any]:
    """Wait for the end of a helper; return what it says then."""
    said, _ = process.communicate("", seconds)
    if process.returncode:
        raise RuntimeError(f"a helper ended with {process.returncode}: {said}")
    report: dict[str, Any] = json.loads(said.splitlines()[-1])
    return report

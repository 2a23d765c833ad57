"""Where the processors' time goes in the main row: by thread, and with perf, where it works, by function."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.netns.namespace import Namespace

from bench.network import INSIDE, TICKS, Network
from bench.row import Row
from bench.throughput import DIRECTIONS

KINDS = ("user", "nice", "system", "idle", "waiting", "irq", "softirq")
SECONDS, SETTLE = 2.0, 1.0
LEAST = 1.0  # per cent worth telling
FUNCTIONS = 16
PORT = "5301"


def profile(data_path: str) -> list[Row]:
    """Look at one session, up and down, while it is busy."""
    rows = []
    with Network() as network, network.session(data_path=data_path):
        for mode in ("up", "down"):
            with _busy(network, mode), tempfile.NamedTemporaryFile() as samples:
                before, began = _times(network), time.monotonic()
                _sample(samples.name)
                after, seconds = _times(network), time.monotonic() - began
                functions = _functions(samples.name)
            what = f"processor time, one session, MPPE 128, {DIRECTIONS[mode]}, {data_path}"
            rows += [
                Row(f"{what}, per cent of one processor by thread", _shares(before, after, seconds)),
                Row(f"{what}, per cent by function (perf)", functions),
            ]
    return rows


@contextlib.contextmanager
def _busy(network: Network, mode: str) -> Iterator[None]:
    """Keep the session busy with iperf3 for as long as the block lasts."""
    flags = ["-R"] if mode == "down" else []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = network.server.start("iperf3", "-s", "-1", "-B", INSIDE, "-p", PORT, **quiet)
    time.sleep(SETTLE / 2)
    client = network.client.start("iperf3", "-c", INSIDE, "-p", PORT, "-t", "60", *flags, **quiet)
    time.sleep(SETTLE)
    try:
        yield
    finally:
        for process in (client, server):
            process.terminate()
            process.wait(10)


def _times(network: Network) -> Counter[tuple[str, str]]:
    """Return seconds by thread of our namespaces and of the machine, each by user or system time."""
    times: Counter[tuple[str, str]] = Counter()
    for side, namespace in (("server", network.server), ("client", network.client)):
        for task in _tasks(namespace):
            with contextlib.suppress(OSError):
                name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
                user, system = rest.split()[11:13]
                times[f"{side}'s {name}", "user"] += int(user)
                times[f"{side}'s {name}", "system"] += int(system)
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    for name, value in zip(KINDS, fields, strict=False):
        times["all processors", name] += int(value)
    return times


def _tasks(namespace: Namespace) -> list[Path]:
    listed = subprocess.run(["ip", "netns", "pids", namespace.name], capture_output=True, text=True, check=True)
    return [task for process in listed.stdout.split() for task in Path("/proc", process, "task").glob("*")]


def _shares(before: Counter[tuple[str, str]], after: Counter[tuple[str, str]], seconds: float) -> str:
    """Say what each used, the busiest first."""
    per_cent = {key: (after[key] - before[key]) / TICKS / seconds * 100 for key in after}
    names = {name for name, _ in per_cent}
    busiest = sorted(names, key=lambda name: -sum(per_cent.get((name, kind), 0) for kind in KINDS))
    told = []
    for name in busiest:
        kinds = [f"{kind} {per_cent[name, kind]:.0f}" for kind in KINDS if per_cent.get((name, kind), 0) >= LEAST]
        if kinds:
            told.append(f"{name}: {', '.join(kinds)}")
    return "; ".join(told)


def _sample(file: str) -> None:
    """Let perf look at the whole machine for SECONDS; without perf, wait as long."""
    command = ("perf", "record", "-q", "-a", "-F", "997", "-o", file, "sleep", str(SECONDS))
    if shutil.which("perf") is None:
        time.sleep(SECONDS)
    else:
        subprocess.run(command, capture_output=True, timeout=60, check=False)


def _functions(file: str) -> str:
    """Return the busiest functions that perf saw."""
    if shutil.which("perf") is None:
        return "perf is not installed"
    command = ("perf", "report", "-q", "-i", file, "--stdio", "--sort", "comm,symbol", "--percent-limit", "1")
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = [" ".join(line.split()).removesuffix(" - -") for line in told.stdout.splitlines() if line.strip()]
    return "; ".join(lines[:FUNCTIONS]) or f"perf does not work here: {told.stderr.strip()[-100:]}"

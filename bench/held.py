"""Many sessions held: each with its echo and a packet a second, how many last, and the memory they keep."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import PIPE
from typing import Any

from tests.netns.namespace import Namespace
from tests.netns.programs import PASSWORD, USER

from bench.callers import BEHIND_SERVER, THEIR_LENGTH
from bench.network import SERVER, Network, finish_helper, resident_octets, start_helper
from bench.row import Row

SESSIONS, SECONDS = 2000, 600.0
MEMORY = 60  # KB each
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Generator:
    """A running bench.load whose sessions are up."""

    process: "subprocess.Popen[str]"
    report: dict[str, Any]
    "What it said when they were."

    @property
    def ends(self) -> str:
        """Our address and theirs of each session, for bench.pulse."""
        return "".join(f"{ours} {theirs}\n" for ours, theirs in self.report["ends"])

    def state(self) -> dict[str, Any]:
        """Ask how its sessions are."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        state: dict[str, Any] = json.loads(self.process.stdout.readline())
        return state


@contextlib.contextmanager
def generator(
    client: Namespace, sessions: int, *flags: str, server: str = SERVER, processor: int | None = None
) -> Iterator[Generator]:
    """Hold so many sessions from a namespace; they are hung up with the block."""
    pinned = () if processor is None else ("taskset", "-c", str(processor))
    command = (*pinned, sys.executable, "-m", "bench.load", server, "--user", USER, "--password", PASSWORD)
    with client.start(*command, "--sessions", str(sessions), *flags, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        report = json.loads(process.stdout.readline() or "{}")
        if report.get("up") != sessions:
            raise RuntimeError(f"{report.get('up')} of {sessions} sessions came up: {report.get('failures')}")
        yield Generator(process, report)
        process.communicate("", PATIENCE)


@contextlib.contextmanager
def pulse(
    server: Namespace, client: Namespace, ends: str, seconds: float, rate: float = 1.0
) -> Iterator[dict[str, Any]]:
    """Send packets through every session during the block, and wait for the last; what is returned fills then."""
    server.ip(f"route replace local {BEHIND_SERVER}/{THEIR_LENGTH} dev lo")
    far = start_helper(server, sys.executable, "-m", "bench.pulse", "answer")
    command = (sys.executable, "-m", "bench.pulse", "send", str(seconds), str(rate))
    near = client.start(*command, stdin=PIPE, stdout=PIPE, text=True)
    assert near.stdin is not None
    near.stdin.write(ends)
    near.stdin.close()
    near.stdin = None
    counted: dict[str, Any] = {}
    yield counted
    said, _ = near.communicate(timeout=seconds + PATIENCE)
    there = finish_helper(far)
    counted.update(json.loads(said))
    counted["lost up"] = counted["sent"] - there["received"]
    counted["lost down"] = there["answered"] - counted["answered"]


def held(sessions: int = SESSIONS, seconds: float = SECONDS) -> list[Row]:
    """Hold the sessions so long."""
    with Network() as network, network.our_server() as program:
        server = program.process.pid
        first = resident_octets(server)
        with generator(network.client, sessions, "--data-path", "engine") as clients:
            up = resident_octets(server)
            with pulse(network.server, network.client, clients.ends, seconds) as packets:
                most = up
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    time.sleep(min(1.0, seconds / 10))
                    most = max(most, resident_octets(server))
            state = clients.state()
        # What its sessions do not know of: the count of the sequence numbers that never came.
        lost_by_count = program.log().count(" lost=")
    what = f"{sessions:,} sessions held for {seconds:,.0f} s, each with echo and a packet a second each way"
    lost = packets["lost up"] + packets["lost down"]
    each, at_first = (most - first) / sessions / 1024, (up - first) / sessions / 1024
    return [
        Row(
            f"{what}: sessions lost",
            f"{sessions - state['connected']} ({state['echoes']:,} echoes of the server answered)",
            "0",
            state["connected"] == sessions,
        ),
        Row(
            f"{what}: packets lost",
            f"{lost} ({packets['lost up']} of {packets['sent']:,} up, {packets['lost down']} down; "
            f"sessions that miss a sequence number: {lost_by_count})",
            "0",
            lost == 0,
        ),
        Row(
            f"{what}: server memory per session",
            f"{each:.0f} KB at the most, {at_first:.0f} KB when all were up",
            f"at most {MEMORY} KB",
            each <= MEMORY,
        ),
    ]

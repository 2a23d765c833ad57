"""The load generator as the bench and the tests start it: sessions from a namespace, packets through all of them."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import PIPE
from typing import Any

from tests.netns.namespace import Namespace
from tests.netns.programs import PASSWORD, USER

from bench.callers import BEHIND_SERVER, THEIR_LENGTH
from bench.network import SERVER, finish_helper, start_helper

PATIENCE = 60.0
WHOLE_LEAVE = "LCP Terminate-Request, Call-Disconnect-Notify, Stop-Control-Connection-Request"
"What a session is told in good order at its end, as Generator.state counts it."


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

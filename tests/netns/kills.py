"""kill -9 at random moments of a server's life, and what must hold of the next one (B-145, P-19)."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from subprocess import DEVNULL, PIPE

from tests.eventually import eventually
from tests.machine import REPOSITORY
from tests.netns.namespace import Namespace, join
from tests.netns.programs import PASSWORD, USER, Program, start_server, state

from openpptp.backends.accounting_store import SessionRow, sessions
from openpptp.daemon.api_client import ApiClient

SERVER = "203.0.113.1"
POOL = "10.91.0.0/24"
SESSIONS = 20
MOST = {"start-up": 0.8, "set-up": 0.15, "traffic": 0.5, "teardown": 0.15, "reload": 0.1}
"Seconds in which each moment is over, on a quiet machine."
LASTING = ("devices", "addresses", "routes", "rules", "firewall", "net/ipv4/ip_forward")
LIMITS = {"unauthenticated": 100, "per_source": 100}


@dataclass(frozen=True, slots=True)
class Kill:
    """One of them."""

    moment: str
    seconds: float
    "From the next start to a server that listens again."
    causes: dict[str, int]
    "Of the sessions that were written down, why they ended."


class Victims:
    """Servers that are killed one after the other in the same place."""

    def __init__(self, server: Namespace, client: Namespace, folder: Path, seed: int) -> None:
        """Join the namespaces; what a seed does, it does again."""
        join(server, f"{SERVER}/24", client, "203.0.113.2/24")
        self._namespace, self._client, self._folder = server, client, folder
        self._random = Random(seed)
        self._reloads = itertools.count(1001)
        self._before = state(server)
        self._server = self._start()
        self._says_serving()
        self._serving = self._lasting()
        self._known: set[str] = set()

    def run(self, count: int) -> Iterator[Kill]:
        """Kill so many; each moment comes in turn, when exactly is left to chance."""
        for moment in itertools.islice(itertools.cycle(MOST), count):
            with self._clients(moment):
                self._wait(MOST[moment])
                self._server.kill()
            yield self._again(moment)

    def stop(self) -> None:
        """End the last one in good order; nothing of any is left."""
        assert self._server.stop() == 0
        assert state(self._namespace) == self._before
        assert not (self._runtime / "api.sock").exists()

    @property
    def _runtime(self) -> Path:
        return self._folder / "run" / "openpptp"

    def _start(self) -> Program:
        return start_server(self._namespace, self._folder, network={"pool": [POOL]}, limits=LIMITS)

    def _says_serving(self) -> None:
        self._server.says("] serving ")

    def _lasting(self) -> dict[str, str]:
        now = state(self._namespace)
        return {what: now[what] for what in LASTING}

    def _wait(self, most: float) -> None:
        time.sleep(self._random.uniform(0, most))

    # The moments

    @contextlib.contextmanager
    def _clients(self, moment: str) -> Iterator[None]:
        """Bring the server to a moment; what its clients make of its end, is theirs."""
        if moment == "start-up":
            self._server.kill()
            self._server = self._start()
            yield
            return
        with self._generator() as load:
            assert load.stdin is not None
            assert load.stdout is not None
            if moment == "set-up":
                self._server.says("control connection")
                yield
                return
            report = json.loads(load.stdout.readline())
            assert report["up"] == SESSIONS, report
            if moment != "reload":  # what is not written yet is lost to a kill
                assert eventually(lambda: sum(row.cause is None for row in self._accounted()) == SESSIONS)
            if moment == "traffic":
                with self._flood(report["ends"]):
                    yield
                return
            if moment == "teardown":
                load.stdin.close()
                load.stdin = None
            else:
                self._reload()
            yield

    @contextlib.contextmanager
    def _generator(self) -> Iterator["subprocess.Popen[str]"]:
        command = (sys.executable, "-m", "bench.load", SERVER, "--user", USER, "--password", PASSWORD)
        load = self._client.start(
            *(*command, "--sessions", str(SESSIONS)), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True, **_from_here()
        )
        try:
            yield load
        finally:
            load.kill()
            load.communicate()

    @contextlib.contextmanager
    def _flood(self, ends: list[tuple[str, str]]) -> Iterator[None]:
        command = (sys.executable, "-m", "bench.pulse", "send", "10", "20")
        flood = self._client.start(*command, stdin=PIPE, stdout=DEVNULL, text=True, **_from_here())
        assert flood.stdin is not None
        flood.stdin.write("".join(f"{ours} {theirs}\n" for ours, theirs in ends))
        flood.stdin.close()
        flood.stdin = None
        try:
            yield
        finally:
            flood.kill()
            flood.wait()

    def _reload(self) -> None:
        settings = self._folder / "openpptp.toml"
        text = settings.read_text().replace("[limits]\n", f"[limits]\nsessions = {next(self._reloads)}\n")
        settings.write_text(text)
        self._server.process.send_signal(signal.SIGHUP)

    # The next one

    def _again(self, moment: str) -> Kill:
        """Start the next server and look at everything the killed one could have left."""
        began = time.monotonic()
        self._server = self._start()
        assert eventually(self._listens), self._server.log()
        seconds = time.monotonic() - began
        self._says_serving()
        assert self._lasting() == self._serving, moment
        status = ApiClient(self._runtime / "api.sock").status()
        assert (status["sessions"], status["connections"]) == (0, 0)
        assert eventually(lambda: all(row.cause for row in self._accounted())), moment
        fresh = [row for row in self._accounted() if row.id not in self._known]
        self._known |= {row.id for row in fresh}
        causes = Counter(str(row.cause) for row in fresh)
        right = {"lost", "peer-request"} if moment == "teardown" else {"lost"}
        assert set(causes) <= right, f"{moment}: {causes}"
        assert moment not in ("traffic", "teardown") or causes.total() == SESSIONS
        return Kill(moment, seconds, dict(causes))

    def _listens(self) -> bool:
        with self._client.inside(), contextlib.suppress(OSError), socket.create_connection((SERVER, 1723), 1):
            return True
        return False

    def _accounted(self) -> list[SessionRow]:
        return sessions(self._folder / "accounting.sqlite")


def _from_here() -> dict[str, object]:
    """Return how a program of the bench is started."""
    return {"cwd": REPOSITORY, "env": os.environ | {"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"}}

"""kill -9 at random moments, and how soon the next server listens."""

import statistics
import tempfile
from pathlib import Path

from tests.netns.kills import SESSIONS, Victims
from tests.netns.namespace import Namespace, sweep

from bench.row import Row

COUNT, SEED = 20, 19
LISTENS = 2.0  # seconds


def kills() -> list[Row]:
    """Kill and start again so often; what is left over raises AssertionError."""
    sweep()
    server, client = Namespace("server"), Namespace("client")
    try:
        with tempfile.TemporaryDirectory() as folder:
            victims = Victims(server, client, Path(folder) / "server", SEED)
            done = list(victims.run(COUNT))
            victims.stop()
    finally:
        server.close()
        client.close()
    seconds = [kill.seconds for kill in done]
    lost = sum(kill.causes.get("lost", 0) for kill in done)
    return [
        Row(
            f"kill -9 at {COUNT} random moments of start-up, set-up, traffic, teardown and reload with {SESSIONS} "
            "sessions, until the next server listens",
            f"{max(seconds):.2f} s at the most, {statistics.median(seconds):.2f} s median; device, routes, rules, API "
            f"as of a first start, nothing left after the last; {lost} sessions closed as lost in the accounting",
            f"within {LISTENS:.0f} s, nothing left",
            max(seconds) <= LISTENS,
        )
    ]

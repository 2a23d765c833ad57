"""Forged coherency counts: what they cost the server, and that the session lives."""

import sys

from bench.network import CABLE, INSIDE, Network, finish_helper, hang_up, processor_seconds, start_helper
from bench.row import Row

RATE, SECONDS = 1000, 5
CORE = 0.2


def forged(data_path: str) -> list[Row]:
    """Measure the server's share of a core while 1,000 forged packets a second arrive on a session at rest."""
    with Network() as network, network.session(data_path=data_path) as (server, client):
        process = server.process.pid
        command = (sys.executable, "-m", "bench.forger", CABLE, "--rate", str(RATE), "--seconds", str(SECONDS))
        forger = start_helper(network.client, *command)
        network.client.ping(INSIDE)
        before = processor_seconds(process)
        report = finish_helper(forger)
        core = (processor_seconds(process) - before) / float(report["seconds"])
        lives = network.client.ping(INSIDE, count=20) and client.process.poll() is None
        said, _ = hang_up(server, client)
        refused = sum(int(count) for name, count in said.items() if name.startswith("dropped_"))
    promised = data_path == "engine"
    return [
        Row(
            f"forged coherency counts, {RATE:,} a second, share of a core, {data_path}",
            f"{core:.3f}; of {report['sent']:,} {refused:,} refused; the session {'lives' if lives else 'died'}",
            f"less than {CORE}, and it lives" if promised else "stated only",
            core < CORE and lives and refused > 0 if promised else None,
        )
    ]

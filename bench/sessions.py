"""Many sessions busy at once: what all carry together, to what one of them carries alone."""

import json
import statistics

from bench.callers import BEHIND_SERVER, THEIR_LENGTH
from bench.generator import generator
from bench.helpers import helper
from bench.network import Network, data_path_flags, finish_helper, start_helper
from bench.row import Row, at_least
from bench.throughput import DIRECTIONS

COUNTS = (1, 10, 100, 1000)
TARGET = 0.8  # of one session's, by the most sessions
PORT = "5002"
SECONDS = 2.0
PATIENCE = 90.0

Ends = list[tuple[str, str]]


def sessions(runs: int, data_path: str) -> list[Row]:
    """Measure up, down and both, with one connection in each busy session; all others are open and idle."""
    rows = []
    with (
        Network() as network,
        network.our_server(data_path=data_path),
        generator(network.client, max(COUNTS), *data_path_flags(data_path)) as clients,
    ):
        network.server.ip(f"route add local {BEHIND_SERVER}/{THEIR_LENGTH} dev lo")
        ends = [(ours, theirs) for ours, theirs in clients.report["ends"]]
        for mode, words in DIRECTIONS.items():
            reached = {count: [_blast(network, ends[:count], mode) for _ in range(runs)] for count in COUNTS}
            alone = statistics.median(reached[1])
            for count in COUNTS[1:]:
                total = statistics.median(reached[count])
                promised = count == max(COUNTS) and data_path == "engine"
                rows.append(
                    at_least(
                        f"{count:,} sessions busy at once, {words}, all together to one alone, {data_path}",
                        total / alone,
                        TARGET if promised else None,
                        f"{total / alone:.2f} ({total:,.0f} to {alone:,.0f} Mbit/s)",
                    )
                )
    return rows


def _blast(network: Network, ends: Ends, mode: str) -> float:
    """Return what one busy connection in each session carries, all together, in Mbit/s."""
    program = helper("blast")
    far = start_helper(network.server, program, "serve", PORT, str(len(ends)))
    lines = "".join(f"{ours} {theirs}\n" for ours, theirs in ends)
    command = (program, "connect", PORT, mode, str(SECONDS))
    near = json.loads(network.client.run(*command, input=lines, timeout=PATIENCE).stdout)
    reports = {"up": [finish_helper(far)], "down": [near]}
    heard = reports["up"] + reports["down"] if mode == "both" else reports[mode]
    broken = sum(int(report["broken"]) for report in heard)
    if broken:
        raise RuntimeError(f"{broken} of {len(ends)} connections broke")
    return sum(float(report["octets"]) / float(report["seconds"]) for report in heard) * 8 / 1e6

"""Lines with limits: 100 Mbit/s, packets out of order, packets lost."""

import statistics

from bench.network import CABLE, INSIDE, SERVER, Network, hang_up
from bench.row import Row, at_least, median_ratio, of
from bench.throughput import DIRECTIONS

SECONDS = 4
LINE_MEGABITS = 100
TBF = f"rate {LINE_MEGABITS}mbit burst 32kb latency 30ms"
TCP_HEADERS = 20 + 20 + 12  # IPv4, TCP, its time stamps
ETHERNET = 14  # as tbf counts
TUNNEL_HEADERS = (
    20 + 12 + 1 + 2 + 1
)  # IPv4, GRE with its number, PPP's compressed protocol, MPPE, the datagram's protocol
REORDERED, LOST = 50, 10  # of 1,000


def line(runs: int, data_path: str) -> list[Row]:
    """Measure TCP over a line of 100 Mbit/s, to what the headers leave of it."""
    rows = []
    with Network() as network, network.session(data_path=data_path):
        for namespace in (network.server, network.client):
            namespace.run("tc", "qdisc", "replace", "dev", CABLE, "root", "tbf", *TBF.split())
        for mode in ("up", "down"):
            plain = [network.iperf(SERVER, SECONDS, mode) for _ in range(runs)]
            inside = [network.iperf(INSIDE, SECONDS, mode) for _ in range(runs)]
            segment = inside[0].segment
            left = LINE_MEGABITS * segment / (segment + TCP_HEADERS + TUNNEL_HEADERS + ETHERNET)
            ratio = statistics.median(one.megabits for one in inside) / left
            beside = statistics.median(
                one.megabits / LINE_MEGABITS * (one.segment + TCP_HEADERS + ETHERNET) / one.segment for one in plain
            )
            rows.append(
                at_least(
                    f"a line of 100 Mbit/s, {DIRECTIONS[mode]}, goodput to what headers leave, {data_path}",
                    ratio,
                    0.98 if data_path == "engine" else None,
                    f"{ratio:.3f} ({ratio * left:.1f} of {left:.1f} Mbit/s; plain TCP {beside:.3f})",
                )
            )
    return rows


def reordering(runs: int, data_path: str) -> list[Row]:
    """Measure with 5 % of the packets out of order, beside the same relay without."""
    straight, crooked, missing = _relayed(runs, data_path, reordered=REORDERED)
    rows = [
        at_least(
            f"5 % reordered by up to 8 places, {DIRECTIONS[mode]}, to without, {data_path}",
            median_ratio(crooked[mode], straight[mode]),
            0.7 if data_path == "engine" else None,
            of(crooked[mode], straight[mode], "Mbit/s"),
        )
        for mode in straight
    ]
    lost = sum(missing)
    promised = data_path == "engine"
    rows.append(
        Row(
            f"5 % reordered by up to 8 places, packets lost to the tunnel, {data_path}",
            f"{lost} ({', '.join(map(str, missing))} a run)",
            "0" if promised else "stated only",
            lost == 0 if promised else None,
        )
    )
    return rows


def loss(runs: int, data_path: str) -> list[Row]:
    """Measure with 1 % of the packets lost, beside the same relay without."""
    straight, crooked, _ = _relayed(runs, data_path, lost=LOST)
    return [
        Row(f"1 % lost, {DIRECTIONS[mode]}, to without, {data_path}", of(crooked[mode], straight[mode], "Mbit/s"))
        for mode in straight
    ]


def _relayed(
    runs: int, data_path: str, **faults: int
) -> tuple[dict[str, list[float]], dict[str, list[float]], list[int]]:
    """Return what comes through without and with faults, in Mbit/s, and how many packets the tunnel missed each run."""
    straight: dict[str, list[float]] = {"up": [], "down": []}
    crooked: dict[str, list[float]] = {"up": [], "down": []}
    missing = []
    with Network(relay=True) as network:
        for seed in range(1, runs + 1):
            with network.relaying(seed=seed), network.session(data_path=data_path):
                _both_ways(network, straight)
            with (
                network.relaying(**faults, seed=seed) as report,
                network.session(data_path=data_path) as (server, client),
            ):
                _both_ways(network, crooked)
                said = hang_up(server, client)
            # What relay and cables could not take is not the tunnel's fault.
            missing.append(max(0, sum(int(words.get("lost", 0)) for words in said) - report["overrun"]))
    return straight, crooked, missing


def _both_ways(network: Network, into: dict[str, list[float]]) -> None:
    for mode, reached in into.items():
        reached.append(network.iperf(INSIDE, SECONDS // 2, mode).megabits)

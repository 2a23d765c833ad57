"""Small packets and short ways: packets a second through one session, and the delay it adds when idle."""

import json
import re
import statistics

from bench.helpers import helper
from bench.network import CLIENT, INSIDE, POOL, SERVER, Network, finish_helper, start_helper
from bench.row import Row, at_least, at_most

SIZES = {64: 200_000, 512: None, 1400: None}
"Octets of the inner IP packet; packets a second that are promised."
PORT = "5001"
SECONDS = 1.0
FIRST_RATE = 50_000
STEP = 1.3
MOST_STEPS = 14
KEPT_UP = 0.98


def packets(runs: int, data_path: str) -> list[Row]:
    """Find the rate at which most arrive, for each size; then measure it so many times."""
    rows = []
    with Network() as network, network.session(data_path=data_path):
        for size, target in SIZES.items():
            rate = _best_rate(network, size)
            arrived = [_arrived(network, size, rate) for _ in range(runs)]
            number = statistics.median(arrived)
            rows.append(
                at_least(
                    f"packets a second, {size}-octet packets, one session, one direction (up), {data_path}",
                    number,
                    target if data_path == "engine" else None,
                    f"{number:,.0f} of {rate:,.0f} offered (runs {min(arrived):,.0f} to {max(arrived):,.0f})",
                )
            )
    return rows


def generator(size: int = 64) -> Row:
    """Measure generator and sink alone, on the plain cable: they must not be what is measured."""
    with Network() as network:
        number = _arrived(network, size, 0, source=CLIENT, target=SERVER)
    return Row(f"packets a second, {size} octets, generator and sink alone on the cable", f"{number:,.0f}")


def _best_rate(network: Network, size: int) -> float:
    """Offer more and more while most of it arrives; return the rate at which most arrived."""
    rate, best, best_rate = float(FIRST_RATE), 0.0, float(FIRST_RATE)
    misses = 0
    for _ in range(MOST_STEPS):
        arrived = _arrived(network, size, rate)
        if arrived > best:
            best, best_rate = arrived, rate
        misses = misses + 1 if arrived < KEPT_UP * rate else 0
        if misses == 3:
            break
        rate *= STEP
    return best_rate


def _arrived(network: Network, size: int, rate: float, *, source: str = "", target: str = INSIDE) -> float:
    """Return how many packets a second arrive of what is sent at a rate; 0 is as fast as it goes."""
    program = helper("flood")
    sink = start_helper(network.server, program, "sink", target, PORT)
    source = source or _client_address(network)
    command = (program, "send", source, target, PORT, str(size), str(rate), str(SECONDS))
    sent = json.loads(network.client.run(*command).stdout)
    heard = finish_helper(sink)
    return float(heard["received"]) / max(float(sent["seconds"]), float(heard["seconds"]))


def _client_address(network: Network) -> str:
    beginning = POOL.rpartition(".0.0")[0]
    found = re.search(rf"inet ({re.escape(beginning)}[\d.]+)", network.client.run("ip", "-4", "address").stdout)
    if found is None:
        raise RuntimeError("the client has no inside address")
    return found[1]


def latency(runs: int, data_path: str) -> list[Row]:
    """Measure pings inside and outside, in turn: packed closely, and rare enough for everything to fall asleep."""
    rows = []
    with Network() as network, network.session(data_path=data_path):
        for interval, count, target in ((0.01, 200, 100.0), (0.3, 10, None)):
            outside, inside = [], []
            for _ in range(runs):
                outside.append(_ping(network, SERVER, interval, count))
                inside.append(_ping(network, INSIDE, interval, count))
            added = statistics.median(one - other for one, other in zip(inside, outside, strict=True))
            rows.append(
                at_most(
                    f"added latency, idle, microseconds, a ping every {interval * 1000:.0f} ms, {data_path}",
                    added,
                    target if data_path == "engine" else None,
                    f"{added:.0f} ({statistics.median(inside):.0f} inside, {statistics.median(outside):.0f} outside)",
                )
            )
    return rows


def _ping(network: Network, address: str, interval: float, count: int) -> float:
    """Return the median round trip in microseconds."""
    said = network.client.run("ping", "-n", "-i", str(interval), "-c", str(count), address, timeout=60).stdout
    trips = [float(trip) for trip in re.findall(r"time=([\d.]+) ms", said)]
    if len(trips) < count * 0.9:
        raise RuntimeError(f"{len(trips)} of {count} pings were answered")
    return statistics.median(trips) * 1000

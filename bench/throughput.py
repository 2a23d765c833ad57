"""One session: TCP through the tunnel to plain TCP on the same cable, offloads off."""

from dataclasses import dataclass

from bench.network import INSIDE, SERVER, Network
from bench.row import Row, at_least, median_ratio, of

SECONDS = 2
DIRECTIONS = {"up": "client to server", "down": "server to client", "both": "both ways at once"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to run the session, with what it must reach each way."""

    words: str
    encrypted: bool
    target: float | None
    aim: float | None = None


MPPE = Kind("MPPE 128 stateless", True, 0.28, 0.4)
CLEAR = Kind("no MPPE", False, 0.4)
KINDS = (MPPE, CLEAR)


def throughput(runs: int, data_path: str) -> list[Row]:
    """Measure with and without MPPE, up, down and both."""
    rows = []
    for kind in KINDS:
        for mode, row in measure(kind, runs, data_path).items():
            promised = data_path == "engine" and mode != "both"
            subject = f"one session, TCP, {kind.words}, {DIRECTIONS[mode]}, {data_path}, to plain TCP"
            rows.append(
                at_least(
                    subject, median_ratio(*row), kind.target if promised else None, of(*row, "Mbit/s"), aim=kind.aim
                )
            )
    return rows


def reference(runs: int) -> list[Row]:
    """Measure the reference data path beside it."""
    measured = measure(MPPE, runs, "reference", modes=("up", "down"))
    return [
        Row(f"one session, TCP, {MPPE.words}, {DIRECTIONS[mode]}, reference, to plain TCP", of(*row, "Mbit/s"))
        for mode, row in measured.items()
    ]


def measure(
    kind: Kind, runs: int, data_path: str, *, modes: tuple[str, ...] = tuple(DIRECTIONS)
) -> dict[str, tuple[list[float], list[float]]]:
    """Return for each direction what came through the tunnel and plainly, run by run in turn, in Mbit/s."""
    measured: dict[str, tuple[list[float], list[float]]] = {mode: ([], []) for mode in modes}
    with Network() as network, network.session(data_path=data_path, encrypted=kind.encrypted):
        for _ in range(runs):
            for mode, (inside, plain) in measured.items():
                plain.append(network.iperf(SERVER, SECONDS, mode).megabits)
                inside.append(network.iperf(INSIDE, SECONDS, mode).megabits)
    return measured

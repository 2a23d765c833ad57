"""`scripts/bench`: measure and print one table; --write puts it into bench/RESULTS.md with date and machine."""

import argparse
import datetime as dt
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from bench import measures
from bench.measures import Row

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = "| what | reached | target | met |\n|---|---|---|---|"


def subjects(runs: int) -> dict[str, Callable[[], list[Row]]]:
    """Return what can be measured, by name, in the order of the table."""
    return {
        "windows7": lambda: measures.windows7(max(runs, 10)),
        "real-client": lambda: real_client(max(runs, 10)),
        "set-ups": lambda: measures.set_ups(1000, runs),
        "throughput": lambda: measures.throughput(4, runs),
    }


def real_client(runs: int) -> list[Row]:
    """Measure log-ins of the real pptp-linux and pppd; apart, since it needs a guest."""
    from bench.real_client import log_ins  # noqa: PLC0415

    return log_ins(runs)


def machine() -> str:
    """Name what this was measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, Python {platform.python_version()}"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(subjects(1)), help="subject; may repeat")
    parser.add_argument("--runs", type=int, default=5, help="runs whose median counts (default 5)")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    given = parser.parse_args()
    if os.geteuid():
        sys.exit("scripts/bench: makes network namespaces; run it as root (sudo)")
    lines = [f"Measured {dt.datetime.now(tz=dt.UTC):%Y-%m-%d} on {machine()}.", "", HEAD]
    for name, measure in subjects(given.runs).items():
        if not given.only or name in given.only:
            lines += map(str, measure())
    text = "\n".join(lines) + "\n"
    sys.stdout.write(text)
    if given.write:
        RESULTS.write_text(
            f"# What was measured\n\nBy `scripts/bench --write`; medians of {given.runs} runs.\n\n{text}"
        )


if __name__ == "__main__":
    main()

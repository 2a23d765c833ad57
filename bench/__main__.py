"""`scripts/bench`: measure and print one table; --write puts it into bench/RESULTS.md with date and machine."""

import argparse
import datetime as dt
import importlib
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.network import DATA_PATHS
from bench.row import Row

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = "| what | reached | target | met |\n|---|---|---|---|"


def of(module: str, function: str) -> Callable[..., list[Row]]:
    """Return a function of a module of the bench, imported when it is called: not all need what one needs."""

    def call(*arguments: object) -> list[Row]:
        rows: list[Row] = getattr(importlib.import_module(f"bench.{module}"), function)(*arguments)
        return rows

    return call


def subjects(runs: int, data_path: str) -> dict[str, Callable[[], list[Row]]]:
    """Return what can be measured, by name, in the order of the table."""
    return {
        "windows7": lambda: of("set_ups", "windows7")(max(runs, 10)),
        "real-client": lambda: of("real_client", "log_ins")(max(runs, 10)),
        "our-client": lambda: of("our_client", "log_ins")(max(runs, 10)),
        "comes-back": lambda: of("our_client", "comes_back")(runs),
        "pptpd": lambda: of("our_client", "to_pptpd")(max(runs, 10)),
        "set-ups": lambda: of("set_ups", "set_ups")(1000, runs),
        "steady": lambda: of("set_ups", "steady")(runs),
        "held": of("held", "held"),
        "endings": of("endings", "endings"),
        "kills": of("kills", "kills"),
        "throughput": lambda: of("throughput", "throughput")(runs, data_path),
        "crypto": of("engine", "crypto"),
        "sessions": lambda: of("sessions", "sessions")(runs, data_path),
        "packets": lambda: of("packets", "packets")(runs, data_path),
        "latency": lambda: of("packets", "latency")(runs, data_path),
        "line": lambda: of("line", "line")(runs, data_path),
        "reordering": lambda: of("line", "reordering")(runs, data_path),
        "loss": lambda: of("line", "loss")(runs, data_path),
        "memory": of("engine", "memory"),
        "forged": lambda: of("forged", "forged")(data_path),
        "door": of("guard", "door"),
        "floods": of("guard", "floods"),
        "reference": lambda: of("throughput", "reference")(runs),
        "guest": lambda: of("guest", "guest")(min(runs, 3), data_path),
        "profile": lambda: of("processor", "profile")(data_path),
    }


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


def versions() -> str:
    """Name the programs that took part."""
    asked = {
        "gcc": ("gcc", "-dumpfullversion"),
        "iperf3": ("iperf3", "--version"),
        "pppd": ("pppd", "--version"),
        "pptpd": ("pptpd", "--version"),
        "pptp": ("pptp", "--version"),
    }
    return "With " + ", ".join(f"{name} {_version(*command)}" for name, command in asked.items()) + "."


def _version(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "(not there)"
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "(unknown)"


def rows_of(name: str, measure: Callable[[], list[Row]]) -> list[Row]:
    """Measure one subject; what cannot be measured says why, and the others go on."""
    sys.stderr.write(f"{name} ...\n")
    began = time.monotonic()
    try:
        rows = measure()
    except Exception as reason:
        rows = [Row(name, f"not measured: {' '.join(str(reason).split())[-300:]}", "", False)]
    sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return rows


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(subjects(1, "")), help="subject; may repeat")
    parser.add_argument("--runs", type=int, default=5, help="runs whose median counts (default 5)")
    parser.add_argument("--data-path", choices=DATA_PATHS, default=DATA_PATHS[0], help="what carries the packets")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md; with --only these rows of it")
    given = parser.parse_args()
    if os.geteuid():
        sys.exit("scripts/bench: makes network namespaces; run it as root (sudo)")
    lines = [f"Measured {dt.datetime.now(tz=dt.UTC):%Y-%m-%d} on {machine()}. {versions()}", "", HEAD]
    sys.stdout.write("\n".join(lines) + "\n")
    for name, measure in subjects(given.runs, given.data_path).items():
        if not given.only or name in given.only:
            for row in rows_of(name, measure):
                lines.append(str(row))
                sys.stdout.write(f"{row}\n")
                sys.stdout.flush()
    if given.write and given.only:
        RESULTS.write_text(replaced(RESULTS.read_text(), lines[3:]))
    elif given.write:
        text = "\n".join(lines)
        RESULTS.write_text(
            f"# What was measured\n\nBy `scripts/bench --write`; medians of {given.runs} runs.\n\n{text}\n"
        )


def replaced(table: str, rows: list[str]) -> str:
    """Return the text with these rows in place of those on the same subject; new ones at the first table's end."""
    new = {row.split(" | ")[0]: row for row in rows}
    lines = [new.pop(line.split(" | ")[0], line) for line in table.splitlines()]
    begin = lines.index(HEAD.splitlines()[1])
    end = next((number for number, line in enumerate(lines) if number > begin and not line.startswith("|")), len(lines))
    return "\n".join([*lines[:end], *new.values(), *lines[end:]]) + "\n"


if __name__ == "__main__":
    main()

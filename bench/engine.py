"""The engine by itself: its cipher beside the kernel's algorithm, its memory for each call."""

import json
import subprocess
from typing import Any

from bench.helpers import engine_helper
from bench.row import Row, at_most

CALLS = 10_000
EACH_KILOBYTES, ALL_MEGABYTES = 2, 64
CRYPTO, CRYPTO_AIM = 0.5, 0.4
SHAPES = {
    "bulk_1400": "1,400-octet packets of one session, in batches",
    "bulk_64": "64-octet packets of one session, in batches",
    "sessions_1400": "1,400-octet packets, each of another session",
    "alone_1400": "1,400-octet packets, one at a time",
}
"By the names native/bench/crypto.c gives them."


def crypto() -> list[Row]:
    """Measure key change, key schedule and cipher of a packet, to the kernel's algorithm, on one core."""
    report = _run("crypto")
    rows = []
    for shape, words in SHAPES.items():
        one = report[shape]
        reached = f"{one['ratio']:.3f} ({one['ours']:,.0f} of {one['kernel']:,.0f} ns)"
        target = CRYPTO if shape == "bulk_1400" else None
        rows.append(
            at_most(f"crypto, {words}, to the kernel's algorithm", one["ratio"], target, reached, aim=CRYPTO_AIM)
        )
    return rows


def memory() -> list[Row]:
    """Measure the engine's resident memory with many calls."""
    report = _run("calls", str(CALLS))
    if report["arrived"] != report["expected"]:
        raise RuntimeError(f"{report['arrived']} of {report['expected']} packets passed")
    each = {when: (report[when] - report["before"]) / CALLS / 1024 for when in ("opened", "busy", "idle")}
    whole = report["opened"] / 2**20
    words = (
        f"{each['opened']:.2f} ({each['busy']:.2f} with the last seconds' keys of all of them, "
        f"{each['idle']:.2f} once they rest)"
    )
    return [
        at_most(f"engine memory, KB per idle call, {CALLS:,} open", each["opened"], EACH_KILOBYTES, words),
        at_most(f"engine memory in all, MB, {CALLS:,} calls open", whole, ALL_MEGABYTES, f"{whole:.1f}"),
    ]


def _run(name: str, *words: str) -> dict[str, Any]:
    command = [engine_helper(name), *words]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    report: dict[str, Any] = json.loads(said)
    return report

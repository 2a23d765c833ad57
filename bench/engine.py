"""The engine by itself: its cipher beside the kernel's algorithm, its memory for each call."""

import json
import statistics
import subprocess
from typing import Any

from bench.helpers import engine_helper
from bench.row import Row, at_most

CALLS = 10_000
EACH_KILOBYTES, ALL_MEGABYTES = 2, 64
CRYPTO, CRYPTO_AIM = 0.5, 0.4


def crypto(runs: int) -> list[Row]:
    """Measure key change, key schedule and cipher of a 1,400-octet packet, to the kernel's algorithm, on one core."""
    reports = [_run("crypto") for _ in range(runs)]
    ours, kernel = ([float(report[name]) for report in reports] for name in ("engine_ns", "kernel_ns"))
    ratio = statistics.median(one / other for one, other in zip(ours, kernel, strict=True))
    return [
        at_most(
            "crypto of a 1,400-octet packet, MPPE 128 stateless, to the kernel's algorithm",
            ratio,
            CRYPTO,
            f"{ratio:.3f} ({statistics.median(ours):,.0f} of {statistics.median(kernel):,.0f} ns)",
            aim=CRYPTO_AIM,
        )
    ]


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
    said = subprocess.run([engine_helper(name), *words], capture_output=True, text=True, timeout=120, check=True).stdout
    report: dict[str, Any] = json.loads(said)
    return report

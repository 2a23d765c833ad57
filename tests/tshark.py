"""tshark as a judge that nobody here wrote.

    complaints = judge(path)             everything malformed, every expert warning or error, as sentences
    rows = fields(path, "pptp", "pptp.type", "pptp.call_id")

Without tshark a test is skipped, saying so; with CI=true that counts as a failure (tests/conftest.py).
"""

import subprocess
from pathlib import Path

from tests.machine import need_programs

WARNING = 0x00600000


def fields(path: Path, display_filter: str, *names: str, options: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the named fields of every packet the filter lets through; several values are joined by a comma."""
    need_programs("tshark")
    command = ["tshark", "-n", "-r", str(path), "-Y", display_filter, "-T", "fields", *options]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def judge(path: Path, *, allowed: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> list[str]:
    """Return what tshark objects to; a complaint with one of the allowed texts in it is left out."""
    rows = fields(
        path,
        f"_ws.malformed || _ws.expert.severity >= {WARNING}",
        "frame.number",
        "_ws.col.Protocol",
        "_ws.expert.severity",
        "_ws.expert.message",
        options=(*options, "-E", "aggregator=|"),
    )
    complaints = []
    for number, protocol, severities, messages in rows:
        for severity, message in zip(severities.split("|"), messages.split("|"), strict=False):
            serious = not severity or int(severity) >= WARNING
            if serious and not any(text in message for text in allowed):
                complaints.append(f"frame {number}, {protocol}: {message or 'malformed'}")
    return complaints

"""The clients that live on this machine, by the files they keep in /run; anybody may ask."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CLIENTS = Path("/run/openpptp-client")
NAME = "state.json"
LARGEST = 1 << 16  # ours: octets of a state file


def running(directory: Path) -> Iterator[dict[str, Any]]:
    """Yield the state of each client that lives, as JSON has it."""
    for path in sorted(directory.glob(f"*/{NAME}")):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            with path.open(encoding="utf-8") as file:
                facts = json.loads(file.read(LARGEST))
            if started(int(facts["process"])) == facts["process_started"]:
                yield facts


def started(process: int) -> int:
    """Return when a process began, in ticks since boot; raise OSError when there is none."""
    # After the name, which may hold anything, the 22nd field of proc(5)'s stat is the 20th.
    return int(Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])

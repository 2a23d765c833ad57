"""What stands in /run of a kill switch that holds: for the next start, which takes it over, and for who asks."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from openpptp.errors import SetupError
from openpptp.net.journal import world

NAME = "kill-switch.json"
LARGEST = 1 << 16  # ours: octets of the file


@dataclass(frozen=True, slots=True)
class Record:
    """Whose kill switch holds, and what it lets out."""

    interface: str
    profile: str | None
    since: str
    "In UTC."
    port: int
    servers: dict[str, list[str]]
    "The addresses of each name: no name is looked up while it holds."
    lan: bool

    def addresses(self) -> list[str]:
        """Return the addresses of all servers."""
        return list(dict.fromkeys(address for found in self.servers.values() for address in found))


def read(directory: Path) -> Record | None:
    """Return what is written down; None when there is nothing, or it is of another boot or network namespace."""
    try:
        with (directory / NAME).open(encoding="utf-8") as file:
            facts = json.loads(file.read(LARGEST))
        return Record(**facts["record"]) if facts["world"] == world() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(directory: Path, record: Record) -> None:
    """Write it down, where everybody may read it; raise SetupError in words."""
    path = directory / NAME
    draft = path.with_suffix(".new")
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft.write_text(json.dumps({"world": world(), "record": asdict(record)}), encoding="utf-8")
        draft.chmod(0o644)
        os.replace(draft, path)
    except OSError as error:
        raise SetupError(f"cannot write {path}, which says whose kill switch holds: {error.strerror}") from error


def remove(directory: Path) -> None:
    """Forget it."""
    with contextlib.suppress(OSError):
        (directory / NAME).unlink()

"""What the service is installed on, and what it runs."""

import contextlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

from openpptp.daemon.service.record import Record
from openpptp.daemon.service.systemd import Systemd
from openpptp.daemon.service.unit import STATE_DIRECTORY

RECORD_DIRECTORY = Path("/etc/openpptp")
"Root's alone: what lies in the server's own directories could be a trap for whoever removes the service."


@dataclass(frozen=True, slots=True)
class Machine:
    """What the service is installed on; root stands before each path, so that a test has a machine of its own."""

    root: Path = Path("/")
    systemctl: str = "systemctl"
    systemd: Systemd = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "systemd", Systemd(self.root, self.systemctl))

    def record(self) -> Record:
        """Return what was written down of an installation."""
        return Record(self.root / RECORD_DIRECTORY.relative_to("/"))

    def remove_empty(self) -> None:
        """Remove what systemd made for the service to write to, unless something lies in it."""
        with contextlib.suppress(OSError):
            (self.root / STATE_DIRECTORY.relative_to("/")).rmdir()


def own_command() -> tuple[str, ...]:
    """Return the command that runs this very program."""
    script = Path(sys.executable).with_name("openpptp")
    return (str(script),) if script.is_file() else (sys.executable, "-m", "openpptp")

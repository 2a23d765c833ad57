"""Asks and steers systemd by its program systemctl."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openpptp.daemon.service.unit import NAME
from openpptp.errors import SetupError

PATIENCE = 120.0  # ours: seconds; a start may take the 60 its unit allows
ASKED = (
    *("LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID", "ActiveEnterTimestamp", "NRestarts"),
    *("Result", "StatusText", "NeedDaemonReload", "FragmentPath", "DropInPaths"),
)


@dataclass(frozen=True, slots=True)
class State:
    """What systemd says of a unit."""

    facts: Mapping[str, str]

    @property
    def installed(self) -> bool:
        """Whether there is such a unit."""
        return self.facts.get("LoadState") not in {None, "", "not-found"}

    @property
    def enabled(self) -> bool:
        """Whether it is started at each boot."""
        return self.facts.get("UnitFileState", "").startswith("enabled")

    @property
    def active(self) -> bool:
        """Whether it runs, or is about to."""
        return self.facts.get("ActiveState") in {"active", "activating", "reloading"}

    @property
    def words(self) -> str:
        """The state as `systemctl status` writes it."""
        sub = self.facts.get("SubState", "")
        return f"{self.facts.get('ActiveState') or 'unknown'}{f' ({sub})' if sub else ''}"

    @property
    def process(self) -> int | None:
        """The main process, when there is one."""
        return int(self.facts.get("MainPID") or 0) or None


class Systemd:
    """The systemd of this machine; root stands before each path, so that a test has a machine of its own."""

    def __init__(self, root: Path = Path("/"), systemctl: str = "systemctl") -> None:
        """Remember where units lie and what to run."""
        self._systemctl = systemctl
        self.unit_file = root / "etc/systemd/system" / NAME
        self._booted = root / "run/systemd/system"

    def runs(self) -> bool:
        """Tell whether systemd is what this machine was started with (sd_booted(3))."""
        return self._booted.is_dir()

    def version(self) -> int:
        """Return its version; 0 when it does not say."""
        words = self._run("--version").split()
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0

    def state(self, name: str = NAME) -> State:
        """Return what it knows of a unit."""
        lines = self._run("show", name, f"--property={','.join(ASKED)}").splitlines()
        return State(dict(line.split("=", 1) for line in lines if "=" in line))

    def do(self, *words: str) -> None:
        """Run systemctl; raise SetupError with its own words when it fails."""
        self._run(*words)

    def _run(self, *words: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - arguments are ours, no shell
                [self._systemctl, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
                env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
            )
        except FileNotFoundError:
            raise SetupError("the program systemctl is missing; install the package systemd", exit_code=3) from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetupError(f"systemctl {' '.join(words)} did not end well: {error}") from None
        if done.returncode != 0:
            said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
            raise SetupError(f"systemctl {' '.join(words)} failed: {said}")
        return done.stdout

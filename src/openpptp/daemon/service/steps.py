"""The steps of an installation: each can be told before, taken, and taken back."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openpptp.daemon.service.systemd import Systemd
from openpptp.daemon.service.unit import NAME, is_ours
from openpptp.errors import SetupError


class Step(Protocol):
    """One change of this machine."""

    @property
    def name(self) -> str:
        """What the record calls it."""

    def describe(self) -> list[str]:
        """Say what it does, a line each."""

    def done(self) -> bool:
        """Whether there is nothing to do."""

    def apply(self) -> None:
        """Do it; raises SetupError."""

    def undo(self) -> None:
        """Take it back; what is not there is no error. Raises SetupError."""


@dataclass(frozen=True, slots=True)
class UnitFile:
    """The unit lies where systemd finds it."""

    systemd: Systemd
    text: str = ""
    name: str = "unit"

    def describe(self) -> list[str]:
        """Give the file, whole."""
        return [f"write {self.systemd.unit_file}:", *(f"    {line}".rstrip() for line in self.text.splitlines())]

    def done(self) -> bool:
        """Whether the file is the very same."""
        return read_unit(self.systemd.unit_file) == self.text

    def apply(self) -> None:
        """Write it whole, never half; raise SetupError when somebody else's lies there."""
        path = self.systemd.unit_file
        before = read_unit(path)
        if before is not None and not is_ours(before):
            raise SetupError(f"{path} was not written by openpptp; move it away, or keep it and leave install be")
        draft = path.with_name(f".{NAME}.new")
        try:
            draft.write_text(self.text, encoding="utf-8")
            draft.chmod(0o644)
            os.replace(draft, path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            exit_code = 3 if isinstance(error, PermissionError) else 1
            raise SetupError(
                f"cannot write {path}: {error.strerror}; run as root (sudo)", exit_code=exit_code
            ) from None
        self.systemd.do("daemon-reload")

    def undo(self) -> None:
        """Remove it, if it is ours."""
        path = self.systemd.unit_file
        before = read_unit(path)
        if before is None or not is_ours(before):
            return
        try:
            path.unlink()
        except OSError as error:
            raise SetupError(f"cannot remove {path}: {error.strerror}") from None
        self.systemd.do("daemon-reload")


@dataclass(frozen=True, slots=True)
class Enabled:
    """It starts at each boot."""

    systemd: Systemd
    name: str = "enabled"

    def describe(self) -> list[str]:
        """Give the command."""
        return [f"run systemctl enable {NAME}: it starts at each boot"]

    def done(self) -> bool:
        """Whether it is."""
        return self.systemd.state().enabled

    def apply(self) -> None:
        """Enable it."""
        self.systemd.do("enable", NAME)

    def undo(self) -> None:
        """Disable it."""
        if self.systemd.state().enabled:
            self.systemd.do("disable", NAME)


@dataclass(frozen=True, slots=True)
class Started:
    """It runs."""

    systemd: Systemd
    name: str = "started"

    def describe(self) -> list[str]:
        """Give the command."""
        return [f"run systemctl start {NAME}"]

    def done(self) -> bool:
        """Whether it does."""
        return self.systemd.state().active

    def apply(self) -> None:
        """Start it; raise SetupError with the reason the server gave."""
        try:
            self.systemd.do("start", NAME)
        except SetupError as error:
            why = self.systemd.state().facts.get("StatusText") or str(error)
            raise SetupError(f"the server did not start: {why} (its log: journalctl -u openpptp -n 20)") from None

    def undo(self) -> None:
        """Stop it, and let systemd forget that it failed."""
        state = self.systemd.state()
        if state.installed:
            self.systemd.do("stop", NAME)
            if self.systemd.state().facts.get("ActiveState") == "failed":
                self.systemd.do("reset-failed", NAME)


def read_unit(path: Path) -> str | None:
    """Return the unit as it lies there; None when there is none. Raises SetupError."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"{path}: cannot be read: {error.strerror}") from None


def all_steps(systemd: Systemd, text: str = "") -> list[Step]:
    """Return the steps in the order of an installation; text is the unit's, which undoing does not need."""
    return [UnitFile(systemd, text), Enabled(systemd), Started(systemd)]


def words(step: Step) -> str:
    """Return a step in one line."""
    return step.describe()[0].removesuffix(":")

"""What `service install` did to this machine, written down before each step, for `service remove` to take back."""

import json
from collections.abc import Sequence
from pathlib import Path

from openpptp.daemon.service.source import Source
from openpptp.errors import SetupError

NAME = "service.json"


class Record:
    """The steps taken so far, on disk."""

    def __init__(self, directory: Path) -> None:
        """Read what was written before; a damaged record counts as none."""
        self._path = directory / NAME
        self._made_directory = False
        self.steps: list[str] = []
        self.source: Source | None = None
        "The settings it was installed with."
        self._read()

    def begin(self, source: Source) -> None:
        """Note which settings the service runs with."""
        self._made_directory |= not self._path.parent.exists()
        self.source = source
        self._write()

    def note(self, step: str) -> None:
        """Write down a step that is about to be taken; a second time is no error."""
        if step not in self.steps:
            self.steps.append(step)
            self._write()

    def strike(self, steps: Sequence[str]) -> None:
        """Strike out steps that are undone; with the last one the record itself goes."""
        self.steps = [step for step in self.steps if step not in steps]
        if self.steps:
            self._write()
        else:
            self.discard()

    def discard(self) -> None:
        """Remove the record, and its directory when install made it and nothing else lies there."""
        try:
            self._path.unlink(missing_ok=True)
            if self._made_directory and not any(self._path.parent.iterdir()):
                self._path.parent.rmdir()
        except OSError as error:
            raise SetupError(f"cannot remove {self._path}: {error.strerror}") from None

    def _read(self) -> None:
        try:
            match json.loads(self._path.read_text(encoding="utf-8")):
                case {"settings": str(path), "pptpd": bool(pptpd), "made_directory": bool(made), "steps": [*steps]}:
                    self.source = Source(Path(path), pptpd=pptpd)
                    self._made_directory = made
                    self.steps = [step for step in steps if isinstance(step, str)]
        except (OSError, ValueError):
            return

    def _write(self) -> None:
        assert self.source is not None
        facts = {
            "settings": str(self.source.path),
            "pptpd": self.source.pptpd,
            "made_directory": self._made_directory,
            "steps": self.steps,
        }
        draft = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            draft.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            exit_code = 3 if isinstance(error, PermissionError) else 1
            sentence = f"cannot write {self._path}, which says how to undo the installation: {error.strerror}"
            raise SetupError(f"{sentence}; run as root (sudo)", exit_code=exit_code) from None

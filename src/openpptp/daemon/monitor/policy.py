"""What the monitor allows: the files, programs and socket of settings that it has from root, never from the server.

Light on purpose: the monitor holds all it imports for as long as the server runs.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from openpptp.backends.secrets_words import split_lines
from openpptp.daemon.hook_programs import HookEvent
from openpptp.daemon.monitor.wire import BadRequest

if TYPE_CHECKING:
    from openpptp.daemon.config import Settings

LARGEST_SECRETS = 16 * 1024 * 1024  # octets; as backends/secrets_file.MAX_FILE, which is too heavy to import
MOST_LINKS = 10  # ours: links of links; the kernel follows 40


@dataclass(frozen=True, slots=True)
class Policy:
    """What one reading of the settings allows."""

    uid: int
    "The user the server runs as."
    files: tuple[Path, ...]
    "Secrets files."
    directory: Path | None = None
    "Of hooks."
    commands: Mapping[HookEvent, Path] = field(default_factory=dict)
    timeout: float = 30.0
    socket: Path = Path()
    "The API's."
    group: str | None = None
    "Who may use that socket."

    def encode(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "uid": self.uid,
            "files": list(map(str, self.files)),
            "directory": str(self.directory) if self.directory is not None else None,
            "commands": {event.value: str(path) for event, path in self.commands.items()},
            "timeout": self.timeout,
            "socket": str(self.socket),
            "group": self.group,
        }

    @classmethod
    def decode(cls, values: Mapping[str, Any]) -> Self:
        """Read what encode wrote; raise BadRequest for anything else."""
        try:
            return cls(
                int(values["uid"]),
                tuple(map(Path, values["files"])),
                Path(values["directory"]) if values["directory"] is not None else None,
                {HookEvent(event): Path(path) for event, path in values["commands"].items()},
                float(values["timeout"]),
                Path(values["socket"]),
                values["group"],
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadRequest("no policy") from None


def policy_of(settings: "Settings", uid: int) -> Policy:
    """Return what these settings allow a server that runs as uid."""
    files = dict.fromkeys(file for file in (settings.users.file, settings.users.pap_file) if file is not None)
    return Policy(
        uid,
        tuple(file.absolute() for file in files),
        settings.hooks.directory,
        settings.hooks.commands(),
        settings.hooks.timeout,
        (settings.server.runtime_directory / "api.sock").absolute(),
        settings.admin.group,
    )


class NamedSecrets:
    """The files that secrets files name in place of a secret (@/path); read again only when one has changed."""

    def __init__(self) -> None:
        """Know of none."""
        self._known: dict[Path, tuple[tuple[int, int, int], frozenset[Path]]] = {}

    def of(self, file: Path) -> frozenset[Path]:
        """Return the files a secrets file names; none when it cannot be read."""
        try:
            with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
                status = os.fstat(opened.fileno())
                mark = status.st_mtime_ns, status.st_ino, status.st_size
                known = self._known.get(file)
                if known is None or known[0] != mark:
                    known = mark, named_in(opened.read(LARGEST_SECRETS))
                    self._known[file] = known
        except OSError:
            return frozenset()
        return known[1]


def named_in(data: bytes) -> frozenset[Path]:
    """Return the files that the octets of a secrets file name."""
    if b"@/" not in data:
        return frozenset()  # most files; a large one takes seconds to split
    secrets = (bytes(line.words[2].octets) for line in split_lines(data) if len(line.words) > 2)
    return frozenset(Path(os.fsdecode(secret[1:])) for secret in secrets if secret.startswith(b"@/"))


def within_reach(path: Path, uid: int) -> bool:
    """Tell whether another than root could put something else in the place of path: a directory of it is his.

    Each link on the way is looked at: a link that uid made could lead anywhere.
    """
    if uid == 0:
        return False
    for _ in range(MOST_LINKS):
        for folder in (
            *path.parents,
            *Path(os.path.realpath(path.parent)).parents,
            Path(os.path.realpath(path.parent)),
        ):
            if folder.lstat().st_uid == uid:
                return True
        if not path.is_symlink():
            return False
        path = path.parent / path.readlink()
    return True

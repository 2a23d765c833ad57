"""The file /etc/resolv.conf in our hands for a while: the original waits beside it, and comes back if ours stands.

A symbolic link is replaced as a link: what its owner writes behind it meanwhile is what we put back.
"""

import contextlib
import errno
import hashlib
import os
from pathlib import Path

from openpptp.errors import SetupError

HEAD = "# written by openpptp for "
LARGEST = 1 << 20  # ours: octets; a larger file is none of the kind
KEPT = ("search", "domain", "options", "sortlist")
IN_PLACE = frozenset({errno.EBUSY, errno.EXDEV})
"What rename says where the file is mounted from elsewhere, as in containers: it can be written only, not replaced."


class ResolvConf:
    """One file, which one tunnel at a time may have."""

    def __init__(self, path: Path) -> None:
        """Work on this path; it may be missing."""
        self.path = path

    def write(self, interface: str, lines: str, *, keep_search: bool) -> None:
        """Put lines in its place for an interface; keep_search keeps the search list and options of before.

        Raises SetupError when it cannot be written, or another tunnel has it.
        """
        owner = self.owner()
        if owner is not None and owner != interface:
            raise SetupError(f"{self.path} is in the hands of the tunnel {owner}; DNS stays as that one set it")
        try:
            if owner is None:
                self._set_aside(interface)
            text = lines + (self._kept(self._aside(interface)) if keep_search else "")
            self._put(_headed(interface, text))
        except OSError as error:
            raise SetupError(f"cannot write {self.path}: {error.strerror}; DNS stays as it is") from None

    def restore(self, interface: str) -> None:
        """Put back what was there before, unless somebody else has written meanwhile; raise SetupError in words."""
        aside = self._aside(interface)
        try:
            if self.owner() == interface and self._is_untouched():
                self._put_back(aside)
            aside.unlink(missing_ok=True)
        except OSError as error:
            raise SetupError(f"cannot put {self.path} back from {aside}: {error.strerror}; do it by hand") from None

    def owner(self) -> str | None:
        """Return the interface whose file it is; None when it is not ours."""
        head = self._text(self.path).partition("\n")[0]
        return head.removeprefix(HEAD).partition(":")[0] if head.startswith(HEAD) else None

    def _aside(self, interface: str) -> Path:
        return self.path.with_name(f"{self.path.name}.before-{interface}")

    def _set_aside(self, interface: str) -> None:
        aside = self._aside(interface)
        aside.unlink(missing_ok=True)  # left by one whose file somebody else has written since
        if self.path.is_symlink():
            aside.symlink_to(self.path.readlink())
        elif self.path.exists():
            # The octets, not the file itself: it may be mounted from elsewhere.
            draft = aside.with_name(f"{aside.name}.new")
            draft.write_bytes(self.path.read_bytes()[:LARGEST])
            with contextlib.suppress(OSError):
                about = self.path.stat()
                os.chown(draft, about.st_uid, about.st_gid)
                draft.chmod(about.st_mode & 0o7777)
            draft.replace(aside)

    def _put(self, text: str) -> None:
        draft = self.path.with_name(f"{self.path.name}.openpptp")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o644)
        self._replace(draft)

    def _put_back(self, aside: Path) -> None:
        if aside.is_symlink() or aside.exists():
            self._replace(aside)
        else:
            self.path.unlink()

    def _replace(self, draft: Path) -> None:
        try:
            draft.replace(self.path)
        except OSError as error:
            if error.errno not in IN_PLACE:
                raise
            self.path.write_bytes(draft.read_bytes())
            draft.unlink()

    def _is_untouched(self) -> bool:
        head, _, rest = self._text(self.path).partition("\n")
        return head.rpartition(" ")[2] == _digest(rest)

    def _kept(self, path: Path) -> str:
        lines = self._text(path).splitlines()
        return "".join(f"{line}\n" for line in lines if line.startswith(KEPT))

    def _text(self, path: Path) -> str:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                return file.read(LARGEST)
        except OSError:
            return ""


def _headed(interface: str, text: str) -> str:
    return f"{HEAD}{interface}: put back when it disconnects, unless changed; {_digest(text)}\n{text}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]

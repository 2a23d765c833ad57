"""The host's switch for IPv4 forwarding, put back as it was found, with all that the kernel turns along with it."""

import contextlib
import re
from pathlib import Path

from openpptp.errors import SetupError
from openpptp.net.journal import Entry, Journal

DIRECTORY = Path("/proc/sys/net/ipv4")
KIND = "forwarding"
SETTINGS = (
    "etc/sysctl.conf",
    "etc/ufw/sysctl.conf",
    *(f"{place}/sysctl.d/*.conf" for place in ("etc", "run", "usr/lib")),
)
OFF = re.compile(r"-?\s*net[./]ipv4[./](ip_forward|conf[./]all[./]forwarding)\s*=\s*0\s*$")


class Forwarding:
    """Switch forwarding on and, at the end, back to what it was before us."""

    def __init__(self, journal: Journal, *, directory: Path = DIRECTORY) -> None:
        """Work on the switches below a directory; the journal keeps the values found first, also over kill -9."""
        self._journal = journal
        self._directory = directory
        self._switch = directory / "ip_forward"

    def value(self) -> str:
        """Return what the switch is now; "unknown" where it cannot be read."""
        try:
            return _read(self._switch)
        except OSError:
            return "unknown"

    def was_enabled(self) -> bool:
        """Tell whether the journal knows of a change of ours."""
        return bool(self._journal.entries(KIND))

    def enable(self) -> bool:
        """Switch on; return whether that changed anything.

        Raises SetupError when it is off and cannot be switched.
        """
        try:
            if _read(self._switch) != "0":
                return False
            # An entry left by a process that died holds the older, true value.
            if not self._journal.entries(KIND):
                self._journal.remember(KIND, before="0", **self._neighbours())
            self._switch.write_text("1", encoding="ascii")
        except OSError as error:
            message = (
                f"IPv4 forwarding is off and cannot be switched on here ({error.strerror}); "
                "run as root, or set net.ipv4.ip_forward = 1 on the host"
            )
            raise SetupError(message, exit_code=3) from error
        return True

    def undo(self) -> list[str]:
        """Put the first value back; return a sentence when that failed.

        Nothing happens when forwarding was on before us.
        """
        problems: list[str] = []
        for entry in self._journal.entries(KIND):
            if entry.get("before") == "0":
                try:
                    self._switch.write_text("0", encoding="ascii")
                except OSError as error:
                    problems.append(f"IPv4 forwarding stays on: {error.strerror}")
                    continue
                self._put_back(entry)
            self._journal.forget(entry)
        return problems

    def _neighbours(self) -> dict[str, str]:
        """Return what else the switch turns: redirects for all devices, and the switch of each device."""
        devices = sorted(path.parent.name for path in self._directory.glob("conf/*/forwarding") if _read(path) == "1")
        redirects = self._directory / "conf/all/accept_redirects"
        found = {"devices": "/".join(devices)}
        return found | {"redirects": _read(redirects)} if redirects.exists() else found

    def _put_back(self, entry: Entry) -> None:
        values = {f"{device}/forwarding": "1" for device in str(entry.get("devices", "")).split("/") if device}
        if "redirects" in entry:
            values["all/accept_redirects"] = entry["redirects"]
        for name, value in values.items():
            path = self._directory / "conf" / name
            with contextlib.suppress(OSError):  # a device that went away
                if _read(path) != value:
                    path.write_text(value, encoding="ascii")


def switched_off_by(root: Path = Path("/")) -> list[str]:
    """Return where settings of sysctl(8) turn forwarding off whenever they are read, as FILE:LINE."""
    found = []
    for path in sorted(path for pattern in SETTINGS for path in root.glob(pattern)):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if OFF.match(line.strip()):
                    found.append(f"{path}:{number}")
    return found


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()

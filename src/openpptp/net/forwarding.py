"""The host's switch for IPv4 forwarding, put back as it was found."""

from pathlib import Path

from openpptp.errors import SetupError
from openpptp.net.journal import Journal

SWITCH = Path("/proc/sys/net/ipv4/ip_forward")
KIND = "forwarding"


class Forwarding:
    """Switch forwarding on and, at the end, back to what it was before us."""

    def __init__(self, journal: Journal, *, switch: Path = SWITCH) -> None:
        """Work on this switch; the journal keeps the value found first, also over kill -9."""
        self._journal = journal
        self._switch = switch

    def value(self) -> str:
        """Return what the switch is now; "unknown" where it cannot be read."""
        try:
            return self._switch.read_text(encoding="ascii").strip()
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
            before = self._switch.read_text(encoding="ascii").strip()
            if before != "0":
                return False
            # An entry left by a process that died holds the older, true value.
            if not self._journal.entries(KIND):
                self._journal.remember(KIND, before=before)
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
            self._journal.forget(entry)
        return problems

"""What every data path does when a step of its own fails."""

from collections.abc import Callable

import structlog
from structlog.typing import FilteringBoundLogger

Broken = Callable[[str], None]
"Hears, in the event loop, why a data path reads packets no more."


def ignored(_why: str) -> None:
    """Leave it at the line in the log."""


class Guarded:
    """Runs steps of which each costs one packet when it fails."""

    def __init__(self, log: FilteringBoundLogger | None = None) -> None:
        """Begin without defects; log is this process's own when it is left out."""
        self._log: FilteringBoundLogger = structlog.get_logger() if log is None else log
        self.defects = 0
        "Exceptions that were caught."

    def _guarded(self, step: Callable[..., object], *arguments: object) -> None:
        """Run a step; a defect of ours costs one packet and, now and then, a line in the log."""
        try:
            step(*arguments)
        except Exception:
            self.defects += 1
            if self.defects & (self.defects - 1) == 0:  # the 1st, 2nd, 4th ...: a peer must not be able to fill the log
                self._log.exception("a defect in this program; a packet is dropped", defects=self.defects)

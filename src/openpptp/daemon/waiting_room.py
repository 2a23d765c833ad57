"""The connections that have not logged in: how many may be, for how long, and who has to go."""

import asyncio
from itertools import chain

from openpptp.daemon.admission import Admission
from openpptp.daemon.driver import TunnelDriver
from openpptp.errors import EndReason


class WaitingRoom:
    """Owns a driver's place at the door and the time it has to log in."""

    def __init__(self, admission: Admission, login_timeout: float = 60.0) -> None:
        """Start empty; login_timeout in seconds."""
        self._admission = admission
        self.login_timeout = login_timeout
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[TunnelDriver, None] = {}
        "Longest first."
        self._login_by: dict[TunnelDriver, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, driver: TunnelDriver) -> None:
        """Take a driver whose source the admission has let in; when it gets too full, somebody makes room."""
        if driver.ended:  # over before it was in
            self._admission.leave(driver.peer)
            return
        self._waiting[driver] = None
        self.expect_login(driver)
        if self._admission.crowded:
            self._make_room()

    def expect_login(self, driver: TunnelDriver) -> None:
        """Give a connection without a session the time a log-in may take, whatever is said on it meanwhile."""
        if not driver.ended and driver not in self._login_by:
            self._login_by[driver] = self._loop.call_later(self.login_timeout, self._login_missed, driver)

    def leave(self, driver: TunnelDriver) -> None:
        """Let a driver go: it has logged in, or is over."""
        if (timer := self._login_by.pop(driver, None)) is not None:
            timer.cancel()
        if driver in self._waiting:
            del self._waiting[driver]
            self._admission.leave(driver.peer)

    def _make_room(self) -> None:
        """Drop who waits longest of the source with most connections waiting (B-020).

        Where there is the choice, one that has said nothing yet: a log-in on its way takes some round trips, and many
        sources with one silent connection each must not push it out. But only while the silent are the most: else
        whoever says a word could keep the door from newcomers.
        """
        most, waiting_of = self._admission.largest_crowd, self._admission.waiting_of
        crowd = (waiting for waiting in self._waiting if waiting_of(waiting.peer) == most)
        driver = first = next(crowd)
        if sum(not waiting.introduced for waiting in self._waiting) > len(self._waiting) / 2:
            driver = next((waiting for waiting in chain((first,), crowd) if not waiting.introduced), first)
        why = "too many connections wait to log in; this one gave way to a newer one"
        driver.log.warning("connection refused", why=why, seldom=1)
        self.leave(driver)
        driver.abort()

    def _login_missed(self, driver: TunnelDriver) -> None:
        del self._login_by[driver]
        driver.stop(EndReason.SETUP_TIMEOUT)

"""Ends sessions for the administrator: in good order, without a pause for the others; says when they are over."""

import asyncio
from collections.abc import Iterable

from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.events import Event
from openpptp.daemon.overview import named
from openpptp.daemon.server import Server
from openpptp.errors import EndReason
from openpptp.tunnel.session import Session

AT_ONCE = 20  # ours: sessions told to end before packets of the others have a turn
TAKE_LEAVE = 5.0  # ours: seconds until the answer says that a session is not over yet; the machines need 2.5 at most

Target = tuple[TunnelDriver, Session | None]


class Farewell:
    """Listens until each of some ids has ended."""

    def __init__(self, names: Iterable[str]) -> None:
        """Wait for all of names."""
        self.remaining = set(names)
        self._over = asyncio.Event()
        self._look()

    def take(self, event: Event) -> None:
        """Strike out whose end this is."""
        if event["event"] in {"session ended", "connection ended"}:
            self.remaining.discard(event["session"])
            self._look()

    def _look(self) -> None:
        if not self.remaining:
            self._over.set()

    async def over(self, seconds: float) -> None:
        """Wait until all have ended, at most so long."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return


async def disconnect(server: Server, targets: list[Target]) -> dict[str, list[str]]:
    """End sessions, and connections without one; return the ids of those that are over, and of those that are not."""
    names = {driver.names.of(session.call_id) if session else driver.names.connection for driver, session in targets}
    farewell = Farewell(names)
    server.events.listen(farewell)
    try:
        for number, (driver, session) in enumerate(targets, 1):
            _end(driver, session)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        await farewell.over(TAKE_LEAVE)
    finally:
        server.events.leave(farewell)
    return {"disconnected": sorted(names - farewell.remaining), "ending": sorted(farewell.remaining)}


def targets_of(server: Server, user: str | None) -> list[Target]:
    """Return the sessions of a user; without one, all that is there."""
    found = [(driver, session) for driver in server.drivers for session in named(driver).values()]
    return [
        (driver, session)
        for driver, session in found
        if user is None or (session is not None and _user(server, session) == user)
    ]


def _user(server: Server, session: Session) -> str | None:
    record = server.sessions.get(session.call_id)
    return record.user if record is not None else None


def _end(driver: TunnelDriver, session: Session | None) -> None:
    """End one session; with the last of a connection the connection ends, which has no other use."""
    if session is None or len(named(driver)) <= 1:
        driver.stop(EndReason.ADMIN_DISCONNECT)
    else:
        driver.disconnect(session.call_id, EndReason.ADMIN_DISCONNECT)

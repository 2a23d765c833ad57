"""Lets the hosts of this machine's own networks find clients whose addresses lie there, while they are connected."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.session_record import SessionRecord
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason, SetupError
from openpptp.net.links import Links
from openpptp.net.proxy_arp import ProxyArp


class Announcer:
    """A session watcher: ARP is answered for a client from when data may flow until it may no longer."""

    def __init__(self, links: Links, proxy: ProxyArp, log: FilteringBoundLogger) -> None:
        """Work beside the event loop, in the thread of links, which keeps the order."""
        self._links = links
        self._proxy = proxy
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    async def settled(self) -> None:
        """Wait until every change asked for is made; the links are not closed before."""
        await asyncio.gather(*self._tasks)

    def logged_in(self, session: SessionRecord, now: float) -> None:
        """Not yet."""

    def went_up(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Answer for its address."""
        self._ask(self._proxy.answer, session.address)

    def went_down(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Answer no longer."""
        self._ask(self._proxy.stop, session.address)

    def ended(self, session: SessionRecord, reason: EndReason, counters: Counters, now: float) -> None:
        """Nothing more: it went down before."""

    def _ask(self, change: Callable[[IPv4Address], object], address: IPv4Address) -> None:
        task = asyncio.create_task(self._make(change, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, change: Callable[[IPv4Address], object], address: IPv4Address) -> None:
        try:
            await self._links.later(change, address)
        except SetupError as error:
            self._log.warning(str(error), seldom=1)

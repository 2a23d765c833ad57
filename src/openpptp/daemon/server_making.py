"""Makes a server of its settings: on this host, or on whatever data path a program gives it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from ipaddress import IPv4Network

from structlog.typing import FilteringBoundLogger

from openpptp.backends.known import UserSource
from openpptp.backends.pools import AddressPool
from openpptp.daemon.config import Settings
from openpptp.daemon.data_path import Doors
from openpptp.daemon.grants import RouteNetwork
from openpptp.daemon.guarded import Broken, ignored
from openpptp.daemon.host import prepare, proxies
from openpptp.daemon.lan_neighbours import Announcer
from openpptp.daemon.monitor.link import MonitorLink
from openpptp.daemon.server import OpenDataPath, Server
from openpptp.daemon.session_record import SessionWatcher
from openpptp.daemon.watchers import Watchers
from openpptp.errors import SetupError
from openpptp.net.links import Links


def open_doors(
    settings: Settings, log: FilteringBoundLogger, undo: AsyncExitStack, *, broken: Broken = ignored
) -> Doors:
    """Open what only root may; the stack closes it. broken hears when packets are read no more. Raises SetupError."""
    doors = Doors(settings.data_path(), log, undo, broken=broken)
    doors.open_gre(None if settings.server.listen.is_unspecified else settings.server.listen)
    doors.open_nodes()
    return doors


def server_of_host(
    settings: Settings,
    users: UserSource,
    log: FilteringBoundLogger,
    *,
    doors: Doors,
    undo: AsyncExitStack,
    monitor: MonitorLink | None = None,
) -> Server:
    """Return a server on this host, which is prepared for it; nothing listens yet. The stack takes all of it back."""
    links, tun, proxy = prepare(settings, log, doors, undo)
    routes = FixedAddresses(links, tun.name, log)
    undo.push_async_callback(routes.settled)
    announcer = Announcer(links, proxy, log)
    undo.push_async_callback(announcer.settled)
    return new_server(
        settings,
        users,
        log,
        open_data_path=doors.open_data_path,
        undo=undo,
        device=tun.name,
        route=routes.lead,
        told=(announcer,) if proxies(settings) else (),
        monitor=monitor,
    )


def new_server(
    settings: Settings,
    users: UserSource,
    log: FilteringBoundLogger,
    *,
    open_data_path: OpenDataPath,
    undo: AsyncExitStack,
    device: str,
    route: RouteNetwork = lambda _network, _leads: None,
    told: Sequence[SessionWatcher] = (),
    monitor: MonitorLink | None = None,
) -> Server:
    """Return a server with accounting and hooks as its settings want them, after those who are told first.

    device is what hooks are told of it.
    """
    network = settings.network
    pool = AddressPool(network.pool, our_address=network.our_address(), named=network.pools)
    watchers = Watchers(settings, device, log, monitor)
    undo.push_async_callback(watchers.close)
    server = Server(settings, users, pool, log, open_data_path, route=route, watchers=[*told, *watchers.all])
    watchers.start(server.counters)
    undo.callback(server.close)
    return server


class FixedAddresses:
    """Routes for what a user is given outside the pools: an address of his own, networks behind him."""

    def __init__(self, links: Links, device: str, log: FilteringBoundLogger) -> None:
        """Route through device."""
        self._links = links
        self._device = device
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def lead(self, network: IPv4Network, leads: bool) -> None:
        """Add or remove the route, beside the event loop; the netlink thread keeps the order."""
        task = asyncio.create_task(self._change(network, leads))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until every change asked for is made; the links are not closed before."""
        await asyncio.gather(*self._tasks)

    async def _change(self, network: IPv4Network, leads: bool) -> None:
        try:
            change = self._links.add_route if leads else self._links.remove_route
            await self._links.later(change, network, self._device)
        except SetupError as error:
            self._log.warning(str(error))

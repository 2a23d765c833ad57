"""`openpptp serve`: prepare the host, serve, take everything back.

Each step of the preparation registers its own undoing, so that a failure half-way leaves nothing half done.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from ipaddress import IPv4Address, IPv4Network

import structlog
from structlog.typing import FilteringBoundLogger

from openpptp.backends.pools import AddressPool
from openpptp.backends.users import SecretsUsers, Users, open_users
from openpptp.daemon import log as logs
from openpptp.daemon import words
from openpptp.daemon.acceptor import Acceptor
from openpptp.daemon.api import Api
from openpptp.daemon.api_socket import give_to, path_in
from openpptp.daemon.config import Settings
from openpptp.daemon.data_path import Doors
from openpptp.daemon.host import prepare, proxies
from openpptp.daemon.import_report import Finding, Verdict
from openpptp.daemon.lan_neighbours import Announcer
from openpptp.daemon.manager import Manager
from openpptp.daemon.monitor.link import MonitorLink
from openpptp.daemon.privileges import give_up
from openpptp.daemon.reload import Reading, Reloader, Reread
from openpptp.daemon.server import Server
from openpptp.daemon.signals import end_on_signals
from openpptp.daemon.turns import Loop, begin_to_serve
from openpptp.daemon.watchers import Watchers
from openpptp.errors import SetupError
from openpptp.net.limits import raise_descriptor_limit
from openpptp.net.links import Links
from openpptp.net.notify import Notifier

BACKLOG = 1024  # ours: a whole site reconnects at once after a power cut
KERNEL_SEND_BUFFER = 32 * 1024  # ours: hundreds of control messages
KERNEL_RECEIVE_BUFFER = 8 * 1024  # ours: bounds how many of them one turn of the event loop has to read
OWN_DESCRIPTORS = 64  # ours: listeners, GRE, TUN, engine, accounting, users of the API, hooks


def serve(
    settings: Settings,
    read: Callable[[], Settings],
    findings: Sequence[Finding] = (),
    monitor: MonitorLink | None = None,
) -> int:
    """Serve until SIGINT, SIGTERM or the terminal's end; return the command's exit code. Raises SetupError in words.

    read gives the settings anew, for a reload. findings: what became of each line of pptpd's files, for the log.
    monitor does, and reads, what we may not once we have given up being root.
    """
    logs.set_up(settings.log.level, settings.log.format)
    for finding in findings:
        severe = finding.verdict in {Verdict.DANGEROUS, Verdict.UNREADABLE}
        structlog.get_logger().log(logs.LEVELS["warning" if severe else "info"], str(finding))
    reread = (lambda: Reading.of(read())) if monitor is None else (lambda: Reading.decode(monitor.reread()))
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(_serve(settings, reread, structlog.get_logger(), monitor))
    return 0


async def _serve(settings: Settings, reread: Reread, log: FilteringBoundLogger, monitor: MonitorLink | None) -> None:
    stop = asyncio.Event()
    failures: list[str] = []

    def broken(why: str) -> None:
        failures.append(why)
        stop.set()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.report_defect)
    end_on_signals(stop)
    warning = few_descriptors(settings, raise_descriptor_limit())
    if warning:
        log.warning(warning)
    async with AsyncExitStack() as undo:
        notifier = undo.enter_context(Notifier())
        users, pool = _users_and_pool(settings, log)
        listener = listen(settings.server.listen, settings.server.port)
        undo.callback(listener.close)
        doors = Doors(settings.data_path(), log, undo, broken=broken)
        doors.open_gre(None if settings.server.listen.is_unspecified else settings.server.listen)
        doors.open_nodes()
        warnings = settings.warnings()
        give_up(settings, log, monitor, undo)
        links, tun, proxy = prepare(settings, log, doors, undo)
        routes = FixedAddresses(links, tun.name, log)
        undo.push_async_callback(routes.settled)
        announcer = Announcer(links, proxy, log)
        undo.push_async_callback(announcer.settled)
        watchers = Watchers(settings, tun.name, log, monitor)
        undo.push_async_callback(watchers.close)
        told = [announcer, *watchers.all] if proxies(settings) else watchers.all
        server = Server(settings, users, pool, log, doors.open_data_path, route=routes.lead, watchers=told)
        watchers.start(server.counters)
        undo.callback(server.close)
        reloader = await _open_api(server, settings, reread, log, undo, monitor=monitor, warnings=warnings)
        manager = Manager(notifier, lambda: f"{len(server.sessions)} sessions")
        undo.push_async_callback(manager.close)
        reloader.meanwhile = manager.reloading
        end_on_signals(stop, reloader.hung_up)
        listener.listen(BACKLOG)
        undo.push_async_callback(server.stop)
        undo.callback(Acceptor(listener, server, logs.report_refusal).close)
        begin_to_serve()
        _say_serving(settings, tun.name, warnings, log)
        manager.serving()
        await stop.wait()
        manager.stopping()
        log.info("stopping", sessions=len(server.sessions))
        server.events.publish("stopping", sessions=len(server.sessions))
    log.info("stopped; device, routes, forwarding and firewall are as they were before")
    if failures:
        raise SetupError(
            f"the server has ended, because its sessions carried no data any more: {failures[0]}; was the device "
            f"{settings.server.interface} deleted? Start it again, and it makes anew what it needs"
        )


def _users_and_pool(settings: Settings, log: FilteringBoundLogger) -> tuple[SecretsUsers | Users, AddressPool]:
    where = settings.users.file, settings.users.pap_file, settings.server.name, log.warning
    network = settings.network
    pool = AddressPool(network.pool, our_address=network.our_address(), named=network.pools)
    return open_users(*where, store=settings.users.store), pool


def _say_serving(settings: Settings, device: str, warnings: Sequence[str], log: FilteringBoundLogger) -> None:
    log.info(
        "serving",
        listen=f"{settings.server.listen}:{settings.server.port}",
        interface=device,
        pool=", ".join(map(str, settings.network.pool)),
        users=", ".join(map(str, settings.users.places())),
    )
    for warning in (words.INSECURE, *warnings):
        log.warning(warning)


async def _open_api(
    server: Server,
    settings: Settings,
    reread: Reread,
    log: FilteringBoundLogger,
    undo: AsyncExitStack,
    *,
    monitor: MonitorLink | None,
    warnings: Sequence[str],
) -> Reloader:
    """Open the local API, for as long as there are sessions; return what reloads."""
    path = path_in(settings.server.runtime_directory)
    regroup = partial(give_to, path, as_root=monitor.regroup if monitor is not None else None)
    reloader = Reloader(server, settings, reread, log, regroup=regroup, warnings=warnings)
    api = Api(server, reloader, asyncio.get_running_loop().time())
    undo.push_async_callback(api.close)
    await api.open(path)
    return reloader


def few_descriptors(settings: Settings, most: int) -> str:
    """Return in words that this process may not open files enough for the sessions the settings allow, or nothing."""
    sessions = min(settings.limits.sessions, sum(entry.size for entry in settings.network.leases()))
    if sessions + OWN_DESCRIPTORS <= most:
        return ""
    return (
        f"this process may open {most} files, which is enough for about {max(0, most - OWN_DESCRIPTORS)} sessions of "
        f"the {sessions} that limits.sessions and network.pool allow; raise the limit (ulimit -Hn, or LimitNOFILE= in "
        "the unit)"
    )


def listen(address: IPv4Address, port: int) -> socket.socket:
    """Return a socket bound to the control connection's port; raise SetupError in words."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it; left to itself the kernel keeps megabytes for a peer that does not read.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_SEND_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_RECEIVE_BUFFER)
    try:
        listener.bind((str(address), port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SetupError(
                f"TCP port {port} is taken by another program; stop it "
                f"(find it with: ss -ltnp sport = :{port}) or choose another server.port"
            ) from None
        if error.errno == errno.EADDRNOTAVAIL:
            sentence = f"{address} is not an address of this machine; correct server.listen"
            raise SetupError(sentence, exit_code=2) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            sentence = f"this user may not listen on TCP port {port}; run as root (sudo)"
            raise SetupError(sentence, exit_code=3) from None
        raise SetupError(f"cannot listen on {address} port {port}: {error.strerror}") from None
    return listener


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

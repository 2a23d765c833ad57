"""The client: one tunnel to one server, in the foreground; everything it changed is undone at its end."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack, closing
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from openpptp.daemon import words
from openpptp.daemon.calls import Calls, inside
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.daemon.data_path import Doors
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.log import report_defect
from openpptp.daemon.log import set_up as set_up_log
from openpptp.daemon.signals import end_on_signals
from openpptp.datapath.seam import Counters, DataPath
from openpptp.errors import EndReason, Misuse, SetupError
from openpptp.net.journal import Journal
from openpptp.net.links import Links
from openpptp.net.tun import Tun
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import CallKind, Side
from openpptp.tunnel.tunnel import Tunnel

CONNECT_TIMEOUT = 10.0  # ours: seconds for TCP to answer
STOP_TIMEOUT = 5.0  # ours: seconds for the server to take leave
EVERYTHING = (IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1"))
"The default route in two halves: the host's own default stays as it is and is back the moment the tunnel goes."


class Client:
    """One session's policy on the side that asked for it."""

    def __init__(self, request: ConnectRequest, log: FilteringBoundLogger, links: Links) -> None:
        """Prepare; run does the rest."""
        self._request = request
        self._log = log
        self._links = links
        self._loop = asyncio.get_running_loop()
        self._calls = Calls()
        self._over: asyncio.Future[tuple[EndReason, str]] = self._loop.create_future()
        self._configuring: asyncio.Task[None] | None = None
        self._last: tuple[EndReason, str] | None = None
        self._tun: Tun
        self._link: LinkSettings
        self._data_path: DataPath

    async def run(self, stop: asyncio.Event) -> tuple[EndReason, str]:
        """Connect, stay until the session ends or stop is set, undo everything; return how it ended.

        Raises SetupError when there is no session to end.
        """
        request, links = self._request, self._links
        async with AsyncExitStack() as undo:
            server = await resolve(request.host)
            doors = Doors(request.data_path, self._log, undo)
            doors.open_gre()
            self._tun = doors.open_tun(request.interface)
            self._data_path = doors.open_data_path(
                frame_received=self._calls.frame_received, encryption_lost=self._calls.encryption_lost
            )
            undo.callback(self._data_path.close)
            undo.callback(self._undo_links)
            # Without this route the tunnel's own packets would enter the tunnel as soon as it is the way to everywhere.
            await links.later(links.pin, server, avoid=self._tun.name)
            driver = await self._connect_unless(stop, server)
            if driver is None:
                return EndReason.USER_REQUEST, EndReason.USER_REQUEST.value.sentence
            driver.run(driver.tunnel.place_call, CallKind.OUTGOING, self._link)
            await self._until_over(driver, stop)
            if self._configuring is not None:
                await asyncio.gather(self._configuring, return_exceptions=True)
        return self._over.result()

    async def _connect_unless(self, stop: asyncio.Event, server: IPv4Address) -> TunnelDriver | None:
        """Open the TCP connection; return None when stop is set before a server answers."""
        connecting, asked = asyncio.ensure_future(self._connect(server)), asyncio.ensure_future(stop.wait())
        await asyncio.wait([connecting, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if connecting.done():
            return await connecting
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        return None

    async def _connect(self, server: IPv4Address) -> TunnelDriver:
        request = self._request
        where = f"{request.host} ({server})" if str(server) != request.host else request.host
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, driver = await self._loop.create_connection(self._make_driver, str(server), request.port)
        except TimeoutError:
            raise SetupError(
                f"{where} does not answer on TCP port {request.port}; a firewall on the way drops it, "
                "or the host is down"
            ) from None
        except ConnectionRefusedError:
            raise SetupError(
                f"{where} refuses TCP port {request.port}; no PPTP server runs there, or it listens elsewhere"
            ) from None
        except OSError as error:
            raise SetupError(f"cannot reach {where}: {error.strerror or error}; check the network") from None
        return driver

    def _make_driver(self) -> TunnelDriver:
        return TunnelDriver(self._make_tunnel, self._data_path, self._calls, self, self._log)

    def _make_tunnel(self, local: IPv4Address, peer: IPv4Address, path_mtu: int | None) -> Tunnel:
        settings = self._request.tunnel().on_path(path_mtu)
        self._link = settings.link
        return Tunnel(
            settings,
            CallIds(os.urandom),
            os.urandom,
            side=Side.INITIATOR,
            local=int(local),
            peer=int(peer),
        )

    async def _until_over(self, driver: TunnelDriver, stop: asyncio.Event) -> None:
        asked: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        await asyncio.wait([asked, self._over], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not self._over.done():
            driver.stop(EndReason.USER_REQUEST)
            await asyncio.wait({self._over}, timeout=STOP_TIMEOUT)
        if not self._over.done():
            driver.abort()
            await self._over

    def _undo_links(self) -> None:
        for problem in self._links.undo():
            self._log.warning(problem)

    # What the driver asks (driver.Owner)

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None:
        """Log who answered."""
        driver.log.info("control connection", host=output.peer_host_name, vendor=output.peer_vendor_name)

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None:
        """Never asked: our link settings ask no peer to authenticate."""
        raise Misuse("a client does not check credentials")

    def interface_up(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        """Let data flow and, beside it, give the interface its address and routes."""
        self._data_path.interface_up(output.call_id, inside(output))
        if self._configuring is None:
            self._configuring = self._loop.create_task(self._configure(driver, output))

    async def _configure(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        """Bring the interface up with what the server granted."""
        request, links, name = self._request, self._links, self._tun.name
        try:
            if output.our_address is not None:
                address = IPv4Interface(output.our_address)
                await links.later(links.device_up, name, address=address, peer=output.peer_address, mtu=output.mtu)
            for network in (*request.routes, *(EVERYTHING if request.default_route else ())):
                await links.later(links.add_route, network, name)
        except SetupError as error:
            driver.log.error(str(error))
            driver.stop(EndReason.RESOURCES)
            return
        self._log.info(
            "connected",
            interface=self._tun.name,
            address=str(output.our_address),
            server=str(output.peer_address),
            encryption=words.encryption(output.key_bits),
            mtu=output.mtu,
        )
        self._log.warning(words.INSECURE)

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None:
        """Keep address and routes: what would leak while the link renegotiates is dropped in the data path."""

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        """Keep how it ended; the connection follows it."""
        self._last = (output.reason, output.detail)
        driver.log.debug(
            "session ended",
            octets_in=counters.octets_in,
            octets_out=counters.octets_out,
            **words.losses(counters),
        )
        driver.stop(output.reason)

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        """Let run go on."""
        self._over.set_result(self._last or (output.reason, output.detail))


async def resolve(host: str) -> IPv4Address:
    """Return the IPv4 address of host; raise SetupError in words."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise SetupError(
            f"the name {host} has no IPv4 address ({error.strerror}); check the spelling and DNS"
        ) from None
    return IPv4Address(found[0][4][0])


def take_back_left_overs(request: ConnectRequest, log: FilteringBoundLogger) -> None:
    """Undo what clients changed that were killed, whatever interface they used."""
    for left in sorted(request.runtime_directory.glob("*/undo.json")):
        try:
            with closing(Journal(left.parent)) as journal, closing(Links(journal)) as links:
                for problem in links.undo():
                    log.warning(problem)
        except SetupError as error:  # most likely it runs
            log.debug(str(error))


def connect(request: ConnectRequest) -> int:
    """Run the client until it ends; return the command's exit code. Raises SetupError."""
    set_up_log(request.log_level, request.log_format)
    return asyncio.run(_connect(request, structlog.get_logger()))


async def _connect(request: ConnectRequest, log: FilteringBoundLogger) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(report_defect)
    end_on_signals(stop)
    take_back_left_overs(request, log)
    with closing(Journal(request.runtime_directory / request.interface)) as journal, closing(Links(journal)) as links:
        reason, detail = await Client(request, log, links).run(stop)
    if reason is not EndReason.USER_REQUEST:
        raise SetupError(detail)
    log.info("disconnected", detail=detail)
    return 0

"""One attempt at one address: the TCP connection, the call, the session on it, to whatever end."""

import asyncio
import os
from ipaddress import IPv4Address
from typing import Any, NamedTuple, Protocol

from structlog.typing import FilteringBoundLogger

from openpptp.daemon import words
from openpptp.daemon.calls import Calls
from openpptp.daemon.client.remedies import with_remedy
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.daemon.driver import TunnelDriver
from openpptp.datapath.seam import Counters, DataPath
from openpptp.errors import EndReason, Misuse, SetupError
from openpptp.net.stream import dialling_socket
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import CallKind, Side
from openpptp.tunnel.tunnel import Tunnel


class Listener(Protocol):
    """Whoever made the attempt, and wants to hear how it goes."""

    def reached(self, stage: str) -> None:
        """Learn what the attempt is at now: connect, control, call, lcp, authentication, encryption, addresses."""

    def answered(self, attempt: "Attempt") -> None:
        """Learn that TCP is open."""

    def up(self, attempt: "Attempt", output: tell.InterfaceUp) -> None:
        """Learn that data may flow; again when it may after the link was negotiated anew."""

    def over(self, attempt: "Attempt", reason: EndReason, detail: str) -> None:
        """Learn that nothing is left of it; the last word, said once."""


class Where(NamedTuple):
    """An address, and the name it was found under."""

    name: str
    address: IPv4Address

    def __str__(self) -> str:
        """Name it for a person."""
        return self.name if self.name == str(self.address) else f"{self.name} ({self.address})"


class Attempt:
    """Owns one driver; the data path and the interface live longer than it."""

    def __init__(
        self,
        request: ConnectRequest,
        where: Where,
        path_mru: int,
        listener: Listener,
        *,
        data_path: DataPath,
        calls: Calls,
        log: FilteringBoundLogger,
    ) -> None:
        """Prepare; start does the rest."""
        self.server_names = "", ""
        "Host and vendor name the server gave."
        self._request = request
        self._where = where
        self._path_mru = path_mru
        self._data_path = data_path
        self._calls = calls
        self._listener = listener
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._driver: TunnelDriver | None = None
        self._link: LinkSettings
        self._connecting: asyncio.Task[None] | None = None
        self._last: tuple[EndReason, str] | None = None
        self._counters = Counters()
        self._over = False
        self._stage = ""

    @property
    def local(self) -> IPv4Address | None:
        """Our own address on the control connection; None before there is one."""
        return self._driver.local if self._driver is not None else None

    def counters(self) -> Counters:
        """Return what its session has carried, until now or until its end."""
        for session in self._driver.tunnel.sessions if self._driver is not None else ():
            if session.call_id in self._calls:
                return self._data_path.counters(session.call_id)
        return self._counters

    def start(self, patience: float) -> None:
        """Begin to connect; patience is for TCP, in seconds."""
        self._connecting = self._loop.create_task(self._connect(patience))

    def hang_up(self, reason: EndReason) -> None:
        """End in good order."""
        if self._driver is None:
            self.drop()
        else:
            self._driver.stop(reason)

    def drop(self) -> None:
        """End at once."""
        if self._driver is not None:
            self._driver.abort()
        elif self._connecting is not None:
            self._connecting.cancel()
            self._lost()  # one that has not begun to run yet says nothing

    # Connecting

    async def _connect(self, patience: float) -> None:
        self._reach("connect")
        try:
            await self._dial(patience)
        except SetupError as error:
            self._end(EndReason.CONNECTION_LOST, str(error))

    async def _dial(self, patience: float) -> None:
        request, where = self._request, self._where
        stream = dialling_socket(request.local, request.mark)
        try:
            async with asyncio.timeout(patience):
                await self._loop.sock_connect(stream, (str(where.address), request.port))
                _, driver = await self._loop.create_connection(self._make_driver, sock=stream)
        except BaseException as error:
            stream.close()
            if isinstance(error, OSError):  # TimeoutError is one
                raise SetupError(_why(where, request.port, error)) from None
            raise
        self._driver = driver
        if driver.ended:  # reset in the instant it was accepted
            return
        self._listener.answered(self)
        self._reach("control")
        driver.run(driver.tunnel.place_call, CallKind.OUTGOING, self._link)

    def _make_driver(self) -> TunnelDriver:
        return _Driver(self, self._make_tunnel, self._data_path, self._calls, self, self._log)

    def _make_tunnel(self, local: IPv4Address, peer: IPv4Address, path_mtu: int | None) -> Tunnel:
        settings = self._request.tunnel(self._path_mru).on_path(path_mtu)
        self._link = settings.link
        return Tunnel(
            settings,
            CallIds(os.urandom),
            os.urandom,
            side=Side.INITIATOR,
            local=int(local),
            peer=int(peer),
        )

    # How far it is

    def stepped(self, driver: TunnelDriver) -> None:
        """Look what the session waits for after each step of the driver."""
        sessions = driver.tunnel.sessions
        if sessions and not sessions[0].ended:
            self._reach(STAGES[sessions[0].stage])

    def _reach(self, stage: str) -> None:
        if stage != self._stage and stage:
            self._stage = stage
            self._listener.reached(stage)

    def _lost(self) -> None:
        self._end(EndReason.CONNECTION_LOST, EndReason.CONNECTION_LOST.value.sentence)

    def _end(self, reason: EndReason, detail: str) -> None:
        if not self._over:
            self._over = True
            self._listener.over(self, reason, detail)

    # What the driver asks (driver.Owner)

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None:
        """Log who answered."""
        self.server_names = output.peer_host_name, output.peer_vendor_name
        driver.log.info("control connection", host=output.peer_host_name, vendor=output.peer_vendor_name)

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None:
        """Never asked: our link settings ask no peer to authenticate."""
        raise Misuse("a client does not check credentials")

    def interface_up(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        """Let data flow."""
        self._listener.up(self, output)

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None:
        """Keep address and routes: what would leak while the link renegotiates is dropped in the data path."""

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        """Keep how it ended; the connection follows it."""
        self._counters = counters
        self._last = (output.reason, with_remedy(output, self._request))
        driver.log.debug(
            "session ended",
            octets_in=counters.octets_in,
            octets_out=counters.octets_out,
            **words.losses(counters),
        )
        driver.stop(output.reason)

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        """Tell how it went, the session's own words first."""
        self._end(*(self._last or (output.reason, output.detail)))


class _Driver(TunnelDriver):
    """Shows each of its steps to the attempt."""

    def __init__(self, attempt: Attempt, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._attempt = attempt

    def run(self, step: Any, *arguments: Any) -> None:
        super().run(step, *arguments)
        if not self.ended:
            self._attempt.stepped(self)


def _why(where: Where, port: int, error: OSError) -> str:
    """Say why there is no TCP connection."""
    match error:
        case TimeoutError():
            return f"{where} does not answer on TCP port {port}; a firewall on the way drops it, or the host is down"
        case ConnectionRefusedError():
            return f"{where} refuses TCP port {port}; no PPTP server runs there, or it listens elsewhere"
    return f"cannot reach {where}: {error.strerror or error}; check the network"


STAGES = {
    "call": "call",
    "the link": "lcp",
    "LCP": "lcp",
    "authentication": "authentication",
    "encryption (CCP)": "encryption",
    "addresses (IPCP)": "addresses",
    "the end of the link": "",
    "up": "up",
}
"The session's word for what it is at, to the one in programs' output."

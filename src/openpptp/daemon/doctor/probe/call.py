"""One control connection with one call, placed to see what comes of it; the machines are the client's own."""

import asyncio
import os
import socket
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.calls import Calls
from openpptp.daemon.doctor.probe.seen import CallSeen
from openpptp.daemon.doctor.probe.switchboard import Switchboard
from openpptp.daemon.doctor.probe.witness import Witness
from openpptp.daemon.driver import TunnelDriver
from openpptp.datapath.seam import Counters, DataPath
from openpptp.errors import EndReason, Misuse
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import CallKind, Side, TunnelSettings
from openpptp.tunnel.tunnel import Tunnel

HOST_NAME = "openpptp-doctor"  # ours: what the server's log shows of these calls
FAREWELL = 1.5  # ours: seconds for the server to take leave
NEVER = 300.0  # ours: seconds, beyond any examination: we are not to hang up before the server does


class Desk(NamedTuple):
    """What all calls of an examination share."""

    switchboard: Switchboard
    data_path: DataPath
    calls: Calls
    call_ids: CallIds
    log: FilteringBoundLogger


class ProbeCall:
    """Owns one driver, and tells its witness what the driver sees."""

    def __init__(
        self,
        address: IPv4Address,
        port: int,
        link: LinkSettings,
        *,
        desk: Desk,
    ) -> None:
        """Prepare; place does the rest."""
        self.seen = CallSeen()
        self._where = str(address), port
        self._link = link
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._over = False
        self._driver: _Driver | None = None
        self.witness: Witness

    async def place(self, patience: float, stream: socket.socket | None = None) -> bool:
        """Ask for the call, on an open TCP connection or one of its own; False when that does not open in time.

        patience is in seconds.
        """
        try:
            async with asyncio.timeout(patience):
                if stream is not None:
                    _, self._driver = await self._loop.create_connection(self._make_driver, sock=stream)
                else:
                    _, self._driver = await self._loop.create_connection(self._make_driver, *self._where)
        except OSError:  # TimeoutError is one
            self._over = True
            return False
        self._driver.run(self._driver.tunnel.place_call, CallKind.OUTGOING, self._link)
        return True

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for what the call brings until the condition holds; return whether it does, at the end of seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not (condition() or self._over):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        return condition()

    @property
    def over(self) -> bool:
        """Whether nothing is left of the control connection."""
        return self._over

    def send_frame(self, frame: bytes) -> None:
        """Send a frame beside those of the machines, while the call stands."""
        call_id = self.seen.call_id
        if call_id is not None and call_id in self._desk.calls:
            self._desk.data_path.send_frame(call_id, frame)

    async def hang_up(self) -> None:
        """End the call and the connection in good order, for as long as the server takes part in that."""
        if self._driver is None or self._over:
            return
        self.seen.hung_up = self.seen.disconnect is None
        self._driver.stop(EndReason.USER_REQUEST)
        await self.until(lambda: self._over, FAREWELL)
        if not self._over:
            self._driver.abort()
            await self.until(lambda: self._over, FAREWELL)

    def news(self) -> None:
        """Let whoever waits look again."""
        self._news.set()

    def _make_driver(self) -> "_Driver":
        self.witness = Witness(self.seen, self._loop.time())
        desk = self._desk
        return _Driver(self, self._make_tunnel, desk.data_path, desk.calls, self, desk.log)

    def _make_tunnel(self, local: IPv4Address, peer: IPv4Address, _path_mtu: int | None) -> Tunnel:
        settings = TunnelSettings(
            link=self._link, accepts=frozenset(), host_name=HOST_NAME, start_timeout=NEVER, gre_timeout=NEVER
        )
        ends = {"local": int(local), "peer": int(peer)}
        return Tunnel(settings, self._desk.call_ids, os.urandom, side=Side.INITIATOR, **ends)

    def stepped(self, driver: TunnelDriver) -> None:
        """Learn what the driver's step has brought."""
        for session in driver.tunnel.sessions:
            self.seen.call_id = session.call_id
        self._desk.switchboard.watch(self.witness)
        self.news()

    # What the driver asks (driver.Owner)

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None:
        """Nothing to do: the witness has seen the whole reply."""

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None:
        """Never asked: our link settings ask no peer to authenticate."""
        raise Misuse("a client does not check credentials")

    def interface_up(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        """Remember what the server grants; nothing of this host is changed."""
        self.seen.login.up = output

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None:
        """Nothing to do."""

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        """Remember how it ended; the connection follows."""
        self.seen.ended = output.reason, output.detail
        driver.stop(output.reason)

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        """Let whoever waits go on."""
        self.seen.ended = self.seen.ended or (output.reason, output.detail)
        self._over = True
        self.news()


class _Driver(TunnelDriver):
    """Shows what it receives to the witness first."""

    def __init__(self, call: ProbeCall, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._call = call

    def data_received(self, data: bytes) -> None:
        self._call.witness.stream_received(data, self._loop.time())
        # Before the machine acts on it: the first GRE packet leaves in the same step as the call is connected.
        self._call.stepped(self)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended:
            self._call.witness.stream_closed(self._loop.time())
        super().connection_lost(exc)

    def run(self, step: Any, *arguments: Any) -> None:
        super().run(step, *arguments)
        self._call.stepped(self)

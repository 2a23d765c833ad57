"""The load generator's clients: many voluntary tunnels of one process, and what becomes of them."""

import asyncio
import os
import statistics
from collections import Counter
from ipaddress import IPv4Address
from typing import Any

import structlog

from openpptp.credentials import AuthMethod
from openpptp.daemon.calls import Calls, inside
from openpptp.daemon.data_path import Doors
from openpptp.daemon.driver import TunnelDriver
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import CallKind, Side, TunnelSettings
from openpptp.tunnel.tunnel import Tunnel
from openpptp.wire.control import ControlStream
from openpptp.wire.control_messages import CallDisconnectNotify, StopControlConnectionRequest
from openpptp.wire.ppp import Code, Protocol, decode_frame

BEHIND_SERVER, THEIR_LENGTH = IPv4Address("10.92.0.0"), 16
"Each session's far end: the host part is that of the session's own address."
HOST_PART = 0xFFFF
LEAVES = {
    CallDisconnectNotify: "Call-Disconnect-Notify",
    StopControlConnectionRequest: "Stop-Control-Connection-Request",
}


def far_end(address: IPv4Address) -> IPv4Address:
    """Return where the packets of a session go."""
    return BEHIND_SERVER + (int(address) & HOST_PART)


class ListeningDriver(TunnelDriver):
    """Writes down how the server takes leave, in order, and counts its echoes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.told: list[str] = []
        self.echoes = 0
        self._heard = ControlStream()

    def data_received(self, data: bytes) -> None:
        self.told += [LEAVES[type(message)] for message in self._heard.feed(data) if type(message) in LEAVES]
        super().data_received(data)

    def frame_received(self, call_id: int, frame: bytes) -> None:
        protocol, information = decode_frame(frame)
        if protocol == Protocol.LCP and information[0] == Code.ECHO_REQUEST:
            self.echoes += 1
        elif protocol == Protocol.LCP and information[0] == Code.TERMINATE_REQUEST:
            self.told.append("LCP Terminate-Request")
        super().frame_received(call_id, frame)


class LoadClients:
    """Owns all tunnels of the generator and counts what becomes of them."""

    def __init__(self, server: str, user: str, password: str, doors: Doors) -> None:
        self._server = server
        self._link = LinkSettings(our_name=user, our_password=password, answer_with=(AuthMethod.MSCHAP_V2,))
        self._settings = TunnelSettings(link=self._link, accepts=frozenset())
        self._loop = asyncio.get_running_loop()
        self._calls = Calls()
        self._call_ids = CallIds(os.urandom)
        self._up: dict[TunnelDriver, asyncio.Future[bool]] = {}
        self.data_path = doors.open_data_path(
            frame_received=self._calls.frame_received, encryption_lost=self._calls.encryption_lost
        )
        self._log = structlog.get_logger()
        self.drivers: list[ListeningDriver] = []
        self.failures: list[str] = []
        self.addresses: list[IPv4Address] = []
        self.mtus: set[int] = set()
        self.seconds: list[float] = []
        "What each session took, from when it was to begin."
        self._ended: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._echoes = 0
        self._empty = asyncio.Event()

    async def one(self, begin: float | None = None) -> bool:
        """Bring one session up; return whether it came. begin is when that was to be, if not now."""
        begin = self._loop.time() if begin is None else begin
        _, driver = await self._loop.create_connection(self._driver, self._server, 1723)
        up: asyncio.Future[bool] = self._loop.create_future()
        self._up[driver] = up
        driver.run(driver.tunnel.place_call, CallKind.OUTGOING, self._link)
        came = await up
        if came:
            self.seconds.append(self._loop.time() - begin)
        return came

    async def many(self, count: int, at_once: int) -> int:
        """Bring count sessions up, at_once at a time; return how many came."""
        queue = iter(range(count))

        async def worker() -> int:
            return sum([await self.one() for _ in queue])

        return sum(await asyncio.gather(*(worker() for _ in range(at_once))))

    async def paced(self, count: int, per_second: float) -> int:
        """Begin a session each so often, however long those before take; return how many came."""
        first = self._loop.time()
        tasks = []
        for number in range(count):
            begin = first + number / per_second
            await asyncio.sleep(max(0.0, begin - self._loop.time()))
            tasks.append(asyncio.create_task(self.one(begin)))
        return sum(await asyncio.gather(*tasks))

    async def hang_up(self) -> None:
        """End every session in good order."""
        for driver in list(self.drivers):
            driver.stop(EndReason.USER_REQUEST)
        if self.drivers:
            await self._empty.wait()

    def milliseconds(self) -> dict[str, float]:
        """Return what a session took: the median, what 99 of 100 needed at most, the longest."""
        hundredths = statistics.quantiles(self.seconds, n=100) if len(self.seconds) > 1 else self.seconds * 99
        if not hundredths:
            return {}
        found = {"median": hundredths[49], "of 99 %": hundredths[98], "most": max(self.seconds)}
        return {name: round(seconds * 1000, 1) for name, seconds in found.items()}

    def state(self) -> dict[str, Any]:
        """Return how many connections there are, how the others ended, and what their peers were told at the end."""
        return {
            "connected": len(self.drivers),
            "ended": dict(self._ended),
            "told": dict(self._told),
            "echoes": self._echoes + sum(driver.echoes for driver in self.drivers),
        }

    def _driver(self) -> TunnelDriver:
        driver = ListeningDriver(self._tunnel, self.data_path, self._calls, self, self._log)
        self.drivers.append(driver)
        return driver

    def _tunnel(self, local: IPv4Address, peer: IPv4Address, path_mtu: int | None) -> Tunnel:
        settings = self._settings.on_path(path_mtu)
        return Tunnel(settings, self._call_ids, os.urandom, side=Side.INITIATOR, local=int(local), peer=int(peer))

    # driver.Owner

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None: ...

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None: ...

    def interface_up(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        assert output.our_address is not None
        self.addresses.append(output.our_address)
        self.mtus.add(output.mtu)
        self.data_path.interface_up(output.call_id, inside(output, far_end(output.our_address)))
        up = self._up.pop(driver)
        up.set_result(True)

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None: ...

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        if driver in self._up:
            self.failures.append(output.detail)
            driver.stop(EndReason.USER_REQUEST)
        else:
            self._ended[output.detail] += 1

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        assert isinstance(driver, ListeningDriver)
        self.drivers.remove(driver)
        self._told[", ".join(driver.told)] += 1
        self._echoes += driver.echoes
        if not self.drivers:
            self._empty.set()
        up = self._up.pop(driver, None)
        if up is not None:
            self.failures.append(output.detail)
            up.set_result(False)

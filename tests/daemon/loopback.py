"""A Server on loopback and callers of our own, without root.

    async with house(tmp_path) as home:
        caller = await home.call()
        await until(lambda: caller.up)

Control messages go through TCP on 127.0.0.0/8, PPP frames from one recording data path to the other. Every wait is a
poll with a bound; what the server holds is counted by held(), which is empty when nobody is there.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import structlog
from structlog.testing import LogCapture
from tests.eventually import until

from openpptp.backends.pools import AddressPool
from openpptp.backends.users import open_users
from openpptp.daemon.config import Settings
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.server import Server
from openpptp.datapath.null import NullDataPath
from openpptp.datapath.seam import Counters
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import CallKind, Side, TunnelSettings
from openpptp.tunnel.tunnel import Tunnel

USER, PASSWORD = "alice", "correct horse"
HOST = "127.0.0.9"


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class Log:
    """A logger and the lines it was given."""

    def __init__(self, level: int = 20) -> None:
        self._capture = LogCapture()
        self.logger: Any = structlog.wrap_logger(
            None, processors=[self._capture], wrapper_class=structlog.make_filtering_bound_logger(level)
        )

    @property
    def lines(self) -> list[dict[str, Any]]:
        return list(self._capture.entries)

    def about(self, event: str) -> list[dict[str, Any]]:
        """Return the lines with this event."""
        return [line for line in self.lines if line["event"] == event]


class CarryingDataPath(NullDataPath):
    """Records, and brings each frame to the other end in the loop's next turn."""

    def __init__(self, *, frame_received: Callable[[int, bytes], None], encryption_lost: object = None) -> None:
        super().__init__()
        self.other: CarryingDataPath | None = None
        self._frame_received = frame_received
        self._peer_call_ids: dict[int, int] = {}

    def connect_call(self, call_id: int, peer_call_id: int) -> None:
        super().connect_call(call_id, peer_call_id)
        self._peer_call_ids[call_id] = peer_call_id

    def send_frame(self, call_id: int, frame: bytes) -> None:
        super().send_frame(call_id, frame)
        if self.other is not None:
            asyncio.get_running_loop().call_soon(self.other.arrive, self._peer_call_ids[call_id], frame)

    def arrive(self, call_id: int, frame: bytes) -> None:
        if call_id in self.open_calls:
            self._frame_received(call_id, frame)


class Caller:
    """The owner of one driver on the calling side; remembers what it was told."""

    def __init__(self) -> None:
        self.driver: TunnelDriver
        self.connected_to: tell.Connected | None = None
        self.up: tell.InterfaceUp | None = None
        self.ended: tell.SessionEnded | None = None
        self.over: tell.TunnelEnded | None = None

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None:
        self.connected_to = output

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None:
        raise AssertionError("a caller asks nobody to prove anything")

    def interface_up(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        self.up = output

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None:
        self.up = None

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        self.ended = output
        driver.stop(output.reason)  # as Client does: the connection follows its one session

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        self.over = output

    def reset(self) -> None:
        """Break the TCP connection with a reset."""
        assert self.driver._transport is not None
        reset(self.driver._transport)


class CutDriver(TunnelDriver):
    """Breaks its connection with a reset at its n-th input."""

    inputs_left = -1
    cut = False

    def run(self, step, *arguments) -> None:
        super().run(step, *arguments)
        self.inputs_left -= 1
        if self.inputs_left == 0 and self._transport is not None:
            self.cut = True
            reset(self._transport)


def reset(transport: asyncio.Transport) -> None:
    """Break a TCP connection with RST."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class House:
    """One running server and where to call from."""

    def __init__(self, folder: Path, **sections: dict[str, object]) -> None:
        secrets = folder / "chap-secrets"
        secrets.write_text(f'"{USER}" * "{PASSWORD}" *\n"bob" * "pass" *\n')
        secrets.chmod(0o600)
        settings = Settings.model_validate(
            {
                "network": {"pool": ["10.9.0.0/24"]},
                "users": {"file": str(secrets), "store": str(folder / "users.sqlite")},
                "accounting": {"file": str(folder / "accounting.sqlite")},
                **sections,
                "auth": {"refusal_delay": 0.01, **sections.get("auth", {})},
            }
        )
        self.settings = settings
        self.log = Log()
        network = settings.network
        self.pool = AddressPool(network.pool, our_address=network.our_address(), named=network.pools)
        users = open_users(secrets, None, settings.server.name, store=settings.users.store)
        self.routes: list[tuple[str, bool]] = []
        self.server = Server(settings, users, self.pool, self.log.logger, self._open_data_path, route=self._route)
        self.calls: dict[int, TunnelDriver] = {}
        self.call_ids = CallIds(os.urandom)
        self.caller_path = CarryingDataPath(frame_received=self._caller_frame)
        self.caller_path.other, self.data_path.other = self.data_path, self.caller_path
        self.port = 0
        self.caller_log = Log()

    def _open_data_path(self, **callbacks) -> CarryingDataPath:
        self.data_path = CarryingDataPath(**callbacks)
        return self.data_path

    def _route(self, network: IPv4Network, leads: bool) -> None:
        self.routes.append((str(network), leads))

    def _caller_frame(self, call_id: int, frame: bytes) -> None:
        self.calls[call_id].frame_received(call_id, frame)

    def held(self) -> dict[str, int]:
        """Return how much the server holds for its peers, what is nothing left out."""
        held = {
            "calls": len(self.server.calls),
            "sessions": len(self.server.sessions),
            "paths": len(self.data_path.open_calls),
            "call ids": len(self.server._call_ids),
            "addresses": self.pool.leased,
            "connections": len(self.server._drivers),
            "at the door": len(self.server._waiting_room),
            "admitted": self.server._admission._total,
        }
        return {what: count for what, count in held.items() if count}

    async def at_rest(self, files: int | None = None) -> None:
        """Wait until the server holds nothing, and this process as many files as before."""
        try:
            await until(lambda: not self.held() and (files is None or open_files() == files))
        except TimeoutError:
            raise AssertionError(f"still held: {self.held()}, {open_files()} files, before {files}") from None

    async def call(
        self,
        *,
        user: str = USER,
        password: str = PASSWORD,
        source: str = "127.0.0.1",
        cut_after: int = -1,
        **link: Any,
    ) -> Caller:
        """Open a control connection and ask for a call."""
        caller = Caller()
        wanted = LinkSettings(our_name=user, our_password=password, **link)

        def make_tunnel(local: IPv4Address, peer: IPv4Address, path_mtu: int | None) -> Tunnel:
            settings = TunnelSettings(link=wanted, accepts=frozenset())
            addresses = {"local": int(local), "peer": int(peer)}
            return Tunnel(settings, self.call_ids, os.urandom, side=Side.INITIATOR, **addresses)

        caller.driver = CutDriver(make_tunnel, self.caller_path, self.calls, caller, self.caller_log.logger)
        caller.driver.inputs_left = cut_after
        loop = asyncio.get_running_loop()
        # A refused caller may be reset before it knows that it is connected.
        with contextlib.suppress(ConnectionError):
            await loop.create_connection(lambda: caller.driver, HOST, self.port, local_addr=(source, 0))
            caller.driver.run(caller.driver.tunnel.place_call, CallKind.OUTGOING, wanted)
        return caller

    async def log_in(self, **how: Any) -> Caller:
        """Call and wait until data may flow."""
        caller = await self.call(**how)
        await until(lambda: caller.up or caller.over)
        assert caller.up, f"{caller.ended} {caller.over}"
        return caller

    async def plain(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a TCP connection that says nothing by itself."""
        return await asyncio.open_connection(HOST, self.port, local_addr=(source, 0))


@contextlib.asynccontextmanager
async def house(folder: Path, **sections: dict[str, object]) -> AsyncIterator[House]:
    """Run a server whose settings are the defaults but for these; afterwards it holds nothing."""
    home = House(folder, **sections)
    listening = await asyncio.get_running_loop().create_server(home.server.protocol, HOST, 0, backlog=1024)
    home.port = listening.sockets[0].getsockname()[1]
    try:
        yield home
    finally:
        for driver in {*home.calls.values(), *home.server._drivers}:
            driver.abort()
        listening.close()
        await home.at_rest()
        home.server.close()
    assert not [line for line in home.log.lines if line["log_level"] in ("error", "critical")], home.log.lines

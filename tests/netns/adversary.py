"""Hostile peers of a running server, and the honest one that must not notice them.

    async with Attacker() as attacker:
        session = await attacker.log_in()
        session.send_frame(frame("[LCP EchoReq id=0x1 magic=0x0]"))
        assert await session.ping()

An Attacker logs in as our client would, then does what no client does. Everything here runs in the attacker's
namespace: `with namespace.inside(): asyncio.run(...)`. Every wait has a bound.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

import structlog
from tests import pcap
from tests.eventually import until
from tests.netns.namespace import Namespace
from tests.netns.programs import PASSWORD, USER, Program

from openpptp.credentials import AuthMethod
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.reference import ReferenceDataPath
from openpptp.datapath.seam import Counters, Inside
from openpptp.net.gre import RawGrePort
from openpptp.net.memory import tun_pair
from openpptp.ppp.settings import EncryptionPolicy, LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import CallKind, Side, TunnelSettings
from openpptp.tunnel.tunnel import Tunnel

SERVER, ATTACKER = "10.77.0.1", "10.77.0.2"
PORT = 1723
TICKS = os.sysconf("SC_CLK_TCK")
QUIET = structlog.wrap_logger(None, processors=[], wrapper_class=structlog.make_filtering_bound_logger(50))


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process takes of its host."""

    resident: int
    files: int
    processor_seconds: float

    @classmethod
    def of(cls, program: Program) -> Self:
        process = Path("/proc", str(program.process.pid))
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        resident = int((process / "status").read_text().partition("VmRSS:")[2].split()[0]) * 1024
        files = len(list((process / "fd").iterdir()))
        return cls(resident, files, (int(fields[11]) + int(fields[12])) / TICKS)


class Session:
    """One session of an attacker, in its hands."""

    def __init__(self, attacker: "Attacker", driver: TunnelDriver) -> None:
        self._attacker = attacker
        self.driver = driver
        self.up: tell.InterfaceUp | None = None
        self.ended: tell.SessionEnded | None = None
        self.over: tell.TunnelEnded | None = None
        self.survived = False
        "Whether it was still up when an attack was over."

    @property
    def call_id(self) -> int:
        """Our Call ID."""
        (session,) = self.driver.tunnel.sessions
        return session.call_id

    @property
    def peer_call_id(self) -> int:
        """The server's Call ID."""
        (session,) = self.driver.tunnel.sessions
        assert session.call.peer_call_id is not None
        return session.call.peer_call_id

    @property
    def alive(self) -> bool:
        """Whether the server still thinks that this session is up."""
        return self.up is not None and self.ended is None and self.over is None

    def send_stream(self, octets: bytes) -> None:
        """Say something on the control connection, though the server may take it in slowly."""
        transport = self.driver._transport
        if transport is not None:
            transport.set_write_buffer_limits(high=1 << 30)
            transport.write(octets)

    def send_frame(self, octets: bytes) -> None:
        """Send a PPP frame in clear, in sequence."""
        if not self.over and not self.ended:
            self._attacker.data_path.send_frame(self.call_id, octets)

    def send_gre(self, octets: bytes) -> None:
        """Send a GRE packet as it is."""
        self._attacker.gre.send(octets, int(IPv4Address(SERVER)), 0)

    @property
    def next_sequence(self) -> int:
        """The sequence number our next packet would have."""
        return self._attacker.data_path._table.call(self.call_id).path._sending._next

    async def ping(self, *, seconds: float = 5.0) -> float:
        """Return how long an echo to the server's inside address takes; raise TimeoutError without an answer."""
        assert self.up is not None
        assert self.up.our_address is not None
        system = self._attacker.system
        system.receive(4096)
        call = self._attacker.data_path._table.call(self.call_id)
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while True:
                packet = pcap.ipv4(str(self.up.our_address), str(self.up.peer_address), 1, echo_request())
                self._attacker.data_path._perform(
                    call, call.path.encapsulate(packet, asyncio.get_running_loop().time())
                )
                asked = time.monotonic()
                while time.monotonic() < asked + 1:
                    if system.receive(64):
                        return time.monotonic() - began
                    await asyncio.sleep(0.002)


class Attacker:
    """Owns sessions from one namespace to the server (driver.Owner)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.gre = RawGrePort()
        device, self.system = tun_pair()
        self._device = device
        self._calls: dict[int, TunnelDriver] = {}
        self._call_ids = CallIds(os.urandom)
        self.sessions: dict[TunnelDriver, Session] = {}
        self.data_path = ReferenceDataPath(
            self.gre,
            device,
            frame_received=self._frame_received,
            encryption_lost=lambda call_id, gave_up: None,
            loop=self._loop,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self.sessions.values():
            session.driver.abort()
        await until(lambda: all(session.over for session in self.sessions.values()))
        self.data_path.close()
        self.gre.close()
        self._device.close()
        self.system.close()

    def _frame_received(self, call_id: int, frame: bytes) -> None:
        if call_id in self._calls:
            self._calls[call_id].frame_received(call_id, frame)

    async def call(
        self, *, user: str = USER, password: str = PASSWORD, source: str = ATTACKER, stateful: bool = False
    ) -> Session:
        """Ask for a session and do not wait for it; raise ConnectionError when the server wants no connection."""
        policy = EncryptionPolicy(stateful=stateful, prefer_stateful=stateful)
        link = LinkSettings(
            our_name=user, our_password=password, answer_with=(AuthMethod.MSCHAP_V2,), encryption=policy
        )

        def make_tunnel(local: IPv4Address, peer: IPv4Address, path_mtu: int | None) -> Tunnel:
            settings = TunnelSettings(link=link, accepts=frozenset())
            return Tunnel(settings, self._call_ids, os.urandom, side=Side.INITIATOR, local=int(local), peer=int(peer))

        driver = TunnelDriver(make_tunnel, self.data_path, self._calls, self, QUIET)
        session = self.sessions[driver] = Session(self, driver)
        try:
            await self._loop.create_connection(lambda: driver, SERVER, PORT, local_addr=(source, 0))
        except OSError:
            del self.sessions[driver]
            raise
        driver.run(driver.tunnel.place_call, CallKind.OUTGOING, link)
        return session

    async def log_in(self, **how: object) -> Session:
        """Call and wait until data may flow."""
        session = await self.call(**how)
        await until(lambda: session.up or session.over)
        assert session.up, f"{session.ended} {session.over}"
        return session

    # driver.Owner

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None: ...

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None: ...

    def interface_up(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        self.sessions[driver].up = output
        self.data_path.interface_up(
            output.call_id,
            Inside(
                mtu=output.mtu,
                allowed_ipv4=(),
                encryption_required=output.encryption_required,
                compress_address_control=output.compress_address_control,
                compress_protocol=output.compress_protocol,
            ),
        )

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None: ...

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        self.sessions[driver].ended = output
        driver.abort()

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        self.sessions[driver].over = output


def echo_request() -> bytes:
    """Return an ICMP Echo-Request."""
    body = b"\x08\x00\x00\x00" + os.urandom(4) + bytes(32)
    return body[:2] + pcap.checksum(body).to_bytes(2, "big") + body[4:]


def attack(namespace: Namespace, doing: Callable[[Attacker], Awaitable[None]], *, seconds: float = 60.0) -> None:
    """Do something hostile in a namespace."""

    async def run() -> None:
        async with asyncio.timeout(seconds), Attacker() as attacker:
            await doing(attacker)

    with namespace.inside():
        asyncio.run(run())


def canary(namespace: Namespace, *, source: str = ATTACKER, seconds: float = 5.0) -> None:
    """Log in, reach the inside and leave, in time; a refused connection is tried again."""

    async def sing(attacker: Attacker) -> None:
        while True:
            try:
                session = await attacker.call(source=source)
            except ConnectionError:
                continue
            await until(lambda s=session: s.up or s.over, seconds=seconds)
            if session.up:
                await session.ping(seconds=seconds)
                return

    attack(namespace, sing, seconds=seconds)

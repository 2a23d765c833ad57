"""The client on loopback with devices in memory: what its user reads, and what it leaves behind."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv4Network

import pytest
from tests import pcap
from tests.daemon.loopback import HOST, PASSWORD, USER, Log, open_files
from tests.eventually import until

from openpptp.backends.pools import AddressPool
from openpptp.backends.users import SecretsUsers
from openpptp.credentials import AuthMethod
from openpptp.daemon import client as module
from openpptp.daemon import data_path
from openpptp.daemon.client import Client, resolve
from openpptp.daemon.config import Settings
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.daemon.reference import ReferenceDataPath
from openpptp.daemon.server import Server
from openpptp.daemon.wishes import DataPathWishes
from openpptp.errors import EndReason, SetupError
from openpptp.net.memory import MemoryGrePort, MemoryTun, Wire, tun_pair
from openpptp.wire.control import (
    ControlStream,
    OutgoingCallReply,
    StartControlConnectionReply,
    StopControlConnectionReply,
)


@dataclass
class FakeLinks:
    """Takes notice of what the client asks of the host's network."""

    did: list[tuple[object, ...]] = field(default_factory=list)
    undone: int = 0
    refuses: str = ""

    async def later(self, method, *arguments, **named) -> None:
        if method.__name__ == self.refuses:
            raise SetupError("the host does not let us")
        method(*arguments, **named)

    def pin(self, server, *, avoid) -> None:
        self.did.append(("pin", server, avoid))

    def device_up(self, name, *, address, peer, mtu) -> None:
        self.did.append(("device_up", name, str(address), str(peer), mtu))

    def add_route(self, network, name) -> None:
        self.did.append(("add_route", str(network), name))

    def undo(self) -> list[str]:
        self.undone += 1
        return []


class Place:
    """A wire with a server on it, and a client's side."""

    def __init__(self, monkeypatch, tmp_path) -> None:
        self.wire = Wire()
        self.links, self.log = FakeLinks(), Log()
        self.stop = asyncio.Event()
        self.systems: list[MemoryTun] = []
        self.port = 0
        self._tmp_path = tmp_path
        self._undo = contextlib.AsyncExitStack()
        monkeypatch.setattr(data_path, "RawGrePort", self._gre)
        monkeypatch.setattr(data_path, "Tun", self._tun)

    def _gre(self, _bind: None) -> MemoryGrePort:
        return self.wire.port(IPv4Address("127.0.0.1"))

    def _tun(self, name: str) -> MemoryTun:
        device, system = tun_pair(name)
        self.systems.append(system)
        return device

    async def serve(self, **sections: dict[str, object]) -> Server:
        """Run a real server, all but its host."""
        secrets = self._tmp_path / "secrets"
        secrets.write_text(f'"{USER}" * "{PASSWORD}" *\n')
        secrets.chmod(0o600)
        settings = Settings.model_validate(
            {
                "network": {"pool": ["10.9.0.0/24"]},
                "users": {"file": str(secrets)},
                "auth": {"refusal_delay": 0.01, **sections.pop("auth", {})},
                **sections,
            }
        )
        loop = asyncio.get_running_loop()
        gre, (tun, self.server_system) = self.wire.port(IPv4Address(HOST)), tun_pair()
        self.server_log = Log()
        pool = AddressPool(settings.network.pool, our_address=settings.network.our_address())
        users = SecretsUsers(secrets, settings.server.name)
        self.server = Server(
            settings, users, pool, self.server_log.logger, partial(ReferenceDataPath, gre, tun, loop=loop)
        )
        for each in (gre, tun, self.server_system):
            self._undo.callback(each.close)
        self._undo.callback(self.server.close)
        self._undo.push_async_callback(self.server.stop)
        await self.listen(self.server.protocol)
        return self.server

    async def listen(self, protocol) -> None:
        """Answer TCP with a protocol."""
        listening = await asyncio.get_running_loop().create_server(protocol, HOST, 0)
        self._undo.callback(listening.close)
        self.port = listening.sockets[0].getsockname()[1]

    def start(self, host: str = HOST, **how) -> asyncio.Task:
        """Start a client."""
        how = {"user": USER, "password": PASSWORD, "data_path": DataPathWishes("reference"), **how}
        request = ConnectRequest(host, port=self.port, **how)
        return asyncio.create_task(Client(request, self.log.logger, self.links).run(self.stop))

    async def close(self) -> None:
        await self._undo.aclose()
        for system in self.systems:
            system.close()


@pytest.fixture
async def place(monkeypatch, tmp_path):
    place = Place(monkeypatch, tmp_path)
    yield place
    await place.close()


@contextlib.contextmanager
def silence(place: Place):
    """Let the client call a port whose kernel answers no more: its backlog is full."""
    with socket.socket() as full, socket.socket() as first:
        full.bind((HOST, 0))
        full.listen(0)
        place.port = full.getsockname()[1]
        first.connect(full.getsockname())
        yield


class SessionTests:
    """A session that comes up."""

    async def test_the_host_gets_what_the_server_granted(self, place):
        await place.serve()
        client = place.start(routes=(IPv4Network("10.0.0.0/8"),))
        await until(lambda: place.log.about("connected"))
        assert place.links.did == [
            ("pin", IPv4Address(HOST), "pptp-client"),
            ("device_up", "pptp-client", "10.9.0.2/32", "10.9.0.1", 1396),
            ("add_route", "10.0.0.0/8", "pptp-client"),
        ]
        place.stop.set()
        assert (await client)[0] is EndReason.USER_REQUEST
        assert place.links.undone == 1

    async def test_packets_pass_both_ways(self, place):
        await place.serve()
        client = place.start()
        await until(lambda: place.log.about("connected") and place.server_log.about("session up"))
        there, back = pcap.ipv4("10.9.0.2", "10.1.1.1", 17, b"there"), pcap.ipv4("10.1.1.1", "10.9.0.2", 17, b"back")
        place.systems[0].send(there)
        place.server_system.send(back)
        arrived: dict[str, list[bytes]] = {"server": [], "client": []}

        def both() -> bool:
            arrived["server"] += place.server_system.receive()
            arrived["client"] += place.systems[0].receive()
            return all(arrived.values())

        await until(both)
        assert arrived == {"server": [there], "client": [back]}
        place.stop.set()
        await client

    async def test_the_default_route_is_two_halves(self, place):
        await place.serve()
        client = place.start(default_route=True)
        await until(lambda: place.log.about("connected"))
        assert [entry[1] for entry in place.links.did if entry[0] == "add_route"] == ["0.0.0.0/1", "128.0.0.0/1"]
        place.stop.set()
        await client

    async def test_a_host_that_refuses_ends_the_session(self, place):
        server = await place.serve()
        place.links.refuses = "add_route"
        reason, _ = await asyncio.wait_for(place.start(default_route=True), 20)
        assert reason is EndReason.RESOURCES
        assert place.log.about("the host does not let us")
        assert place.links.undone == 1
        await until(lambda: not server.sessions)

    async def test_a_server_that_stops_is_named(self, place):
        server = await place.serve()
        client = place.start()
        await until(lambda: place.log.about("connected"))
        await server.stop()
        reason, detail = await asyncio.wait_for(client, 20)
        assert reason is EndReason.PEER_REQUEST
        assert "shutting down" in detail

    async def test_no_file_stays_open(self, place):
        await place.serve()
        files = open_files()
        for number in range(1, 20):
            client = place.start()
            await until(lambda n=number: len(place.log.about("connected")) == n)
            place.stop.set()
            await client
            place.stop.clear()
            place.systems.pop().close()
        await until(lambda: open_files() == files)


class RefusedTests:
    """No session: what the user reads."""

    async def test_a_wrong_password(self, place):
        await place.serve()
        reason, detail = await asyncio.wait_for(place.start(password="wrong"), 20)
        assert reason is EndReason.AUTHENTICATION_REFUSED
        assert "wrong user name or password" in detail
        assert place.links.undone == 1

    async def test_no_method_suits_both(self, place):
        await place.serve()
        how = {"methods": (AuthMethod.PAP,), "encryption": "off"}
        _, detail = await asyncio.wait_for(place.start(**how), 20)
        assert "the client offers only PAP; this server requires MS-CHAPv2" in detail

    async def test_nobody_listens(self, place):
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            place.port = taken.getsockname()[1]
            with pytest.raises(SetupError, match=rf"127.0.0.9 refuses TCP port {place.port}; no PPTP server") as error:
                await place.start()
        assert error.value.exit_code == 1
        assert place.links.undone == 1

    async def test_nobody_answers(self, place, monkeypatch):
        monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.05)
        with silence(place), pytest.raises(SetupError, match=r"does not answer on TCP port .*firewall") as error:
            await place.start()
        assert error.value.exit_code == 1
        assert place.links.undone == 1

    async def test_stopping_before_anybody_answers(self, place):
        with silence(place):
            client = place.start()
            await until(lambda: place.links.did)
            place.stop.set()
            reason, _ = await asyncio.wait_for(client, module.CONNECT_TIMEOUT / 2)
        assert reason is EndReason.USER_REQUEST
        assert place.links.undone == 1

    async def test_a_name_nobody_knows(self, monkeypatch):
        async def unknown(*_, **__):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        with pytest.raises(SetupError, match=r"vpn.example.org has no IPv4 address .*DNS"):
            await resolve("vpn.example.org")

    async def test_an_address_is_its_own_name(self):
        assert await resolve("127.0.0.1") == IPv4Address("127.0.0.1")

    async def test_the_name_is_told_with_its_address(self, place):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            place.port = taken.getsockname()[1]
            with pytest.raises(SetupError, match=r"localhost \(127.0.0.1\) refuses"):
                await place.start("localhost")

    async def test_a_call_refused_for_want_of_lines(self, place):
        await place.listen(lambda: Script(StartControlConnectionReply(0x0100, 1), OutgoingCallReply(0, 0, 4)))
        reason, detail = await asyncio.wait_for(place.start(), 20)
        assert reason is EndReason.CALL_REFUSED
        assert "busy" in detail.lower()

    async def test_a_control_connection_refused(self, place):
        await place.listen(lambda: Script(StartControlConnectionReply(0x0100, 4)))
        _, detail = await asyncio.wait_for(place.start(), 20)
        assert detail
        assert place.links.undone == 1

    async def test_something_else_listens_there(self, place):
        await place.listen(lambda: Script(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"))
        reason, detail = await asyncio.wait_for(place.start(), 20)
        assert reason is EndReason.PROTOCOL_ERROR
        assert "no PPTP message" in detail

    async def test_a_server_that_hangs_up_at_once(self, place):
        await place.listen(lambda: Script(None))
        ends = [await asyncio.gather(place.start(), return_exceptions=True) for _ in range(50)]
        for (end,) in ends:  # the reset may come before we know that we are connected
            words = str(end) if isinstance(end, SetupError) else end[1]
            assert "cannot reach" in words or "control connection broke" in words

    async def test_stopping_a_server_that_says_nothing(self, place, monkeypatch):
        monkeypatch.setattr(module, "STOP_TIMEOUT", 0.05)
        await place.listen(asyncio.Protocol)
        client = place.start()
        await until(lambda: place.links.did)
        place.stop.set()
        reason, _ = await asyncio.wait_for(client, 20)
        assert reason is EndReason.USER_REQUEST


class Script(asyncio.Protocol):
    """Answers each control message with the next line of a script; octets go out at once, None resets."""

    def __init__(self, *lines) -> None:
        self._lines = list(lines)
        self._stream = ControlStream()

    def connection_made(self, transport) -> None:
        self._transport = transport
        if self._lines[0] is None:
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        elif isinstance(self._lines[0], bytes):
            transport.write(self._lines.pop(0))

    def data_received(self, data) -> None:
        for message in self._stream.feed(data):
            if not self._lines:
                self._transport.write(StopControlConnectionReply(1).encode())
                return
            reply = self._lines.pop(0)
            if isinstance(reply, OutgoingCallReply):
                reply = OutgoingCallReply(0, message.call_id, reply.result_code)
            self._transport.write(reply.encode())

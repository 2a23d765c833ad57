"""A client on loopback with devices in memory, a host that only takes notice, and room for a server."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address

from tests.daemon.loopback import HOST, PASSWORD, USER, Log

from openpptp.backends.pools import AddressPool
from openpptp.backends.users import SecretsUsers
from openpptp.daemon import data_path
from openpptp.daemon.client import client as module
from openpptp.daemon.client.client import Client
from openpptp.daemon.client.host import Configured
from openpptp.daemon.client.state import ClientState
from openpptp.daemon.config import Settings
from openpptp.daemon.connect_request import ConnectRequest, Reconnect
from openpptp.daemon.reference import ReferenceDataPath
from openpptp.daemon.server import Server
from openpptp.daemon.wishes import DataPathWishes
from openpptp.errors import SetupError
from openpptp.net.client_links import Carrier
from openpptp.net.memory import MemoryGrePort, MemoryTun, Wire, tun_pair

ONCE = Reconnect("never")


@dataclass
class FakeHost:
    """Takes notice of what the client asks of its host."""

    did: list[tuple[object, ...]] = field(default_factory=list)
    undone: int = 0
    refuses: str = ""
    mtu: int = 1500
    gone: str = ""

    async def carry(self, server) -> Carrier:
        self._do("carry", server)
        return Carrier("lo", None, self.mtu)

    async def carrier_gone(self, local) -> str:
        return self.gone

    async def up(self, output) -> Configured:
        self._do("up", str(output.our_address), output.mtu)
        return Configured(output.our_address, output.peer_address, None, output.mtu, ())

    async def down(self) -> None:
        self._do("down")

    def undo(self) -> list[str]:
        self.undone += 1
        return []

    def _do(self, *what: object) -> None:
        self.did.append(what)
        if what[0] == self.refuses:
            raise SetupError("the host does not let us")


@dataclass
class Audience:
    """Remembers what was told."""

    heard: list[tuple[str, str, str]] = field(default_factory=list)

    def told(self, event: str, state: ClientState) -> None:
        self.heard.append((event, state.state, state.stage))


class Place:
    """A wire with a server on it, and a client's side."""

    def __init__(self, monkeypatch, tmp_path) -> None:
        self.wire = Wire()
        self.host, self.log, self.audience = FakeHost(), Log(), Audience()
        self.stop = asyncio.Event()
        self.systems: list[MemoryTun] = []
        self.port = 0
        self._tmp_path = tmp_path
        self._undo = contextlib.AsyncExitStack()
        monkeypatch.setattr(data_path, "RawGrePort", self._gre)
        monkeypatch.setattr(data_path, "Tun", self._tun)
        monkeypatch.setattr(module, "watch_network", lambda _device, changed, _undo: setattr(self, "news", changed))

    def _gre(self, _bind: None, *, mark: None) -> MemoryGrePort:
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
        listening = await asyncio.get_running_loop().create_server(protocol, HOST, self.port)
        self._undo.callback(listening.close)
        self.port = listening.sockets[0].getsockname()[1]
        self._listening = listening

    async def close_server(self) -> None:
        """Stop the server; its port is free again."""
        self._listening.close()
        await self._undo.aclose()

    def start(self, *hosts: str, **how) -> asyncio.Task:
        """Start a client that does not connect again, unless told otherwise."""
        how = {"user": USER, "password": PASSWORD, "data_path": DataPathWishes("reference"), "reconnect": ONCE, **how}
        request = ConnectRequest(hosts or (HOST,), port=self.port, **how)
        self.client = Client(request, self.log.logger, self.host, [self.audience])
        return asyncio.create_task(self.client.run(self.stop))

    async def close(self) -> None:
        await self._undo.aclose()
        for system in self.systems:
            system.close()

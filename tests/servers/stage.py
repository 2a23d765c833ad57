"""Our client and a scripted server on loopback, their GRE and inside packets in memory.

server = await stage.serve(RRAS)
client = await stage.connect()            up, or the test fails with what was said
await stage.carry()                       data both ways
reason, detail = await stage.refused()    or not up, and why
"""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from typing import Any

from tests import pcap
from tests.daemon.client.place import Place
from tests.daemon.loopback import HOST
from tests.eventually import until
from tests.servers.script import Script
from tests.servers.server import ScriptedServer, answer_to

from openpptp.errors import EndReason

BEYOND = "198.51.100.10"
"An address behind the server."


class Stage:
    """One client, one server."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.server: ScriptedServer
        self._client: asyncio.Task[tuple[EndReason, str]] | None = None
        self._defects: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: self._defects.append(context))

    async def serve(self, script: Script, **how: Any) -> ScriptedServer:
        """Run a script."""
        self.server = ScriptedServer(script, self.place.wire.port(IPv4Address(HOST)), **how)
        await self.place.listen(self.server.protocol)
        return self.server

    async def connect(self, **how: Any) -> None:
        """Connect; raise when no session comes up."""
        await self.connecting(**how)

    def connecting(self, **how: Any) -> Awaitable[None]:
        """Begin to connect; what is returned waits for the session."""
        client = self._client = self.place.start(**how)
        return self._connected(client)

    async def _connected(self, client: asyncio.Task[tuple[EndReason, str]]) -> None:
        await until(lambda: self.place.log.about("connected") or client.done())
        assert not client.done(), f"{client.result()}\n" + "\n".join([*self.server.heard, *self.server.complaints])

    async def refused(self, **how: Any) -> tuple[EndReason, str]:
        """Connect and return how it ended; raise when a session comes up."""
        client = self._client = self.place.start(**how)
        await until(lambda: self.place.log.about("connected") or client.done())
        assert client.done(), "connected"
        return client.result()

    @property
    def connected(self) -> dict[str, Any]:
        """What the log says of the session."""
        return self.place.log.about("connected")[-1]

    async def carry(self) -> None:
        """Send a packet through, which the server answers: both must arrive undamaged."""
        heard = len(self.server.heard_inside)
        packet = pcap.ipv4(self.connected["address"], BEYOND, 17, b"there and back %d" % heard)
        self.place.systems[0].send(packet)
        arrived: list[bytes] = []

        def back() -> bool:
            arrived.extend(self.place.systems[0].receive())
            return bool(arrived)

        await until(back)
        assert self.server.heard_inside[heard:] == [packet]
        assert arrived == [answer_to(packet)]

    async def negotiated_anew(self, doing: Callable[[], None]) -> None:
        """Do what makes the link be negotiated anew, and wait until the session is up again."""
        before = len(self.place.log.about("connected"))
        doing()
        await until(lambda: len(self.place.log.about("connected")) > before)

    async def hang_up(self) -> None:
        """End the client as its user does."""
        self.place.stop.set()
        assert self._client is not None
        assert (await asyncio.wait_for(self._client, 20))[0] is EndReason.USER_REQUEST

    async def end(self) -> tuple[EndReason, str]:
        """Wait until the client has ended by itself; return how."""
        assert self._client is not None
        return await asyncio.wait_for(self._client, 20)

    async def close(self) -> None:
        if self._client is not None and not self._client.done():
            self.place.stop.set()
            await asyncio.wait_for(self._client, 20)
        self.server.close()
        await self.place.close()
        assert not self._defects, self._defects

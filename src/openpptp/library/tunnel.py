"""A tunnel as a program has it."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import IPv4Address

from openpptp.daemon.client.client import Client
from openpptp.daemon.events import Event
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason, NoTunnel
from openpptp.library.events import Events
from openpptp.library.inside import Inside, existing


class Tunnel:
    """A tunnel to a server, up when connect() gives it; whether it comes up again after a loss says `reconnect`.

    What it was given stays as of the last session while it is down.
    """

    def __init__(
        self,
        client: Client,
        running: "asyncio.Task[tuple[EndReason, str]]",
        inside: Inside | None,
        events: Events,
        *,
        interface: str | None,
    ) -> None:
        """Watch a client that runs; connect() is the way to get one."""
        self._client = client
        self._running = running
        self._inside = inside
        self._events = events
        self.interface = interface
        "Name of the device; None where the packets are the program's."

    def __repr__(self) -> str:
        """Say where it leads and what it is at."""
        return f"<Tunnel to {self.server}: {self.state}, {self.address}>"

    @property
    def is_up(self) -> bool:
        """Whether data may flow now."""
        return self.state == "up"

    @property
    def state(self) -> str:
        """What it is at: calling, logging in, up, waiting, leaving or over."""
        return self._client.state.state

    @property
    def server(self) -> IPv4Address:
        """The server's address outside."""
        return IPv4Address(self._client.state.server or 0)

    @property
    def server_host(self) -> str:
        """The name the server gives itself."""
        return self._client.state.server_host or ""

    @property
    def server_vendor(self) -> str:
        """Who made the server, as it says."""
        return self._client.state.server_vendor or ""

    @property
    def address(self) -> IPv4Address | None:
        """Our address inside; None when the server gave none."""
        return _address(self._client.state.address)

    @property
    def peer(self) -> IPv4Address | None:
        """The server's address inside; None when it named none."""
        return _address(self._client.state.peer)

    @property
    def dns(self) -> tuple[IPv4Address, ...]:
        """The DNS servers: those this host asks now or, with ports of the program's own, those the server named."""
        return tuple(map(IPv4Address, self._client.state.dns))

    @property
    def mtu(self) -> int:
        """Longest packet inside, in octets."""
        return self._client.state.mtu or 0

    @property
    def encryption(self) -> str:
        """How data is protected, in words."""
        return self._client.state.encryption or ""

    @property
    def counters(self) -> Counters:
        """What the session there is, or the last one, has carried, and what was dropped; as of now."""
        return self._client.counters()

    @property
    def packets(self) -> AsyncIterator[bytes]:
        """The IP packets that come out of the tunnel; for ports without a device. NoTunnel is raised at its end."""
        return existing(self._inside)

    async def send(self, packet: bytes) -> None:
        """Send an IP packet through the tunnel; for ports without a device. Raises NoTunnel when it is over.

        One that cannot be carried is dropped, as on a network; the counters say so.
        """
        await existing(self._inside).send(packet)

    def events(self) -> AsyncIterator[Event]:
        """Return an iterator of what happens from now on, with the keys of `openpptp connect --json`."""
        return self._events.follow()

    async def ended(self) -> NoTunnel:
        """Wait until it is over, and return why; leaving the block of connect() ends it too."""
        return NoTunnel(*await asyncio.shield(self._running))


def _address(text: str | None) -> IPv4Address | None:
    return None if text is None else IPv4Address(text)

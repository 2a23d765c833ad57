"""The inside of a tunnel without a device: its packets, as octets, for a program."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

from openpptp.daemon.given_ports import Ports
from openpptp.errors import EndReason, Misuse, NoTunnel
from openpptp.net.memory import QUEUE_LIMIT, MemoryTun


class Inside:
    """The program's end of a TUN device in memory; an async iterator of the packets that come out of the tunnel.

    What nobody takes is kept up to a bound, and counted as dropped beyond it.
    """

    def __init__(self, device: MemoryTun) -> None:
        """Join the device."""
        self._device = device
        device.other = self
        self._queue: deque[bytes] = deque()
        self._something = asyncio.Event()
        self._end: tuple[EndReason, str] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return itself: all who iterate share the packets."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next packet; raise NoTunnel when there are no more."""
        while not self._queue:
            if self._end is not None:
                raise NoTunnel(*self._end)
            self._something.clear()
            await self._something.wait()
        return self._queue.popleft()

    async def send(self, packet: bytes) -> None:
        """Put one IP packet in, waiting while there is no room; raise NoTunnel when none is taken any more.

        One that the tunnel cannot carry now is dropped, as on a network.
        """
        while self._end is None and not self._device.deliver(packet):  # noqa: ASYNC110 - the next turn has room
            await asyncio.sleep(0)
        if self._end is not None:
            raise NoTunnel(*self._end)
        await asyncio.sleep(0)  # whoever sends without a pause gives the data path its turns

    def deliver(self, packet: bytes) -> bool:
        """Take one packet out of the tunnel; False when closed or full."""
        if self._end is not None or len(self._queue) >= QUEUE_LIMIT:
            return False
        self._queue.append(packet)
        self._something.set()
        return True

    def close(self, reason: EndReason, detail: str) -> None:
        """Take and give no more, and say why; what has come out already can still be taken."""
        self._end = reason, detail
        self._something.set()


def with_inside(ports: Ports) -> tuple[Ports, Inside | None]:
    """Return the ports with a device; where the program gave none, it is in memory, and this is its end of it."""
    if ports.tun is not None:
        return ports, None
    device = MemoryTun("memory")
    return replace(ports, tun=device), Inside(device)


def existing(inside: Inside | None) -> Inside:
    """Return it; raise Misuse where packets go through a device of the system."""
    if inside is None:
        raise Misuse("the packets of this tunnel go through a device; give ports without one to have them here")
    return inside

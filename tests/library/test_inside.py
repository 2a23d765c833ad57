"""A program's end of a device in memory."""

import asyncio

import pytest

from openpptp.errors import EndReason, NoTunnel
from openpptp.library.inside import Inside
from openpptp.net.memory import QUEUE_LIMIT, MemoryTun

OVER = EndReason.SHUTDOWN, "over"


@pytest.fixture
def device():
    device = MemoryTun("memory")
    yield device
    device.close()


class InsideTests:
    async def test_what_one_sends_the_other_receives(self, device):
        inside = Inside(device)
        await inside.send(b"out")
        assert device.receive() == [b"out"]
        assert device.send(b"in")
        assert await anext(inside) == b"in"

    async def test_who_iterates_shares_the_packets(self, device):
        inside = Inside(device)
        one, other = asyncio.create_task(anext(inside)), asyncio.create_task(anext(inside))
        await asyncio.sleep(0)
        device.send(b"1")
        device.send(b"2")
        assert {await one, await other} == {b"1", b"2"}

    async def test_what_nobody_takes_is_bounded(self, device):
        Inside(device)
        assert [device.send(b"") for _ in range(QUEUE_LIMIT + 1)].count(False) == 1

    async def test_sending_waits_for_room(self, device):
        inside = Inside(device)
        for _ in range(QUEUE_LIMIT):
            await inside.send(b"")
        sending = asyncio.create_task(inside.send(b"last"))
        await asyncio.sleep(0)
        assert not sending.done()
        device.receive()
        await sending

    async def test_at_the_end_what_has_come_can_be_taken_still(self, device):
        inside = Inside(device)
        waiting = asyncio.create_task(anext(inside))
        device.send(b"first")
        device.send(b"second")
        assert await waiting == b"first"
        inside.close(*OVER)
        assert await anext(inside) == b"second"
        for _ in range(2):
            with pytest.raises(NoTunnel, match="over"):
                await anext(inside)
        with pytest.raises(NoTunnel):
            await inside.send(b"")
        assert not device.send(b"late")

    async def test_the_end_wakes_everybody_who_waits(self, device):
        inside = Inside(device)
        waiting = [asyncio.create_task(anext(inside)) for _ in range(3)]
        await asyncio.sleep(0)
        inside.close(*OVER)
        assert [type(found) for found in await asyncio.gather(*waiting, return_exceptions=True)] == [NoTunnel] * 3

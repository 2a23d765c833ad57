"""What tells the client that its surroundings have changed."""

import asyncio
import os
from contextlib import AsyncExitStack

import pytest
from tests.eventually import until

from openpptp.daemon.client import watching
from openpptp.daemon.client.watching import watch_network, watch_sleep


class FakeNews:
    """Tells what is written into a pipe: "1" is a change that matters."""

    def __init__(self, device: str) -> None:
        self.read, self.write = os.pipe()

    def fileno(self) -> int:
        return self.read

    def take(self) -> bool:
        return b"1" in os.read(self.read, 100)

    def close(self) -> None:
        os.close(self.read)
        os.close(self.write)


@pytest.fixture
def news(monkeypatch):
    made: list[FakeNews] = []
    monkeypatch.setattr(watching, "NetworkNews", lambda device: made.append(FakeNews(device)) or made[-1])
    monkeypatch.setattr(watching, "QUIET", 0.02)
    return made


class NetworkTests:
    async def test_a_burst_is_one_change_and_what_does_not_matter_is_none(self, news):
        changes: list[int] = []
        async with AsyncExitStack() as undo:
            watch_network("inside", lambda: changes.append(1), undo)
            os.write(news[0].write, b"0")
            await asyncio.sleep(0)
            for _ in range(3):
                os.write(news[0].write, b"1")
                await asyncio.sleep(0)
            await until(lambda: changes)
            os.write(news[0].write, b"1")
            await until(lambda: len(changes) == 2)
            os.write(news[0].write, b"1")
            await asyncio.sleep(0)
        assert len(changes) == 2


class SleepTests:
    async def test_sleep_is_told_with_its_length_and_once(self, monkeypatch):
        asleep, told = [100.0], []
        monkeypatch.setattr(watching, "SLEEP_CHECK", 0.001)
        monkeypatch.setattr(watching, "_asleep", lambda: asleep[0])
        task = asyncio.create_task(watch_sleep(told.append))
        await asyncio.sleep(0)
        asleep[0] = 161.0
        await until(lambda: told)
        task.cancel()
        assert told == [61.0]

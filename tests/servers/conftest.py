"""A client in memory and a place for a scripted server."""

from collections.abc import AsyncIterator

import pytest
from tests.daemon.client.place import Place
from tests.servers.stage import Stage


@pytest.fixture
async def stage(monkeypatch, tmp_path) -> AsyncIterator[Stage]:
    place = Place(monkeypatch, tmp_path)
    stage = Stage(place)
    yield stage
    await stage.close()

"""What all tests of the library share."""

import asyncio

import pytest
from tests.daemon.loopback import open_files
from tests.eventually import until
from tests.library.place import Place


@pytest.fixture
async def place():
    """Return a place; afterwards there is no task and no file more than before."""
    files = open_files()
    yield Place()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await until(lambda: open_files() == files)

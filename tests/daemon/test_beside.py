import asyncio
import os
import subprocess
import sys
import threading

import pytest
from tests.eventually import until
from tests.machine import REPOSITORY

from openpptp.daemon.beside import beside

HANGS = """
import asyncio, threading
from openpptp.daemon.beside import beside

async def main():
    try:
        await asyncio.wait_for(beside(threading.Event().wait), 0.05)
    except TimeoutError:
        print("went on", flush=True)

asyncio.run(main())
"""


class BesideTests:
    """Work in a thread of its own."""

    async def test_what_it_returns_and_raises_comes_back(self):
        assert await beside(divmod, 7, 2) == (3, 1)
        assert await beside(int, "ff", base=16) == 255
        with pytest.raises(ZeroDivisionError):
            await beside(divmod, 7, 0)

    async def test_b148_the_loop_goes_on_meanwhile(self):
        go_on = threading.Event()
        task = asyncio.create_task(beside(go_on.wait, 20))
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        assert await task

    async def test_whoever_does_not_wait_any_more_is_not_told(self):
        go_on, done = threading.Event(), []
        task = asyncio.create_task(beside(lambda: done.append(go_on.wait(20))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        await until(lambda: done)

    def test_b148_the_program_ends_while_it_hangs(self):
        done = subprocess.run(
            [sys.executable, "-c", HANGS],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")

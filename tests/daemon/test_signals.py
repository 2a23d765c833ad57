"""The signals that ask a program of ours to end."""

import asyncio
import signal

import pytest

from openpptp.daemon.signals import ENDINGS, end_on_signals


@pytest.fixture(autouse=True)
def as_before():
    """Leave this process with the handlers it had."""
    handlers = {number: signal.getsignal(number) for number in ENDINGS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


class SignalTests:
    """Undo everything, whoever asks."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    async def test_each_of_them_ends_the_program(self, number):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        stop = asyncio.Event()
        end_on_signals(stop)
        signal.raise_signal(number)
        await asyncio.wait_for(stop.wait(), 10)

    async def test_a_hang_up_that_nohup_ignores_stays_ignored(self):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        end_on_signals(asyncio.Event())
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

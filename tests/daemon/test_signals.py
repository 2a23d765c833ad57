"""The signals that ask a program of ours to end, or to read its settings again."""

import asyncio
import signal

import pytest
from tests.eventually import until

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


class HangUpTests:
    """SIGHUP where it means to read the settings again."""

    @staticmethod
    def terminal(monkeypatch, *there: bool) -> None:
        """Have a terminal, or none, at the start and at each hang-up."""
        answers = iter(there)
        monkeypatch.setattr("openpptp.daemon.signals.has_terminal", lambda: next(answers))

    @pytest.mark.parametrize("there", [(False, False), (True, True)], ids=["a service", "in a terminal"])
    async def test_it_is_passed_on_and_ends_nothing(self, monkeypatch, there):
        self.terminal(monkeypatch, *there)
        stop, calls = asyncio.Event(), []
        end_on_signals(stop, lambda: calls.append(1))
        signal.raise_signal(signal.SIGHUP)
        await until(lambda: calls)
        assert not stop.is_set()

    async def test_it_ends_the_program_when_the_terminal_has_gone(self, monkeypatch):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.terminal(monkeypatch, True, False)
        stop, calls = asyncio.Event(), []
        end_on_signals(stop, lambda: calls.append(1))
        signal.raise_signal(signal.SIGHUP)
        await asyncio.wait_for(stop.wait(), 10)
        assert not calls

    async def test_under_nohup_it_is_passed_on_but_the_terminals_end_ends_nothing(self, monkeypatch):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.terminal(monkeypatch, True, False, True)
        stop, calls = asyncio.Event(), []
        end_on_signals(stop, lambda: calls.append(1))
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(0)
        signal.raise_signal(signal.SIGHUP)
        await until(lambda: calls)
        assert not stop.is_set()

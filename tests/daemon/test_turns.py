import asyncio
import gc
import os
import selectors
import socket

import pytest
import structlog

from openpptp.daemon import turns as module
from openpptp.daemon.turns import READY_AT_ONCE, Loop, Turns, begin_to_serve, longest_turn


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that stands until the test sets it."""
    now = [100.0]

    def read() -> float:
        return now[0]

    read.now = now
    return read


@pytest.fixture
def turns(clock):
    with Turns(clock) as made:
        yield made


@pytest.fixture
def pairs():
    """Return more pairs of sockets than are served in one turn; each has something to read."""
    made = [socket.socketpair() for _ in range(READY_AT_ONCE * 2 + 1)]
    for _, there in made:
        there.send(b"x")
    yield [here for here, _ in made]
    for pair in made:
        for each in pair:
            each.close()


class PortionTests:
    """A thousand connections that are ready at once do not make one long turn."""

    def test_everybody_is_served_before_anybody_is_served_twice(self, turns, pairs):
        for each in pairs:
            turns.register(each, selectors.EVENT_READ)
        served = [[key.fileobj for key, _ in turns.select(0)] for _ in range(3)]
        assert [len(portion) for portion in served] == [READY_AT_ONCE, READY_AT_ONCE, 1]
        assert {each for portion in served for each in portion} == set(pairs)
        assert len(turns.select(0)) == READY_AT_ONCE, "nobody has read"

    def test_who_left_meanwhile_is_not_served_and_neither_is_who_got_its_number(self, turns, pairs):
        for each in pairs:
            turns.register(each, selectors.EVENT_READ, "first")
        first = {key.fileobj for key, _ in turns.select(0)}
        waiting = [each for each in pairs if each not in first]
        gone, other = waiting[0], waiting[1]
        turns.unregister(gone)
        turns.unregister(other)
        turns.register(other, selectors.EVENT_READ, "second")
        rest = [key for key, _ in turns.select(0)]
        assert {key.fileobj for key in rest} == set(waiting) - {gone, other}
        assert {key.data for key in rest} == {"first"}

    def test_nothing_ready_is_an_empty_portion(self, turns):
        assert turns.select(0) == []


class MeasureTests:
    """How long one turn takes, from the moment the selector returns to the next time it is asked."""

    def test_the_longest_turn_counts_and_what_was_waited_for_does_not(self, turns, clock):
        turns.select(0)
        for seconds in (0.01, 0.2, 0.05):
            clock.now[0] += seconds
            turns.select(0)
        assert turns.longest == pytest.approx(0.2)

    def test_it_is_measured_anew_after_forgetting(self, turns, clock):
        turns.select(0)
        clock.now[0] += 5
        turns.forget()
        turns.select(0)
        assert turns.longest == 0

    def test_b148_a_turn_that_is_too_long_is_said(self, turns, clock):
        with structlog.testing.capture_logs() as lines:
            for seconds in (0.0, 0.249, 0.3):
                clock.now[0] += seconds
                turns.select(0)
        assert [(line["event"], line["seconds"]) for line in lines] == [
            ("the event loop was busy without a pause", 0.3)
        ]


class LoopTests:
    """The loop the server runs in."""

    def test_it_tells_of_its_longest_turn(self):
        async def look() -> float | None:
            asyncio.get_running_loop().turns.longest = 7.0
            return longest_turn()

        with asyncio.Runner(loop_factory=Loop) as runner:
            assert runner.run(look()) == 7.0

    async def test_another_loop_tells_nothing(self):
        assert longest_turn() is None

    def test_it_moves_octets_as_any_other(self):
        async def talk() -> bytes:
            heard = asyncio.StreamReader()
            read, write = os.pipe()
            protocol = asyncio.StreamReaderProtocol(heard)
            loop = asyncio.get_running_loop()
            transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(read, "rb"))
            os.write(write, b"hello")
            os.close(write)
            octets = await heard.read()
            transport.close()
            return octets

        with asyncio.Runner(loop_factory=Loop) as runner:
            assert runner.run(talk()) == b"hello"

    def test_b141_memory_that_runs_out_in_the_loop_itself_costs_a_turn(self, monkeypatch):
        left = [3]
        poll = selectors.EpollSelector.select

        def select(selector: Turns, timeout: float | None = None) -> object:
            if left[0]:
                left[0] -= 1
                raise MemoryError
            return poll(selector, timeout)

        async def wait() -> str:
            await asyncio.sleep(0)
            return "went on"

        with asyncio.Runner(loop_factory=Loop) as runner, structlog.testing.capture_logs() as lines:
            runner.get_loop()
            monkeypatch.setattr(module, "PAUSE", 0)
            monkeypatch.setattr(selectors.EpollSelector, "select", select)
            assert runner.run(wait()) == "went on"
        assert left == [0]
        assert [line["why"] for line in lines] == ["no memory is left"] * 3

    def test_b141_memory_that_runs_out_in_what_it_runs_is_told(self):
        async def fail() -> None:
            raise MemoryError

        with asyncio.Runner(loop_factory=Loop) as runner, pytest.raises(MemoryError):
            runner.run(fail())

    def test_what_was_there_before_serving_is_neither_measured_nor_collected(self, monkeypatch):
        """A full collection in the middle of log-ins stops the loop for 0.1 ms for each session there is."""
        did = []
        for name in ("collect", "freeze", "set_threshold"):
            monkeypatch.setattr(module.gc, name, lambda *how, name=name: did.append((name, *how)))

        async def begin() -> float | None:
            asyncio.get_running_loop().turns.longest = 7.0
            begin_to_serve()
            return longest_turn()

        young, middle, _ = gc.get_threshold()
        with asyncio.Runner(loop_factory=Loop) as runner:
            assert runner.run(begin()) == 0
        assert did == [("collect",), ("freeze",), ("set_threshold", young, middle, module.OLD)]

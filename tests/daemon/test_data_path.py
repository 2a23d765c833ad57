"""Which data path is chosen, and which doors are opened for it."""

import asyncio
import os
from contextlib import AsyncExitStack
from ipaddress import IPv4Address

import pytest
from tests.daemon.loopback import Log

from openpptp.daemon import data_path as module
from openpptp.daemon.data_path import Doors, describe, has_engine, threads_for
from openpptp.daemon.engine import EngineDataPath
from openpptp.daemon.reference import ReferenceDataPath
from openpptp.daemon.wishes import DataPathWishes
from openpptp.errors import SetupError
from openpptp.net import engine
from openpptp.net.memory import Wire, tun_pair


@pytest.fixture
def built(monkeypatch):
    """Let the engine be there, or not."""

    def say(reason: str) -> None:
        monkeypatch.setattr(module.engine, "available", lambda: not reason)
        monkeypatch.setattr(module.engine, "why_not", lambda: reason)

    say("")
    return say


class ChoiceTests:
    """The engine where it is there."""

    @pytest.mark.parametrize(("kind", "chosen"), [("auto", True), ("engine", True), ("reference", False)])
    def test_where_it_is_built(self, built, kind, chosen):
        log = Log()
        assert has_engine(kind, log.logger) is chosen
        assert log.lines == []

    def test_where_it_is_not_the_reference_serves_with_one_warning_that_says_what_to_do(self, built):
        built("the engine is not built; install gcc")
        log = Log()
        assert not has_engine("auto", log.logger)
        assert [line["log_level"] for line in log.lines] == ["warning"]
        assert "install gcc" in log.lines[0]["event"]

    def test_who_wants_the_reference_is_not_warned(self, built):
        built("the engine is not built; install gcc")
        log = Log()
        assert not has_engine("reference", log.logger)
        assert log.lines == []

    def test_who_insists_on_it_gets_it_or_nothing(self, built):
        built("the engine is not built; install gcc")
        with pytest.raises(SetupError, match="install gcc") as caught:
            has_engine("engine", Log().logger)
        assert caught.value.exit_code == 3

    @pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 3), (8, 4), (64, 4)])
    def test_threads_follow_the_processors(self, processors, threads):
        assert threads_for(processors) == threads


class Opened:
    """Plays net: writes down what is opened and closed."""

    def __init__(self, monkeypatch) -> None:
        self.did: list[object] = []
        self.windows: list[int] = []
        self.wire = Wire()
        monkeypatch.setattr(module, "RawGrePort", self._gre)
        monkeypatch.setattr(module, "Tun", self._tun)
        monkeypatch.setattr(module, "EngineDataPath", self._engine)
        monkeypatch.setattr(module.engine, "features", lambda: "all of it")

    def _gre(self, bind, *, mark):
        self.did.append(("gre", bind, *((mark,) if mark is not None else ())))
        return self.wire.port(IPv4Address("127.0.0.1"))

    def _tun(self, name, **how):
        self.did.append((name, how))
        device, _ = tun_pair(name)
        device.filenos = (11, 12)[: how.get("queues", 1)]
        device.merges_udp = True
        return device

    def _engine(self, gre, tun, **how):
        self.did.append((len(gre), tun, how["carrier"], how["merges_udp"]))
        self.broken = how["broken"]
        self.windows.append(how["receive_window"])
        return "the engine"


@pytest.fixture
def opened(monkeypatch, built):
    return Opened(monkeypatch)


CALLBACKS = {"frame_received": lambda *_: None, "encryption_lost": lambda *_: None}


class DoorsTests:
    """What is opened for whom."""

    async def test_the_engine_gets_a_socket_and_a_queue_for_each_thread(self, opened):
        log = Log()
        async with AsyncExitStack() as undo:
            doors = Doors(DataPathWishes("engine", "raw", threads=2), log.logger, undo)
            doors.open_gre(IPv4Address("192.0.2.1"))
            doors.open_tun("pptp0")
            assert doors.open_data_path(**CALLBACKS) == "the engine"
        address = IPv4Address("192.0.2.1")
        large = {"offload": True, "queues": 2}
        assert opened.did == [("gre", address), ("gre", address), ("pptp0", large), (2, (11, 12), "raw", True)]
        [line] = log.about("data path")
        assert (line["kind"], line["processor"], line["carrier"]) == ("engine", "all of it", "raw")

    async def test_a_receive_window_is_passed_on(self, opened):
        async with AsyncExitStack() as undo:
            for kind in ("engine", "reference"):
                doors = Doors(DataPathWishes(kind, threads=1, receive_window=16), Log().logger, undo)
                doors.open_gre()
                doors.open_tun("pptp0")
                path = doors.open_data_path(**CALLBACKS)
        assert opened.windows == [16]
        path.open_call(7, IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))
        path.connect_call(7, 9)
        assert path._table.call(7).path._receiving._half == 8
        path.close()

    async def test_the_reference_gets_one_of_each_as_it_reads_them(self, opened):
        log = Log()
        async with AsyncExitStack() as undo:
            doors = Doors(DataPathWishes("reference", threads=8), log.logger, undo)
            doors.open_gre()
            doors.open_tun("pptp0")
            path = doors.open_data_path(**CALLBACKS)
            assert isinstance(path, ReferenceDataPath)
            path.close()
        assert opened.did == [("gre", None), ("pptp0", {})]
        assert [line["kind"] for line in log.about("data path")] == ["reference"]

    @pytest.mark.parametrize("used", [True, False])
    async def test_a_node_of_root_is_opened_for_each_queue_before_the_device(self, opened, monkeypatch, used):
        pipes = [os.pipe() for _ in range(2)]
        nodes = [reading for reading, _ in pipes]
        left = list(nodes)
        monkeypatch.setattr(module, "open_node", lambda: left.pop(0))
        async with AsyncExitStack() as undo:
            doors = Doors(DataPathWishes("engine", threads=2), Log().logger, undo)
            doors.open_nodes()
            if used:
                doors.open_tun("pptp0")
        if used:
            assert opened.did == [("pptp0", {"offload": True, "queues": 2, "opened": nodes})]
        for reading, writing in pipes:
            os.close(writing)
            if used:
                os.close(reading)  # the device's now, which here is none
            else:
                with pytest.raises(OSError, match="Bad file descriptor"):
                    os.fstat(reading)

    async def test_whoever_opens_them_hears_when_packets_are_read_no_more(self, opened):
        heard = []
        async with AsyncExitStack() as undo:
            for kind in ("engine", "reference"):
                doors = Doors(DataPathWishes(kind, threads=1), Log().logger, undo, broken=heard.append)
                doors.open_gre()
                doors.open_tun("pptp0")
                path = doors.open_data_path(**CALLBACKS)
            opened.broken("the engine's words")
            path._broken("the reference's words")
            path.close()
        assert heard == ["the engine's words", "the reference's words"]

    async def test_what_was_opened_is_closed_when_a_later_step_fails(self, opened):
        async def start() -> None:
            async with AsyncExitStack() as undo:
                doors = Doors(DataPathWishes("reference"), Log().logger, undo)
                doors.open_gre()
                devices.append(doors.open_tun("pptp0"))
                raise SetupError("the host does not let us")

        devices = []
        with pytest.raises(SetupError):
            await start()
        assert devices[0]._closed
        assert not opened.wire._ports


class DescribeTests:
    """What openpptp status says of it."""

    async def test_the_reference(self):
        gre = Wire().port(IPv4Address("127.0.0.1"))
        path = ReferenceDataPath(gre, None, loop=asyncio.get_running_loop(), **CALLBACKS)
        path.malformed = 3
        path._table.unknown, path._table.unrouted = 1, 2
        assert describe(path) == {"kind": "reference", "totals": {"unknown": 1, "malformed": 3, "unrouted": 2}}
        path.close()

    @pytest.mark.skipif(not engine.available(), reason=engine.why_not())
    async def test_the_engine(self):
        path = EngineDataPath.__new__(EngineDataPath)
        path.engine = engine.Engine(2)
        facts = describe(path)
        assert (facts["kind"], facts["threads"]) == ("engine", 4)
        assert facts["processor"] == engine.features()
        assert {"unknown", "malformed", "unrouted", "inside_full"} <= set(facts["totals"])
        path.engine.close()

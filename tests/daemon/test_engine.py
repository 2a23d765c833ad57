"""The engine behind the seam: the reference's tests with the engine in memory mode, and what is the engine's own."""

import asyncio
from ipaddress import IPv4Address, IPv4Network

import pytest
from tests.daemon import test_reference as reference
from tests.daemon.loopback import Log
from tests.daemon.test_reference import ANN, BOB, CLIENT, ECHO, SERVER, STRANGER, ip

from openpptp.daemon import engine as module
from openpptp.daemon.engine import EVENTS_AT_ONCE, EngineDataPath
from openpptp.datapath.seam import Inside, Rate
from openpptp.errors import Misuse
from openpptp.net import engine as native
from openpptp.net.engine import Packet
from openpptp.wire import gre

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_not())

TUN_HEADER = bytes(10)


class MemoryDataPath(EngineDataPath):
    """The engine without threads: ports in memory feed it from the loop, and take what leaves it."""

    def __init__(self, gre, tun, **how) -> None:
        self._gre, self._tun, self._timer = gre, None, None
        self._drawing = False
        super().__init__([gre], [] if tun is None else [tun], **how)

    def _open_doors(self, gre, tun) -> None:
        self._loop.add_reader(self._gre.fileno(), self._read_gre)
        for device in tun:
            self.attach_tun(device)

    def attach_tun(self, device) -> None:
        self._tun = device
        self._loop.add_reader(device.fileno(), self._read_tun)

    def _read_gre(self) -> None:
        packets = [Packet(*datagram) for datagram in self._gre.receive()]
        self.engine.take_outside(packets, self._loop.time())
        self._draw()

    def _read_tun(self) -> None:
        packets = [Packet(TUN_HEADER + packet) for packet in self._tun.receive()]
        self.engine.take_inside(packets, self._loop.time())
        self._draw()

    def connect_call(self, call_id, peer_call_id) -> None:
        super().connect_call(call_id, peer_call_id)
        self._arm()

    def send_frame(self, call_id, frame) -> None:
        super().send_frame(call_id, frame)
        self._draw()

    def _draw(self) -> None:
        if not self._drawing:
            self._drawing = True
            self._take_events()
            self._drawing = False
        self._arm()

    def _take(self, event) -> None:
        if event.way == native.OUTSIDE:
            peer, local = self._peers[event.call_id]
            self._gre.send(event.octets, peer, local)
        elif event.way == native.INSIDE:
            self._tun.send(event.octets)
        else:
            super()._take(event)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        when = None if self._closed else self.engine.deadline()
        if when is not None:
            self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.engine.tick(self._loop.time())
        self._draw()

    def close(self) -> None:
        if not self._closed:
            self._loop.remove_reader(self._gre.fileno())
            if self._tun is not None:
                self._loop.remove_reader(self._tun.fileno())
        super().close()
        self._arm()


class End(reference.End):
    def make(self, loop, tun) -> MemoryDataPath:
        return MemoryDataPath(
            self.gre, tun, frame_received=self.frame_received, encryption_lost=self.encryption_lost, loop=loop
        )


class Pair(reference.Pair):
    end = End


class TrafficTests(reference.TrafficTests):
    """Packets between two ends."""

    pair = Pair
    test_neither_side_starves_the_other = None  # each side has a thread of its own
    test_a_device_may_come_later = None  # what a device takes is counted where it is written, by the engine's threads

    async def test_a_routed_network_and_a_rate_reach_the_engine(self):
        async with self.pair() as pair:
            pair.server.path.connect_call(7, 0)
            limits = Inside(1400, (ANN,), False, False, False, None, (IPv4Network("10.5.0.0/16"),), None, Rate(8, 30))
            pair.server.path.interface_up(7, limits)
            for _ in range(2):
                pair.server.system.send(ip(BOB, IPv4Address("10.5.1.1")))
            await pair.clock.turns()
            counters = pair.server.path.counters(7)
            assert (counters.packets_out, counters.dropped_rate) == (1, 1)
            assert counters.last_out == 1000.0


class LifeTests(reference.LifeTests):
    """A call from its opening to its end."""

    pair = Pair

    async def test_what_is_asked_of_a_call_that_is_not_open_is_misuse(self):
        async with self.pair() as pair:
            path = pair.server.path
            for ask in (
                lambda: path.connect_call(8, 1),
                lambda: path.send_frame(8, ECHO),
                lambda: path.encryption_down(8),
                lambda: path.encryption_flush(8),
                lambda: path.interface_up(8, Inside(1400, (), False, False, False)),
                lambda: path.interface_down(8),
                lambda: path.close_call(8),
                lambda: path.counters(8),
            ):
                with pytest.raises(Misuse, match="call 8 is not open"):
                    ask()
            with pytest.raises(Misuse, match="call 7 is open already"):
                path.open_call(7, CLIENT, SERVER)

    async def test_a_call_closed_by_what_went_up_gets_nothing_more(self):
        async with self.pair().up() as pair:
            closed = []
            pair.server.path._frame_received = lambda call_id, _: closed.append(pair.server.path.close_call(call_id))
            for sequence in range(4):
                pair.client.gre.send(gre.encode(7, ECHO, sequence), int(SERVER), int(CLIENT))
            await pair.clock.forward(1.0)
            assert len(closed) == 1
            assert pair.server.path.defects == 0

    async def test_a_call_id_that_is_used_again_gets_nothing_of_the_call_before(self):
        async with self.pair() as pair:
            path = pair.server.path
            path.connect_call(7, 0)
            path.engine.take_outside([Packet(gre.encode(7, ECHO, 0), int(CLIENT), int(SERVER))], 1000.0)
            path.close_call(7)
            path.open_call(7, STRANGER, SERVER)
            await pair.clock.turns()
            assert pair.server.frames == []


class StrangersTests(reference.StrangersTests):
    """What belongs to no call."""

    pair = Pair


class TimeTests(reference.TimeTests):
    """One wheel of deadlines for all calls."""

    pair = Pair
    test_a_thousand_idle_calls_cost_a_packet_nothing = None  # native/tests/test_wheel.c


class FaultsTests(reference.FaultsTests):
    """What breaks, breaks alone."""

    pair = Pair
    test_full_queues_drop_and_count = None  # as test_a_device_may_come_later
    test_a_device_that_is_ready_for_ever_and_gives_nothing_is_read_no_more = None  # loop.c


class EventsTests:
    """The slow path in the event loop."""

    async def test_a_flood_leaves_the_loop_to_others(self):
        async with Pair().up() as pair:
            path = pair.server.path
            packets = [Packet(gre.encode(7, ECHO, n), int(CLIENT), int(SERVER)) for n in range(4 * EVENTS_AT_ONCE)]
            path.engine.take_outside(packets, 1000.0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert 0 < len(pair.server.frames) <= 2 * EVENTS_AT_ONCE
            await pair.clock.turns(20)
            assert len(pair.server.frames) == 4 * EVENTS_AT_ONCE

    async def test_a_data_path_that_is_closed_by_what_it_called_back_is_asked_no_more(self):
        async with Pair().up() as pair:
            path = pair.server.path
            pair.server.frame_received = None
            path._frame_received = lambda *_: path.close()
            packets = [Packet(gre.encode(7, ECHO, n), int(CLIENT), int(SERVER)) for n in range(2)]
            path.engine.take_outside(packets, 1000.0)
            await pair.clock.turns()
            with pytest.raises(Misuse, match="closed"):
                path.unknown_packets()


class ThreadsTests:
    """The engine's own threads."""

    async def test_a_thread_that_ends_is_told_in_the_log_and_to_the_owner(self):
        path, log, heard = EngineDataPath.__new__(EngineDataPath), Log(), []
        path._loop, path._log, path._broken = asyncio.get_running_loop(), log.logger, heard.append
        await asyncio.to_thread(path._thread_failed, OSError(77, "File descriptor in bad state"))
        await asyncio.sleep(0)
        assert log.about("a thread of the engine ended; its packets are read no more")
        assert heard == ["a thread of the engine ended (File descriptor in bad state)"]


def test_all_counters_of_the_seam_are_counted_by_the_engine():
    engine = native.Engine()
    engine.open_call(1, 2, 3)
    assert set(module.COUNTERS) == set(engine.close_call(1))
    engine.close()

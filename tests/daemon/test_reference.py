"""The reference data path in an event loop, over ports in memory.

The loop's clock is the test's: it goes on by itself to the next thing that is due, so that nothing waits.
"""

import asyncio
from ipaddress import IPv4Address
from typing import Self

import pytest
from tests import pcap
from tests.notation import frame

from openpptp.credentials import Encryption
from openpptp.crypto import mschap_v2_start_keys
from openpptp.daemon import reference
from openpptp.daemon.reference import BATCH, IDLE_WAKES, ReferenceDataPath
from openpptp.datapath.seam import DataPath, Inside
from openpptp.errors import Misuse
from openpptp.net.memory import Faults, Wire, tun_pair
from openpptp.wire import gre

SERVER, CLIENT, STRANGER = (IPv4Address(f"192.0.2.{n}") for n in (1, 2, 3))
ANN, BOB = IPv4Address("10.0.0.2"), IPv4Address("10.0.0.1")
ECHO = frame("[LCP EchoReq id=0x1 magic=0x1a2b3c4d]")
MODES = [None, (128, False), (128, True), (40, False)]


def ip(source: IPv4Address = ANN, destination: IPv4Address = BOB, number: int = 0) -> bytes:
    return pcap.ipv4(str(source), str(destination), 17, number.to_bytes(4, "big"))


class TestClock:
    """Makes a loop's time stand, and move when told to."""

    __test__ = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now = 1000.0
        loop.time = lambda: self.now

    async def turns(self, count: int = 10) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def forward(self, seconds: float) -> None:
        await self.turns()
        self.now += seconds
        await self.turns()


class End:
    """One end: a data path with its ports, and what it called back."""

    def __init__(self, wire: Wire, address: IPv4Address, loop: asyncio.AbstractEventLoop, **how) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self.lost: list[tuple[int, bool]] = []
        self.gre = wire.port(address)
        self.tun, self.system = tun_pair()
        self.path = self.make(loop, how.get("tun", self.tun))
        self.address = address

    def make(self, loop, tun) -> ReferenceDataPath:
        return ReferenceDataPath(
            self.gre, tun, frame_received=self.frame_received, encryption_lost=self.encryption_lost, loop=loop
        )

    def frame_received(self, call_id: int, octets: bytes) -> None:
        self.frames.append((call_id, octets))

    def encryption_lost(self, call_id: int, gave_up: bool) -> None:
        self.lost.append((call_id, gave_up))

    def close(self) -> None:
        self.path.close()
        for port in (self.gre, self.tun, self.system):
            port.close()


class Pair:
    """Server and client with one call between them: 7 at the server, 0 at the client."""

    end = End

    def __init__(self, faults: Faults | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.clock = TestClock(loop)
        self.wire = Wire(faults)
        self.server, self.client = self.end(self.wire, SERVER, loop), self.end(self.wire, CLIENT, loop)
        self.stranger = self.wire.port(STRANGER)
        self.server.path.open_call(7, CLIENT, SERVER)
        self.client.path.open_call(0, SERVER, CLIENT)

    def up(self, mode: tuple[int, bool] | None = None) -> "Pair":
        self.server.path.connect_call(7, 0)
        self.client.path.connect_call(0, 7)
        for end, call_id in ((self.server, 7), (self.client, 0)):
            is_client = end is self.client
            if mode is not None:
                start = mschap_v2_start_keys(bytes(16), bytes(24), authenticator=not is_client)
                send, receive = (
                    (start.send, start.receive) if mode[0] == 128 else (start.send_short, start.receive_short)
                )
                end.path.encryption_up(call_id, Encryption(send, *mode), Encryption(receive, *mode))
            end.path.interface_up(call_id, Inside(1400, () if is_client else (ANN,), mode is not None, True, True))
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.server.path.defects == self.client.path.defects == 0
        for end in (self.server, self.client):
            end.close()
        self.stranger.close()


class TrafficTests:
    """Packets between two ends."""

    pair = Pair

    @pytest.mark.parametrize("mode", MODES)
    async def test_packets_pass_both_ways(self, mode):
        async with self.pair().up(mode) as pair:
            out = [ip(ANN, BOB, n) for n in range(200)]
            back = [ip(BOB, ANN, n) for n in range(200)]
            for one, other in zip(out, back, strict=True):
                pair.client.system.send(one)
                pair.server.system.send(other)
            await pair.clock.turns(20)
            assert pair.server.system.receive(1000) == out
            assert pair.client.system.receive(1000) == back
            counters = pair.server.path.counters(7)
            assert (counters.packets_in, counters.packets_out, counters.lost) == (200, 200, 0)

    @pytest.mark.parametrize("mode", MODES[:2])
    async def test_p06_p07_over_a_bad_wire_all_that_arrives_comes_in_order_and_once(self, mode):
        faults = Faults(loss=0.05, duplication=0.05, reordering=0.05, reordering_span=8)
        async with self.pair(faults).up(mode) as pair:
            for number in range(1000):
                pair.client.system.send(ip(number=number))
                await pair.clock.turns(2)
                pair.clock.now += 0.0001
            pair.wire.settle()
            await pair.clock.forward(1.0)
            numbers = [int.from_bytes(packet[20:], "big") for packet in pair.server.system.receive(4000)]
            assert numbers == sorted(set(numbers))
            assert len(numbers) >= 1000 - pair.wire.counters.lost - 10
            counters = pair.server.path.counters(7)
            assert counters.late_recovered > 10
            assert counters.dropped_duplicate > 10

    async def test_control_frames_go_up_with_their_call(self):
        async with self.pair().up() as pair:
            pair.client.path.send_frame(0, ECHO)
            pair.server.path.send_frame(7, ECHO)
            await pair.clock.turns()
            assert pair.server.frames == [(7, ECHO)]
            assert pair.client.frames == [(0, ECHO)]

    async def test_neither_side_starves_the_other(self):
        async with self.pair().up() as pair:
            order = []
            pair.server.frame_received = lambda *_: order.append("outside")
            route = pair.server.path._table.route
            pair.server.path._table.route = lambda packet: order.append("inside") or route(packet)
            for number in range(10 * BATCH):
                pair.stranger.send(b"", int(SERVER), int(STRANGER))
                pair.client.gre.send(gre.encode(7, ECHO, number), int(SERVER), int(CLIENT))
                pair.server.system.send(ip(BOB, ANN, number))
            pair.server.path._frame_received = pair.server.frame_received
            await pair.clock.turns(3)
            assert 0 < order.index("outside") <= BATCH or 0 < order.index("inside") <= BATCH
            await pair.clock.turns(100)
            assert len(order) == 20 * BATCH

    async def test_a_device_may_come_later(self):
        async with self.pair() as pair:
            late = pair.end(pair.wire, STRANGER, pair.clock.loop, tun=None)
            late.path.open_call(1, CLIENT, STRANGER)
            late.path.connect_call(1, 9)
            late.path.interface_up(1, Inside(1400, (), False, False, False))
            pair.client.gre.send(gre.encode(1, b"\x21" + ip(), 0), int(STRANGER), int(CLIENT))
            await pair.clock.turns()
            assert late.path.counters(1).dropped_queue_full == 1
            late.path.attach_tun(late.tun)
            late.system.send(ip())
            await pair.clock.turns()
            assert late.path.counters(1).packets_out == 1
            late.close()


class LifeTests:
    """A call from its opening to its end."""

    pair = Pair

    async def test_it_is_a_data_path(self):
        async with self.pair() as pair:
            path: DataPath = pair.server.path
            assert path.unknown_packets() == 0

    async def test_b056_gre_that_overtook_the_reply_goes_up_and_is_acknowledged_later(self):
        async with self.pair() as pair:
            pair.server.path.connect_call(7, 0)
            pair.server.path.send_frame(7, ECHO)
            await pair.clock.forward(0.5)
            assert pair.client.frames == [(0, ECHO)]
            assert pair.client.path.counters(0).acks_sent == 0
            pair.client.path.connect_call(0, 7)
            await pair.clock.forward(0.5)
            assert pair.client.path.counters(0).acks_sent == 1

    async def test_a_call_closed_by_what_went_up_gets_nothing_more(self):
        async with self.pair().up() as pair:
            closed = []
            pair.server.path._frame_received = lambda call_id, _: closed.append(pair.server.path.close_call(call_id))
            for sequence in (0, 2, 3, 1):
                pair.client.gre.send(gre.encode(7, ECHO, sequence), int(SERVER), int(CLIENT))
            pair.client.gre.send(gre.encode(7, ECHO, 4), int(SERVER), int(CLIENT))
            await pair.clock.forward(1.0)
            assert len(closed) == 1
            assert pair.server.path.unknown_packets() == 4

    async def test_counters_are_given_back_at_the_end(self):
        async with self.pair().up() as pair:
            pair.client.system.send(ip())
            await pair.clock.turns()
            assert pair.server.path.close_call(7).packets_in == 1
            with pytest.raises(Misuse):
                pair.server.path.counters(7)

    async def test_the_time_of_the_last_packet_is_the_loops(self):
        async with Pair().up() as pair:
            await pair.clock.forward(3.0)
            pair.client.system.send(ip())
            await pair.clock.turns()
            counters = pair.client.path.counters(0), pair.server.path.counters(7)
            assert counters[0].last_out == counters[1].last_in == pair.clock.loop.time() > 0.0

    async def test_data_stops_when_the_interface_goes_down(self):
        async with self.pair().up() as pair:
            pair.server.path.interface_down(7)
            pair.server.system.send(ip(BOB, ANN))
            pair.client.system.send(ip())
            await pair.clock.turns()
            assert pair.server.path.counters(7).dropped_not_open == 1
            assert pair.server.path.unrouted_packets == 1

    async def test_encryption_lost_is_told_and_a_flush_mends_it(self):
        async with self.pair().up((128, True)) as pair:
            pair.wire.faults = Faults(loss=1.0)
            pair.client.system.send(ip(number=0))
            await pair.clock.turns()
            pair.wire.faults = Faults()
            pair.client.system.send(ip(number=1))
            await pair.clock.forward(0.2)
            assert pair.server.lost == [(7, False)]
            pair.client.path.encryption_flush(0)
            pair.client.system.send(ip(number=2))
            await pair.clock.forward(0.2)
            assert pair.server.system.receive() == [ip(number=2)]

    async def test_without_keys_where_they_are_required_nothing_goes_out(self):
        async with self.pair().up((128, False)) as pair:
            pair.client.path.encryption_down(0)
            pair.client.system.send(ip())
            await pair.clock.turns()
            assert pair.client.path.counters(0).dropped_not_encrypted == 1
            assert pair.wire.counters.sent == 0

    async def test_after_close_nothing_is_read_and_no_timer_runs(self):
        async with self.pair().up() as pair:
            pair.client.path.send_frame(0, ECHO)
            await pair.clock.turns()
            pair.server.path.close()
            pair.client.path.send_frame(0, ECHO)
            await pair.clock.forward(1.0)
            assert pair.server.frames == [(7, ECHO)]
            assert pair.server.path._timer is None
            pair.server.path.close()


class StrangersTests:
    """What belongs to no call."""

    pair = Pair

    async def test_b045_b047_unknown_packets_are_counted_and_never_answered(self):
        async with self.pair().up() as pair:
            for call_id, sender, source in ((7, pair.stranger, STRANGER), (8, pair.client.gre, CLIENT)):
                for sequence in range(100):
                    sender.send(gre.encode(call_id, ECHO, sequence), int(SERVER), int(source))
            sent = pair.wire.counters.sent
            await pair.clock.forward(1.0)
            assert pair.server.path.unknown_packets() == 200
            assert pair.server.frames == []
            assert pair.wire.counters.sent == sent

    async def test_b040_what_is_no_enhanced_gre_is_counted_apart(self):
        async with self.pair().up() as pair:
            for octets in (b"", b"\x30\x01", bytes(16), b"\x00\x00\x08\x00" + bytes(20)):
                pair.stranger.send(octets, int(SERVER), int(STRANGER))
            await pair.clock.turns()
            assert (pair.server.path.malformed, pair.server.path.unknown_packets()) == (4, 0)

    async def test_the_answer_comes_from_the_address_the_call_was_opened_with(self):
        async with self.pair() as pair:
            second = pair.end(pair.wire, IPv4Address("192.0.2.9"), pair.clock.loop)
            second.gre.addresses = second.gre.addresses | {int(SERVER)}
            second.path.open_call(1, STRANGER, SERVER)
            second.path.connect_call(1, 4)
            second.path.send_frame(1, ECHO)
            assert pair.stranger.receive()[0].source == int(SERVER)
            second.close()


class TimeTests:
    """One timer for all calls."""

    pair = Pair

    async def test_b054_an_acknowledgement_goes_alone_after_its_time(self):
        async with self.pair().up() as pair:
            pair.client.path.send_frame(0, ECHO)
            await pair.clock.forward(0.09)
            assert pair.server.path.counters(7).acks_sent == 0
            await pair.clock.forward(0.02)
            assert pair.server.path.counters(7).acks_sent == 1

    async def test_what_is_held_is_handed_on(self):
        async with self.pair().up() as pair:
            for sequence in (0, 2):
                pair.client.gre.send(gre.encode(7, ECHO, sequence), int(SERVER), int(CLIENT))
            await pair.clock.turns()
            assert len(pair.server.frames) == 1
            await pair.clock.forward(0.06)
            assert len(pair.server.frames) == 2

    async def test_a_thousand_idle_calls_cost_a_packet_nothing(self, monkeypatch):
        async with self.pair().up() as pair:
            looked = []
            for call_id in range(1000, 2000):
                pair.server.path.open_call(call_id, CLIENT, SERVER)
                pair.server.path.connect_call(call_id, call_id)
            inner = reference.Path.deadline.fget
            monkeypatch.setattr(reference.Path, "deadline", property(lambda path: looked.append(path) or inner(path)))
            for number in range(50):
                pair.client.system.send(ip(number=number))
                await pair.clock.forward(0.01)
            assert len(looked) < 400
            assert len(pair.server.path._due) < 10


class FaultsTests:
    """What breaks, breaks alone."""

    pair = Pair

    async def test_an_exception_costs_one_packet(self, capsys):
        async with self.pair().up() as pair:

            def defect(call_id, octets):
                pair.server.frames.append((call_id, octets))
                raise ZeroDivisionError("a defect")

            pair.server.path._frame_received = defect
            for _ in range(3):
                pair.client.path.send_frame(0, ECHO)
            pair.client.system.send(ip())
            await pair.clock.turns()
            assert len(pair.server.frames) == 3
            assert pair.server.system.receive() == [ip()]
            assert pair.server.path.defects == 3
            pair.server.path.defects = 0

    async def test_full_queues_drop_and_count(self):
        async with self.pair().up() as pair:
            pair.server.system.close()
            pair.client.system.send(ip())
            await pair.clock.turns()
            assert pair.server.path.counters(7).dropped_queue_full == 1
            pair.client.gre.addresses = frozenset()
            pair.client.path.send_frame(0, ECHO)
            assert pair.client.path.counters(0).dropped_queue_full == 1

    @pytest.mark.parametrize("fault", [lambda limit: [], lambda limit: (_ for _ in ()).throw(OSError(77, "gone"))])
    async def test_a_device_that_is_ready_for_ever_and_gives_nothing_is_read_no_more(self, fault):
        async with self.pair().up() as pair:
            calls, heard = [], []
            pair.server.path._broken = heard.append
            pair.server.tun.receive = lambda limit: calls.append(1) or fault(limit)
            pair.server.system.send(ip(BOB, ANN))
            await pair.clock.turns(2 * IDLE_WAKES + 50)
            assert len(calls) == IDLE_WAKES + 1
            assert heard == ["a packet device is always ready and gives nothing"]
            pair.client.path.send_frame(0, ECHO)
            await pair.clock.turns()
            assert pair.server.frames == [(7, ECHO)]

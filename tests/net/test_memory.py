import asyncio
import select
from ipaddress import IPv4Address

import pytest

from openpptp.net.memory import QUEUE_LIMIT, Faults, Wire, gre_pair, tun_pair
from openpptp.net.ports import Datagram, GrePort, TunDevice

ONE, OTHER = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")


def numbered(count):
    return [index.to_bytes(4, "big") for index in range(count)]


def through(faults, seed=1, count=200, delay=0.0):
    """Send count packets and return what arrives, in order."""
    one, other, wire = gre_pair(ONE, OTHER, faults, seed=seed, delay=delay)
    for payload in numbered(count):
        one.send(payload, int(OTHER), int(ONE))
        wire.advance(0.001)
    wire.settle()
    assert wire.waiting == 0
    arrived = [each.payload for each in other.receive(10000)]
    one.close()
    other.close()
    return arrived, wire.counters


class PortTests:
    """Ports on a wire without faults."""

    def test_both_ways_with_both_addresses(self):
        one, other, _ = gre_pair(ONE, OTHER)
        assert one.send(b"question", int(OTHER), int(ONE))
        assert other.receive() == [Datagram(b"question", int(ONE), int(OTHER))]
        assert other.send(b"answer", int(ONE), 0)
        assert one.receive() == [Datagram(b"answer", int(OTHER), int(ONE))]
        one.close()
        other.close()

    def test_an_address_that_is_not_the_ports_own_is_refused(self):
        one, other, wire = gre_pair(ONE, OTHER)
        assert not one.send(b"x", int(OTHER), int(OTHER))
        assert wire.counters.sent == 0
        one.close()
        other.close()

    def test_nobody_at_that_address(self):
        one, other, wire = gre_pair(ONE, OTHER)
        assert one.send(b"x", 5, int(ONE))
        other.close()
        assert one.send(b"x", int(OTHER), int(ONE))
        assert wire.counters.unroutable == 2
        one.close()

    def test_one_port_with_several_addresses_and_many_on_one_wire(self):
        wire = Wire()
        third = IPv4Address("192.0.2.3")
        homed, one = wire.port(OTHER, third), wire.port(ONE)
        for local in (third, OTHER):
            homed.send(b"x", int(ONE), int(local))
        assert [each.source for each in one.receive()] == [int(third), int(OTHER)]
        homed.close()
        one.close()

    def test_queues_are_bounded(self):
        one, other, wire = gre_pair(ONE, OTHER)
        for _ in range(QUEUE_LIMIT + 3):
            one.send(b"x", int(OTHER), int(ONE))
        assert wire.counters.overflowed == 3
        assert len(other.receive(2 * QUEUE_LIMIT)) == QUEUE_LIMIT
        one.close()
        other.close()

    def test_the_wire_is_bounded(self):
        one, other, wire = gre_pair(ONE, OTHER, delay=1.0)
        taken = [one.send(b"x", int(OTHER), int(ONE)) for _ in range(QUEUE_LIMIT + 3)]
        assert taken.count(False) == 3
        assert wire.waiting == QUEUE_LIMIT
        one.close()
        other.close()

    def test_readable_exactly_while_something_waits(self):
        one, other, _ = gre_pair(ONE, OTHER)
        readable = lambda: bool(select.select([other], [], [], 0)[0])  # noqa: E731
        assert not readable()
        one.send(b"a", int(OTHER), int(ONE))
        one.send(b"b", int(OTHER), int(ONE))
        assert readable()
        other.receive(1)
        assert readable()
        other.receive(1)
        assert not readable()
        one.close()
        other.close()
        other.close()

    async def test_asyncio_can_watch_a_port(self):
        one, other, _ = gre_pair(ONE, OTHER)
        loop = asyncio.get_running_loop()
        arrived = loop.create_future()
        loop.add_reader(other, lambda: arrived.set_result(other.receive()))
        one.send(b"x", int(OTHER), int(ONE))
        assert len(await arrived) == 1
        loop.remove_reader(other)
        one.close()
        other.close()

    def test_they_are_the_ports_the_rest_knows(self):
        port: GrePort = Wire().port(ONE)
        device: TunDevice = tun_pair()[0]
        assert device.name == "pptp0"
        port.close()
        device.close()


class FaultTests:
    """Loss, duplication, corruption, reordering: seeded, so that a failing run can be repeated."""

    EVERYTHING = Faults(loss=0.1, duplication=0.1, corruption=0.1, reordering=0.1)

    @pytest.mark.parametrize("delay", [0.0, 0.02])
    def test_the_same_seed_gives_the_same_run(self, delay):
        assert through(self.EVERYTHING, 7, delay=delay) == through(self.EVERYTHING, 7, delay=delay)
        assert through(self.EVERYTHING, 7, delay=delay) != through(self.EVERYTHING, 8, delay=delay)

    def test_loss(self):
        arrived, counters = through(Faults(loss=0.3))
        assert len(arrived) == 200 - counters.lost
        assert 30 < counters.lost < 90
        assert arrived == sorted(arrived)

    def test_duplication(self):
        arrived, counters = through(Faults(duplication=0.3))
        assert len(arrived) == 200 + counters.duplicated
        assert sorted(set(arrived)) == numbered(200)
        assert counters.duplicated > 0

    def test_corruption_flips_one_bit(self):
        arrived, counters = through(Faults(corruption=0.3))
        differences = [
            (int.from_bytes(got, "big") ^ int.from_bytes(sent, "big")).bit_count()
            for got, sent in zip(arrived, numbered(200), strict=True)
        ]
        assert set(differences) == {0, 1}
        assert sum(differences) == counters.corrupted > 0

    def test_nothing_to_corrupt_in_an_empty_packet(self):
        one, other, wire = gre_pair(ONE, OTHER, Faults(corruption=1.0))
        one.send(b"", int(OTHER), int(ONE))
        assert other.receive()[0].payload == b""
        assert wire.counters.corrupted == 0
        one.close()
        other.close()

    @pytest.mark.parametrize("span", [1, 3, 10])
    def test_reordering_keeps_every_packet_and_stays_within_its_span(self, span):
        arrived, counters = through(Faults(reordering=0.1, reordering_span=span), delay=0.0)
        assert sorted(arrived) == numbered(200)
        assert arrived != sorted(arrived)
        assert counters.reordered > 0
        overtaken = [sum(other > packet for other in arrived[:at]) for at, packet in enumerate(arrived)]
        assert max(overtaken) <= span

    def test_a_held_packet_nobody_overtakes_arrives_when_the_clock_moves(self):
        one, other, wire = gre_pair(ONE, OTHER, Faults(reordering=1.0))
        one.send(b"x", int(OTHER), int(ONE))
        assert other.receive() == []
        assert wire.next_due == pytest.approx(0.05)
        assert wire.advance(0.05) == 1
        assert len(other.receive()) == 1
        one.close()
        other.close()

    def test_a_fault_switched_off_does_not_shift_the_others(self):
        lost = through(Faults(loss=0.2))[1].lost
        assert through(Faults(loss=0.2, duplication=1.0))[1].duplicated == 200 - lost


class ClockTests:
    """The wire's clock moves only when told to."""

    def test_a_delay_is_one_way(self):
        one, other, wire = gre_pair(ONE, OTHER, delay=0.25)
        one.send(b"x", int(OTHER), int(ONE))
        assert wire.advance(0.2) == 0
        assert other.receive() == []
        assert wire.next_due == 0.25
        assert wire.advance(0.05) == 1
        assert len(other.receive()) == 1
        assert (wire.now, wire.next_due) == (0.25, None)
        one.close()
        other.close()

    def test_step_delivers_one_packet_and_moves_the_clock_to_it(self):
        one, other, wire = gre_pair(ONE, OTHER, delay=0.25)
        one.send(b"a", int(OTHER), int(ONE))
        wire.advance(0.1)
        one.send(b"b", int(OTHER), int(ONE))
        assert wire.step()
        assert wire.now == 0.25
        assert [each.payload for each in other.receive()] == [b"a"]
        assert wire.step()
        assert wire.now == pytest.approx(0.35)
        assert not wire.step()
        one.close()
        other.close()


class TunPairTests:
    """The device and the system's end of it."""

    def test_what_one_sends_the_other_receives(self):
        device, system = tun_pair("inside")
        assert system.send(b"out")
        assert device.receive() == [b"out"]
        assert device.send(b"in")
        assert system.receive() == [b"in"]
        assert device.receive() == []
        device.close()
        system.close()

    def test_a_closed_end_takes_nothing(self):
        device, system = tun_pair()
        device.close()
        assert not system.send(b"x")
        system.close()

    def test_queues_are_bounded(self):
        device, system = tun_pair()
        assert [system.send(b"x") for _ in range(QUEUE_LIMIT + 2)][-3:] == [True, False, False]
        device.close()
        system.close()

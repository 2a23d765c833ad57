"""One call's packets, both ways, by two paths that speak to each other.

A native twin subclasses these and overrides path.
"""

from dataclasses import astuple
from ipaddress import IPv4Address, IPv4Network
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import pcap
from tests.datapath.mppe_vectors import INNER, STATELESS_LONG
from tests.datapath.test_clamp import SYN, four, segment_checksum, six, tcp
from tests.notation import frame

from openpptp.credentials import Encryption
from openpptp.crypto import mschap_v2_start_keys
from openpptp.datapath.path import RECEIVE_LIMIT, Path, Way
from openpptp.datapath.seam import Counters, Inside, Rate
from openpptp.datapath.window import ACK_DELAY, HOLD_MOST
from openpptp.wire import gre

ECHO = frame("[LCP EchoReq id=0x1 magic=0x1a2b3c4d]")
ANN, BOB = "10.0.0.2", "10.0.0.1"
ANN6, BOB6 = bytes.fromhex("0200000000000002"), bytes.fromhex("0200000000000001")
LINK_LOCAL = bytes.fromhex("fe80000000000000")
PROTOCOL = {4: b"\x00\x21", 6: b"\x00\x57"}


def ip(source: str = ANN, destination: str = BOB, size: int = 60, number: int = 0) -> bytes:
    return pcap.ipv4(source, destination, 17, number.to_bytes(4, "big") + bytes(size - 24))


def ip6(source: bytes = ANN6, destination: bytes = BOB6, payload: bytes = b"", header: int = 17) -> bytes:
    addresses = LINK_LOCAL + source + LINK_LOCAL + destination
    return b"\x60\x00\x00\x00" + len(payload).to_bytes(2, "big") + bytes((header, 64)) + addresses + payload


def keys(bits: int, *, stateful: bool, authenticator: bool) -> tuple[Encryption, Encryption]:
    start = mschap_v2_start_keys(bytes(16), bytes(24), authenticator=authenticator)
    if bits == 128:
        return Encryption(start.send, bits, stateful), Encryption(start.receive, bits, stateful)
    return Encryption(start.send_short, bits, stateful), Encryption(start.receive_short, bits, stateful)


class Subject:
    """Where the reference is made; a twin makes its own."""

    def path(self, *, receive_window: int = 64, first_sequence: int = 0) -> Path:
        return Path(receive_window=receive_window, first_sequence=first_sequence)

    def open(self, *, bits: int | None = None, required: bool | None = None, client: bool = False, **how) -> Path:
        """Return a path with data flowing; the peer (Ann) is the one with 10.0.0.2."""
        path = self.path(**{name: how.pop(name) for name in ("receive_window", "first_sequence") if name in how})
        path.connect(0 if client else 5)
        stateful = how.pop("stateful", False)
        if bits is not None:
            path.encryption_up(*keys(bits, stateful=stateful, authenticator=not client))
        compress = how.pop("compress", (False, False))
        allowed = () if client else (IPv4Address(ANN),)
        identifier = (BOB6 if client else ANN6) if how.pop("ipv6", False) else None
        is_required = bits is not None if required is None else required
        others = ("routed_ipv4", "rate_in", "rate_out", "clamp_segment_size")
        more = {name: how.pop(name) for name in others if name in how}
        path.interface_up(Inside(how.pop("mtu", 1400), allowed, is_required, *compress, identifier, **more))
        assert not how
        return path

    def give(self, path: Path, packet: bytes, now: float = 0.0) -> list[tuple[Way, bytes]]:
        call_id, *rest = gre.decode(packet)
        assert call_id in (0, 5)
        return path.decapsulate(*rest, now)

    def receive(self, path: Path, ppp: bytes, sequence: int, now: float = 0.0) -> list[tuple[Way, bytes]]:
        return path.decapsulate(sequence, None, ppp, now)

    def dropped(self, path: Path) -> dict[str, int]:
        return {
            name: count
            for name in Counters.__slots__
            if name.startswith("dropped_") and (count := getattr(path.counters, name))
        }


MODES = list(product([None, 40, 56, 128], [False, True], [False, True], [False, True]))


class ConversationTests(Subject):
    """A packet's way from inside to inside."""

    @pytest.mark.parametrize(("bits", "stateful", "acfc", "pfc"), MODES)
    def test_packets_and_frames_pass_both_ways_and_in_order(self, bits, stateful, acfc, pfc):
        ends = [self.open(bits=bits, stateful=stateful, client=c, compress=(acfc, pfc)) for c in (False, True)]
        addresses = [(BOB, ANN), (ANN, BOB)]
        for number in range(600):
            now = number / 1000
            for us in (0, 1):
                packet = ip(*addresses[us], number=number)
                [(way, outside)] = ends[us].encapsulate(packet, 0.0)
                assert way is Way.OUTSIDE
                assert (Way.INSIDE, packet) in self.give(ends[1 - us], outside, now)
                [(_, outside)] = ends[us].encapsulate_frame(ECHO)
                assert (Way.UP, ECHO) in self.give(ends[1 - us], outside, now)
        for end in ends:
            assert (end.counters.packets_in, end.counters.packets_out, end.counters.acks_sent) == (600, 600, 0)
            assert (end.counters.octets_in, end.counters.octets_out, end.counters.lost) == (36000, 36000, 0)
            assert self.dropped(end) == {}

    @pytest.mark.parametrize(("bits", "stateful"), [(None, False), (128, False), (128, True)])
    @pytest.mark.parametrize("narrow", [0, 1])
    @pytest.mark.parametrize("late", [False, True])
    def test_s24_the_segment_size_is_that_of_the_narrower_end(self, bits, stateful, narrow, late):
        """Whichever end it is that fits it, and also in a packet that waited for its forerunner."""
        how = {"bits": bits, "stateful": stateful, "ipv6": True}
        ends = [self.open(**how, client=us == 1, mtu=1300 if us == narrow else 1500) for us in (0, 1)]
        between = [(BOB, ANN), (ANN, BOB)]
        between6 = [LINK_LOCAL + BOB6 + LINK_LOCAL + ANN6, LINK_LOCAL + ANN6 + LINK_LOCAL + BOB6]
        for us in (0, 1):
            [(_, first)] = ends[us].encapsulate(ip(*between[us]), 0.0)
            self.give(ends[1 - us], first)
            for packet, start in (
                (four(tcp("020405b4", SYN), *between[us]), 20),
                (six(tcp("020405b4", SYN), addresses=between6[us]), 40),
            ):
                wires = [ends[us].encapsulate(each, 0.0)[0][1] for each in (ip(*between[us]), packet)]
                items = [item for wire in (wires[::-1] if late else wires) for item in self.give(ends[1 - us], wire)]
                fitted = [octets for way, octets in items if way is Way.INSIDE][-1]
                assert int.from_bytes(fitted[start + 22 : start + 24], "big") == 1300 - start - 20
                assert segment_checksum(fitted, start) == 0

    def test_a_segment_size_is_left_alone_when_told_so(self):
        ends = [self.open(client=c, mtu=1300, clamp_segment_size=False) for c in (False, True)]
        packet = four(tcp("020405b4", SYN), BOB, ANN)
        [(_, wire)] = ends[0].encapsulate(packet, 0.0)
        assert (Way.INSIDE, packet) in self.give(ends[1], wire)

    @pytest.mark.parametrize(("bits", "stateful"), [(None, False), (40, False), (56, False), (128, False), (128, True)])
    @pytest.mark.parametrize("seed", range(3))
    def test_p06_p07_loss_reordering_duplicates_and_corruption(self, bits, stateful, seed):
        """What comes out is a subsequence of what went in, and (stateless) all of it that was not lost or damaged."""
        luck = Random(seed)
        sender = self.open(bits=bits, stateful=stateful, client=True, first_sequence=2**32 - 200)
        receiver = self.open(bits=bits, stateful=stateful)
        fine = 0
        inside = []

        def take(items, now):
            for way, octets in items:
                if way is Way.INSIDE:
                    inside.append(octets)
                elif way is Way.LOST_STEP:
                    sender.encryption_flush()
                else:
                    assert way is Way.OUTSIDE

        arrivals: list[tuple[int, int, bytes]] = []
        for number in range(5000):
            now = number / 10_000
            [(_, packet)] = sender.encapsulate(ip(number=number), 0.0)
            fate = luck.random()
            if bits is not None and fate < 0.01:
                at = luck.randrange(18, 40)  # in the protocol field or the inner header
                packet = packet[:at] + bytes([packet[at] ^ 0x10]) + packet[at + 1 :]
            elif fate > 0.05:
                fine += 1
            if fate < 0.01 or fate > 0.05:
                arrivals.append((number + (luck.randrange(8) if fate > 0.9 else 0), number, packet))
            if 0.3 < fate < 0.35:
                arrivals.append((number + 3, number, packet))
            due = [arrival for arrival in arrivals if arrival[0] <= number]
            arrivals = [arrival for arrival in arrivals if arrival[0] > number]
            take(receiver.tick(now), now)
            for _, _, arrived in sorted(due):
                take(self.give(receiver, arrived, now), now)
        take(receiver.tick(10.0), 10.0)
        numbers = [int.from_bytes(packet[20:24], "big") for packet in inside]
        assert numbers == sorted(set(numbers))
        assert receiver.counters.dropped_duplicate > 200
        assert receiver.counters.packets_in == len(numbers)
        if not stateful:
            assert len(numbers) >= fine - 8
        else:
            assert numbers[-1] > 4000

    def test_the_bytes_are_those_of_the_vector(self):
        client = self.path()
        client.connect(5)
        start = bytes.fromhex("D5F0E9521E3EA9589645E86051C82226")
        client.encryption_up(Encryption(start, 128, False), Encryption(start, 128, False))
        client.interface_up(Inside(1400, (), True, True, True))
        [(_, packet)] = client.encapsulate(INNER, 0.0)
        assert packet == bytes.fromhex("3001880B 0019 0005 00000000") + b"\xfd" + STATELESS_LONG

    @pytest.mark.parametrize(
        ("compress", "header"),
        [((False, False), "ff030021"), ((True, False), "0021"), ((False, True), "ff0321"), ((True, True), "21")],
    )
    def test_headers_are_compressed_as_agreed(self, compress, header):
        [(_, packet)] = self.open(compress=compress).encapsulate(INNER, 0.0)
        assert packet[12:] == bytes.fromhex(header) + INNER

    def test_ipv6_passes(self):
        server, client = (self.open(ipv6=True, bits=128, client=c) for c in (False, True))
        packet = ip6(payload=b"12345678")
        [(_, outside)] = client.encapsulate(packet, 0.0)
        assert self.give(server, outside) == [(Way.INSIDE, packet)]


class OutwardsTests(Subject):
    """From inside to outside."""

    def test_r043_sequence_numbers_begin_with_0_and_count_payloads_only(self):
        path = self.open()
        sent = [gre.decode(path.encapsulate(ip(), 0.0)[0][1])[1]]
        self.receive(path, ECHO, 0)
        assert gre.decode(path.tick(1.0)[0][1])[1:] == (None, 0, b"")
        sent += [
            gre.decode(path.encapsulate_frame(ECHO)[0][1])[1],
            gre.decode(path.encapsulate(ip(), 0.0)[0][1])[1],
        ]
        assert sent == [0, 1, 2]

    def test_nothing_is_sent_before_the_call_is_connected_and_no_data_before_the_interface_is_up(self):
        path = self.path()
        assert path.encapsulate(ip(), 0.0) == path.encapsulate_frame(ECHO) == []
        path.connect(5)
        assert path.encapsulate(ip(), 0.0) == []
        assert len(path.encapsulate_frame(ECHO)) == 1
        assert self.dropped(path) == {"dropped_not_open": 3}

    def test_no_data_after_the_interface_is_down(self):
        path = self.open()
        path.interface_down()
        assert path.encapsulate(ip(), 0.0) == []
        assert self.receive(path, b"\x21" + ip(), 0) == []
        assert self.dropped(path) == {"dropped_not_open": 2}

    def test_where_encryption_is_required_nothing_goes_in_clear(self):
        path = self.open(bits=128)
        path.encryption_down()
        assert path.encapsulate(ip(), 0.0) == []
        assert self.dropped(path) == {"dropped_not_encrypted": 1}
        assert len(path.encapsulate_frame(ECHO)) == 1

    def test_control_frames_are_never_encrypted(self):
        path = self.open(bits=128)
        assert path.encapsulate_frame(ECHO)[0][1].endswith(ECHO)

    @pytest.mark.parametrize("packet", [b"", b"\x45", b"\x20" + bytes(40), ip()[:-1], b"\x44" + ip()[1:], ip6()[:39]])
    def test_what_is_no_ip_is_dropped(self, packet):
        path = self.open(ipv6=True)
        assert path.encapsulate(packet, 0.0) == []
        assert self.dropped(path) == {"dropped_malformed": 1}

    def test_ipv6_goes_nowhere_where_it_is_not_agreed_on(self):
        path = self.open()
        assert path.encapsulate(ip6(), 0.0) == []
        assert self.dropped(path) == {"dropped_not_open": 1}

    def test_a_packet_too_long_is_answered_when_it_may_not_be_split(self):
        path = self.open(mtu=1000)
        packet = bytearray(ip(size=1001))
        packet[6] = 0x40
        [(way, answer)] = path.encapsulate(bytes(packet), 0.0)
        assert (way, answer[20:22], answer[26:28]) == (Way.INSIDE, b"\x03\x04", (1000).to_bytes(2, "big"))
        assert self.dropped(path) == {"dropped_too_big": 1}
        assert len(path.encapsulate(ip(size=1000), 0.0)) == 1

    def test_a_packet_too_long_is_split_when_it_may_be(self):
        sender, receiver = (self.open(mtu=576, client=c, bits=128) for c in (True, False))
        items = sender.encapsulate(ip(size=1400), 0.0)
        assert len(items) == 3
        inside = [octets for _, packet in items for way, octets in self.give(receiver, packet) if way is Way.INSIDE]
        assert b"".join(piece[20:] for piece in inside) == ip(size=1400)[20:]
        assert sender.counters.packets_out == 3

    def test_ipv6_is_never_split(self):
        path = self.open(ipv6=True, mtu=1300)
        [(way, answer)] = path.encapsulate(ip6(payload=bytes(1261)), 0.0)
        assert (way, answer[40]) == (Way.INSIDE, 2)

    def test_an_error_too_long_is_dropped_without_an_answer(self):
        path = self.open(mtu=100)
        packet = bytearray(ip(size=200))
        packet[6], packet[9], packet[20] = 0x40, 1, 3
        assert path.encapsulate(bytes(packet), 0.0) == []

    def test_more_than_the_rate_is_dropped_and_takes_no_number(self):
        path = self.open(bits=128, rate_out=Rate(8000, 1000))
        sent = [path.encapsulate(ip(size=500), 5.0) for _ in range(3)] + [path.encapsulate(ip(size=500), 5.5)]
        assert [gre.decode(items[0][1])[1] if items else None for items in sent] == [0, 1, None, 2]
        assert self.dropped(path) == {"dropped_rate": 1}
        assert (path.counters.packets_out, path.counters.octets_out) == (3, 1500)
        assert len(path.encapsulate_frame(ECHO)) == 1

    def test_the_rate_is_asked_for_every_fragment_and_for_nothing_that_is_too_big(self):
        path = self.open(mtu=576, rate_out=Rate(8, 1000))
        packet = bytearray(ip(size=1000))
        packet[6] = 0x40
        assert len(path.encapsulate(bytes(packet), 0.0)) == 1
        assert len(path.encapsulate(ip(size=1000), 0.0)) == 1
        assert self.dropped(path) == {"dropped_too_big": 1, "dropped_rate": 1}

    def test_the_time_of_the_last_packet_is_known(self):
        path = self.open(rate_out=Rate(8, 60))
        path.encapsulate_frame(ECHO)
        assert path.counters.last_out == 0.0
        path.encapsulate(ip(), 7.25)
        path.encapsulate(ip(), 8.0)
        assert (path.counters.last_in, path.counters.last_out) == (0.0, 7.25)


class InwardsTests(Subject):
    """From outside to inside."""

    @pytest.mark.parametrize("header", ["ff030021", "ff0321", "0021", "21"])
    def test_q29_q30_headers_come_compressed_or_not(self, header):
        assert self.receive(self.open(), bytes.fromhex(header) + ip(), 0) == [(Way.INSIDE, ip())]

    @pytest.mark.parametrize("header", ["ff0300fd", "ff03fd", "00fd", "fd"])
    def test_q30_the_same_for_encrypted_packets(self, header):
        [(_, packet)] = self.open(bits=128, client=True, compress=(True, True)).encapsulate(ip(), 0.0)
        assert self.receive(self.open(bits=128), bytes.fromhex(header) + packet[13:], 0) == [(Way.INSIDE, ip())]

    def test_control_protocols_go_up_as_they_came_whatever_the_state(self):
        path = self.path()
        path.connect(5)
        frames = [ECHO, ECHO[2:], frame('[CHAP Challenge id=0x1 <0102>, name = "x"]'), b"\x80\x21\x01\x01\x00\x04"]
        assert [self.receive(path, octets, n) for n, octets in enumerate(frames)] == [[(Way.UP, f)] for f in frames]

    def test_frames_and_data_stay_in_order_behind_a_gap(self):
        path = self.open()
        self.receive(path, ECHO, 0)
        assert self.receive(path, b"\x21" + ip(), 2) == []
        assert self.receive(path, ECHO, 3) == []
        assert self.receive(path, ECHO, 1) == [(Way.UP, ECHO), (Way.INSIDE, ip()), (Way.UP, ECHO)]

    def test_what_is_held_is_handed_on_by_the_clock(self):
        path = self.open()
        self.receive(path, ECHO, 0)
        path.encapsulate_frame(ECHO)
        self.receive(path, b"\x21" + ip(), 2)
        assert path.deadline == (HOLD_MOST, "held packets")
        assert path.tick(HOLD_MOST) == [(Way.INSIDE, ip())]
        assert path.counters.lost == 1

    def test_padding_after_an_inside_packet_is_cut(self):
        assert self.receive(self.open(), b"\x21" + ip() + bytes(7), 0) == [(Way.INSIDE, ip())]

    def test_q85_ip_options_are_no_obstacle(self):
        packet = b"\x46\x00\x00\x18" + bytes(8) + IPv4Address(ANN).packed + bytes.fromhex("e0000016 94040000")
        assert self.receive(self.open(), b"\x21" + packet, 0) == [(Way.INSIDE, packet)]

    @pytest.mark.parametrize("broken", [b"", ip()[:19], ip()[:-1], b"\x43" + ip()[1:], b"\x65" + ip()[1:]])
    def test_broken_inside_packets_are_dropped(self, broken):
        path = self.open()
        assert self.receive(path, b"\x21" + broken, 0) == []
        assert self.dropped(path) == {"dropped_malformed": 1}

    @pytest.mark.parametrize("broken", [ip6()[:39], ip6(payload=b"12")[:-1], b"\x45" + ip6()[1:]])
    def test_broken_ipv6_packets_are_dropped(self, broken):
        path = self.open(ipv6=True)
        assert self.receive(path, b"\x57" + broken, 0) == []
        assert self.dropped(path) == {"dropped_malformed": 1}

    @pytest.mark.parametrize("ppp", [b"", b"\xff\x03", b"\xff\x03\x00", b"\xff"])
    def test_broken_ppp_headers_are_dropped(self, ppp):
        path = self.open()
        assert path.decapsulate(0, None, ppp, 0.0) == []
        assert self.dropped(path) == {"dropped_malformed": 1}

    def test_b057_frames_too_long_are_dropped_and_windows_four_octets_are_not(self):
        path = self.open()
        assert len(self.receive(path, b"\x21" + ip(size=1500), 0)) == 1
        assert self.receive(path, bytes(RECEIVE_LIMIT + 1), 1) == []
        assert self.dropped(path) == {"dropped_too_big": 1}

    def test_b057_a_protocol_nobody_knows_is_dropped(self):
        path = self.open()
        assert self.receive(path, b"\x00\x2b" + bytes(30), 0) == []
        assert self.dropped(path) == {"dropped_not_open": 1}

    def test_b110_encrypted_packets_before_there_are_keys_are_dropped(self):
        path = self.open()
        assert self.receive(path, b"\xfd" + STATELESS_LONG, 0) == []
        assert self.dropped(path) == {"dropped_not_open": 1}

    @pytest.mark.parametrize("ppp", [b"\xfd", b"\xfd\x90", b"\xfd\x90\x00", b"\xfd\x90\x00\x01"])
    def test_b110_short_encrypted_packets_are_dropped(self, ppp):
        path = self.open(bits=128)
        assert self.receive(path, ppp, 0) == []
        assert self.dropped(path) == {"dropped_not_decryptable": 1}

    @pytest.mark.parametrize(("bits", "required"), [(128, True), (128, False), (None, True)])
    def test_b111_plain_data_is_dropped_once_data_is_or_must_be_encrypted(self, bits, required):
        path = self.open(bits=bits, required=required)
        for number in range(12):
            assert self.receive(path, b"\x21" + ip(), number) == []
        assert self.dropped(path) == {"dropped_not_encrypted": 12}

    def test_b088_an_inner_source_that_is_not_the_peers_is_dropped(self):
        path = self.open()
        assert self.receive(path, b"\x21" + ip(source="10.0.0.3"), 0) == []
        assert self.dropped(path) == {"dropped_source": 1}

    def test_b088_sources_behind_the_peer_are_its_networks_only(self):
        path = self.open(routed_ipv4=(IPv4Network("10.9.0.0/16"), IPv4Network("192.0.2.128/25")), ipv6=True)
        sources = [ANN, "10.9.0.0", "10.9.255.255", "192.0.2.128", "10.8.255.255", "10.10.0.0", "192.0.2.127"]
        passed = [self.receive(path, b"\x21" + ip(source), n) for n, source in enumerate(sources)]
        assert passed == [[(Way.INSIDE, ip(source))] for source in sources[:4]] + [[]] * 3
        assert self.receive(path, b"\x57" + ip6(source=BOB6), 7) == []
        assert self.dropped(path) == {"dropped_source": 4}

    def test_b088_a_peer_with_networks_and_no_address_may_not_use_any(self):
        path = self.open(client=True)
        path.interface_up(Inside(1400, (), False, True, True, None, (IPv4Network("10.9.0.0/16"),)))
        assert self.receive(path, b"\x21" + ip("10.9.0.1"), 0) == [(Way.INSIDE, ip("10.9.0.1"))]
        assert self.receive(path, b"\x21" + ip("10.8.0.1"), 1) == []
        path.interface_up(Inside(1400, (), False, True, True, None, (IPv4Network("0.0.0.0/0"),)))
        assert self.receive(path, b"\x21" + ip("10.8.0.1"), 2) == [(Way.INSIDE, ip("10.8.0.1"))]

    def test_more_than_the_rate_is_dropped_after_the_source_was_checked(self):
        path = self.open(rate_in=Rate(8000, 1000))
        for number in range(9):
            assert self.receive(path, b"\x21" + ip("10.0.0.3", size=500), number, 5.0) == []
        for number in range(9, 12):
            self.receive(path, b"\x21" + ip(size=500) + bytes(4), number, 5.0)
        self.receive(path, ECHO, 12, 5.0)
        assert self.dropped(path) == {"dropped_source": 9, "dropped_rate": 1}
        assert (path.counters.packets_in, path.counters.octets_in) == (2, 1000)

    def test_the_time_of_the_last_packet_is_known(self):
        path = self.open(rate_in=Rate(8, 60))
        self.receive(path, ECHO, 0, 1.0)
        assert path.counters.last_in == 0.0
        for number in (1, 2):
            self.receive(path, b"\x21" + ip(), number, 7.25 * number)
        assert (path.counters.last_in, path.counters.last_out) == (7.25, 0.0)

    def test_b088_a_client_takes_any_source(self):
        packet = ip(source="198.51.100.1", destination=ANN)
        assert self.receive(self.open(client=True), b"\x21" + packet, 0) == [(Way.INSIDE, packet)]

    def test_b091_ipv6_is_dropped_where_it_is_not_agreed_on(self):
        path = self.open()
        assert self.receive(path, b"\x57" + ip6(), 0) == []
        assert self.dropped(path) == {"dropped_not_open": 1}

    @pytest.mark.parametrize(
        "packet",
        [
            ip6(source=BOB6),
            bytes([*ip6()[:8], 0x20, 0x01, *ip6()[10:]]),
            ip6(header=58, payload=b"\x86\x00" + bytes(14)),
            ip6(header=58, payload=b"\x89\x00" + bytes(14)),
            ip6(header=0, payload=b"\x3a\x00" + bytes(6) + b"\x86\x00" + bytes(14)),
            ip6(header=43, payload=b"\x3c\x01" + bytes(14) + b"\x3a\x00" + bytes(6) + b"\x89\x00" + bytes(14)),
        ],
        ids=[
            "other identifier",
            "global",
            "router advertisement",
            "redirect",
            "advertisement behind an option",
            "redirect behind two headers",
        ],
    )
    def test_b091_ipv6_that_is_not_the_peers_to_say_is_dropped(self, packet):
        path = self.open(ipv6=True)
        assert self.receive(path, b"\x57" + packet, 0) == []
        assert self.dropped(path) == {"dropped_source": 1}

    @pytest.mark.parametrize(
        "packet", [ip6(header=58, payload=b"\x80" + bytes(7)), ip6(header=0, payload=b"\x3a\x00"), ip6(header=58)]
    )
    def test_other_ipv6_passes(self, packet):
        assert self.receive(self.open(ipv6=True), b"\x57" + packet, 0) == [(Way.INSIDE, packet)]


class WindowTests(Subject):
    """RFC 2637 4.2 to 4.4 as the path keeps them."""

    def test_an_acknowledgement_rides_on_what_is_sent(self):
        path = self.open()
        self.receive(path, ECHO, 41)
        assert gre.decode(path.encapsulate(ip(), 0.0)[0][1])[1:3] == (0, 41)
        assert gre.decode(path.encapsulate(ip(), 0.0)[0][1])[1:3] == (1, None)
        assert path.deadline is None

    def test_b054_without_traffic_it_goes_alone(self):
        path = self.open()
        self.receive(path, ECHO, 41, now=1.0)
        assert path.deadline == (1.0 + ACK_DELAY, "owed acknowledgement")
        assert path.tick(1.05) == []
        assert path.tick(1.0 + ACK_DELAY) == [(Way.OUTSIDE, gre.encode(5, acknowledgement=41))]
        assert path.counters.acks_sent == 1

    def test_b054_or_at_half_the_window(self):
        path = self.open(receive_window=8)
        items = [self.receive(path, ECHO, n)[1:] for n in range(8)]
        acknowledged = {n: gre.decode(sent[0][1])[2] for n, sent in enumerate(items) if sent}
        assert acknowledged == {3: 3, 7: 7}

    def test_b048_p13_lone_acknowledgements_are_at_most_ten_a_second(self):
        path = self.open()
        sent, now = 0, 0.0
        for number in range(200):
            now = number / 20
            sent += sum(way is Way.OUTSIDE for way, _ in path.tick(now) + self.receive(path, ECHO, number, now))
        assert 90 <= sent <= 10 * now + 1

    @pytest.mark.parametrize("acknowledgement", [0xFFFFFFFF, 5, 1 << 31])
    def test_b052_data_with_a_bad_acknowledgement_is_kept(self, acknowledgement):
        assert self.open().decapsulate(0, acknowledgement, ECHO, 0.0) == [(Way.UP, ECHO)]

    def test_b053_a_peer_that_never_acknowledges_stalls_nothing(self):
        path = self.open()
        assert all(len(path.encapsulate(ip(), 0.0)) == 1 for _ in range(3000))

    def test_b043_an_acknowledgement_alone_is_not_acknowledged(self):
        path = self.open()
        assert path.decapsulate(None, 0, b"", 0.0) == []
        assert path.deadline is None

    def test_b050_b051_duplicates_and_late_packets_are_counted(self):
        path = self.open()
        for sequence in (0, 1, 1, 3):
            self.receive(path, ECHO, sequence)
        path.tick(1.0)
        assert self.receive(path, ECHO, 2, now=1.0) == []
        assert self.dropped(path) == {"dropped_duplicate": 1, "dropped_late": 1}

    def test_b049_a_forged_far_packet_does_not_shift_the_window(self):
        path = self.open(bits=128)
        self.receive(path, ECHO, 0)
        for sequence in (1500, 100_000, 1 << 31):
            assert self.receive(path, b"\xfd\x90\x05" + bytes(60), sequence) == []
        assert self.receive(path, ECHO, 1) == [(Way.UP, ECHO)]
        assert path.deadline.reason == "owed acknowledgement"
        assert gre.decode(path.tick(1.0)[0][1])[2] == 1

    @pytest.mark.parametrize("outage", [2000, 2500, 4000, 7000, 9000, 60_000])
    def test_b049_encryption_survives_an_outage(self, outage):
        sender, receiver = self.open(bits=128, client=True), self.open(bits=128)
        self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1])
        for _ in range(outage):
            sender.encapsulate(ip(), 0.0)
        for _ in range(10):
            self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1], 1.0)
        receiver.tick(2.0)
        assert receiver.counters.packets_in >= 1 + 10 - 3
        assert receiver.counters.lost + receiver.counters.packets_in == outage + 11
        assert self.dropped(receiver) == ({} if outage < 2048 else {"dropped_late": 3})

    @pytest.mark.parametrize("outage", [1500, 2500, 9000])
    def test_b049_encryption_survives_an_outage_after_which_control_frames_come_first(self, outage):
        """The window believes them; the packets that follow are then near, though many were lost before."""
        sender, receiver = self.open(bits=128, client=True), self.open(bits=128)
        self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1])
        for _ in range(2):
            for _ in range(outage):
                sender.encapsulate(ip(), 0.0)
            for _ in range(4):
                self.give(receiver, sender.encapsulate_frame(ECHO)[0][1], 1.0)
            receiver.tick(2.0)
        assert self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1], 3.0) == [(Way.INSIDE, ip())]

    @pytest.mark.parametrize("outage", [3000, 9000, 30_000])
    def test_b049_stateful_encryption_survives_an_outage(self, outage):
        sender, receiver = (self.open(bits=128, stateful=True, client=c) for c in (True, False))
        self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1])
        for _ in range(outage):
            sender.encapsulate(ip(), 0.0)
        told = [item for _ in range(10) for item in self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1], 1.0)]
        assert [item for item in told if item[0] is not Way.OUTSIDE] == [(Way.LOST_STEP, b"")]
        sender.encryption_flush()
        assert (Way.INSIDE, ip()) in self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1], 1.1)

    def test_b100_forged_packets_never_end_a_session_that_has_worked(self):
        """Near the window, far from it, and the same for a minute, with the idle peer's control frames between."""
        sender, receiver = self.open(bits=128, client=True), self.open(bits=128)
        self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1])
        for number in range(300):
            forged = b"\xfd" + (0x9000 | number * 5).to_bytes(2, "big") + bytes(60)
            far = 3_000_000 + number % 2 * 7000 + number
            for sequence in (number + 1, far):
                assert self.receive(receiver, forged, sequence, 61.0) == []
            assert (Way.UP, ECHO) in self.give(receiver, sender.encapsulate_frame(ECHO)[0][1], 61.0)
        assert (Way.INSIDE, ip()) in self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1], 200.0)

    def test_an_outage_beyond_all_reach_ends_the_session(self):
        sender, receiver = self.open(bits=128, client=True), self.open(bits=128, first_sequence=7)
        self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1])
        start = 3_000_000
        for number in range(400):
            packet = b"\xfd" + (0x9000 | number).to_bytes(2, "big") + bytes(60)
            assert self.receive(receiver, packet, start + number, 1.0) == []
        for number in range(400, 405):
            self.receive(receiver, ECHO, start + number, 2.0)
        packet = b"\xfd\x95\x00" + bytes(60)
        assert self.receive(receiver, packet, start + 405, 59.0) == []
        assert self.receive(receiver, packet, start + 406, 60.0) == [(Way.GAVE_UP, b"")]


class EarlyTests(Subject):
    """GRE that overtakes the reply which connects the call: its frames go up, and wait there."""

    def test_b056_frames_go_up_and_nothing_goes_out(self):
        path = self.path()
        for sequence in range(40):
            assert path.decapsulate(sequence, None, ECHO, 0.5) == [(Way.UP, ECHO)]
        assert path.deadline is None
        assert path.encapsulate_frame(ECHO) == []
        assert path.tick(5.0) == []

    def test_b056_what_came_is_acknowledged_once_the_call_is_connected(self):
        path = self.path()
        path.decapsulate(7, None, ECHO, 0.5)
        path.connect(5)
        assert path.deadline.reason == "owed acknowledgement"
        assert gre.decode(path.tick(1.0)[0][1]) == (5, None, 7, b"")

    def test_b056_data_that_comes_too_early_is_dropped(self):
        path = self.path()
        assert path.decapsulate(0, None, bytes.fromhex("21") + ip(), 0.0) == []
        assert self.dropped(path) == {"dropped_not_open": 1}


class EncryptionTests(Subject):
    """What befalls keys."""

    def test_a_lost_step_is_told_and_a_flush_mends_it(self):
        sender, receiver = (self.open(bits=128, stateful=True, client=c) for c in (True, False))
        packets = [sender.encapsulate(ip(), 0.0)[0][1] for _ in range(4)]
        assert self.give(receiver, packets[0]) == [(Way.INSIDE, ip())]
        self.give(receiver, packets[2])
        assert receiver.tick(0.05) == [(Way.LOST_STEP, b"")]
        assert self.give(receiver, packets[3], 0.06) == []
        sender.encryption_flush()
        assert self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1], 0.07) == [(Way.INSIDE, ip())]

    def test_giving_up_is_told_once(self):
        path = self.open(bits=128)
        told = [item for n in range(40) for item in self.receive(path, b"\xfd\x10\x00" + bytes(30), n)]
        assert told == [(Way.GAVE_UP, b"")]
        assert self.receive(path, b"\x21" + ip(), 0) == []

    def test_a_flush_without_keys_is_harmless(self):
        self.open().encryption_flush()

    def test_new_keys_begin_anew(self):
        sender, receiver = (self.open(bits=128, client=c) for c in (True, False))
        for _ in range(3):
            self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1])
        for end, authenticator in ((sender, False), (receiver, True)):
            end.encryption_up(*keys(40, stateful=False, authenticator=authenticator))
        assert self.give(receiver, sender.encapsulate(ip(), 0.0)[0][1]) == [(Way.INSIDE, ip())]


class RobustnessTests(Subject):
    """Nothing a peer sends raises anything."""

    @given(
        st.lists(
            st.tuples(
                st.none() | st.integers(0, 40) | st.integers(0, 2**32 - 1),
                st.none() | st.integers(0, 2**32 - 1),
                st.binary(max_size=60),
            ),
            max_size=30,
        ),
        st.sampled_from([(None, False), (40, False), (128, True)]),
    )
    def test_any_packets(self, packets, mode):
        path = self.open(bits=mode[0], stateful=mode[1], required=False, ipv6=True)
        for number, (sequence, acknowledgement, payload) in enumerate(packets):
            for prefix in (b"", b"\x21", b"\x57", b"\xfd"):
                path.decapsulate(sequence, acknowledgement, prefix + payload, number / 10)
            path.encapsulate(payload, 0.0)
            path.tick(number / 10)
        assert all(count >= 0 for count in astuple(path.counters))

"""Large segments cut into packets, packets merged again: judged by arithmetic that knows nothing of native/."""

from struct import pack, pack_into, unpack_from

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests import pcap
from tests.native.tun_frames import (
    ECN,
    EMPTY,
    NEEDS_CHECKSUM,
    TCP_V4,
    TCP_V6,
    UDP,
    Frame,
    Header,
    cut,
    merge,
    merge_into,
)

FIN, PSH, ACK, CWR = 0x01, 0x08, 0x10, 0x80
FOUR = (bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))
SIX = (bytes.fromhex("fe800000000000000200000000000001"), bytes.fromhex("fe800000000000000200000000000002"))
MERGED_MOST = 64
LONGEST = 65535


def partial(octets: bytes) -> int:
    """Return the sum without its complement."""
    return 0xFFFF - pcap.checksum(octets)


def pseudo(packet: bytes) -> bytes:
    """Return the pseudo header of a packet's TCP or UDP, read from the packet alone."""
    if packet[0] >> 4 == 4:
        return packet[12:20] + pack("!HH", packet[9], len(packet) - transport(packet))
    return packet[8:40] + pack("!IHBB", len(packet) - transport(packet), 0, 0, packet[6])


def transport(packet: bytes) -> int:
    return (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40


def payload(packet: bytes) -> bytes:
    start = transport(packet)
    is_udp = packet[9 if packet[0] >> 4 == 4 else 6] == 17
    return packet[start + (8 if is_udp else (packet[start + 12] >> 4) * 4) :]


def ip(
    version: int, protocol: int, segment: bytes, *, number: int = 1, may_fragment: bool = False, options: bytes = b""
) -> bytes:
    if version == 6:
        return pack("!IHBB", 0x60000000, len(segment), protocol, 64) + b"".join(SIX) + segment
    length = 20 + len(options)
    head = bytearray(
        pack(
            "!BBHHHBBH",
            0x40 | length // 4,
            0,
            length + len(segment),
            number,
            0 if may_fragment else 0x4000,
            64,
            protocol,
            0,
        )
        + b"".join(FOUR)
        + options
    )
    pack_into("!H", head, 10, pcap.checksum(bytes(head)))
    return bytes(head) + segment


def sealed(packet: bytes, place: int) -> bytes:
    """Return the packet with the right TCP or UDP checksum."""
    octets, at = bytearray(packet), transport(packet) + place
    pack_into("!H", octets, at, 0)
    pack_into("!H", octets, at, pcap.checksum(pseudo(packet) + bytes(octets[transport(packet) :])))
    return bytes(octets)


def tcp(
    version: int,
    data: bytes,
    *,
    sequence: int = 0,
    flags: int = ACK,
    tcp_options: bytes = b"",
    acknowledgement: int = 7,
    **how,
) -> bytes:
    offset = 0x50 + len(tcp_options) * 4
    head = pack("!HHIIBBHHH", 1000, 80, sequence, acknowledgement, offset, flags, 500, 0, 0)
    return sealed(ip(version, 6, head + tcp_options + data, **how), 16)


def udp(version: int, data: bytes, *, port: int = 53, **how) -> bytes:
    return sealed(ip(version, 17, pack("!HHHH", 1000, port, 8 + len(data), 0) + data, **how), 6)


def large(packet: bytes, size: int, *, kind: int | None = None) -> bytes:
    """Return the frame in which the system hands a large packet to us: with the pseudo header's sum in place."""
    start, octets = transport(packet), bytearray(packet)
    is_udp = kind == UDP
    place = 6 if is_udp else 16
    if kind is None:
        kind = TCP_V4 if packet[0] >> 4 == 4 else TCP_V6
    pack_into("!H", octets, start + place, partial(pseudo(packet)))
    headers = len(packet) - len(payload(packet))
    return Header(NEEDS_CHECKSUM, kind, headers, size, start, place).encode() + bytes(octets)


def verify(packet: bytes) -> None:
    start = transport(packet)
    if packet[0] >> 4 == 4:
        assert unpack_from("!H", packet, 2)[0] == len(packet)
        assert pcap.checksum(packet[:start]) == 0
    else:
        assert unpack_from("!H", packet, 4)[0] == len(packet) - 40
    assert pcap.checksum(pseudo(packet) + packet[start:]) == 0


def octets_of(size: int, salt: int = 0) -> bytes:
    return (bytes((salt + n * 7) % 256 for n in range(256)) * (size // 256 + 1))[:size]


versions = st.sampled_from([4, 6])
sequences = st.sampled_from([0, 0xFFFFF000, 0xFFFFFFFF, 0x12345678])


class LargeTcpTests:
    """Every packet of a large segment could have been sent alone."""

    @given(
        version=versions,
        length=st.integers(1, 60000),
        size=st.integers(500, 1500),
        sequence=sequences,
        flags=st.sampled_from([ACK, ACK | PSH, ACK | FIN | PSH, ACK | CWR | PSH]),
        options=st.sampled_from([b"", b"\x01\x01\x08\x0a" + bytes(range(8)), bytes(40)]),
        number=st.sampled_from([0, 0xFFFF]),
        salt=st.integers(0, 255),
    )
    @example(version=4, length=65, size=1, sequence=0, flags=ACK, options=b"", number=1, salt=0)
    @example(version=6, length=1500, size=65535, sequence=0, flags=ACK, options=b"", number=1, salt=0)
    def test_packets_are_right_and_their_payloads_are_the_segments(
        self, version, length, size, sequence, flags, options, number, salt
    ):
        data = octets_of(length, salt)
        whole = tcp(version, data, sequence=sequence, flags=flags, tcp_options=options, number=number)
        kind = (TCP_V4 if version == 4 else TCP_V6) | (ECN if flags & CWR else 0)
        packets = cut(large(whole, size, kind=kind))
        assert b"".join(payload(packet) for packet in packets) == data
        assert {len(payload(packet)) for packet in packets[:-1]} <= {size}
        for index, packet in enumerate(packets):
            verify(packet)
            start = transport(packet)
            before = index * size
            assert unpack_from("!I", packet, start + 4)[0] == (sequence + before) % 2**32
            wanted = flags & ~(CWR if index else 0) & ~(0 if index == len(packets) - 1 else FIN | PSH)
            assert packet[start + 13] == wanted
            assert packet[start + 20 : start + 20 + len(options)] == options
            if version == 4:
                assert unpack_from("!H", packet, 4)[0] == (number + index) % 2**16

    def test_ipv4_options_are_in_every_packet(self):
        packets = cut(large(tcp(4, octets_of(3000), options=bytes.fromhex("94040000")), 1000))
        assert len(packets) == 3
        for packet in packets:
            verify(packet)
            assert packet[20:24] == bytes.fromhex("94040000")

    @given(version=versions, length=st.integers(1, 60000), size=st.integers(500, 1500))
    def test_udp(self, version, length, size):
        data = octets_of(length)
        packets = cut(large(udp(version, data), size, kind=UDP))
        assert b"".join(payload(packet) for packet in packets) == data
        for packet in packets:
            verify(packet)
            assert unpack_from("!H", packet, transport(packet) + 4)[0] == len(packet) - transport(packet)

    @given(version=versions, length=st.integers(0, 2000), is_udp=st.booleans())
    def test_a_checksum_left_to_us_is_completed(self, version, length, is_udp):
        packet = udp(version, octets_of(length)) if is_udp else tcp(version, octets_of(length))
        start, place = transport(packet), 6 if is_udp else 16
        octets = bytearray(packet)
        pack_into("!H", octets, start + place, partial(pseudo(packet)))
        header = Header(NEEDS_CHECKSUM, checksum_start=start, checksum_offset=place)
        assert cut(header.encode() + bytes(octets)) == [packet]

    def test_without_a_word_the_packet_passes_as_it_is(self):
        assert cut(EMPTY + b"whatever") == [b"whatever"]


class MergedTcpTests:
    """Cut and merged again, it is what it was."""

    @given(
        version=versions,
        pieces=st.integers(2, MERGED_MOST),
        last=st.floats(0, 1),
        size=st.integers(1, 1000),
        sequence=sequences,
        push=st.sampled_from([0, PSH]),
        options=st.sampled_from([b"", b"\x01\x01\x08\x0a" + bytes(range(8))]),
        may_fragment=st.booleans(),
    )
    def test_the_large_frame_comes_out_again(self, version, pieces, last, size, sequence, push, options, may_fragment):
        data = octets_of((pieces - 1) * size + max(1, int(size * last)))
        how = {"sequence": sequence, "flags": ACK | push, "tcp_options": options, "may_fragment": may_fragment}
        frame = large(tcp(version, data, **how), size)
        packets = cut(frame)
        assert merge(packets) == [Frame(frame, pieces)]
        assert cut(merge(packets)[0].octets) == packets

    @given(
        version=versions,
        plan=st.lists(
            st.tuples(
                st.sampled_from([100, 100, 100, 60, 0]),  # payload
                st.sampled_from([ACK, ACK, ACK, ACK | PSH, ACK | FIN]),
                st.sampled_from([0, 0, 0, 0, 50]),  # a gap in the sequence
                st.sampled_from([7, 7, 7, 8]),  # acknowledgement
                st.one_of(st.none(), st.none(), st.tuples(st.integers(0, 2000), st.integers(1, 255))),  # damage
            ),
            max_size=80,
        ),
    )
    def test_whatever_comes_leaves_in_order_and_unchanged(self, version, plan):
        packets = []
        sequence = 0
        for number, (length, flags, gap, acknowledgement, damage) in enumerate(plan):
            sequence += gap
            how = {"sequence": sequence, "flags": flags, "acknowledgement": acknowledgement, "number": number}
            packet = bytearray(tcp(version, octets_of(length, number), **how))
            if damage is not None:  # but not where lengths, protocol, addresses or ports are: the same flow
                place = damage[0] % (len(packet) - transport(packet) - 4) + transport(packet) + 4
                packet[place] ^= damage[1]
            packets.append(bytes(packet))
            sequence += length
        frames = merge(packets)
        assert sum(frame.packets for frame in frames) == len(packets)
        assert [packet for frame in frames for packet in cut(frame.octets)] == packets
        for frame in frames:
            if frame.packets == 1:
                assert frame.octets[:10] == EMPTY
            assert len(frame.packet) <= LONGEST
            assert frame.packets <= MERGED_MOST

    def test_a_frame_holds_as_much_as_ip_can_say(self):
        packets = [tcp(6, octets_of(1400), sequence=1400 * n) for n in range(47)]
        assert [frame.packets for frame in merge(packets)] == [46, 1]

    def test_packets_that_were_not_taken_are_counted_and_the_others_follow(self):
        frames = []

        def write(frame):
            frames.append(frame.packets)
            return len(frames) != 1

        packets = [tcp(4, bytes(10), sequence=10 * n, flags=ACK | PSH * (n % 3 == 2)) for n in range(9)]
        assert merge_into(write, packets) == (6, 3)
        assert frames == [3, 3, 3]


class MergedUdpTests:
    """Datagrams that were merged are cut into the datagrams they were."""

    @given(
        version=versions,
        pieces=st.integers(2, MERGED_MOST),
        last=st.floats(0, 1),
        size=st.integers(1, 1000),
        may_fragment=st.booleans(),
        salt=st.integers(0, 255),
    )
    def test_the_large_frame_comes_out_again(self, version, pieces, last, size, may_fragment, salt):
        data = octets_of((pieces - 1) * size + max(1, int(size * last)), salt)
        frame = large(udp(version, data, may_fragment=may_fragment, number=0xFFF0), size, kind=UDP)
        packets = cut(frame)
        assert merge(packets) == [Frame(frame, pieces)]
        assert merge(packets, datagrams=False) == [Frame(EMPTY + packet, 1) for packet in packets]

    @given(
        version=versions,
        plan=st.lists(
            st.tuples(
                st.sampled_from([53, 53, 54]),  # the flow
                st.sampled_from([100, 100, 100, 60, 140, 0]),  # payload
                st.sampled_from([0, 1, 1, 1]),  # what the IPv4 number counts up by
                st.booleans(),  # may be cut further
                st.one_of(st.none(), st.none(), st.tuples(st.integers(0, 2000), st.integers(1, 255))),  # damage
            ),
            max_size=80,
        ),
    )
    def test_whatever_comes_leaves_in_order_and_unchanged(self, version, plan):
        packets, number = [], 0
        for index, (port, length, step, may_fragment, damage) in enumerate(plan):
            number += step
            how = {"port": port, "number": number, "may_fragment": may_fragment}
            packet = bytearray(udp(version, octets_of(length, index), **how))
            if damage is not None:  # but not where lengths, protocol, addresses or ports are: the same flow
                place = damage[0] % (len(packet) - transport(packet) - 4) + transport(packet) + 4
                packet[place] ^= damage[1]
            packets.append(bytes(packet))
        frames = merge(packets)
        came = [packet for frame in frames for packet in cut(frame.octets)]
        for port in (53, 54):
            assert [plain(packet) for packet in of_port(came, port)] == [plain(p) for p in of_port(packets, port)]
        assert len(came) == len(packets)
        for frame in frames:
            assert frame.packets > 1 or frame.octets[:10] == EMPTY
            assert len({unpack_from("!H", packet, transport(packet) + 2) for packet in cut(frame.octets)}) == 1


def of_port(packets: list[bytes], port: int) -> list[bytes]:
    return [packet for packet in packets if unpack_from("!H", packet, transport(packet) + 2)[0] == port]


def plain(packet: bytes) -> bytes:
    """Return the packet without the IPv4 number where that means nothing, and the checksum over it."""
    if packet[0] >> 4 == 4 and packet[6] & 0x40:
        return packet[:4] + bytes(2) + packet[6:10] + bytes(2) + packet[12:]
    return packet


class ContradictionTests:
    """What the header says and the packet does not; nothing is read or written beyond the frame."""

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": 2},
            {"kind": 3},
            {"kind": TCP_V6},
            {"kind": UDP},
            {"kind": ECN},
            {"kind": UDP | ECN},
            {"size": 0},
            {"headers": 3041},
            {"checksum_start": 24},
            {"checksum_start": 0xFFFF},
            {"checksum_offset": 6},
        ],
        ids=str,
    )
    def test_the_frame_is_refused(self, change):
        frame = large(tcp(4, octets_of(3000)), 1000)
        assert cut(frame) is not None
        assert cut(Header.decode(frame)._replace(**change).encode() + frame[10:]) is None

    @given(
        version=versions,
        damage=st.lists(st.tuples(st.integers(0, 100), st.integers(1, 255)), min_size=1, max_size=4),
        length=st.integers(0, 400),
        keep=st.integers(0, 500),
    )
    def test_damage_gives_nothing_or_packets_that_are_right(self, version, damage, length, keep):
        frame = bytearray(large(tcp(version, octets_of(length)), 100))
        for place, octet in damage:
            frame[place % len(frame)] ^= octet
        packets = cut(bytes(frame[:keep]))
        header = Header.decode(frame)
        if packets is not None and header.kind:
            start = header.checksum_start
            for packet in packets:
                assert len(packet) < keep
                if transport(packet) == start and packet[0] >> 4 == 4:
                    verify(packet)

    @given(st.binary(max_size=200))
    def test_octets_at_random_never_harm(self, octets):
        cut(octets)
        assert merge([octets]) == [Frame(EMPTY + octets, 1)]

"""RFC 791 section 3.2 (fragmentation), RFC 1191 and RFC 4443 section 3.2 (too big).

A native twin subclasses these and overrides fragment, too_big and checksum.
"""

from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import pcap

from openpptp.datapath.icmp import checksum, fragment, too_big

SIX = bytes.fromhex("fe80000000000000 0200000000000001 fe80000000000000 0200000000000002")


def packet(size: int, *, flags: int = 0, options: bytes = b"") -> bytes:
    payload = bytes(n % 251 for n in range(size - 20 - len(options)))
    plain = pcap.ipv4("10.0.0.1", "10.0.0.2", 17, payload)
    head = bytearray(plain[:20]) + options
    head[0] = 0x40 | len(head) // 4
    head[2:4] = size.to_bytes(2, "big")
    head[4:6] = b"\x12\x34"
    head[6:8] = flags.to_bytes(2, "big")
    head[10:12] = bytes(2)
    head[10:12] = pcap.checksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + payload


class FragmentationTests:
    """RFC 791 3.2. Fragmentation."""

    fragment = staticmethod(fragment)

    @given(
        size=st.integers(101, 3000),
        mtu=st.integers(100, 1500),
        options=st.sampled_from(["", "94040000", "07080400", "01830700"]),
    )
    def test_fragments_make_the_packet_again(self, size, mtu, options):
        whole = packet(size, options=bytes.fromhex(options + "00" * (-len(options) // 2 % 4)))
        header = (whole[0] & 15) * 4
        data = {}
        fragments = self.fragment(whole, mtu)
        for number, piece in enumerate(fragments):
            total, identification, where = unpack_from("!HHH", piece, 2)
            length = (piece[0] & 15) * 4
            assert total == len(piece) <= mtu
            assert identification == 0x1234
            assert pcap.checksum(piece[:length]) == 0
            assert bool(where & 0x2000) == (number < len(fragments) - 1)
            data[(where & 0x1FFF) * 8] = piece[length:]
        assert b"".join(octets for _, octets in sorted(data.items())) == whole[header:]
        assert sorted(data) == [sum(len(data[o]) for o in data if o < offset) for offset in sorted(data)]

    def test_a_fragment_is_fragmented_again(self):
        middle = packet(1000, flags=0x2000 | 100)
        where = [unpack_from("!H", piece, 6)[0] for piece in self.fragment(middle, 576)]
        assert where == [0x2000 | 100, 0x2000 | 100 + 552 // 8]

    def test_only_copied_options_are_in_every_fragment(self):
        options = bytes.fromhex("94040000" + "07070400000000" + "01")  # router alert is copied, record route is not
        first, second = self.fragment(packet(1000, options=options), 576)[:2]
        assert first[20:32] == options
        assert second[0] == 0x46
        assert second[20:24] == bytes.fromhex("94040000")

    @pytest.mark.parametrize("options", ["9400000000000000", "94ff0000"])
    def test_options_with_wrong_lengths_end_the_options(self, options):
        assert len(self.fragment(packet(1000, options=bytes.fromhex(options)), 576)) == 2

    def test_an_mtu_without_room_gives_nothing(self):
        assert self.fragment(packet(100), 27) == []


class TooBigTests:
    """RFC 1191 4. Router Specification; RFC 4443 3.2. Packet Too Big."""

    too_big = staticmethod(too_big)

    def test_the_answer_comes_from_the_packets_destination_and_tells_the_mtu(self):
        answer = self.too_big(packet(1500, flags=0x4000), 1400)
        assert answer[12:20] == bytes.fromhex("0a0000020a000001")
        assert answer[9] == 1
        assert unpack_from("!BBHHH", answer, 20)[::2] == (3, unpack_from("!H", answer, 22)[0], 1400)
        assert answer[21] == 4
        assert pcap.checksum(answer[:20]) == pcap.checksum(answer[20:]) == 0
        assert len(answer) == 576
        assert answer[28:] == packet(1500, flags=0x4000)[:548]

    @pytest.mark.parametrize(
        "change",
        [
            (9, b"\x01\x00" + bytes(10) + b"\x03"),
            (16, b"\xe0"),
            (16, b"\xff"),
            (12, b"\x00"),
            (12, b"\x7f"),
            (6, b"\x40\x01"),
        ],
        ids=["error", "multicast", "broadcast", "nobody", "loopback", "later fragment"],
    )
    def test_no_answer(self, change):
        where, octets = change
        offender = bytearray(packet(1500, flags=0x4000))
        if where == 9:
            offender[9], offender[20] = 1, 3
        else:
            offender[where : where + len(octets)] = octets
        assert self.too_big(bytes(offender), 1400) is None

    def test_an_echo_request_is_answered(self):
        request = bytearray(packet(1500, flags=0x4000))
        request[9], request[20] = 1, 8
        assert self.too_big(bytes(request), 1400) is not None

    def test_ipv6(self):
        offender = b"\x60\x00\x00\x00" + (1460).to_bytes(2, "big") + b"\x11\x40" + SIX + bytes(1460)
        answer = self.too_big(offender, 1400)
        assert answer[8:40] == SIX[16:] + SIX[:16]
        assert (answer[6], answer[40], answer[41]) == (58, 2, 0)
        assert int.from_bytes(answer[44:48], "big") == 1400
        assert len(answer) == 1280
        pseudo = answer[8:40] + (len(answer) - 40).to_bytes(4, "big") + b"\0\0\0\x3a"
        assert pcap.checksum(pseudo + answer[40:]) == 0

    @pytest.mark.parametrize("change", [(6, 58), (24, 0xFF), (8, 0xFF)])
    def test_no_answer_in_ipv6(self, change):
        offender = bytearray(b"\x60\x00\x00\x00\x05\xb4\x11\x40" + SIX + bytes(1460))
        offender[change[0]] = change[1]
        assert self.too_big(bytes(offender), 1400) is None

    def test_no_answer_to_nobody_in_ipv6(self):
        assert self.too_big(b"\x60\x00\x00\x00\x05\xb4\x11\x40" + bytes(16) + SIX[16:] + bytes(1460), 1400) is None


class ChecksumTests:
    """RFC 1071."""

    checksum = staticmethod(checksum)

    @given(st.binary(max_size=60))
    def test_it_is_that_of_the_loop(self, octets):
        assert self.checksum(octets) == pcap.checksum(octets)

    @pytest.mark.parametrize("octets", [b"", bytes(4), b"\xff\xff", b"\xff\xff\xff\xff"])
    def test_zeros_and_ones(self, octets):
        assert self.checksum(octets) == pcap.checksum(octets)

"""RFC 9293 section 3.7.1, RFC 1624: the segment size of TCP connections through a tunnel.

A native twin subclasses this and overrides clamped.
"""

from ipaddress import IPv4Address
from random import Random
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import pcap

from openpptp.datapath.clamp import clamped

SIX = bytes.fromhex("fe80000000000000 0200000000000001 fe80000000000000 0200000000000002")
SYN, SYN_ACK, SYN_RST, ACK = 0x02, 0x12, 0x06, 0x10
WINDOWS = "020405b40103030801010402"  # MSS 1460, NOP, window scale, NOP, NOP, SACK
ODD = "01020405b4030308"  # the value lies across two words of the checksum


def tcp(options: str, flags: int = SYN, payload: bytes = b"") -> bytes:
    """Return a TCP segment without its checksum."""
    octets = bytes.fromhex(options)
    octets += bytes(-len(octets) % 4)
    return pack("!HHIIBBHHH", 40000, 80, 1, 0, (20 + len(octets)) // 4 << 4, flags, 65535, 0, 0) + octets + payload


def complete(segment: bytes, pseudo: bytes) -> bytes:
    total = pcap.checksum(pseudo + segment + bytes(len(segment) % 2))
    return segment[:16] + total.to_bytes(2, "big") + segment[18:]


def four(segment: bytes, source: str = "10.0.0.1", destination: str = "10.0.0.2") -> bytes:
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed
    return pcap.ipv4(source, destination, 6, complete(segment, addresses + pack("!HH", 6, len(segment))))


def six(segment: bytes, extensions: bytes = b"", first: int = 6, addresses: bytes = SIX) -> bytes:
    whole = complete(segment, addresses + pack("!II", len(segment), 6))
    return pack("!IHBB", 6 << 28, len(extensions) + len(whole), first, 64) + addresses + extensions + whole


def segment_checksum(packet: bytes, start: int) -> int:
    """Return 0 when the TCP checksum is right."""
    segment = packet[start:] + bytes((len(packet) - start) % 2)
    addresses = packet[12:20] if packet[0] >> 4 == 4 else packet[8:40]
    return pcap.checksum(addresses + pack("!II", len(packet) - start, 6) + segment)


def any_syn(luck: Random, source: str, destination: str) -> bytes:
    """Return a packet that opens a connection, mostly, with options of any kind."""
    parts = ["01", "0204" + luck.randbytes(2).hex(), "0402", "030308", "00", "0206aabbccdd", "02", "0201", "09ff"]
    options = "".join(luck.choice(parts) for _ in range(luck.randrange(5)))
    segment = tcp(options, luck.choice([SYN, SYN, SYN_ACK, SYN_RST, ACK]), luck.randbytes(luck.choice([0, 0, 1, 90])))
    return pcap.ipv4(source, destination, 6, segment[: luck.choice([len(segment), len(segment), 25, 19, 13])])


class ClampTests:
    """Both directions' first packets carry what the tunnel carries."""

    clamped = staticmethod(clamped)

    @pytest.mark.parametrize("flags", [SYN, SYN_ACK, SYN | 0xC0])
    @pytest.mark.parametrize("options", [WINDOWS, ODD, "0101" + WINDOWS, "020405b5"])
    def test_s24_ipv4(self, options, flags):
        packet = four(tcp(options, flags))
        fitted = self.clamped(packet, 1396)
        assert fitted == packet[:36] + fitted[36:38] + packet[38:].replace(b"\x05\xb4", b"\x05\x4c").replace(
            b"\x05\xb5", b"\x05\x4c"
        )
        assert segment_checksum(packet, 20) == segment_checksum(fitted, 20) == 0

    @pytest.mark.parametrize(
        ("extensions", "first"),
        [(b"", 6), (b"\x06\x00" + bytes(6), 0), (b"\x3c\x01" + bytes(14) + b"\x06\x00" + bytes(6), 0)],
    )
    def test_s24_ipv6(self, extensions, first):
        packet = six(tcp("0204ffff", SYN_ACK), extensions, first)
        start = 40 + len(extensions)
        fitted = self.clamped(packet, 1396)
        assert fitted[start + 20 : start + 24] == bytes.fromhex("0204") + (1336).to_bytes(2, "big")
        assert segment_checksum(fitted, start) == 0
        assert len(fitted) == len(packet)

    @pytest.mark.parametrize(
        "segment",
        [
            tcp("0204054c"),
            tcp("02040200", SYN_ACK),
            tcp(""),
            tcp("0204ffff", SYN_RST),
            tcp("0204ffff", ACK),
            tcp("000204ffff"),  # after the end of the list
            tcp("0206ffffffff"),
            tcp("0201ffff"),
            tcp("09ff0204ffff"),
            tcp("0204ffff")[:23],
            tcp("0204ffff")[:19],
            tcp("0204ffff")[:12],
            b"",
        ],
        ids=lambda segment: segment[12:].hex() or "none",
    )
    def test_all_else_stays_as_it_is(self, segment):
        packet = pcap.ipv4("10.0.0.1", "10.0.0.2", 6, segment)
        assert self.clamped(packet, 1396) == packet

    def test_a_later_fragment_stays_as_it_is_and_the_first_does_not(self):
        packet = bytearray(four(tcp(WINDOWS)))
        packet[6:8] = b"\x20\x01"
        assert self.clamped(bytes(packet), 1396) == packet
        packet[6:8] = b"\x20\x00"
        assert self.clamped(bytes(packet), 1396) != packet

    def test_other_protocols_stay_as_they_are(self):
        packet = bytearray(four(tcp(WINDOWS)))
        packet[9] = 17
        assert self.clamped(bytes(packet), 1396) == packet

    def test_a_wrong_checksum_stays_wrong(self):
        packet = bytearray(four(tcp(WINDOWS)))
        packet[36] ^= 0x40
        assert segment_checksum(self.clamped(bytes(packet), 1396), 20) != 0

    def test_an_mtu_without_room_for_headers_changes_nothing(self):
        assert self.clamped(four(tcp(WINDOWS)), 40) == four(tcp(WINDOWS))

    @given(
        size=st.integers(0, 0xFFFF), shift=st.integers(0, 3), mtu=st.integers(68, 1500), source=st.integers(1, 65535)
    )
    def test_the_checksum_is_right_whatever_changes(self, size, shift, mtu, source):
        options = "01" * shift + "0204" + size.to_bytes(2, "big").hex()
        packet = four(source.to_bytes(2, "big") + tcp(options)[2:])
        fitted = self.clamped(packet, mtu)
        at = 40 + shift + 2
        assert fitted[at : at + 2] == min(size, mtu - 40).to_bytes(2, "big")
        assert segment_checksum(fitted, 20) == 0

"""The tests of datapath/icmp.py against native/icmp.c, and both fed with the same packets of any kind."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.datapath import test_icmp as reference
from tests.native.parts import part

from openpptp.datapath import icmp

_PART = part(
    """
    struct fragmenter { ...; };
    bool fragment_begin(struct fragmenter *fragmenter, const uint8_t *packet, size_t length, uint32_t mtu);
    size_t fragment_next(struct fragmenter *fragmenter, uint8_t *to, size_t room);
    size_t too_big(uint8_t *to, const uint8_t *packet, size_t length, uint32_t mtu);
    uint64_t checksum_add(uint64_t sum, const uint8_t *octets, size_t length);
    uint16_t checksum_fold(uint64_t sum);
    """,
    "icmp.c",
    "ip.c",
    include='#include "icmp.h"\n#include "ip.h"',
)
ffi: Any = _PART.ffi
lib: Any = _PART.lib


def fragment(packet: bytes, mtu: int) -> list[bytes]:
    fragmenter, source = ffi.new("struct fragmenter *"), ffi.new("uint8_t[]", packet)
    if not lib.fragment_begin(fragmenter, source, len(packet), mtu):
        return []
    to = ffi.new("uint8_t[]", 65536)
    fragments = []
    while length := lib.fragment_next(fragmenter, to, 65536):
        fragments.append(ffi.buffer(to, length)[:])
    return fragments


def too_big(packet: bytes, mtu: int) -> bytes | None:
    to = ffi.new("uint8_t[]", 1280)
    length = lib.too_big(to, packet, len(packet), mtu)
    return ffi.buffer(to, length)[:] if length else None


def checksum(octets: bytes) -> int:
    return 0xFFFF - lib.checksum_fold(lib.checksum_add(0, octets, len(octets)))


class FragmentationTests(reference.FragmentationTests):
    fragment = staticmethod(fragment)

    @given(
        words=st.integers(0, 10),
        header=st.binary(min_size=60, max_size=60),
        size=st.integers(0, 3000),
        mtu=st.integers(20, 1500),
    )
    def test_it_is_that_of_the_reference(self, words, header, size, mtu):
        packet = bytearray(header[: 20 + 4 * words] + bytes(n * 7 % 256 for n in range(size)))
        packet[0] = 0x45 + words
        packet[2:4] = len(packet).to_bytes(2, "big")
        packet[6] &= 0xBF  # may be cut
        assert fragment(bytes(packet), mtu) == icmp.fragment(bytes(packet), mtu)


class TooBigTests(reference.TooBigTests):
    too_big = staticmethod(too_big)

    @given(
        start=st.sampled_from([b"\x45", b"\x4f", b"\x60"]),
        header=st.binary(min_size=60, max_size=60),
        protocol=st.sampled_from([1, 6, 58]),
        size=st.integers(0, 1300),
        mtu=st.integers(576, 1500),
    )
    def test_it_is_that_of_the_reference(self, start, header, protocol, size, mtu):
        packet = bytearray(start + header[1:] + bytes(n * 7 % 256 for n in range(size)))
        packet[6 if start == b"\x60" else 9] = protocol
        assert too_big(bytes(packet), mtu) == icmp.too_big(bytes(packet), mtu)


class ChecksumTests(reference.ChecksumTests):
    checksum = staticmethod(checksum)

"""The tests of datapath/clamp.py against native/clamp.c, and both fed with the same packets of any kind."""

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.datapath import test_clamp as reference
from tests.native.parts import part

from openpptp.datapath import clamp

_PART = part(
    """
    size_t clamp_find(const uint8_t *packet, size_t length);
    void clamp_segment_size(uint8_t *packet, size_t length, size_t start, uint32_t mtu);
    """,
    "clamp.c",
    "ip.c",
    include='#include "clamp.h"',
)
ffi: Any = _PART.ffi
lib: Any = _PART.lib


def clamped(packet: bytes, mtu: int) -> bytes:
    octets = ffi.new("uint8_t[]", packet)
    start = lib.clamp_find(octets, len(packet))
    if start:
        lib.clamp_segment_size(octets, len(packet), start, mtu)
    return ffi.buffer(octets, len(packet))[:]


class ClampTests(reference.ClampTests):
    clamped = staticmethod(clamped)

    @given(seed=st.integers(0, 1 << 32), mtu=st.integers(20, 1500))
    def test_it_is_that_of_the_reference(self, seed, mtu):
        packet = reference.any_syn(Random(seed), "10.0.0.1", "10.0.0.2")
        assert clamped(packet, mtu) == clamp.clamped(packet, mtu)

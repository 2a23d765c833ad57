"""RFC 2637 section 4.1: enhanced GRE.

A native twin subclasses these and overrides gre.
"""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.errors import BadMessage
from openpptp.wire import gre

VECTORS = [
    ((0x1234, None, None, b""), "2001 880b 0000 1234"),
    ((0x1234, None, 7, b""), "2081 880b 0000 1234 00000007"),
    ((0x1234, 0, None, b"\xff\x03"), "3001 880b 0002 1234 00000000 ff03"),
    ((0x0000, 0xFFFFFFFF, 0xFFFFFFFE, b"\xfd\x90"), "3081 880b 0002 0000 ffffffff fffffffe fd90"),
]
each_vector = pytest.mark.parametrize(("value", "octets"), [(v, bytes.fromhex(o)) for v, o in VECTORS])
numbers = st.integers(0, 0xFFFFFFFF)


class Subject:
    """Where the reference is named; a twin names its own."""

    gre: Any = gre


class EnhancedGreHeaderTests(Subject):
    """4.1. Enhanced GRE header."""

    @each_vector
    def test_encodes_to_the_octets_of_the_rfc(self, value, octets):
        call_id, sequence, acknowledgement, payload = value
        assert self.gre.encode(call_id, payload, sequence, acknowledgement) == octets

    @each_vector
    def test_decodes_from_the_octets_of_the_rfc(self, value, octets):
        assert self.gre.decode(octets) == value
        assert self.gre.decode(memoryview(octets)) == value

    @each_vector
    def test_b042_every_truncation_is_refused(self, value, octets):
        for length in range(len(octets)):
            with pytest.raises(BadMessage):
                self.gre.decode(octets[:length])

    @each_vector
    def test_b041_padding_of_a_short_ethernet_frame_is_cut(self, value, octets):
        assert self.gre.decode(octets + bytes(40)) == value

    def test_b041_a_payload_longer_than_the_packet_is_refused(self):
        with pytest.raises(BadMessage, match="payload of 3 octets in 2"):
            self.gre.decode(bytes.fromhex("3001 880b 0003 1234 00000000 ff03"))

    @pytest.mark.parametrize("bit", [0, 1, 2, 4, 5, 6, 7, *range(9, 16)])
    def test_b040_any_other_flag_or_version_is_refused(self, bit):
        octets = bytearray(bytes.fromhex(VECTORS[3][1]))
        octets[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(BadMessage, match="flags"):
            self.gre.decode(bytes(octets))

    @pytest.mark.parametrize("protocol", ["0800", "6558", "88be", "880c", "0b88"])
    def test_b044_another_protocol_is_refused(self, protocol):
        with pytest.raises(BadMessage):
            self.gre.decode(bytes.fromhex(f"3001 {protocol} 0002 1234 00000000 ff03"))

    def test_b044_gre_of_version_0_is_refused_even_with_our_protocol(self):
        with pytest.raises(BadMessage):
            self.gre.decode(bytes.fromhex("3000 880b 0002 1234 00000000 ff03"))

    @pytest.mark.parametrize(
        "octets", ["", "30", "3001880b000212", "3001880b00001234", "3081880b0000123400000000", "2081880b00001234"]
    )
    def test_b042_a_packet_too_short_for_its_flags_is_refused(self, octets):
        with pytest.raises(BadMessage):
            self.gre.decode(bytes.fromhex(octets))

    @pytest.mark.parametrize("octets", ["2001 880b 0002 1234 ff03", "2081 880b 0002 1234 00000000 ff03"])
    def test_b043_a_payload_without_sequence_number_is_refused(self, octets):
        with pytest.raises(BadMessage, match="without a sequence"):
            self.gre.decode(bytes.fromhex(octets))

    def test_b043_a_sequence_number_without_payload_is_only_an_acknowledgement(self):
        assert self.gre.decode(bytes.fromhex("3081 880b 0000 1234 00000005 00000004")) == (0x1234, None, 4, b"")
        assert self.gre.decode(bytes.fromhex("3001 880b 0000 1234 00000005")) == (0x1234, None, None, b"")

    @given(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=64), numbers, st.none() | numbers)
    def test_any_packet_survives_the_way_there_and_back(self, call_id, payload, sequence, acknowledgement):
        packet = self.gre.encode(call_id, payload, sequence, acknowledgement)
        assert self.gre.decode(packet) == (call_id, sequence, acknowledgement, payload)

    @given(st.binary(max_size=40))
    def test_arbitrary_octets_raise_nothing_but_bad_message(self, octets):
        for packet in (octets, b"\x30\x81\x88\x0b" + octets, b"\x20\x81\x88\x0b" + octets):
            with suppress(BadMessage):
                self.gre.decode(packet)


class SerialNumberTests(Subject):
    """4.1. Sequence Number, 32 bits that wrap."""

    @pytest.mark.parametrize(
        ("later", "earlier", "distance"),
        [
            (5, 3, 2),
            (3, 5, -2),
            (7, 7, 0),
            (0, 0xFFFFFFFF, 1),
            (0xFFFFFFFF, 0, -1),
            (0x7FFFFFFF, 0, 0x7FFFFFFF),
            (0x80000000, 0, -0x80000000),
        ],
    )
    def test_distance_is_the_short_way_round(self, later, earlier, distance):
        assert self.gre.serial_distance(later, earlier) == distance

    @given(numbers, st.integers(-(1 << 31), (1 << 31) - 1))
    def test_adding_and_measuring_are_inverse(self, number, count):
        assert self.gre.serial_distance(self.gre.serial_add(number, count), number) == count

    def test_counting_wraps_after_the_last_number(self):
        assert self.gre.serial_add(0xFFFFFFFF) == 0

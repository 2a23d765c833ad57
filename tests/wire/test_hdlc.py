"""RFC 1662: asynchronous HDLC-like framing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.wire.hdlc import DEFAULT_ACCM, GOOD_FCS, MAX_FRAME, Decoder, encode, fcs16

# LCP Configure-Request with an empty ACCM, every control character escaped. Its FCS was worked out from the
# polynomial x**16 + x**12 + x**5 + 1 bit by bit (see bitwise_fcs below).
FRAME = bytes.fromhex("ff03c0210101000a020600000000")


def bitwise_fcs(octets):
    register = 0xFFFF
    for octet in octets:
        for bit in range(8):
            carry = (register ^ octet >> bit) & 1
            register = register >> 1 ^ (0x8408 if carry else 0)
    return register ^ 0xFFFF


class FrameCheckSequenceTests:
    """C.2. 16-bit FCS Computation Method."""

    def test_the_check_value_of_this_crc(self):
        assert fcs16(b"123456789") ^ 0xFFFF == 0x906E

    @given(st.binary(max_size=64))
    def test_the_table_gives_what_the_polynomial_gives(self, octets):
        assert fcs16(octets) ^ 0xFFFF == bitwise_fcs(octets)

    @given(st.binary(max_size=64))
    def test_r096_a_frame_with_its_fcs_sums_up_to_the_good_value(self, octets):
        assert fcs16(octets + (fcs16(octets) ^ 0xFFFF).to_bytes(2, "little")) == GOOD_FCS


class TransparencyTests:
    """4.2. Transparency; 7.1. Async-Control-Character-Map."""

    def test_r096_flag_and_escape_are_always_escaped(self):
        assert encode(b"\xff\x03\x7e\x7d", 0)[1:-1].startswith(b"\xff\x03\x7d\x5e\x7d\x5d")

    def test_r099_characters_of_the_map_are_escaped_and_no_others(self):
        assert encode(b"\x00\x11\x13\x20\xff", 0x000A0000)[1:-1].startswith(b"\x00\x7d\x31\x7d\x33\x20\xff")

    def test_by_default_every_control_character_is_escaped(self):
        body = encode(bytes(range(32)))[1:65]
        assert body == b"".join(bytes((0x7D, octet ^ 0x20)) for octet in range(32))

    def test_a_whole_frame_on_the_line(self):
        fcs = bitwise_fcs(FRAME).to_bytes(2, "little")
        escaped = "".join(f"7d{o ^ 0x20:02x}" if o < 32 or o in (0x7D, 0x7E) else f"{o:02x}" for o in FRAME + fcs)
        assert encode(FRAME, DEFAULT_ACCM) == bytes.fromhex(f"7e{escaped}7e")

    def test_characters_a_modem_put_in_are_discarded(self):
        line = encode(FRAME, DEFAULT_ACCM)
        noisy = b"\x11".join(bytes((octet,)) for octet in line)
        assert Decoder(accm=DEFAULT_ACCM).feed(noisy) == [FRAME]
        assert Decoder().feed(noisy) == []


class DecoderTests:
    """4.3. Invalid Frames."""

    @given(st.lists(st.binary(min_size=2, max_size=40), max_size=5), st.sampled_from([0, 0x000A0000, DEFAULT_ACCM]))
    def test_any_frames_survive_the_way_there_and_back(self, frames, accm):
        line = b"".join(encode(frame, accm) for frame in frames)
        whole, single = Decoder(), Decoder()
        assert whole.feed(line) == frames
        assert [f for i in range(len(line)) for f in single.feed(line[i : i + 1])] == frames
        assert whole.dropped == single.dropped == 0

    def test_frames_may_share_one_flag(self):
        assert Decoder().feed(encode(FRAME) + encode(FRAME)[1:]) == [FRAME, FRAME]

    @pytest.mark.parametrize(
        "line", [b"\x7e\x01\x02\x03\x7e", b"\x7e\xff\x7e", b"\x7e" + b"\xff\x03\x00\x21\x00" + b"\x7e"]
    )
    def test_r097_short_and_damaged_frames_are_dropped_and_counted(self, line):
        decoder = Decoder()
        assert decoder.feed(line + encode(FRAME)) == [FRAME]
        assert decoder.dropped == 1

    def test_r097_an_aborted_frame_is_dropped(self):
        decoder = Decoder()
        assert decoder.feed(encode(FRAME)[:-1] + b"\x7d\x7e" + encode(FRAME)) == [FRAME]
        assert decoder.dropped == 1

    def test_every_damaged_bit_is_found(self):
        for position in range(1, len(FRAME)):
            for bit in range(8):
                line = bytearray(encode(FRAME, 0))
                line[position] ^= 1 << bit
                assert FRAME not in Decoder().feed(bytes(line))

    def test_a_line_without_flags_takes_no_more_memory_than_a_frame(self):
        decoder = Decoder()
        for _ in range(100):
            assert decoder.feed(b"\xaa" * 1000) == []
            assert len(decoder._pending) <= 2 * MAX_FRAME + 1000
        assert decoder.feed(b"\x7e" + encode(FRAME)) == [FRAME]
        assert decoder.dropped == 1

    @given(st.lists(st.binary(max_size=50) | st.just(b"\x7e"), max_size=10))
    def test_b003_arbitrary_octets_raise_nothing_and_the_next_frame_is_read(self, parts):
        decoder = Decoder()
        for part in parts:
            decoder.feed(part)
        assert decoder.feed(b"\x7e" + encode(FRAME))[-1] == FRAME

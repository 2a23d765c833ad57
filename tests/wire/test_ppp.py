"""RFC 1661 sections 2, 5 and 6: frames, control packets, option lists."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.errors import BadMessage, Misuse
from openpptp.wire.ppp import (
    MAX_OPTIONS,
    Code,
    Option,
    Packet,
    Protocol,
    decode_frame,
    decode_options,
    encode_frame,
    encode_options,
)

# (protocol, information, compress address and control, compress protocol, octets)
FRAMES = [
    (Protocol.LCP, b"\x01\x02", False, False, "ff03 c021 0102"),
    (Protocol.LCP, b"\x01\x02", True, True, "ff03 c021 0102"),
    (Protocol.IPV4, b"\x45", False, False, "ff03 0021 45"),
    (Protocol.IPV4, b"\x45", True, False, "0021 45"),
    (Protocol.IPV4, b"\x45", False, True, "ff03 21 45"),
    (Protocol.IPV4, b"\x45", True, True, "21 45"),
    (Protocol.CCP, b"\x01", True, True, "80fd 01"),
    (Protocol.MPPE, b"\x90\x00", True, True, "fd 9000"),
    (Protocol.CHAP, b"", True, True, "c223"),
]
PACKETS = [
    (Packet(Code.CONFIGURE_REQUEST, 1, b"\x01\x04\x05\x78"), "01 01 0008 01040578"),
    (Packet(Code.TERMINATE_ACK, 255), "06 ff 0004"),
    (Packet(200, 0, b"\x00"), "c8 00 0005 00"),
]
OPTIONS = [
    ((), ""),
    ((Option(7), Option(8)), "0702 0802"),
    ((Option(1, b"\x05\x78"), Option(5, b"\x01\x02\x03\x04")), "0104 0578 0506 01020304"),
    ((Option(200, b"\xff" * 253),), "c8ff" + "ff" * 253),
]


class FrameTests:
    """2. PPP Encapsulation; 6.5. and 6.6. compression."""

    @pytest.mark.parametrize(("protocol", "information", "address", "number", "octets"), FRAMES)
    def test_a_frame_has_the_header_that_was_negotiated(self, protocol, information, address, number, octets):
        frame = encode_frame(protocol, information, compress_address_control=address, compress_protocol=number)
        assert frame == bytes.fromhex(octets)

    @pytest.mark.parametrize(("protocol", "information", "address", "number", "octets"), FRAMES)
    def test_every_form_is_read(self, protocol, information, address, number, octets):
        assert decode_frame(bytes.fromhex(octets)) == (protocol, information)
        assert decode_frame(memoryview(bytes.fromhex(octets))) == (protocol, information)

    @pytest.mark.parametrize("octets", ["", "ff03", "ff03c0", "c0", "00", "ff", "ff04c021", "ffff"])
    def test_a_frame_without_a_protocol_is_refused(self, octets):
        with pytest.raises(BadMessage):
            decode_frame(bytes.fromhex(octets))

    def test_a_protocol_with_an_even_low_octet_is_read_as_one_nobody_recognises(self):
        assert decode_frame(bytes.fromhex("c020 01")) == (0xC020, b"\x01")

    @given(st.sampled_from(Protocol), st.binary(max_size=32), st.booleans(), st.booleans())
    def test_any_frame_survives_the_way_there_and_back(self, protocol, information, address, number):
        frame = encode_frame(protocol, information, compress_address_control=address, compress_protocol=number)
        assert decode_frame(frame) == (protocol, information)

    @given(st.binary(max_size=8))
    def test_arbitrary_octets_raise_nothing_but_bad_message(self, octets):
        with suppress(BadMessage):
            decode_frame(octets)


class PacketTests:
    """5. LCP Packet Formats."""

    @pytest.mark.parametrize(("packet", "octets"), PACKETS)
    def test_a_packet_is_written_and_read(self, packet, octets):
        assert packet.encode() == bytes.fromhex(octets)
        assert Packet.decode(bytes.fromhex(octets)) == packet

    @pytest.mark.parametrize(("packet", "octets"), PACKETS)
    def test_b060_padding_is_ignored(self, packet, octets):
        assert Packet.decode(bytes.fromhex(octets) + b"\x01\x02\x03") == packet

    @pytest.mark.parametrize(("packet", "octets"), PACKETS)
    def test_b060_every_truncation_is_refused(self, packet, octets):
        whole = bytes.fromhex(octets)
        for length in range(len(whole)):
            with pytest.raises(BadMessage):
                Packet.decode(whole[:length])

    @pytest.mark.parametrize("length", [0, 1, 3, 9, 0xFFFF])
    def test_b060_a_length_below_4_or_beyond_the_octets_is_refused(self, length):
        with pytest.raises(BadMessage, match=f"Length {length} in 8"):
            Packet.decode(b"\x01\x01" + length.to_bytes(2, "big") + bytes(4))

    @pytest.mark.parametrize("code", [0, 13, 255])
    def test_b070_unknown_codes_are_read(self, code):
        assert Packet.decode(Packet(code, 1, b"x").encode()).code == code

    def test_a_packet_too_long_for_its_length_field_is_our_own_mistake(self):
        with pytest.raises(Misuse):
            Packet(1, 1, bytes(65532)).encode()

    @given(st.binary(max_size=40))
    def test_arbitrary_octets_raise_nothing_but_bad_message(self, octets):
        with suppress(BadMessage):
            packet = Packet.decode(octets)
            assert octets.startswith(packet.encode())


class OptionTests:
    """6. LCP Configuration Options."""

    @pytest.mark.parametrize(("options", "octets"), OPTIONS)
    def test_options_are_written_and_read(self, options, octets):
        assert encode_options(options) == bytes.fromhex(octets)
        assert decode_options(bytes.fromhex(octets)) == options

    @pytest.mark.parametrize("octets", ["01000578", "0700", "070208 00"])
    def test_b061_option_length_zero_is_refused(self, octets):
        with pytest.raises(BadMessage, match="Length 0"):
            decode_options(bytes.fromhex(octets))

    def test_b061_option_length_one_is_refused(self):
        with pytest.raises(BadMessage, match="Length 1"):
            decode_options(b"\x07\x01")

    @pytest.mark.parametrize("octets", ["01", "0104", "010405", "0104057807", "0506010203"])
    def test_b061_an_option_beyond_the_packet_is_refused(self, octets):
        with pytest.raises(BadMessage):
            decode_options(bytes.fromhex(octets))

    def test_b061_a_wrong_length_of_a_known_type_is_read_for_the_layer_above_to_judge(self):
        assert decode_options(bytes.fromhex("0105057801")) == (Option(1, b"\x05\x78\x01"),)

    def test_b062_the_same_option_twice_is_read_twice(self):
        assert decode_options(b"\x07\x02" * 2) == (Option(7), Option(7))

    def test_b062_more_options_than_any_sane_peer_sends_are_refused(self):
        assert len(decode_options(b"\x07\x02" * MAX_OPTIONS)) == MAX_OPTIONS
        with pytest.raises(BadMessage, match="more than"):
            decode_options(b"\x07\x02" * (MAX_OPTIONS + 1))

    def test_an_option_too_long_for_its_length_field_is_our_own_mistake(self):
        with pytest.raises(Misuse):
            encode_options([Option(1, bytes(254))])

    @given(st.lists(st.builds(Option, st.integers(0, 255), st.binary(max_size=20)), max_size=MAX_OPTIONS))
    def test_any_options_survive_the_way_there_and_back(self, options):
        assert decode_options(encode_options(options)) == tuple(options)

    @given(st.binary(max_size=40))
    def test_b003_arbitrary_octets_are_all_consumed_or_refused(self, octets):
        with suppress(BadMessage):
            assert encode_options(decode_options(octets)) == octets

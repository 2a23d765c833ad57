"""RFC 2516: PPP over Ethernet."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.errors import BadMessage, Misuse
from openpptp.wire.pppoe import (
    MAX_TAGS,
    Discovery,
    PppoeCode,
    Tag,
    TagType,
    decode_session,
    decode_tags,
    encode_session,
)

VECTORS = [
    (Discovery(PppoeCode.PADI, 0, (Tag(TagType.SERVICE_NAME),)), "11 09 0000 0004 0101 0000"),
    (
        Discovery(PppoeCode.PADO, 0, (Tag(TagType.AC_NAME, b"ac"), Tag(TagType.HOST_UNIQ, b"\x01\x02"))),
        "11 07 0000 000c 0102 0002 6163 0103 0002 0102",
    ),
    (Discovery(PppoeCode.PADR, 0, (Tag(TagType.AC_COOKIE, b"\xff"),)), "11 19 0000 0005 0104 0001 ff"),
    (Discovery(PppoeCode.PADS, 0x1234, ()), "11 65 1234 0000"),
    (Discovery(PppoeCode.PADT, 0xFFFF, (Tag(0x0203, b"bye"),)), "11 a7 ffff 0007 0203 0003 627965"),
]
each_vector = pytest.mark.parametrize(("packet", "octets"), [(p, bytes.fromhex(o)) for p, o in VECTORS])


class DiscoveryTests:
    """5. Discovery Stage."""

    @each_vector
    def test_encodes_and_decodes(self, packet, octets):
        assert packet.encode() == octets
        assert Discovery.decode(octets) == packet

    @each_vector
    def test_padding_is_ignored(self, packet, octets):
        assert Discovery.decode(octets + bytes(30)) == packet

    @each_vector
    def test_every_truncation_is_refused(self, packet, octets):
        for length in range(len(octets)):
            with pytest.raises(BadMessage):
                Discovery.decode(octets[:length])

    @pytest.mark.parametrize("version_type", [0x00, 0x10, 0x21, 0x12])
    def test_another_version_is_refused(self, version_type):
        with pytest.raises(BadMessage, match="version"):
            Discovery.decode(bytes((version_type,)) + bytes.fromhex("0900000000"))

    @pytest.mark.parametrize("payload", ["01", "0101", "010100", "0101000161016200", "0101ffff"])
    def test_b003_a_tag_beyond_the_payload_is_refused(self, payload):
        with pytest.raises(BadMessage):
            decode_tags(bytes.fromhex(payload))

    def test_end_of_list_ends_the_tags(self):
        assert decode_tags(bytes.fromhex("0101 0000 0000 0000 ffff")) == (Tag(TagType.SERVICE_NAME),)

    def test_more_tags_than_any_sane_peer_sends_are_refused(self):
        with pytest.raises(BadMessage, match="more than"):
            decode_tags(bytes.fromhex("01010000") * (MAX_TAGS + 1))

    def test_the_first_tag_of_a_type_is_found(self):
        packet = Discovery(PppoeCode.PADO, 0, (Tag(0x0103, b"a"), Tag(0x0103, b"b")))
        assert (packet.first(TagType.HOST_UNIQ), packet.first(TagType.AC_COOKIE)) == (b"a", None)

    def test_a_packet_prints_safely(self):
        packet = Discovery(PppoeCode.PADO, 0, (Tag(0x0102, b"a\x1bc"), Tag(0x0103, b"\x01"), Tag(0x0999), Tag(0x0101)))
        assert str(packet) == (
            '[PPPoE PADO session=0x0 <ac-name "a\\x1bc"> <host-uniq 01> <tag-0x0999> <service-name "">]'
        )
        assert str(Discovery(0x33, 1)) == "[PPPoE code=0x33 session=0x1]"

    def test_a_payload_too_long_for_its_length_field_is_our_own_mistake(self):
        with pytest.raises(Misuse):
            encode_session(1, bytes(65536))

    @given(
        st.sampled_from(PppoeCode),
        st.integers(0, 0xFFFF),
        st.lists(st.builds(Tag, st.integers(1, 0xFFFF), st.binary(max_size=20)), max_size=8),
    )
    def test_any_packet_survives_the_way_there_and_back(self, code, session_id, tags):
        packet = Discovery(code, session_id, tuple(tags))
        assert Discovery.decode(packet.encode()) == packet

    @given(st.binary(max_size=40))
    def test_arbitrary_octets_raise_nothing_but_bad_message(self, octets):
        for packet in (octets, b"\x11\x09\x00\x00" + octets):
            with suppress(BadMessage):
                assert str(Discovery.decode(packet)).isascii()
            with suppress(BadMessage):
                decode_session(packet)


class SessionTests:
    """6. PPP Session Stage."""

    def test_a_frame_begins_with_its_protocol(self):
        assert encode_session(0x1234, b"\xc0\x21\x01") == bytes.fromhex("11 00 1234 0003 c02101")
        assert decode_session(bytes.fromhex("11 00 1234 0003 c02101 0000")) == (0x1234, b"\xc0\x21\x01")

    def test_a_discovery_code_is_refused(self):
        with pytest.raises(BadMessage, match="code 0x09"):
            decode_session(bytes.fromhex("11 09 0000 0000"))

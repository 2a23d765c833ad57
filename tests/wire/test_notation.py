"""Every frame as pppd prints it, and nothing secret by default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.notation import describe, frame
from tests.wire.samples import FRAMES

from openpptp.wire import notation
from openpptp.wire.notation_text import escape, quote, tail
from openpptp.wire.ppp import Packet, Protocol, encode_frame


def lcp(octets):
    return notation.describe(Protocol.LCP, bytes.fromhex(octets))


class RoundTripTests:
    """The notation and the frame it stands for are two forms of one thing."""

    @pytest.mark.parametrize("line", FRAMES)
    def test_every_sample_reads_and_prints_the_same(self, line):
        assert describe(frame(line)) == line

    @pytest.mark.parametrize(
        "line",
        [
            "[IP data] 45 00 00 14",
            "[IPV6 data] 60",
            "[Compressed data] 90 00",
            "[proto=0x8207] 01 01 00 04",
            "[proto=0x3d]",
            "[LCP ConfReq id=0x1 <mru 1400>] 00 00",
            "[LCP ConfReq id=0x1 <auth 0xc027 01> <auth chap 0x7f 01> <callback 2 35>]",
            "[LCP ConfReq id=0x1 < 01 03 05> < 05 03 01> < 07 03 00> < 03 03 c0> < 04 02> < 0d 02> < 13 02>]",
            "[IPCP ConfReq id=0x1 < 03 05 0a 00 00> < 02 03 00> < 01 06 00 00 00 00> < c8 02>]",
            "[IPCP ConfReq id=0x1 <compress 0x61 01>]",
            "[IPV6CP ConfReq id=0x1 <compress 0x4f> < 01 03 00>]",
            "[CCP ConfReq id=0x1 <mppe +H -M +S -L -D -C +U 0x40000> < 12 05 01 00 00> < 1a 04 79 00>]",
            "[LCP TermReq id=0x1 01 02 03]",
            "[LCP EchoReq id=0x1 01 02]",
            "[LCP code=0x0 id=0x0]",
            "[PAP code=0x9 id=0x0 01]",
            "[CHAP code=0x9 id=0x0 01]",
        ],
    )
    def test_oddities_read_and_print_the_same(self, line):
        assert describe(frame(line)) == line

    def test_the_octets_are_those_of_the_rfc(self):
        line = "[LCP ConfReq id=0x1 <mru 1400> <auth chap MS-v2> <magic 0x1a2b3c4d>]"
        assert frame(line) == bytes.fromhex("ff03c021 01010013 01040578 0305c22381 05061a2b3c4d")
        line = "[CCP ConfNak id=0x2 <mppe +H -M +S -L -D -C>]"
        assert frame(line) == bytes.fromhex("ff0380fd 0302000a 120601000040")

    def test_compressed_headers_print_the_same(self):
        line = "[IPCP ConfReq id=0x1 <addr 10.0.0.1>]"
        assert describe(frame(line, compress_address_control=True)) == line

    @pytest.mark.parametrize("line", ["LCP", "[LCP ConfReq]", "[LCP Conf id=0x1]", "[LCP ConfReq id=0x1 <mtu 5>]"])
    def test_a_line_that_cannot_be_read_is_refused(self, line):
        with pytest.raises(ValueError, match=r"."):
            frame(line)

    @given(st.binary(max_size=60))
    def test_any_option_list_reads_and_prints_the_same(self, data):
        for protocol in (Protocol.LCP, Protocol.CCP, Protocol.IPCP, Protocol.IPV6CP):
            octets = encode_frame(protocol, Packet(1, 1, data).encode())
            line = describe(octets)
            if " ..." not in line:
                assert frame(line) == octets


class NothingIsRaisedTests:
    """Whatever a peer sends must be printable."""

    @given(st.sampled_from(Protocol), st.integers(0, 16), st.binary(max_size=80), st.binary(max_size=4))
    def test_a_packet_of_any_protocol_code_and_data(self, protocol, code, data, padding):
        line = notation.describe(protocol, Packet(code, 1, data).encode() + padding)
        assert all(" " <= c <= "~" for c in line)

    @given(st.integers(0, 0xFFFF), st.binary(max_size=80))
    def test_any_octets(self, protocol, octets):
        assert notation.describe(protocol, octets).startswith("[")
        assert notation.describe_frame(octets, secrets=True).isascii()

    @given(st.sampled_from([Protocol.PAP, Protocol.CHAP, Protocol.EAP]), st.binary(max_size=60))
    def test_b074_b075_any_authentication_packet(self, protocol, octets):
        assert notation.describe(protocol, octets).isascii()
        assert notation.describe(protocol, b"\x02\x01\x00" + octets[:1] + octets, secrets=True).isascii()

    @pytest.mark.parametrize(
        ("octets", "line"),
        [
            ("", "[LCP]"),
            ("0101", "[LCP] 01 01"),
            ("01010003", "[LCP] 01 01 00 03"),
            ("010100ff 0104", "[LCP] 01 01 00 ff 01 04"),
            ("01010007 010405", "[LCP ConfReq id=0x1 01 04 05]"),
            ("01010006 0100", "[LCP ConfReq id=0x1 01 00]"),
            ("01010005 01", "[LCP ConfReq id=0x1 01]"),
            ("08010004", "[LCP ProtRej id=0x1]"),
            ("09010006 0102", "[LCP EchoReq id=0x1 01 02]"),
            ("0d01000a 010203040102", "[LCP TimeRem id=0x1 01 02 03 04 01 02]"),
        ],
    )
    def test_b060_b061_what_is_malformed_is_shown_in_hexadecimal(self, octets, line):
        assert lcp(octets) == line

    def test_a_bad_frame_is_shown_in_hexadecimal(self):
        assert notation.describe_frame(b"") == "[bad frame]"
        assert notation.describe_frame(b"\xff\x03\xc0") == "[bad frame] ff 03 c0"

    def test_much_hexadecimal_and_much_text_is_cut(self):
        assert tail(bytes(33)) == " 00" * 32 + " ..."
        assert quote(b"x" * 300) == '"' + "x" * 256 + '"...'


PROOF = "407A5589115FD0D6209F510FE9C04566932CDA56"  # RFC 2759 section 9.2


class SecretTests:
    """What proves a password stays out of logs and bug reports."""

    @pytest.mark.parametrize(
        ("line", "shown"),
        [
            ('[PAP AuthReq id=0x1 user="bob" password="secret"]', '[PAP AuthReq id=0x1 user="bob" password=<hidden>]'),
            ('[CHAP Response id=0x7 <1f1f>, name = "bob"]', '[CHAP Response id=0x7 <hidden>, name = "bob"]'),
            (f'[CHAP Success id=0x7 "S={PROOF} M=ok"]', '[CHAP Success id=0x7 "S=<hidden> M=ok"]'),
            ("[LCP ProtRej id=0x7 c2 23 02 07 00 06 01 ee]", "[LCP ProtRej id=0x7 c2 23 <hidden, 6 octets>]"),
            ("[CHAP ChangePassword id=0x7 01 02 03]", "[CHAP ChangePassword id=0x7 <hidden, 3 octets>]"),
            ("[CHAP Response id=0x7 05 01 02]", "[CHAP Response id=0x7 <hidden, 3 octets>]"),
            ("[PAP AuthReq id=0x1 01 62 09 73]", "[PAP AuthReq id=0x1 <hidden, 4 octets>]"),
        ],
    )
    def test_it_is_hidden(self, line, shown):
        assert notation.describe_frame(frame(line)) == shown
        assert describe(frame(line)) == line

    def test_a_cut_packet_is_hidden_whole(self):
        assert notation.describe(Protocol.PAP, b"\x01\x01\x00\xff\x03bob\x06secret") == "[PAP] <hidden, 15 octets>"
        assert notation.describe(Protocol.PAP, b"\x01", secrets=True) == "[PAP] 01"

    def test_padding_of_a_packet_that_proves_something_is_hidden(self):
        information = Packet(3, 1, b"").encode() + b"S=" + PROOF.encode()
        assert notation.describe(Protocol.CHAP, information) == "[CHAP Success id=0x1] <hidden, 42 octets>"

    def test_a_rejected_protocol_that_proves_nothing_is_shown(self):
        line = "[LCP ProtRej id=0x7 80 57 01 01 00 04]"
        assert notation.describe_frame(frame(line)) == line

    def test_a_challenge_is_no_secret(self):
        line = '[CHAP Challenge id=0x7 <0102>, name = "pptpd"]'
        assert notation.describe_frame(frame(line)) == line

    @pytest.mark.parametrize("code", [1, 7, 200])
    @pytest.mark.parametrize("length", [0, 1, 39, 40, 41, 255])
    def test_b078_no_password_shows_however_its_length_lies(self, code, length):
        data = b"\x03bob" + bytes((length,)) + b"\xee" * 40
        line = notation.describe(Protocol.PAP, Packet(code, 1, data).encode())
        assert "ee ee" not in line
        assert "\\356" not in line

    @pytest.mark.parametrize(("protocol", "head"), [(Protocol.CHAP, b""), (Protocol.EAP, b"\x04")])
    @pytest.mark.parametrize("length", [0, 41, 255])
    def test_b078_no_response_shows_when_its_length_is_beyond_the_packet(self, protocol, head, length):
        data = head + bytes((length,)) + b"\xee" * 40
        line = notation.describe(protocol, Packet(2, 1, data).encode())
        assert "ee ee" not in line
        assert "\\356" not in line


class TerminateTests:
    """5.5. Terminate-Request, with what Windows puts there."""

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (0, "0 (hung up by the user)"),
            (0x2B3, "691 (user name or password not accepted)"),
            (0x2E6, "742 (the other side does not support the encryption required)"),
            (0x397, "919 (the other side refused to be authenticated)"),
            (0x111, "273 (unknown to us)"),
        ],
    )
    def test_the_ras_error_is_said_in_words(self, error, words):
        data = bytes.fromhex("01020304 003ccd74") + error.to_bytes(4, "big")
        line = notation.describe(Protocol.LCP, Packet(5, 7, data).encode())
        assert line == f"[LCP TermReq id=0x7 magic=0x1020304 ras-error={words}]"


class EapTests:
    """RFC 3748 section 4, as far as the notation reads it."""

    @pytest.mark.parametrize(
        ("octets", "line"),
        [
            ("01010005 01", "[EAP Request id=0x1 len=5 Identity]"),
            ("01010007 026869", '[EAP Request id=0x1 len=7 Notification <Message "hi">]'),
            ("02010008 01626f62", '[EAP Response id=0x1 len=8 Identity <Name "bob">]'),
            ("02010008 03041aff", "[EAP Response id=0x1 len=8 Nak <Suggested-type MD5-Challenge, MSCHAPv2, 0xff>]"),
            ("0101000a 0402aabb6e6d", '[EAP Request id=0x1 len=10 MD5-Challenge <Value aa bb> <Name "nm">]'),
            ("0201000a 0402aabb6e6d", '[EAP Response id=0x1 len=10 MD5-Challenge <Value hidden> <Name "nm">]'),
            ("02010008 0409aabb", "[EAP Response id=0x1 len=8 MD5-Challenge <hidden, 3 octets>]"),
            ("03010004", "[EAP Success id=0x1 len=4]"),
            ("01010004", "[EAP Request id=0x1 len=4]"),
            ("07010005 01", "[EAP code=0x7 id=0x1 len=5 01]"),
            ("01010006 63 01", "[EAP Request id=0x1 len=6 type=0x63 01]"),
            (
                "0101000d 1a 01050008 02aabb 6e",
                '[EAP Request id=0x1 len=13 MSCHAPv2 Challenge msid=5 mslen=8 <aabb>, <Name "n">]',
            ),
            (
                "0201000d 1a 02050008 02aabb 6e",
                '[EAP Response id=0x1 len=13 MSCHAPv2 Response msid=5 mslen=8 <hidden>, <Name "n">]',
            ),
            ("0101000b 1a 03050006 6f6b", '[EAP Request id=0x1 len=11 MSCHAPv2 Success msid=5 mslen=6 <Message "ok">]'),
            ("0101000a 1a 09050005 6f", "[EAP Request id=0x1 len=10 MSCHAPv2 opcode=0x9 msid=5 mslen=5 6f]"),
        ],
    )
    def test_a_packet_prints_as_pppd_prints_it(self, octets, line):
        assert notation.describe(Protocol.EAP, bytes.fromhex(octets)) == line


class TextTests:
    """What comes from a peer must not steer a terminal or forge a line."""

    def test_b027_control_characters_are_escaped(self):
        assert quote(b'a"\\\n\r\t\x1b\xe9') == '"a\\"\\\\\\n\\r\\t\\033\\351"'
        assert escape('a"\\\n\x1b\xe9') == "a\\x22\\x5c\\x0a\\x1b\\xe9"

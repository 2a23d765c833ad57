"""RFC 2637 section 2: the fifteen messages and the stream that carries them."""

import struct
from contextlib import suppress
from dataclasses import fields
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.samples import GUID, MESSAGES

from openpptp.errors import BadMessage, Misuse
from openpptp.wire.control import (
    MESSAGES as KINDS,
)
from openpptp.wire.control import (
    BadStream,
    CallDisconnectNotify,
    ControlStream,
    DisconnectResult,
    EchoReply,
    EchoRequest,
    EchoResult,
    GeneralError,
    IncomingCallRequest,
    IncomingCallResult,
    OutgoingCallReply,
    OutgoingCallRequest,
    OutgoingCallResult,
    SetLinkInfo,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StartResult,
    StopReason,
    StopResult,
    decode,
    name_of,
)

ECHO = EchoRequest(7).encode()
VECTORS = [
    (message, struct.pack("!HHIHH", size, 1, 0x1A2B3C4D, message.TYPE, 0) + bytes.fromhex(body))
    for message, size, body in MESSAGES
]
each_vector = pytest.mark.parametrize(("message", "octets"), VECTORS, ids=[type(m).__name__ for m, _ in VECTORS])
texts = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=64)


def header(length, kind, cookie=0x1A2B3C4D, message_type=1):
    return struct.pack("!HHIHH", length, message_type, cookie, kind, 0)


class MessageTests:
    """2. Control Connection Protocol Specification."""

    def test_sizes_are_those_of_the_rfc(self):
        sizes = [156, 156, 16, 16, 16, 20, 168, 32, 220, 24, 28, 16, 148, 40, 24]
        assert [KINDS[number].size() for number in range(1, 16)] == sizes
        assert [len(octets) for _, octets in VECTORS] == sizes

    @each_vector
    def test_b015_encodes_to_the_octets_of_the_rfc(self, message, octets):
        assert message.encode() == octets

    @each_vector
    def test_decodes_from_the_octets_of_the_rfc(self, message, octets):
        assert decode(octets) == message

    @each_vector
    def test_reserved_fields_are_ignored_when_read(self, message, octets):
        body, seen = bytearray(octets[12:]), 0
        for position, filled in enumerate(message.LAYOUT.pack(*_all_ones(message.LAYOUT.format))):
            if not filled:
                body[position] = 0xFF
                seen += 1
        assert decode(octets[:10] + b"\xff\xff" + bytes(body)) == message
        assert seen == message.LAYOUT.format.count("x")

    @each_vector
    def test_every_truncation_is_refused(self, message, octets):
        for length in range(len(octets)):
            with pytest.raises(BadMessage):
                decode(octets[:length])

    @each_vector
    def test_trailing_octets_are_refused(self, message, octets):
        with pytest.raises(BadMessage):
            decode(octets + b"\0")

    @each_vector
    def test_b017_any_other_length_is_refused(self, message, octets):
        for length in {0, 1, 11, 12, len(octets) - 1, len(octets) + 1, 0xFFFF} - {len(octets)}:
            with pytest.raises(BadMessage):
                decode(struct.pack("!H", length) + octets[2:])

    def test_a_number_that_does_not_fit_is_our_own_mistake(self):
        with pytest.raises(Misuse, match="EchoRequest"):
            EchoRequest(1 << 32).encode()

    @given(st.data())
    def test_any_value_survives_the_way_there_and_back(self, data):
        kind = data.draw(st.sampled_from(list(KINDS.values())))
        values = [data.draw(_field(f)) for f in fields(kind)]
        message = kind(*values)
        assert decode(message.encode()) == message
        assert str(message).isascii()

    @given(st.binary(max_size=300))
    def test_arbitrary_octets_raise_nothing_but_bad_message(self, octets):
        for candidate in (octets, header(12 + len(octets), len(octets) % 16) + octets):
            with suppress(BadMessage):
                decode(candidate)

    @given(st.sampled_from(list(KINDS.values())), st.binary(min_size=220, max_size=220))
    def test_b006_any_body_of_the_right_length_decodes_and_prints(self, kind, octets):
        message = decode(header(kind.size(), kind.TYPE) + octets[: kind.size() - 12])
        assert all(" " <= c <= "~" for c in str(message))
        assert decode(message.encode()) == message


def _all_ones(layout):
    codes = layout.lstrip("!").replace("x", "")
    values, count = [], ""
    for c in codes:
        if c.isdigit():
            count += c
        elif c == "s":
            values, count = [*values, b"\xff" * int(count)], ""
        else:
            values, count = values + [(1 << 8 * struct.calcsize(c)) - 1] * int(count or 1), ""
    return values


def _field(field):
    if field.name == "subaddress":
        return st.binary(max_size=64).map(lambda octets: octets.rstrip(b"\0"))
    if field.type is str:
        return texts
    return st.integers(0, 0xFF if field.name in ("reason", "result_code", "error_code") else 0xFFFF)


class StartControlConnectionTests:
    """2.1. and 2.2. Start-Control-Connection-Request and -Reply."""

    def test_b022_any_version_is_read_as_it_is(self):
        for version in (0x0000, 0x0101, 0x0200, 0xFFFF):
            assert decode(StartControlConnectionRequest(version).encode()).protocol_version == version

    def test_b027_a_name_ends_at_its_nul_whatever_follows(self):
        octets = bytearray(StartControlConnectionRequest(vendor_name="Microsoft Windows NT").encode())
        octets[-30:] = bytes(range(0xE2, 0x100))
        assert decode(bytes(octets)).vendor_name == "Microsoft Windows NT"

    def test_b027_a_name_without_nul_is_64_characters(self):
        octets = StartControlConnectionRequest().encode()
        assert decode(octets[:28] + b"\xc3" * 64 + octets[92:]).host_name == "\xc3" * 64

    def test_b027_a_name_cannot_forge_a_line_of_the_log(self):
        line = str(StartControlConnectionRequest(host_name='a\x1b[2J\n%n"\\\x7f\xe9'))
        assert 'host-name="a\\x1b[2J\\x0a%n\\x22\\x5c\\x7f\\xe9"' in line

    def test_a_name_of_ours_is_cut_at_64_and_to_one_octet_per_character(self):
        long = StartControlConnectionRequest(host_name="h" * 70, vendor_name="Zürich ☃")
        assert (decode(long.encode()).host_name, decode(long.encode()).vendor_name) == ("h" * 64, "Zürich ?")


class CallTests:
    """2.7. to 2.13.: calls."""

    def test_b026_the_phone_number_is_as_long_as_its_length_says(self):
        octets = OutgoingCallRequest(1, 1, 1, 1, phone_number="RELAY_PPP1234").encode()
        assert decode(octets[:36] + struct.pack("!H", 10) + octets[38:]).phone_number == "RELAY_PPP1"

    @pytest.mark.parametrize("length", [65, 1000, 65535])
    def test_b026_a_length_beyond_the_field_counts_for_nothing(self, length):
        octets = OutgoingCallRequest(1, 1, 1, 1, phone_number="555", subaddress=GUID).encode()
        message = decode(octets[:36] + struct.pack("!H", length) + octets[38:])
        assert (message.phone_number, message.subaddress) == ("555", GUID)

    def test_b026_what_is_not_printable_is_escaped(self):
        assert 'phone-number="5\\x00\\x07"' in str(OutgoingCallRequest(1, 1, 1, 1, phone_number="5\0\a"))

    def test_b026_the_numbers_of_an_incoming_call_are_bounded_too(self):
        octets = IncomingCallRequest(1, 1, dialed_number="12", dialing_number="345").encode()
        message = decode(octets[:24] + b"\xff\xff\x00\x01" + octets[28:])
        assert (message.dialed_number, message.dialing_number) == ("12", "3")

    def test_a_subaddress_is_octets(self):
        message = OutgoingCallRequest(0x1234, 1, 300, 100_000_000, subaddress=GUID)
        assert str(message) == (
            "Outgoing-Call-Request call-id=0x1234 call-serial-number=1 minimum-bps=300 maximum-bps=100000000 "
            f"bearer-type=3 framing-type=3 packet-receive-window-size=64 subaddress={GUID.hex()}"
        )


class ResultCodeTests:
    """2.16. General Error Codes, and the Result Codes of each reply."""

    @pytest.mark.parametrize(
        ("codes", "first", "names"),
        [
            (StartResult, 1, "successful general-error channel-exists not-authorized version-not-supported"),
            (StopReason, 1, "none stop-protocol stop-local-shutdown"),
            (StopResult, 1, "ok general-error"),
            (EchoResult, 1, "ok general-error"),
            (
                OutgoingCallResult,
                1,
                "connected general-error no-carrier busy no-dial-tone time-out do-not-accept",
            ),
            (IncomingCallResult, 1, "connect general-error do-not-accept"),
            (DisconnectResult, 1, "lost-carrier general-error admin-shutdown request"),
            (GeneralError, 0, "none not-connected bad-format bad-value no-resource bad-call-id pac-error"),
        ],
    )
    def test_every_code_has_the_number_the_rfc_gives_it(self, codes, first, names):
        assert [name_of(codes, number) for number in range(first, first + len(codes))] == [
            f"{number}({name})" for number, name in enumerate(names.split(), first)
        ]

    def test_a_known_code_is_printed_with_its_name(self):
        reply = OutgoingCallReply(0, 5, 2, 4)
        assert str(reply) == (
            "Outgoing-Call-Reply call-id=0x0 peer-call-id=0x5 result-code=2(general-error) error-code=4(no-resource)"
        )

    def test_an_unknown_code_is_kept_and_printed_as_a_number(self):
        reply = decode(StartControlConnectionReply(0x0100, 200, 99).encode())
        assert (reply.result_code, reply.error_code) == (200, 99)
        assert "result-code=200 error-code=99" in str(reply)

    def test_a_result_of_zero_is_printed(self):
        assert str(CallDisconnectNotify(0, 0)) == "Call-Disconnect-Notify call-id=0x0 result-code=0"

    def test_numbers_of_an_enum_are_named(self):
        assert name_of(StartResult, 3) == "3(channel-exists)"
        assert str(EchoReply(1)) == "Echo-Reply identifier=0x1 result-code=1(ok)"
        assert str(SetLinkInfo(1)) == "Set-Link-Info peer-call-id=0x1 send-accm=0xffffffff receive-accm=0xffffffff"


class ControlStreamTests:
    """1.4. Message Format and Protocol Extensibility."""

    WHOLE = b"".join(octets for _, octets in VECTORS)
    EXPECTED = tuple(message for message, _ in VECTORS)

    def test_b018_all_messages_in_one_segment(self):
        assert ControlStream().feed(self.WHOLE) == list(self.EXPECTED)

    def test_b018_octet_by_octet_gives_the_same(self):
        stream = ControlStream()
        assert [m for i in range(len(self.WHOLE)) for m in stream.feed(self.WHOLE[i : i + 1])] == list(self.EXPECTED)

    @given(st.lists(st.integers(1, len(WHOLE)), max_size=8))
    def test_b018_any_cutting_gives_the_same(self, cuts):
        edges = [0, *sorted(cuts), len(self.WHOLE)]
        stream = ControlStream()
        parts = (self.WHOLE[start:end] for start, end in pairwise(edges))
        assert [m for part in parts for m in stream.feed(part)] == list(self.EXPECTED)

    def test_b018_half_a_message_is_no_message(self):
        assert ControlStream().feed(ECHO[:-1]) == []

    @pytest.mark.parametrize("length", [0, 1, 2, 11])
    def test_b001_a_length_shorter_than_the_header_ends_the_stream(self, length):
        with pytest.raises(BadStream, match=f"Length {length} "):
            ControlStream().feed(header(length, 1))

    @pytest.mark.parametrize("kind", [0, 16, 0xFFFF])
    def test_b002_length_zero_of_an_unknown_type_ends_the_stream(self, kind):
        with pytest.raises(BadStream, match=f"type {kind}"):
            ControlStream().feed(header(0, kind))

    @given(st.binary(min_size=12, max_size=600))
    def test_b003_every_feed_consumes_or_fails(self, octets):
        stream = ControlStream()
        try:
            messages = stream.feed(octets)
        except BadStream as fault:
            messages = fault.messages
        assert sum(m.size() for m in messages) <= len(octets)
        assert len(stream._pending) < 220

    def test_b004_a_length_below_the_fixed_part_ends_the_stream(self):
        for kind in KINDS.values():
            for length in range(12, kind.size()):
                with pytest.raises(BadStream):
                    ControlStream().feed(header(length, kind.TYPE) + bytes(length))

    @pytest.mark.parametrize(
        "octets",
        [
            header(16, 5, cookie=0x1A2B3C4E),
            header(16, 5, cookie=0x4D3C2B1A),
            header(16, 5, message_type=2),
            header(16, 5, message_type=0),
            header(16, 0),
            header(16, 16),
            header(16, 0xFFFF),
        ],
    )
    def test_b016_a_wrong_header_ends_the_stream(self, octets):
        with pytest.raises(BadStream):
            ControlStream().feed(octets + bytes(4))

    @pytest.mark.parametrize(
        ("kind", "length"), [(1, 155), (1, 157), (1, 65535), (7, 167), (5, 15), (15, 23), (9, 219)]
    )
    def test_b017_a_wrong_length_ends_the_stream_before_the_body_is_there(self, kind, length):
        with pytest.raises(BadStream):
            ControlStream().feed(header(length, kind))

    def test_b016_there_is_no_search_for_the_next_cookie(self):
        stream = ControlStream()
        with pytest.raises(BadStream):
            stream.feed(b"GET / HTTP/1.1\r\n" + ECHO)
        with pytest.raises(BadStream) as again:
            stream.feed(ECHO)
        assert again.value.messages == []

    def test_what_came_whole_before_the_bad_octets_is_not_lost(self):
        with pytest.raises(BadMessage) as fault:
            ControlStream().feed(ECHO + ECHO + bytes(12))
        assert fault.value.messages == [EchoRequest(7), EchoRequest(7)]

    def test_octet_by_octet_fails_at_the_end_of_the_bad_header(self):
        stream = ControlStream()
        bad = header(15, 5)
        for position in range(11):
            assert stream.feed(bad[position : position + 1]) == []
        with pytest.raises(BadStream):
            stream.feed(bad[11:])

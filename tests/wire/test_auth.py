"""RFC 1334, 1994, 2433 and 2759: what authentication packets carry."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.errors import BadMessage, Misuse
from openpptp.wire.auth import (
    ChapValue,
    MsChapFailure,
    MsChapV1Response,
    MsChapV2ChangePassword,
    MsChapV2Response,
    MsChapV2Success,
    PapReply,
    PapRequest,
)

LM, NT, PEER, AUTH = bytes(range(24)), bytes(range(24, 48)), bytes(range(16)), bytes(range(100, 120))
DIGITS = AUTH.hex().upper()
VECTORS = [
    (PapRequest(b"bob", b"secret"), b"\x03bob\x06secret"),
    (PapRequest(b"", b""), b"\x00\x00"),
    (PapReply("hello"), b"\x05hello"),
    (PapReply(), b"\x00"),
    (ChapValue(b"\x01\x02", b"pptpd"), b"\x02\x01\x02pptpd"),
    (ChapValue(b"\xff" * 255), b"\xff" + b"\xff" * 255),
    (MsChapV1Response(LM, NT, True), LM + NT + b"\x01"),
    (MsChapV1Response(bytes(24), NT, False), bytes(24) + NT + b"\x00"),
    (MsChapV2Response(PEER, NT), PEER + bytes(8) + NT + b"\x00"),
    (MsChapV2Success(AUTH, "Access granted"), f"S={DIGITS} M=Access granted".encode()),
    (MsChapV2Success(AUTH), f"S={DIGITS}".encode()),
    (MsChapFailure(691, False, PEER, 3, "no"), f"E=691 R=0 C={PEER.hex().upper()} V=3 M=no".encode()),
    (MsChapFailure(648, True, PEER[:8], 2), f"E=648 R=1 C={PEER[:8].hex().upper()} V=2".encode()),
    (
        MsChapV2ChangePassword(bytes(516), bytes(16), PEER, NT, 0),
        bytes(516) + bytes(16) + PEER + bytes(8) + NT + b"\x00\x00",
    ),
]
each_vector = pytest.mark.parametrize(("value", "octets"), VECTORS)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


class CodecTests:
    """Every value, in the form we send."""

    @each_vector
    def test_encodes(self, value, octets):
        assert value.encode() == octets

    @each_vector
    def test_decodes(self, value, octets):
        assert type(value).decode(octets) == value
        assert type(value).decode(memoryview(octets).tobytes()) == value

    @pytest.mark.parametrize(
        "kind",
        [
            PapRequest,
            PapReply,
            ChapValue,
            MsChapV1Response,
            MsChapV2Response,
            MsChapV2Success,
            MsChapFailure,
            MsChapV2ChangePassword,
        ],
    )
    @given(octets=st.binary(max_size=60) | st.binary(max_size=20).map(lambda b: b"E=691" + b))
    def test_arbitrary_octets_raise_nothing_but_bad_message(self, kind, octets):
        with suppress(BadMessage):
            kind.decode(octets)

    @pytest.mark.parametrize(
        "value",
        [
            PapRequest(bytes(256), b""),
            PapRequest(b"", bytes(256)),
            ChapValue(bytes(256)),
            PapReply("x" * 256),
            MsChapV1Response(b"", NT),
            MsChapV1Response(LM, b""),
            MsChapV2Response(b"", NT),
            MsChapV2Response(PEER, LM + b"x"),
            MsChapV2Success(b""),
        ],
    )
    def test_a_value_of_the_wrong_size_is_our_own_mistake(self, value):
        with pytest.raises(Misuse):
            value.encode()

    @pytest.mark.parametrize(
        "value",
        [
            PapRequest(b"bob", b"SECRET"),
            ChapValue(b"SECRET", b"bob"),
            MsChapV1Response(b"SECRET", b"SECRET"),
            MsChapV2Response(b"SECRET", b"SECRET"),
        ],
    )
    def test_no_secret_in_a_repr(self, value):
        assert "SECRET" not in repr(value)


class PapTests:
    """RFC 1334 section 2.2. Packet Format."""

    @pytest.mark.parametrize("octets", [b"", b"\x03", b"\x03bo", b"\x03bob", b"\x03bob\x06", b"\x03bob\x06secre"])
    def test_b078_every_truncation_is_refused(self, octets):
        with pytest.raises(BadMessage):
            PapRequest.decode(octets)

    def test_trailing_octets_are_ignored(self):
        assert PapRequest.decode(b"\x03bob\x06secretxx") == PapRequest(b"bob", b"secret")
        assert PapReply.decode(b"\x02okxx") == PapReply("ok")

    def test_a_reply_without_a_message_length_is_one_without_a_message(self):
        assert PapReply.decode(b"") == PapReply("")

    def test_a_reply_that_is_cut_is_refused(self):
        with pytest.raises(BadMessage):
            PapReply.decode(b"\x05hell")

    @given(st.binary(max_size=255), st.binary(max_size=255))
    def test_any_request_survives_the_way_there_and_back(self, peer_id, password):
        assert PapRequest.decode(PapRequest(peer_id, password).encode()) == PapRequest(peer_id, password)


class ChapTests:
    """RFC 1994 section 4.1. Challenge and Response."""

    @pytest.mark.parametrize("octets", [b"", b"\x00", b"\x00name", b"\x02\x01", b"\xff" + bytes(254)])
    def test_b078_an_empty_or_cut_value_is_refused(self, octets):
        with pytest.raises(BadMessage):
            ChapValue.decode(octets)

    @pytest.mark.parametrize("name", [b"", b"n" * 300, b"a\0b", b"DOM\\user", b"user@realm", b"\xff\xfe"])
    def test_b074_b078_any_name_is_kept_as_octets(self, name):
        assert ChapValue.decode(ChapValue(b"v" * 16, name).encode()).name == name


class MsChapResponseTests:
    """RFC 2433 section 6 and RFC 2759 section 4. Response Packet."""

    @pytest.mark.parametrize("size", [0, 16, 48, 50, 255])
    @pytest.mark.parametrize("kind", [MsChapV1Response, MsChapV2Response])
    def test_b078_any_size_but_49_is_refused(self, kind, size):
        with pytest.raises(BadMessage, match=f"{size} octets"):
            kind.decode(bytes(size))

    def test_b084_reserved_octets_and_flags_of_windows_98_are_tolerated(self):
        assert MsChapV2Response.decode(PEER + b"\xff" * 8 + NT + b"\x04") == MsChapV2Response(PEER, NT, 4)

    @pytest.mark.parametrize("size", [0, 581, 583])
    def test_b085_change_password_has_582_octets(self, size):
        with pytest.raises(BadMessage):
            MsChapV2ChangePassword.decode(bytes(size))


class MsChapV2SuccessTests:
    """RFC 2759 section 5. Success Packet."""

    @pytest.mark.parametrize(
        ("octets", "message"),
        [
            (f"S={DIGITS} M=Access granted", "Access granted"),
            (f"S={DIGITS}M=Access granted", "Access granted"),
            (f"S={DIGITS}", ""),
            (f"S={DIGITS} ", ""),
            (f"S={DIGITS}\0", ""),
            (f"S={DIGITS} M=", ""),
            (f"S={DIGITS} M=line\nS=0\0", "line\nS=0"),
            (f"S={DIGITS.lower()} M=ok", "ok"),
        ],
    )
    def test_b083_every_form_of_the_field_is_read(self, octets, message):
        assert MsChapV2Success.decode(octets.encode()) == MsChapV2Success(AUTH, message)

    @pytest.mark.parametrize(
        "octets",
        ["", "M=ok", "S=", f"S={DIGITS[:-1]}", f"S={DIGITS[:-1]}G", f"s={DIGITS}", f" S={DIGITS}", f"S={DIGITS}0"],
    )
    def test_b083_a_missing_or_malformed_response_is_refused(self, octets):
        with pytest.raises(BadMessage):
            MsChapV2Success.decode(octets.encode())

    @given(st.binary(min_size=20, max_size=20), text)
    def test_any_success_survives_the_way_there_and_back(self, response, message):
        assert MsChapV2Success.decode(MsChapV2Success(response, message).encode()) == MsChapV2Success(response, message)


class MsChapFailureTests:
    """RFC 2433 section 8 and RFC 2759 section 6. Failure Packet."""

    @pytest.mark.parametrize(
        ("octets", "failure"),
        [
            (b"E=648 R=1 C= V=3", MsChapFailure(648, True, b"", 3)),
            (b"E=691", MsChapFailure(691, False, b"", 0)),
            (b"E=691 R=0 C=0 V=3", MsChapFailure(691, False, b"", 3)),
            (b"E=691 R=1 C=0aFF V=0", MsChapFailure(691, True, b"\x0a\xff", 0)),
            (b"E=691 R=0 M=R=1 V=9\0", MsChapFailure(691, False, b"", 0, "R=1 V=9")),
            (b"E=0000000691 R=1 V=0000000003", MsChapFailure(691, True, b"", 3)),
        ],
    )
    def test_b085_every_form_of_the_field_is_read(self, octets, failure):
        assert MsChapFailure.decode(octets) == failure

    @pytest.mark.parametrize("octets", [b"", b"E=", b"E=x", b"R=0 E=691", b"E=12345678901", b"Access denied"])
    def test_a_failure_without_an_error_is_refused(self, octets):
        with pytest.raises(BadMessage):
            MsChapFailure.decode(octets)

    @given(st.integers(0, 9999), st.booleans(), st.sampled_from([b"", PEER]), st.integers(0, 9), text)
    def test_any_failure_survives_the_way_there_and_back(self, error, retry, challenge, version, message):
        failure = MsChapFailure(error, retry, challenge, version, message)
        assert MsChapFailure.decode(failure.encode()) == failure

"""RFC 2433: what the algorithm adds."""

import pytest
from tests.ppp.auth.exchange import REFUSED, client, counted, judge, sent, server

from openpptp import crypto
from openpptp.credentials import AuthMethod
from openpptp.errors import EndReason
from openpptp.ppp.auth.chap import Attempt
from openpptp.ppp.auth.mschap_v1 import MsChapV1Algorithm, MsChapV1Responder
from openpptp.wire.auth import ChapCode, ChapValue, MsChapFailure, MsChapV1Response
from openpptp.wire.ppp import Packet

CHALLENGE = bytes.fromhex("102DB5DF085D3041")


class ChallengePacketTests:
    """5. Challenge Packet."""

    def test_r125_challenge_of_8_octets(self):
        packet = sent(server(AuthMethod.MSCHAP_V1).start(0.0))
        assert len(ChapValue.decode(packet.data).value) == 8

    @pytest.mark.parametrize("length", [1, 7, 16, 255])
    def test_b078_a_challenge_of_another_size_ends_it(self, length):
        machine = client(AuthMethod.MSCHAP_V1)
        machine.start(0.0)
        (failed,) = machine.receive(Packet(ChapCode.CHALLENGE, 1, ChapValue(bytes(length)).encode()), 0.1)
        assert failed.reason is EndReason.PROTOCOL_ERROR


class ResponsePacketTests:
    """6. Response Packet."""

    def test_r126_lm_response_zero_nt_response_and_flag(self):
        value = MsChapV1Responder("MyPw").respond(1, CHALLENGE)
        assert value[:24] == bytes(24)
        assert value[24:48].hex().upper() == "4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61"
        assert value[48:] == b"\x01"

    @pytest.mark.parametrize("length", [16, 48, 50])
    def test_b078_a_response_of_another_size_is_refused_after_the_delay(self, length):
        machine = server(AuthMethod.MSCHAP_V1)
        identifier = sent(machine.start(0.0)).identifier
        packet = Packet(ChapCode.RESPONSE, identifier, ChapValue(bytes(length), b"User").encode())
        (question,) = machine.receive(packet, 0.5)
        assert machine.credentials_checked(judge(question.presented), 0.6) == []
        failure, failed = machine.tick(1.5)
        assert MsChapFailure.decode(failure.packet.data).error_code == 691
        assert failed.reason is EndReason.AUTHENTICATION_REFUSED

    def test_the_question_says_which_response_counts(self):
        value = MsChapV1Response(b"l" * 24, b"n" * 24, use_nt_response=False).encode()
        presented = MsChapV1Algorithm().presented(Attempt(1, CHALLENGE, value), b"User")
        assert (presented.lm_response, presented.nt_response) == (b"l" * 24, b"n" * 24)
        assert not presented.use_nt_response


class FailurePacketTests:
    """8. Failure Packet."""

    def test_r127_format(self):
        text = MsChapV1Algorithm().failure(REFUSED, counted())
        assert text == b"E=691 R=0 C=0000000000000001 V=2"


class KeyTests:
    """RFC 3079 section 2."""

    def test_keys_come_from_hash_and_challenge(self):
        responder = MsChapV1Responder("clientPass")
        keys = responder.keys(Attempt(1, CHALLENGE, responder.respond(1, CHALLENGE)))
        assert keys.send.hex().upper() == "A8947850CFC0ACC1D1789FB62DDCDDB0"
        assert keys.send_short == crypto.lm_password_hash("clientPass")[:8]

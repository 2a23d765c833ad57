"""RFC 2759: what the algorithm adds."""

import pytest
from tests.ppp.auth.exchange import PASSWORD, client, counted, judge, sent, server

from openpptp.credentials import Accepted, AuthMethod, Refused
from openpptp.errors import EndReason
from openpptp.ppp.auth.chap import Attempt
from openpptp.ppp.auth.machine import AuthenticationMachine
from openpptp.ppp.auth.mschap_v2 import MsChapV2Algorithm, MsChapV2Responder
from openpptp.ppp.auth.outputs import AuthenticationFailed, WeProved
from openpptp.wire.auth import ChapCode, ChapValue, MsChapV2Response
from openpptp.wire.ppp import Packet

CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
PROOF = "407A5589115FD0D6209F510FE9C04566932CDA56"


def answered() -> AuthenticationMachine:
    """Return the peer of RFC 2759 section 9.2, which has answered Challenge 5."""
    machine = client(AuthMethod.MSCHAP_V2)
    machine._responder = MsChapV2Responder("User", PASSWORD, lambda _: PEER_CHALLENGE)
    machine.start(0.0)
    response = sent(machine.receive(Packet(ChapCode.CHALLENGE, 5, ChapValue(CHALLENGE).encode()), 0.0))
    assert MsChapV2Response.decode(ChapValue.decode(response.data).value).nt_response == NT_RESPONSE
    return machine


class ChallengePacketTests:
    """3. Challenge Packet."""

    def test_r135_challenge_of_16_octets(self):
        packet = sent(server(AuthMethod.MSCHAP_V2).start(0.0))
        assert len(ChapValue.decode(packet.data).value) == 16

    @pytest.mark.parametrize("length", [1, 8, 15, 17, 255])
    def test_b078_a_challenge_of_another_size_ends_it(self, length):
        machine = client(AuthMethod.MSCHAP_V2)
        machine.start(0.0)
        (failed,) = machine.receive(Packet(ChapCode.CHALLENGE, 1, ChapValue(bytes(length)).encode()), 0.1)
        assert failed == AuthenticationFailed(
            EndReason.PROTOCOL_ERROR, f"a Challenge of {length} octets; MS-CHAPv2 has 16"
        )


class ResponsePacketTests:
    """4. Response Packet."""

    def test_r136_peer_challenge_zeros_response_flags(self):
        value = MsChapV2Responder("User", PASSWORD, lambda _: PEER_CHALLENGE).respond(1, CHALLENGE)
        assert value == PEER_CHALLENGE + bytes(8) + NT_RESPONSE + b"\0"

    def test_r137_the_domain_is_named_but_not_hashed(self):
        responder = MsChapV2Responder("BIGCO\\User", PASSWORD, lambda _: PEER_CHALLENGE)
        assert MsChapV2Response.decode(responder.respond(1, CHALLENGE)).nt_response == NT_RESPONSE
        machine = client(AuthMethod.MSCHAP_V2, name="BIGCO\\User")
        machine.start(0.0)
        packet = sent(machine.receive(Packet(ChapCode.CHALLENGE, 1, ChapValue(CHALLENGE).encode()), 0.1))
        assert ChapValue.decode(packet.data).name == b"BIGCO\\User"

    def test_each_challenge_gets_a_peer_challenge_of_its_own_and_a_repeated_one_the_same(self):
        machine = client(AuthMethod.MSCHAP_V2)
        machine.start(0.0)
        packets = [Packet(ChapCode.CHALLENGE, 1, ChapValue(bytes((n,)) * 16).encode()) for n in (1, 2, 1)]
        values = [ChapValue.decode(sent(machine.receive(packet, 0.0)).data).value for packet in packets]
        assert values[0] == values[2]
        assert values[0][:16] != values[1][:16]

    @pytest.mark.parametrize("length", [16, 48, 50])
    def test_b078_a_response_of_another_size_is_refused_after_the_delay(self, length):
        machine = server(AuthMethod.MSCHAP_V2)
        identifier = sent(machine.start(0.0)).identifier
        packet = Packet(ChapCode.RESPONSE, identifier, ChapValue(bytes(length), b"User").encode())
        (question,) = machine.receive(packet, 0.5)
        assert machine.credentials_checked(judge(question.presented), 0.6) == []
        failure, _ = machine.tick(1.5)
        assert failure.packet.data.startswith(b"E=691 R=0 C=")

    def test_b084_reserved_octets_and_flags_are_tolerated(self):
        value = PEER_CHALLENGE + b"reserved" + NT_RESPONSE + b"\xff"
        presented = MsChapV2Algorithm().presented(Attempt(1, CHALLENGE, value), b"User")
        assert isinstance(judge(presented), Accepted)


class SuccessPacketTests:
    """5. Success Packet."""

    ACCEPTED = Accepted("User", authenticator_response=bytes.fromhex(PROOF))

    def success(self, flags: int) -> bytes | Refused:
        value = MsChapV2Response(PEER_CHALLENGE, NT_RESPONSE, flags).encode()
        return MsChapV2Algorithm().success(Attempt(1, CHALLENGE, value), self.ACCEPTED)

    def test_r138_upper_case_hexadecimal_and_a_message(self):
        assert self.success(0) == f"S={PROOF} M=Access granted".encode()

    def test_b084_no_message_for_windows_98(self):
        assert self.success(0x04) == f"S={PROOF}".encode()

    def test_q58_an_answer_without_authenticator_response_refuses_the_peer(self):
        machine = server(AuthMethod.MSCHAP_V2)
        identifier = sent(machine.start(0.0)).identifier
        value = MsChapV2Response(PEER_CHALLENGE, NT_RESPONSE).encode()
        machine.receive(Packet(ChapCode.RESPONSE, identifier, ChapValue(value, b"User").encode()), 0.0)
        assert machine.credentials_checked(Accepted("User"), 0.1) == []
        failure, failed = machine.tick(1.0)
        assert failure.packet.code == ChapCode.FAILURE
        assert "no authenticator response" in failed.detail

    @pytest.mark.parametrize(
        "message",
        [
            f"S={PROOF} M=Access granted",
            f"S={PROOF}M=Access granted",
            f"S={PROOF}",
            f"S={PROOF.lower()} M=x",
            f"S={PROOF}\0",
        ],
    )
    def test_b083_the_forms_real_servers_send_are_accepted(self, message):
        machine = answered()
        (we,) = machine.receive(Packet(ChapCode.SUCCESS, 5, message.encode()), 0.1)
        assert isinstance(we, WeProved)
        assert we.keys.receive.hex().upper() == "8B7CDC149B993A1BA118CB153F56DCCB"

    @pytest.mark.parametrize(
        "message", ["", "Access granted", f"S={PROOF[:-1]}", f"S={PROOF[:-1]}7", f"M=x S={PROOF}", "S=" + "0" * 40]
    )
    def test_b083_a_wrong_or_missing_proof_ends_the_session(self, message):
        machine = answered()
        (failed,) = machine.receive(Packet(ChapCode.SUCCESS, 5, message.encode()), 0.1)
        assert failed.reason is EndReason.SERVER_NOT_GENUINE
        assert machine.deadline is None

    def test_b083_a_later_authentication_must_be_genuine_too(self):
        machine = answered()
        machine.receive(Packet(ChapCode.SUCCESS, 5, f"S={PROOF}".encode()), 0.1)
        machine.receive(Packet(ChapCode.CHALLENGE, 6, ChapValue(bytes(16)).encode()), 600.0)
        (failed,) = machine.receive(Packet(ChapCode.SUCCESS, 6, f"S={PROOF}".encode()), 600.1)
        assert failed.reason is EndReason.SERVER_NOT_GENUINE


class FailurePacketTests:
    """6. Failure Packet."""

    def test_r140_format(self):
        text = MsChapV2Algorithm().failure(Refused("disabled", 647), counted())
        assert text == b"E=647 R=0 C=00000000000000000000000000000001 V=3 M=Access denied"

    def test_who_knows_the_password_may_be_told_why(self):
        text = MsChapV2Algorithm().failure(Refused("disabled", 647, "This account is disabled"), counted())
        assert text.endswith(b" V=3 M=This account is disabled")

    def test_the_peer_is_told_why(self):
        machine = answered()
        failure = Packet(ChapCode.FAILURE, 5, b"E=691 R=1 C=" + b"0" * 32 + b" V=3 M=Access denied")
        (failed,) = machine.receive(failure, 0.1)
        assert failed == AuthenticationFailed(
            EndReason.AUTHENTICATION_REFUSED, "wrong user name or password (error 691, Access denied)"
        )

    def test_b085_a_change_password_packet_is_ignored(self):
        machine = server(AuthMethod.MSCHAP_V2)
        identifier = sent(machine.start(0.0)).identifier
        assert machine.receive(Packet(ChapCode.CHANGE_PASSWORD, identifier, bytes(582)), 0.1) == []

"""RFC 1994 section 4, packet by packet; with CHAP-MD5 where the algorithm does not matter."""

import pytest
from tests.ppp.auth.exchange import ACCEPTED, PASSWORD, REFUSED, USER, client, counted, sent, server, told

from openpptp.credentials import AuthMethod, Refused, UnreadablePresented
from openpptp.crypto import chap_md5_response
from openpptp.errors import EndReason, Misuse
from openpptp.ppp.auth.machine import AuthenticationMachine
from openpptp.ppp.auth.outputs import AuthenticationFailed, PeerProved, SendPacket, WeProved
from openpptp.ppp.auth.registry import peer
from openpptp.ppp.outputs import CheckCredentials
from openpptp.wire.auth import ChapCode, ChapValue
from openpptp.wire.ppp import Packet, Protocol


def response_to(challenge: Packet, name: bytes = b"User") -> Packet:
    value = chap_md5_response(challenge.identifier, PASSWORD.encode(), ChapValue.decode(challenge.data).value)
    return Packet(ChapCode.RESPONSE, challenge.identifier, ChapValue(value, name).encode())


def challenge(identifier: int, value: bytes = bytes(16)) -> Packet:
    return Packet(ChapCode.CHALLENGE, identifier, ChapValue(value, b"server").encode())


def asked() -> tuple[AuthenticationMachine, Packet]:
    """Return an authenticator that has asked about a Response at second 0, and that Response."""
    machine = server(AuthMethod.CHAP_MD5)
    response = response_to(sent(machine.start(0.0)))
    assert isinstance(machine.receive(response, 0.0)[0], CheckCredentials)
    return machine, response


def answered(identifier: int = 5) -> tuple[AuthenticationMachine, Packet]:
    """Return a peer that has answered a Challenge at second 0, and its Response."""
    machine = client(AuthMethod.CHAP_MD5)
    machine.start(0.0)
    return machine, sent(machine.receive(challenge(identifier), 0.0))


class ChallengeTests:
    """4.1. Challenge and Response, the authenticator's part."""

    def test_r110_r111_repeated_with_new_identifier_and_value_until_the_limit(self):
        machine = server(AuthMethod.CHAP_MD5)
        packets = [sent(machine.start(0.0))]
        times = [0.0]
        while True:
            now = machine.deadline.when
            outputs = machine.tick(now)
            if not isinstance(outputs[0], SendPacket):
                break
            packets.append(sent(outputs))
            times.append(now)
        assert outputs == [
            AuthenticationFailed(EndReason.PEER_SILENT, "the peer agreed to CHAP-MD5 but answered no Challenge")
        ]
        assert times == [0, 1, 3, 6, 9, 12, 15, 18, 21, 24]
        assert len({packet.identifier for packet in packets}) == len({packet.data for packet in packets}) == 10
        assert {ChapValue.decode(packet.data).name for packet in packets} == {b"server"}
        assert machine.deadline is None

    def test_r113_a_response_to_an_earlier_or_unknown_challenge_is_dropped(self):
        machine = server(AuthMethod.CHAP_MD5)
        first = response_to(sent(machine.start(0.0)))
        second = response_to(sent(machine.tick(1.0)))
        assert told(machine.receive(first, 1.1)) == []
        unknown = Packet(ChapCode.RESPONSE, (second.identifier + 1) % 256, second.data)
        assert told(machine.receive(unknown, 1.1)) == []
        assert isinstance(machine.receive(second, 1.2)[0], CheckCredentials)

    def test_no_challenge_is_repeated_while_a_response_is_checked(self):
        machine, _ = asked()
        assert machine.deadline is None
        assert machine.tick(100.0) == []

    def test_a_response_repeated_while_it_is_checked_is_not_asked_about_again(self):
        machine, response = asked()
        assert told(machine.receive(response, 0.5)) == []

    def test_r114_a_response_repeated_after_success_gets_success_in_any_phase(self):
        machine, response = asked()
        success, proved = machine.credentials_checked(ACCEPTED, 0.1)
        assert proved == PeerProved(ACCEPTED)
        assert success.packet == Packet(ChapCode.SUCCESS, response.identifier, b"Access granted")
        assert machine.receive(response, 500.0) == [success]

    def test_r114_another_response_after_the_result_tells_nothing_new(self):
        machine, response = asked()
        machine.credentials_checked(REFUSED, 0.1)
        failure, _ = machine.tick(1.0)
        other = Packet(ChapCode.RESPONSE, response.identifier, ChapValue(bytes(16), b"root").encode())
        assert machine.receive(other, 2.0) == [failure]

    def test_r115_a_response_while_the_refusal_is_held_is_dropped(self):
        machine, response = asked()
        machine.credentials_checked(REFUSED, 0.1)
        assert told(machine.receive(response, 0.5)) == []

    def test_r117_failure_bears_the_identifier_and_comes_after_the_delay(self):
        machine, response = asked()
        assert machine.credentials_checked(REFUSED, 0.4) == []
        assert machine.deadline == (1.0, "hold the refusal")
        failure, failed = machine.tick(1.0)
        assert failure.protocol == Protocol.CHAP
        assert failure.packet == Packet(ChapCode.FAILURE, response.identifier, b"Access denied")
        assert failed == AuthenticationFailed(EndReason.AUTHENTICATION_REFUSED, REFUSED.detail)

    def test_who_knows_the_password_may_be_told_why(self):
        machine, _ = asked()
        failure, _ = machine.credentials_checked(Refused("disabled", 647, "This account is disabled"), 1.0)
        assert failure.packet.data == b"This account is disabled"

    @pytest.mark.parametrize("length", [1, 8, 15, 17, 49, 255])
    def test_b078_a_response_of_the_wrong_size_fails_like_a_wrong_password(self, length):
        machine = server(AuthMethod.CHAP_MD5)
        identifier = sent(machine.start(0.0)).identifier
        wrong = Packet(ChapCode.RESPONSE, identifier, ChapValue(bytes(length), b"User").encode())
        detail = f"CHAP-MD5 Response of {length} octets"
        assert machine.receive(wrong, 0.2) == [CheckCredentials(UnreadablePresented(b"User", detail))]
        assert machine.credentials_checked(REFUSED, 0.3) == []
        assert machine.deadline == (1.2, "hold the refusal")
        failure, failed = machine.tick(machine.deadline.when)
        assert machine.deadline is None
        assert failure.packet == Packet(ChapCode.FAILURE, identifier, b"Access denied")
        assert failed.reason is EndReason.AUTHENTICATION_REFUSED

    @pytest.mark.parametrize("data", [b"", b"\x00User", b"\x10short"])
    def test_b078_a_response_without_a_value_is_dropped(self, data):
        machine = server(AuthMethod.CHAP_MD5)
        identifier = sent(machine.start(0.0)).identifier
        assert told(machine.receive(Packet(ChapCode.RESPONSE, identifier, data), 0.2)) == []

    @pytest.mark.parametrize("name", [b"", b"x" * 256, b"a\0b", b"DOM\\user", b"user@realm", b"\xff"])
    def test_b078_any_name_is_passed_on_as_it_came(self, name):
        machine = server(AuthMethod.CHAP_MD5)
        response = response_to(sent(machine.start(0.0)), name)
        (question,) = machine.receive(response, 0.1)
        assert question.presented.user == name

    def test_codes_of_the_other_direction_are_left_to_the_other_machine(self):
        machine = server(AuthMethod.CHAP_MD5)
        packet = sent(machine.start(0.0))
        for code in (ChapCode.CHALLENGE, ChapCode.SUCCESS, ChapCode.FAILURE, ChapCode.CHANGE_PASSWORD):
            assert machine.receive(Packet(code, packet.identifier, packet.data), 0.1) == []

    def test_b082_a_refused_answer_after_the_link_started_anew_is_ignored(self):
        machine, _ = asked()
        machine.credentials_checked(ACCEPTED, 0.1)
        assert told(machine.credentials_checked(REFUSED, 0.2)) == []


class ResponseTests:
    """4.1. Challenge and Response, the peer's part."""

    def test_response_copies_the_identifier_and_names_us(self):
        _, response = answered(5)
        assert (response.code, response.identifier) == (ChapCode.RESPONSE, 5)
        assert ChapValue.decode(response.data) == ChapValue(
            chap_md5_response(5, PASSWORD.encode(), bytes(16)), USER.encode()
        )

    def test_the_server_name_is_not_checked(self):
        machine = client(AuthMethod.CHAP_MD5)
        machine.start(0.0)
        for name in (b"", b"127.0.0.1", b"\xff" * 300):
            packet = Packet(ChapCode.CHALLENGE, 1, ChapValue(bytes(16), name).encode())
            assert sent(machine.receive(packet, 0.0)).identifier == 1

    def test_an_unanswered_response_is_repeated_until_the_limit(self):
        machine, response = answered()
        count = 1
        while True:
            outputs = machine.tick(machine.deadline.when)
            if not isinstance(outputs[0], SendPacket):
                break
            assert sent(outputs) == response
            count += 1
        assert count == 10
        assert outputs[0].reason is EndReason.PEER_SILENT

    def test_no_challenge_at_all_is_a_silent_server(self):
        machine = client(AuthMethod.CHAP_MD5)
        machine.start(0.0)
        (failed,) = machine.tick(30.0)
        assert failed.reason is EndReason.PEER_SILENT
        assert "no Challenge" in failed.detail

    @pytest.mark.parametrize("length", [1, 8, 16, 255])
    def test_b078_a_challenge_of_any_size_is_answered_with_md5(self, length):
        machine = client(AuthMethod.CHAP_MD5)
        machine.start(0.0)
        assert sent(machine.receive(challenge(1, bytes(length)), 0.0)).code == ChapCode.RESPONSE

    @pytest.mark.parametrize("data", [b"", b"\x00server", b"\x10short"])
    def test_b078_a_challenge_without_a_value_is_dropped(self, data):
        machine = client(AuthMethod.CHAP_MD5)
        machine.start(0.0)
        assert told(machine.receive(Packet(ChapCode.CHALLENGE, 1, data), 0.0)) == []

    def test_b079_success_for_an_earlier_response_counts(self):
        machine, first = answered(5)
        machine.receive(challenge(6, b"another value..."), 1.0)
        assert machine.receive(Packet(ChapCode.SUCCESS, first.identifier), 1.1) == [WeProved(None)]

    def test_b079_the_last_ten_are_remembered(self):
        machine, _ = answered(0)
        for identifier in range(1, 11):
            machine.receive(challenge(identifier), 1.0)
        assert told(machine.receive(Packet(ChapCode.SUCCESS, 0), 2.0)) == []
        assert machine.receive(Packet(ChapCode.SUCCESS, 1), 2.0) == [WeProved(None)]

    def test_b079_repetitions_take_turns_since_the_last_challenge_to_arrive_may_be_outdated(self):
        machine, first = answered(5)
        second = sent(machine.receive(challenge(4, b"the older value."), 0.5))
        repeated = [sent(machine.tick(machine.deadline.when)) for _ in range(4)]
        assert repeated == [second, first, second, first]

    def test_a_result_for_a_response_not_sent_is_dropped(self):
        machine, response = answered(5)
        for code in (ChapCode.SUCCESS, ChapCode.FAILURE):
            assert told(machine.receive(Packet(code, response.identifier + 1), 0.1)) == []

    def test_r116_a_challenge_in_the_network_phase_is_answered_and_proves_nothing_new(self):
        machine, response = answered(5)
        machine.receive(Packet(ChapCode.SUCCESS, 5), 0.1)
        assert sent(machine.receive(challenge(6, b"again"), 600.0)).identifier == 6
        assert machine.deadline is None
        assert machine.receive(Packet(ChapCode.SUCCESS, 6), 600.1) == []
        assert machine.receive(Packet(ChapCode.SUCCESS, response.identifier), 600.1) == []

    def test_a_failure_in_the_network_phase_ends_it(self):
        machine, _ = answered(5)
        machine.receive(Packet(ChapCode.SUCCESS, 5), 0.1)
        machine.receive(challenge(6, b"again"), 600.0)
        (failed,) = machine.receive(Packet(ChapCode.FAILURE, 6, b"no more"), 600.1)
        assert failed == AuthenticationFailed(
            EndReason.AUTHENTICATION_REFUSED, "the server refused our user name or password: no more"
        )
        assert told(machine.receive(challenge(7, b"again"), 600.2)) == []

    def test_b081_our_own_challenge_is_not_answered(self):
        ours = server(AuthMethod.CHAP_MD5)
        reflected = sent(ours.start(0.0))
        machine = peer(
            AuthMethod.CHAP_MD5,
            name=USER,
            password=PASSWORD,
            random=counted(),
            is_our_challenge=ours.issued_challenge,
        )
        machine.start(0.0)
        (failed,) = machine.receive(reflected, 0.1)
        assert failed.reason is EndReason.SERVER_NOT_GENUINE
        assert not client(AuthMethod.CHAP_MD5).issued_challenge(bytes(16))

    def test_codes_of_the_other_direction_are_left_to_the_other_machine(self):
        machine, response = answered(5)
        assert machine.receive(response, 0.1) == []

    def test_a_peer_asks_no_questions(self):
        machine, _ = answered(5)
        assert told(machine.credentials_checked(ACCEPTED, 0.1)) == []

    def test_accepted_without_a_response_is_our_own_mistake(self):
        machine, _ = asked()
        machine._attempt = None
        with pytest.raises(Misuse):
            machine.credentials_checked(ACCEPTED, 0.1)

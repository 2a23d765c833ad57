"""RFC 1334 section 2, packet by packet."""

import pytest
from tests.ppp.auth.exchange import ACCEPTED, PASSWORD, REFUSED, USER, client, sent, server, told

from openpptp.credentials import AuthMethod, PapPresented, Refused
from openpptp.errors import EndReason
from openpptp.ppp.auth.outputs import AuthenticationFailed, PeerProved, WeProved
from openpptp.ppp.auth.pap import PapAuthenticator
from openpptp.ppp.outputs import CheckCredentials
from openpptp.wire.auth import PapCode, PapReply, PapRequest
from openpptp.wire.ppp import Packet, Protocol

REQUEST = PapRequest(b"User", b"clientPass").encode()


def request(identifier: int, data: bytes = REQUEST) -> Packet:
    return Packet(PapCode.AUTHENTICATE_REQUEST, identifier, data)


def asked(identifier: int = 7) -> PapAuthenticator:
    """Return an authenticator that has asked about a request at second 0."""
    machine = server(AuthMethod.PAP)
    assert machine.start(0.0) == []
    assert machine.receive(request(identifier), 0.0) == [CheckCredentials(PapPresented(b"User", b"clientPass"))]
    return machine


class AuthenticateRequestTests:
    """2.2.1. Authenticate-Request."""

    def test_a_request_repeated_while_it_is_checked_is_not_asked_about_again(self):
        machine = asked(7)
        assert told(machine.receive(request(8), 0.5)) == []
        packet = sent(machine.credentials_checked(ACCEPTED, 0.6))
        assert (packet.code, packet.identifier) == (PapCode.AUTHENTICATE_ACK, 8)

    def test_another_request_while_one_is_checked_is_dropped(self):
        machine = asked(7)
        assert told(machine.receive(request(8, PapRequest(b"other", b"x").encode()), 0.5)) == []
        assert sent(machine.credentials_checked(ACCEPTED, 0.6)).identifier == 7

    def test_r102_a_request_repeated_after_success_gets_the_same_reply_code(self):
        machine = asked()
        machine.credentials_checked(ACCEPTED, 0.1)
        packet = sent(machine.receive(request(9), 5.0))
        assert (packet.code, packet.identifier) == (PapCode.AUTHENTICATE_ACK, 9)
        wrong = sent(machine.receive(request(10, PapRequest(b"root", b"guess").encode()), 5.0))
        assert wrong.code == PapCode.AUTHENTICATE_ACK

    def test_r102_a_request_repeated_after_refusal_gets_the_same_reply_code_and_no_second_guess(self):
        machine = asked()
        machine.credentials_checked(REFUSED, 0.1)
        machine.tick(1.0)
        (again,) = machine.receive(request(9), 5.0)
        assert (again.packet.code, again.packet.identifier) == (PapCode.AUTHENTICATE_NAK, 9)

    def test_r101_a_peer_repeats_with_a_new_identifier_until_the_limit(self):
        machine = client(AuthMethod.PAP)
        packets = [sent(machine.start(0.0))]
        while machine.deadline is not None:
            outputs = machine.tick(machine.deadline.when)
            if isinstance(outputs[0], AuthenticationFailed):
                assert outputs[0].reason is EndReason.PEER_SILENT
                break
            packets.append(sent(outputs))
        assert len(packets) == 10
        assert len({packet.identifier for packet in packets}) == 10
        assert {packet.data for packet in packets} == {REQUEST}

    def test_the_authenticator_waits_for_a_request_only_so_long(self):
        machine = server(AuthMethod.PAP)
        machine.start(0.0)
        assert machine.deadline.when == 30.0
        (failed,) = machine.tick(30.0)
        assert failed.reason is EndReason.PEER_SILENT
        assert told(machine.receive(request(1), 31.0)) == []

    @pytest.mark.parametrize("data", [b"", b"\x05User", b"\x04User", b"\x04User\x0bclientPass"])
    def test_b078_a_request_cut_short_is_dropped(self, data):
        machine = server(AuthMethod.PAP)
        machine.start(0.0)
        assert told(machine.receive(request(1, data), 0.0)) == []

    @pytest.mark.parametrize("name", [b"", b"x" * 255, b"DOM\\user", b"user@realm", b"\xff\xfe", b"a\0b"])
    def test_b078_any_name_is_passed_on_as_it_came(self, name):
        machine = server(AuthMethod.PAP)
        machine.start(0.0)
        (question,) = machine.receive(request(1, PapRequest(name, b"").encode()), 0.0)
        assert question.presented == PapPresented(name, b"")


class AuthenticateAckAndNakTests:
    """2.2.2. Authenticate-Ack and Authenticate-Nak."""

    def test_success(self):
        packet, proved = asked().credentials_checked(ACCEPTED, 0.1)
        assert packet.protocol == Protocol.PAP
        assert PapReply.decode(packet.packet.data).message == "Access granted"
        assert proved == PeerProved(ACCEPTED)

    def test_the_refusal_is_held_until_a_second_after_the_request(self):
        machine = asked()
        assert machine.credentials_checked(REFUSED, 0.3) == []
        assert machine.deadline == (1.0, "hold the refusal")
        assert machine.tick(0.99) == []
        packet, failed = machine.tick(1.0)
        assert packet.packet.code == PapCode.AUTHENTICATE_NAK
        assert REFUSED.detail.encode() not in packet.packet.data
        assert failed == AuthenticationFailed(EndReason.AUTHENTICATION_REFUSED, REFUSED.detail)
        assert machine.deadline is None

    def test_who_knows_the_password_may_be_told_why(self):
        machine = asked()
        packet, _ = machine.credentials_checked(Refused("disabled", 647, "This account is disabled"), 1.0)
        assert PapReply.decode(packet.packet.data).message == "This account is disabled"

    @pytest.mark.parametrize("data", [b"", b"\x02ok", b"\xffcut"])
    def test_the_message_does_not_affect_an_ack(self, data):
        machine = client(AuthMethod.PAP)
        packet = sent(machine.start(0.0))
        assert machine.receive(Packet(PapCode.AUTHENTICATE_ACK, packet.identifier, data), 0.1) == [WeProved(None)]
        assert machine.deadline is None

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (PapReply("Login\x1b[2J incorrect").encode(), ": Login\\x1b[2J incorrect"),
            (b"\xffcut", ""),
            (b"", ""),
        ],
    )
    def test_a_nak_is_told_in_the_servers_words_made_printable(self, data, words):
        machine = client(AuthMethod.PAP)
        packet = sent(machine.start(0.0))
        (failed,) = machine.receive(Packet(PapCode.AUTHENTICATE_NAK, packet.identifier, data), 0.1)
        assert failed.reason is EndReason.AUTHENTICATION_REFUSED
        assert failed.detail == "the server refused our user name or password" + words

    def test_a_reply_to_an_earlier_request_counts(self):
        machine = client(AuthMethod.PAP)
        first = sent(machine.start(0.0))
        machine.tick(1.0)
        assert machine.receive(Packet(PapCode.AUTHENTICATE_ACK, first.identifier), 1.1) == [WeProved(None)]

    def test_a_reply_to_no_request_and_a_second_reply_are_dropped(self):
        machine = client(AuthMethod.PAP)
        packet = sent(machine.start(0.0))
        for identifier in (packet.identifier + 1, packet.identifier - 1):
            assert told(machine.receive(Packet(PapCode.AUTHENTICATE_ACK, identifier % 256), 0.1)) == []
        machine.receive(Packet(PapCode.AUTHENTICATE_ACK, packet.identifier), 0.1)
        assert told(machine.receive(Packet(PapCode.AUTHENTICATE_NAK, packet.identifier), 0.2)) == []

    def test_the_password_is_sent_as_utf_8(self):
        machine = client(AuthMethod.PAP, password="Grüße")
        request = PapRequest.decode(sent(machine.start(0.0)).data)
        assert request == PapRequest(USER.encode(), "Grüße".encode())
        assert PASSWORD not in repr(machine)

    def test_pap_has_no_challenges(self):
        assert not server(AuthMethod.PAP).issued_challenge(b"")
        assert not client(AuthMethod.PAP).issued_challenge(b"")

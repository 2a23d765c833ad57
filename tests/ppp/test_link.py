"""Phases, endings, and the message orders of real peers."""

import re
from ipaddress import IPv4Address

import pytest
from tests.notation import frame
from tests.play import Play, play
from tests.sim.ppp_pair import GRANT, Pair, check, client, pseudo_random, server

from openpptp import crypto
from openpptp.credentials import Accepted, AuthMethod, MppeStartKeys, Refused
from openpptp.errors import EndReason
from openpptp.ppp.fsm import State
from openpptp.ppp.link import Link, Phase
from openpptp.ppp.outputs import (
    CheckCredentials,
    EncryptionDeclined,
    EncryptionDown,
    EncryptionFlush,
    EncryptionUp,
    Ipv4Down,
    Ipv4Up,
    Ipv6Declined,
    Ipv6Down,
    Ipv6Up,
    LinkEnded,
    LinkOpened,
    PeerAuthenticated,
    SendFrame,
    WeAuthenticated,
)
from openpptp.ppp.settings import EncryptionPolicy, LinkSettings
from openpptp.wire.auth import ChapValue, MsChapV2Response
from openpptp.wire.ppp import Packet, Protocol, encode_frame

CLEAR = EncryptionPolicy(enabled=False)
MPPE = "<mppe +H -M +S -L -D -C>"


def link(settings=None):
    return Link(settings or server(), pseudo_random(5))


def value_of(said):
    """Return the octets of a Challenge and its Identifier as we printed them."""
    match = re.search(r"id=(0x[0-9a-f]+) <([0-9a-f]+)>", said)
    return int(match[1], 16), bytes.fromhex(match[2])


def authenticated(conversation, user=b"lulu", password="password", answer=None):
    """Answer the Challenge just sent and let the user in."""
    identifier, challenge = value_of(next(said for said in conversation.frames if "Challenge" in said))
    conversation.frames = [said for said in conversation.frames if "Challenge" not in said]
    ours = b"0123456789abcdef"
    password_hash = crypto.nt_password_hash(password)
    response = crypto.generate_nt_response(challenge, ours, user, password_hash)
    value = ChapValue(MsChapV2Response(ours, response, 0).encode(), user)
    conversation >> encode_frame(Protocol.CHAP, Packet(2, identifier, value.encode()).encode())
    question = conversation.outputs[-1]
    assert isinstance(question, CheckCredentials)
    conversation.outputs.pop()
    if answer is None:
        accepted = check(question.presented, GRANT, password)
        hash_hash = crypto.hash_nt_password_hash(password_hash)
        keys = crypto.mschap_v2_start_keys(hash_hash, response, authenticator=True)
        proof = crypto.generate_authenticator_response(hash_hash, response, ours, challenge, user)
        answer = accepted if not isinstance(accepted, Refused) else accept("lulu", keys, proof)
    return conversation.do(lambda now: conversation.machine.credentials_checked(answer, now))


def accept(user, keys, proof):
    return Accepted(user, GRANT, proof, keys)


def lcp_open(settings=None):
    """Return a server's conversation with LCP open and the Challenge out."""
    conversation = play(link(settings))
    conversation >> "[LCP ConfReq id=0x1 <mru 1400> <magic 0xc6f3548> <pcomp> <accomp>]"
    request = conversation.frames.pop(0)
    conversation << "[LCP ConfAck id=0x1 *]" >> request.replace("ConfReq", "ConfAck")
    return conversation.told(LinkOpened)


def network(settings=None):
    """Return a server's conversation that has just entered the network phase, all its requests taken up."""
    conversation = authenticated(lcp_open(settings)) << "[CHAP Success *]"
    return conversation.told(PeerAuthenticated)


def opened(settings=None):
    """Return a server's conversation with everything open."""
    conversation = network(settings) << f"[CCP ConfReq id=0x1 {MPPE}]" << "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]"
    conversation >> f"[CCP ConfReq id=0x6 {MPPE}]" >> f"[CCP ConfAck id=0x1 {MPPE}]"
    conversation >> "[IPCP ConfReq id=0x7 <addr 10.9.0.2>]" >> "[IPCP ConfAck id=0x1 <addr 10.9.0.1>]"
    return conversation.told(EncryptionUp).told(Ipv4Up).hush()


def bare(**changes):
    """Return the settings of an end without authentication and encryption."""
    return LinkSettings(encryption=CLEAR, our_ipv4=GRANT.our_address, echo_interval=0, **changes)


def bare_open(**changes):
    """Return a conversation in the network phase right after LCP."""
    conversation = play(Link(bare(**changes), pseudo_random(5)))
    request = conversation.frames.pop(0)
    conversation >> "[LCP ConfReq id=0x1]" >> request.replace("ConfReq", "ConfAck")
    return conversation.told(LinkOpened) << "[LCP ConfAck id=0x1]"


class WindowsSevenTests:
    """The order of messages in john-lulu.pcap, Windows 7 as client; pptpd lost 5 s on it (finding 3)."""

    def test_whole_session_without_one_timer(self):
        conversation = (
            play(link())
            >> "[LCP ConfReq id=0x0 <mru 1400> <magic 0xc6f3548> <pcomp> <accomp> <callback CBCP>]"
            << "[LCP ConfReq id=0x1 <mru 1400> <auth chap MS-v2> <magic *> <pcomp> <accomp>]"
        )
        request = conversation.trace[-2].removeprefix("<< ")
        conversation << "[LCP ConfRej id=0x0 <callback CBCP>]" >> request.replace("ConfReq", "ConfAck")
        conversation >> "[LCP ConfReq id=0x1 <mru 1400> <magic 0xc6f3548> <pcomp> <accomp>]"
        conversation << "[LCP ConfAck id=0x1 <mru 1400> <magic 0xc6f3548> <pcomp> <accomp>]"
        conversation.told(LinkOpened(1400, compress_address_control=True, compress_protocol=True))
        for octets in ('2 magic=0xc6f3548 "MSRASV5.20"', '3 magic=0xc6f3548 "MSRAS-0-WIN-7RSSC38TVCL"'):
            conversation >> f"[LCP Ident id=0x{octets}]"
        authenticated(conversation) << "[CHAP Success *]"
        conversation.told(PeerAuthenticated("lulu", AuthMethod.MSCHAP_V2))
        conversation << f"[CCP ConfReq id=0x1 {MPPE}]" << "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]"
        conversation >> "[IPV6CP ConfReq id=0x5 <addr fe80::dc15:159b:5957:c96d>]"
        conversation << "[LCP ProtRej id=0x2 80 57 01 05 00 0e 01 0a dc 15 15 9b 59 57 c9 6d]"
        conversation >> f"[CCP ConfReq id=0x6 {MPPE}]" << f"[CCP ConfAck id=0x6 {MPPE}]"
        servers = "<ms-dns1 0.0.0.0> <ms-wins 0.0.0.0> <ms-dns2 0.0.0.0> <ms-wins2 0.0.0.0>"
        conversation >> f"[IPCP ConfReq id=0x7 <addr 0.0.0.0> {servers}]"
        conversation << "[IPCP ConfRej id=0x7 <ms-wins 0.0.0.0> <ms-wins2 0.0.0.0>]"
        conversation >> f"[CCP ConfAck id=0x1 {MPPE}]" >> "[IPCP ConfAck id=0x1 <addr 10.9.0.1>]"
        conversation.told(EncryptionUp)
        conversation >> "[IPCP ConfReq id=0x8 <addr 0.0.0.0> <ms-dns1 0.0.0.0> <ms-dns2 0.0.0.0>]"
        conversation << "[IPCP ConfNak id=0x8 <addr 10.9.0.2> <ms-dns1 10.9.0.53> <ms-dns2 10.9.0.54>]"
        conversation >> "[IPCP ConfReq id=0x9 <addr 10.9.0.2> <ms-dns1 10.9.0.53> <ms-dns2 10.9.0.54>]"
        conversation << "[IPCP ConfAck id=0x9 *]"
        conversation.told(Ipv4Up(GRANT.our_address, GRANT.peer_address))
        assert conversation.now == 0.0
        assert conversation

    def test_server_waits_a_moment_for_the_first_request_and_then_speaks(self):
        conversation = play(link())
        assert conversation.wait(0.09)
        assert conversation.wait(0.02) << "[LCP ConfReq id=0x1 *]"

    def test_peer_without_authenticator_speaks_at_once(self):
        assert play(link(client())) << "[LCP ConfReq id=0x1 *]"


class PppdClientTests:
    """pppd 2.4.9 behind pptp-linux: IPCP waits for its CCP (findings 16 and 17)."""

    def test_ipcp_put_off_until_ccp_is_asked_again_the_moment_ccp_opens(self):
        conversation = network() << f"[CCP ConfReq id=0x1 {MPPE}]" << "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]"
        conversation >> f"[CCP ConfReq id=0x1 {MPPE}]" << f"[CCP ConfAck id=0x1 {MPPE}]"
        conversation >> "[IPCP TermAck id=0x1]" >> f"[CCP ConfAck id=0x1 {MPPE}]"
        assert conversation.told(EncryptionUp) << "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]"
        assert conversation.now == 0.0

    def test_ipcp_put_off_is_asked_again_when_the_terminate_ack_comes_after_ccp_opened(self):
        conversation = network() << f"[CCP ConfReq id=0x1 {MPPE}]" << "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]"
        conversation >> f"[CCP ConfReq id=0x1 {MPPE}]" << f"[CCP ConfAck id=0x1 {MPPE}]"
        conversation >> f"[CCP ConfAck id=0x1 {MPPE}]" >> "[IPCP TermAck id=0x1]"
        assert conversation.told(EncryptionUp) << "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]"
        assert conversation >> "[IPCP TermAck id=0x1]"
        assert conversation.now == 0.0

    def test_ccp_request_that_crosses_success_is_kept(self):
        conversation = lcp_open() >> f"[CCP ConfReq id=0x1 {MPPE}]" >> "[IPCP ConfReq id=0x1 <addr 10.9.0.2>]"
        authenticated(conversation) << "[CHAP Success *]" << "[CCP ConfReq *]" << "[IPCP ConfReq *]"
        assert conversation << f"[CCP ConfAck id=0x1 {MPPE}]" << "[IPCP ConfAck id=0x1 <addr 10.9.0.2>]"

    def test_q84_no_more_than_four_are_kept(self):
        conversation = lcp_open()
        for number in range(9):
            conversation >> f"[IPCP ConfReq id={number:#x} <addr 0.0.0.0>]"
        authenticated(conversation) << "[CHAP Success *]" << "[CCP ConfReq *]" << "[IPCP ConfReq *]"
        for number in range(4):
            conversation << f"[IPCP ConfNak id={number:#x} <addr 10.9.0.2>]"
        assert conversation

    def test_q83_early_ipv6_is_protocol_rejected_when_the_time_has_come(self):
        conversation = lcp_open() >> "[IPV6CP ConfReq id=0x1]"
        authenticated(conversation) << "[CHAP Success *]" << "[CCP ConfReq *]" << "[IPCP ConfReq *]"
        assert conversation << "[LCP ProtRej id=0x2 80 57 01 01 00 04]"

    def test_early_packet_that_ends_the_session_is_the_last(self):
        conversation = lcp_open() >> f"[CCP ConfRej id=0x1 {MPPE}]" >> "[IPCP ConfReq id=0x1 <addr 10.9.0.2>]"
        authenticated(conversation) << "[CHAP Success *]" << "[CCP ConfReq *]" << "[IPCP ConfReq *]"
        assert conversation << "[LCP TermReq *]"

    def test_early_packets_of_who_is_refused_are_forgotten(self):
        conversation = lcp_open() >> f"[CCP ConfReq id=0x1 {MPPE}]"
        authenticated(conversation, answer=Refused("wrong password")).wait(1.0)
        conversation << "[CHAP Failure id=*]" << "[LCP TermReq *]"
        assert conversation


class RrasServerTests:
    """Windows RRAS as server asks for EAP first."""

    def test_eap_nak_then_ms_chap_v2(self):
        conversation = play(link(client())) << "[LCP ConfReq id=0x1 *]"
        conversation >> (
            "[LCP ConfReq id=0x0 <mru 1400> <auth eap> <magic 0x19f23a42> <pcomp> <accomp> <callback CBCP> <mrru 1614>]"
        )
        conversation << "[LCP ConfRej id=0x0 <callback CBCP> <mrru 1614>]"
        conversation >> "[LCP ConfReq id=0x1 <mru 1400> <auth eap> <magic 0x19f23a42> <pcomp> <accomp>]"
        conversation << "[LCP ConfNak id=0x1 <auth chap MS-v2>]"
        wish = "<mru 1400> <auth chap MS-v2> <magic 0x19f23a42> <pcomp> <accomp>"
        assert conversation >> f"[LCP ConfReq id=0x2 {wish}]" << f"[LCP ConfAck id=0x2 {wish}]"


class WrongPhaseTests:
    """RFC 1661 sections 3.4, 3.5 and 3.6."""

    FRAMES = (
        "[IPCP ConfReq id=0x1 <addr 0.0.0.0>]",
        f"[CCP ConfReq id=0x1 {MPPE}]",
        "[IPV6CP ConfReq id=0x1]",
        "[IP data] 45 00",
        '[PAP AuthReq id=0x1 user="bob" password="x"]',
        '[CHAP Success id=0x1 ""]',
        "[EAP code=0x1 id=0x1 01]",
        "[proto=0xc029] 01 01 00 04",
        "[proto=0x8203] 01 01 00 04",
    )

    @pytest.mark.parametrize("text", FRAMES)
    def test_b072_nothing_but_lcp_in_establish(self, text):
        conversation = play(link(client())).hush() >> octets(text)
        assert conversation
        assert not conversation.outputs

    @pytest.mark.parametrize("text", FRAMES[3:])
    def test_b072_b073_nothing_but_the_agreed_method_in_authenticate(self, text):
        conversation = lcp_open()
        conversation.frames.clear()
        assert conversation >> octets(text)
        assert not conversation.outputs

    def test_b072_no_network_before_authentication(self):
        conversation = lcp_open()
        conversation.frames.clear()
        assert conversation >> "[IPCP ConfReq id=0x1 <addr 10.9.0.2>]"
        assert conversation.machine.phase is Phase.AUTHENTICATE

    @pytest.mark.parametrize("protocol", ["c023", "c227", "0021", "0057", "00fd"])
    def test_b073_b110_data_and_stray_authentication_are_never_protocol_rejected(self, protocol):
        assert opened() >> bytes.fromhex("ff03" + protocol + "01010004")

    @pytest.mark.parametrize("protocol", ["8057", "c029", "c02b", "c02d", "80fb", "8203", "c025"])
    def test_b092_b093_q74_unknown_control_protocols_are_protocol_rejected_once(self, protocol):
        heard = bytes.fromhex("ff03" + protocol + "01010004")
        spaced = f"{protocol[:2]} {protocol[2:]}"
        assert opened() >> heard << f"[LCP ProtRej id=0x2 {spaced} 01 01 00 04]" >> heard

    @pytest.mark.parametrize(
        "octets", [b"", b"\xff", b"\xff\x03", b"\xff\x03\xc0", b"\xff\x03\xc0\x21\x01\x01\x00\x03"]
    )
    def test_b060_cut_frames_are_dropped(self, octets):
        assert opened() >> octets

    def test_frames_before_start_are_dropped(self):
        assert link().receive(b"\xff\x03\xc0\x21\x01\x01\x00\x04", 0.0) == []
        assert link().credentials_checked(Refused("late"), 0.0) == []
        assert link().request_encryption_reset(0.0) == []

    def test_answer_to_a_question_nobody_asked(self):
        pair = Pair(server(), client())
        pair.run(until=pair.both_open)
        assert pair.peer.link.credentials_checked(Refused("?"), pair.now) == []


def octets(text):
    try:
        return frame(text)
    except (ValueError, AssertionError):
        return bytes.fromhex("ff03c2270101000501")


class RenegotiationTests:
    """3.4: LCP's Configure-Request in the network phase returns the link to Establish."""

    def test_r061_data_and_encryption_stop_and_authentication_starts_over(self):
        conversation = opened() >> "[LCP ConfReq id=0x9 <magic 0x1>]"
        conversation.told(Ipv4Down).told(EncryptionDown)
        assert conversation.machine.phase is Phase.ESTABLISH
        request = conversation.frames[0]
        conversation << "[LCP ConfReq *]" << "[LCP ConfAck id=0x9 *]" >> request.replace("ConfReq", "ConfAck")
        conversation.told(LinkOpened)
        assert conversation.machine.phase is Phase.AUTHENTICATE
        authenticated(conversation) << "[CHAP Success *]" << "[CCP ConfReq *]" << "[IPCP ConfReq *]"
        assert conversation.told(PeerAuthenticated)

    def test_b066_lcp_again_and_again_ends_the_session(self):
        conversation = opened()
        for number in range(9, 20):
            conversation >> f"[LCP ConfReq id={number:#x} <magic 0x1>]"
            requests = [said for said in conversation.frames if "LCP ConfReq" in said]
            if requests:
                conversation.frames.clear()
                conversation >> requests[-1].replace("ConfReq", "ConfAck")
        conversation.wait(5)
        assert conversation.outputs[-1] == LinkEnded(EndReason.FLOODED, "the peer negotiates LCP anew again and again")

    def test_repeated_response_gets_the_same_answer_and_changes_no_key(self):
        pair = Pair(server(), client())
        pair.run(until=pair.both_open)
        response = next(o.frame for o in pair.peer.outputs if getattr(o, "frame", b"")[2:5] == b"\xc2\x23\x02")
        pair.arrive(pair.authenticator, response)
        assert "Success" in pair.authenticator.sent[-1]
        pair.authenticator.only(PeerAuthenticated)
        pair.authenticator.only(EncryptionUp)

    def test_q56_new_challenge_in_the_network_phase_is_answered_without_new_keys(self):
        pair = Pair(server(), client())
        pair.run(until=pair.both_open)
        value = ChapValue(b"a new challenge!", b"server").encode()
        pair.take(
            pair.peer, pair.peer.link.receive(encode_frame(Protocol.CHAP, Packet(1, 99, value).encode()), pair.now)
        )
        assert "CHAP Response id=0x63" in pair.peer.sent[-1]
        response = MsChapV2Response.decode(ChapValue.decode(pair.peer.last(SendFrame).frame[8:]).value)
        hash_hash = crypto.hash_nt_password_hash(crypto.nt_password_hash("correct horse"))
        proof = crypto.generate_authenticator_response(
            hash_hash, response.nt_response, response.peer_challenge, b"a new challenge!", b"alice"
        )
        success = Packet(3, 99, b"S=" + proof.hex().upper().encode() + b" M=again").encode()
        pair.take(pair.peer, pair.peer.link.receive(encode_frame(Protocol.CHAP, success), pair.now))
        assert not pair.peer.has(LinkEnded)
        pair.peer.only(WeAuthenticated)
        pair.peer.only(EncryptionUp)

    def test_ccp_negotiated_anew_gives_keys_again(self):
        conversation = opened() >> f"[CCP ConfReq id=0x7 {MPPE}]" >> f"[CCP ConfAck id=0x2 {MPPE}]"
        assert conversation.told(EncryptionDown).told(EncryptionUp) << "[CCP ConfReq id=0x2 *]" << "[CCP ConfAck *]"


class EndingTests:
    """3.7: Terminate, once, with words for both sides."""

    def test_close_waits_for_the_ack(self):
        conversation = opened()
        conversation.do(lambda now: conversation.machine.close(EndReason.SHUTDOWN, now))
        conversation << '[LCP TermReq id=0x2 "this system is shutting down"]'
        conversation.told(Ipv4Down).told(EncryptionDown) >> "[LCP TermAck id=0x2]"
        assert conversation.told(LinkEnded(EndReason.SHUTDOWN, "this system is shutting down"))
        assert conversation.machine.deadline is None

    def test_close_gives_up_after_two_requests(self):
        conversation = opened()
        conversation.do(lambda now: conversation.machine.close(EndReason.SHUTDOWN, now)).wait(2.1)
        assert (
            conversation.told(Ipv4Down).told(EncryptionDown).told(LinkEnded) << "[LCP TermReq *]" << "[LCP TermReq *]"
        )

    def test_second_close_changes_nothing(self):
        conversation = opened()
        conversation.do(lambda now: conversation.machine.close(EndReason.SHUTDOWN, now)).hush()
        assert conversation.do(lambda now: conversation.machine.close(EndReason.IDLE, now))
        assert conversation.do(conversation.machine.lower_down).told(LinkEnded).outputs == []

    def test_nothing_follows_the_end(self):
        conversation = opened().do(lambda now: opened().machine.lower_down(now)).hush()
        machine = conversation.machine
        machine.lower_down(0.0)
        for outputs in (
            machine.lower_down(0.0),
            machine.receive(b"\xff\x03\xc0\x21\x01\x01\x00\x04", 0.0),
            machine.close(EndReason.IDLE, 0.0),
            machine.tick(99.0),
            machine.credentials_checked(Refused("late"), 0.0),
            machine.request_encryption_reset(0.0),
        ):
            assert outputs == []

    def test_lower_layer_lost(self):
        conversation = opened()
        conversation.do(conversation.machine.lower_down).told(Ipv4Down).told(EncryptionDown)
        assert conversation.told(LinkEnded(EndReason.CONNECTION_LOST, "the control connection broke"))

    def test_close_before_the_first_frame(self):
        conversation = play(link())
        conversation.do(lambda now: conversation.machine.close(EndReason.SHUTDOWN, now))
        assert conversation.told(LinkEnded)
        fresh = link()
        assert isinstance(fresh.close(EndReason.SHUTDOWN, 0.0)[-1], LinkEnded)

    def test_q44_peer_that_ends_is_quoted(self):
        conversation = opened() >> '[LCP TermReq id=0x9 "done"]' << "[LCP TermAck id=0x9]"
        conversation.told(Ipv4Down).told(EncryptionDown).wait(1.0)
        assert conversation.told(LinkEnded(EndReason.PEER_REQUEST, "the peer ended the session: done"))

    def test_peer_that_ends_during_negotiation_is_not_asked_on(self):
        conversation = play(link(client())).hush() >> "[LCP TermReq id=0x9]"
        conversation << "[LCP TermAck id=0x9]" << "[LCP TermReq *]" >> "[LCP TermAck id=0x2]"
        assert conversation.told(LinkEnded(EndReason.PEER_REQUEST, "the peer ended the session"))

    def test_peer_that_never_answers(self):
        conversation = play(link(client())).wait(60)
        assert conversation.outputs == [LinkEnded(EndReason.PEER_SILENT, "the peer answers no LCP Configure-Request")]
        assert len(conversation.frames) == 10

    def test_b082_both_sides_read_why(self):
        conversation = play(link()) >> "[LCP ConfReq id=0x1]" << "[LCP ConfReq *]" << "[LCP ConfAck *]"
        conversation >> "[LCP ConfNak id=0x1 <auth pap>]"
        words = "the client offers only PAP; this server requires MS-CHAPv2"
        conversation << f'[LCP TermReq id=0x2 "{words}"]' >> "[LCP TermAck id=0x2]"
        assert conversation.told(LinkEnded(EndReason.AUTHENTICATION_UNSUITABLE, words))

    def test_refusal_says_nothing_of_its_cause_to_the_peer(self):
        conversation = authenticated(lcp_open(), answer=Refused("unknown user")).wait(1.0)
        conversation << "[CHAP Failure *]" << '[LCP TermReq id=0x2 "the user name or password was refused"]'
        conversation >> "[LCP TermAck id=0x2]"
        assert conversation.outputs[-1].reason is EndReason.AUTHENTICATION_REFUSED

    def test_b068_peer_that_rejects_lcp(self):
        conversation = opened() >> "[LCP ProtRej id=0x1 c0 21]"
        conversation.hush().wait(3)
        assert conversation.told(LinkEnded(EndReason.PROTOCOL_ERROR, "the peer rejects LCP")).hush()

    def test_user_without_an_address(self):
        conversation = lcp_open()
        identifier, challenge = value_of(conversation.frames[0])
        pair = Pair(server(), client(), grant=None)
        pair.run(until=pair.both_over, limit=10)
        assert pair.authenticator.only(LinkEnded).reason is EndReason.NO_ADDRESS
        assert "no address is free" in pair.peer.only(LinkEnded).detail
        assert identifier >= 0
        assert challenge


class EncryptionTests:
    """RFC 3078 section 2: required means required."""

    WORDS = "this server requires MPPE 128 bit"

    def ended(self, conversation):
        """Return the sentence a conversation ended with."""
        conversation.wait(5)
        ended = conversation.outputs[-1]
        assert isinstance(ended, LinkEnded)
        assert ended.reason is EndReason.ENCRYPTION_UNSUITABLE
        return ended.detail

    @pytest.mark.parametrize("rejected", ["80 fd", "00 fd"])
    def test_b069_q74_protocol_reject_of_ccp(self, rejected):
        conversation = network() >> f"[LCP ProtRej id=0x1 {rejected}]"
        assert self.ended(conversation) == f"the client refuses CCP, without which there is no encryption; {self.WORDS}"

    def test_b069_a_flood_of_rejects_of_what_is_not_needed_changes_nothing(self):
        conversation = opened()
        for number in range(1000):
            rejected = ("c2 23", "80 57", "c0 25", "00 57", "c2 27")[number % 5]
            conversation >> f"[LCP ProtRej id={number % 256:#x} {rejected} 01]"
        assert conversation
        assert not conversation.outputs

    def test_b069_without_ipcp_there_is_no_session(self):
        conversation = (opened() >> "[LCP ProtRej id=0x1 80 21 01]").wait(5)
        assert conversation.outputs[-1] == LinkEnded(
            EndReason.NEGOTIATION_FAILED, "the client refuses IPCP, without which there is no IPv4"
        )

    def test_ccp_closed_by_the_peer(self):
        conversation = opened() >> "[CCP TermReq id=0x9]" << "[CCP TermAck id=0x9]"
        assert self.ended(conversation) == f"the client ended CCP, without which there is no encryption; {self.WORDS}"

    def test_ccp_never_answered(self):
        conversation = network() >> "[IPCP ConfReq id=0x7 <addr 10.9.0.2>]" >> "[IPCP ConfAck id=0x1 <addr 10.9.0.1>]"
        assert (
            self.ended(conversation.wait(30))
            == f"the client does not answer CCP, without which there is no encryption; {self.WORDS}"
        )

    def test_ccp_rejected(self):
        conversation = network() >> f"[CCP ConfRej id=0x1 {MPPE}]"
        assert self.ended(conversation) == f"the client offers no encryption; {self.WORDS}"

    def test_a_hash_makes_no_keys_for_40_bits(self):
        conversation = lcp_open(server(encryption=EncryptionPolicy(key_bits=frozenset({40}))))
        answer = accept("lulu", MppeStartKeys(b"S" * 16, b"R" * 16, b"", b""), bytes(20))
        words = "what is kept of the password makes keys of 128 bit only; this server requires MPPE 40 bit"
        assert self.ended(authenticated(conversation, answer=answer)) == words

    def test_b106_method_without_keys(self):
        settings = server(authenticate_peer=(AuthMethod.PAP,))
        pair = Pair(settings, client(answer_with=(AuthMethod.PAP,), encryption=CLEAR))
        pair.run(until=pair.both_over, limit=10)
        assert pair.authenticator.only(LinkEnded).detail == f"PAP makes no encryption keys; {self.WORDS}"
        assert pair.peer.only(LinkEnded).detail.endswith(f"PAP makes no encryption keys; {self.WORDS}")

    def test_no_authentication_no_keys(self):
        settings = LinkSettings()
        pair = Pair(settings, settings)
        pair.run(until=pair.both_over, limit=10)
        assert pair.authenticator.only(LinkEnded).detail.startswith("without authentication there are no keys")

    def test_who_asks_for_no_proof_is_left_where_one_is_demanded(self):
        conversation = play(link(client(demand_proof=True, encryption=CLEAR)))
        request = conversation.frames.pop(0)
        conversation >> "[LCP ConfReq id=0x2 <magic 0xc6f3548>]" << "[LCP ConfAck id=0x2 *]"
        conversation >> request.replace("ConfReq", "ConfAck")
        conversation.wait(10)
        ended = conversation.outputs[-1]
        assert (ended.reason, ended.offered) == (EndReason.AUTHENTICATION_UNSUITABLE, ("none",))
        assert "asks for no log-in, so that it proves nothing either" in ended.detail

    def test_demand_that_is_withdrawn_is_named(self):
        """pppd answers our Nak by asking for nothing, and ends the link once LCP is open."""
        conversation = play(link(client()))
        request = conversation.frames.pop(0)
        conversation >> "[LCP ConfReq id=0x1 <auth pap> <magic 0xc6f3548>]" << "[LCP ConfNak id=0x1 <auth chap MS-v2>]"
        conversation >> "[LCP ConfReq id=0x2 <magic 0xc6f3548>]" << "[LCP ConfAck id=0x2 *]"
        conversation >> request.replace("ConfReq", "ConfAck")
        sentence = "the server requires PAP; this client answers only MS-CHAPv2"
        conversation.wait(10)
        assert conversation.outputs[-1] == LinkEnded(EndReason.AUTHENTICATION_UNSUITABLE, sentence, ("PAP",))

    def test_not_required_and_rejected_goes_in_clear(self):
        wanting = EncryptionPolicy(required=False)
        pair = Pair(server(encryption=wanting), client(encryption=CLEAR))
        pair.run(until=lambda: all(end.has(Ipv4Up) for end in pair.ends), limit=10)
        pair.run(limit=30)
        assert not any(end.has(EncryptionUp) or end.has(LinkEnded) for end in pair.ends)

    def test_not_required_but_offered_is_used(self):
        wanting = EncryptionPolicy(required=False)
        pair = Pair(server(encryption=wanting), client(encryption=wanting))
        pair.run(until=pair.both_open, limit=10)
        assert pair.both_open()

    def test_not_required_and_endless_closes_ccp_alone(self):
        conversation = network(server(encryption=EncryptionPolicy(required=False)))
        for number in range(60):
            conversation >> f"[CCP ConfReq id={number:#x} <deflate 15>]"
        conversation.hush()
        conversation >> "[IPCP ConfReq id=0x7 <addr 10.9.0.2>]" >> "[IPCP ConfAck id=0x1 <addr 10.9.0.1>]"
        assert conversation.told(Ipv4Up) << "[IPCP ConfAck *]"

    def test_endless_ccp_where_it_is_required_ends_the_session(self):
        conversation = network()
        for number in range(60):
            conversation >> f"[CCP ConfReq id={number:#x} <deflate 15>]"
        assert "does not converge" in self.ended(conversation)

    def test_ccp_that_opens_without_mppe_where_it_is_not_required(self):
        conversation = network(server(encryption=EncryptionPolicy(required=False))).hush()
        conversation >> "[IPCP TermAck id=0x1]" >> "[CCP ConfReq id=0x1]" >> f"[CCP ConfAck id=0x1 {MPPE}]"
        assert conversation << "[CCP ConfAck id=0x1]" << "[IPCP ConfReq id=0x1 *]"
        assert conversation.outputs == [EncryptionDeclined()]

    def test_reset_request_both_ways(self):
        policy = EncryptionPolicy(stateful=True, prefer_stateful=True)
        pair = Pair(server(encryption=policy), client(encryption=policy))
        pair.run(until=pair.both_open)
        pair.take(pair.peer, pair.peer.link.request_encryption_reset(pair.now))
        pair.run(limit=pair.now + 1)
        pair.authenticator.only(EncryptionFlush)


class NetworkProtocolTests:
    """3.6: what is left when a network protocol goes."""

    def test_last_one_refused_ends_the_session(self):
        conversation = bare_open() << "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]" >> "[LCP ProtRej id=0x1 80 21]"
        conversation.hush().wait(5)
        assert conversation.told(
            LinkEnded(EndReason.NEGOTIATION_FAILED, "the server refuses IPCP, without which there is no IPv4")
        ).hush()

    def test_ipv6_alone(self):
        settings = LinkSettings(encryption=CLEAR, ipv4=False, ipv6=True)
        pair = Pair(settings, settings)
        pair.run(until=lambda: all(end.has(Ipv6Up) for end in pair.ends), limit=5)
        assert all(end.has(Ipv6Up) for end in pair.ends)

    def test_one_of_two_refused_does_not(self):
        conversation = bare_open(ipv6=True).hush() >> "[LCP ProtRej id=0x1 80 57]"
        assert conversation
        assert conversation.outputs == [Ipv6Declined()]

    def test_last_one_closed_by_the_peer_ends_the_session(self):
        conversation = bare_open().hush()
        conversation >> "[IPCP ConfReq id=0x1 <addr 10.9.0.7>]" >> "[IPCP ConfAck id=0x1 <addr 10.9.0.1>]"
        conversation.told(Ipv4Up(GRANT.our_address, IPv4Address("10.9.0.7"))) >> "[IPCP TermReq id=0x2]"
        conversation.told(Ipv4Down).wait(5)
        assert conversation.told(
            LinkEnded(EndReason.NEGOTIATION_FAILED, "the server ended IPCP, without which there is no IPv4")
        ).hush()

    def test_last_one_rejected_while_negotiating(self):
        conversation = bare_open().hush() >> "[IPCP ConfRej id=0x1 <addr 10.9.0.1>]" >> "[IPCP CodeRej id=0x1 01]"
        conversation.hush().wait(5)
        assert conversation.told(
            LinkEnded(EndReason.NEGOTIATION_FAILED, "the server refuses IPCP, without which there is no IPv4")
        ).hush()

    def test_ipv6_without_identifier_is_closed_alone(self):
        conversation = bare_open(ipv6=True).hush()
        request = "[IPV6CP ConfReq id=0x1]"
        conversation >> request >> request.replace("0x1", "0x2")
        network_phase = conversation.machine._network
        ours = network_phase._layers[Protocol.IPV6CP]._negotiation.ask()
        conversation >> encode_frame(Protocol.IPV6CP, Packet(2, 1, ours).encode())
        conversation << "[IPV6CP ConfNak *]" << "[IPV6CP ConfAck id=0x2]" << "[IPV6CP TermReq *]"
        assert conversation
        assert not conversation.outputs

    def test_endless_ipv6_is_closed_alone_and_endless_ipv4_ends_the_session(self):
        conversation = bare_open(ipv6=True).hush()
        for number in range(60):
            conversation >> bytes.fromhex("ff03805701") + bytes((number,)) + bytes.fromhex("0006c802")
        conversation.hush()
        assert not conversation.wait(0.1).outputs
        for number in range(60):
            conversation >> bytes.fromhex("ff03802101") + bytes((number,)) + bytes.fromhex("0006c802")
        conversation.wait(5)
        assert conversation.outputs[-1].reason is EndReason.NEGOTIATION_FAILED

    def test_r180_no_ipv6_over_a_link_too_narrow_for_it(self):
        conversation = play(Link(bare(ipv6=True), pseudo_random(5)))
        request = conversation.frames.pop(0)
        conversation >> "[LCP ConfReq id=0x1 <mru 1283>]" >> request.replace("ConfReq", "ConfAck")
        assert conversation << "[LCP ConfAck *]" << "[IPCP ConfReq *]"

    def test_ipv6_goes_down_with_the_link(self):
        pair = Pair(server(ipv6=True), client(ipv6=True))
        pair.run(until=lambda: all(end.has(Ipv6Up) for end in pair.ends), limit=5)
        pair.take(pair.peer, pair.peer.link.close(EndReason.USER_REQUEST, pair.now))
        pair.run(until=pair.both_over, limit=10)
        assert pair.peer.has(Ipv6Down)
        assert pair.authenticator.has(Ipv6Down)

    def test_protocol_reject_of_what_we_never_spoke_is_ignored(self):
        conversation = opened() >> "[LCP ProtRej id=0x1 80 57]" >> "[LCP ProtRej id=0x2 12 34]"
        assert conversation >> "[LCP ProtRej id=0x3 c2 23]"
        assert not conversation.outputs

    def test_protocol_reject_of_the_agreed_authentication(self):
        conversation = lcp_open() >> "[LCP ProtRej id=0x1 c2 23]"
        conversation.wait(5)
        assert conversation.outputs[-1].reason is EndReason.AUTHENTICATION_UNSUITABLE
        before = lcp_open() >> "[LCP ProtRej id=0x1 80 57]"
        assert not before.outputs

    def test_looped_link(self):
        machine = link(client())
        conversation = Play(machine).do(machine.start)
        for _ in range(40):
            said, conversation.frames = conversation.frames, []
            for text in said:
                conversation >> text
        assert any(isinstance(o, LinkEnded) and o.reason is EndReason.LOOPED for o in conversation.wait(5).outputs)
        assert machine._lcp.state is not State.OPENED

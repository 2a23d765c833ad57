"""EAP at ends that speak none: whatever of it comes is dropped without a word and changes nothing (B-073 to B-077)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.play import Play, play
from tests.ppp.test_link import authenticated, lcp_open, link, network, opened
from tests.sim.ppp_pair import client

from openpptp.ppp.link import Phase
from openpptp.wire.ppp import Packet, Protocol, encode_frame

IDENTITY, NOTIFICATION, NAK, MD5, TLS, SRP, PEAP = 1, 2, 3, 4, 13, 19, 25
REQUEST, RESPONSE, SUCCESS, FAILURE = 1, 2, 3, 4

MALFORMED = {
    "b073 a request nobody asked for": Packet(REQUEST, 1, bytes((IDENTITY,))).encode(),
    "b073 success out of nothing": Packet(SUCCESS, 1).encode(),
    "b073 failure out of nothing": Packet(FAILURE, 1).encode(),
    "b074 md5 with a name of 1024 octets": Packet(REQUEST, 1, bytes((MD5, 16)) + bytes(16) + b"a" * 1024).encode(),
    "b074 srp with a name of 1024 octets": Packet(REQUEST, 1, bytes((SRP, 1)) + b"a" * 1024).encode(),
    "b074 an identity of 1400 octets": Packet(RESPONSE, 1, bytes((IDENTITY,)) + b"\xff" * 1400).encode(),
    "b075 length beyond the packet": bytes((REQUEST, 1, 0xFF, 0xFF, IDENTITY)),
    "b075 length below the header": bytes((REQUEST, 1, 0, 3, IDENTITY)),
    "b075 value size beyond the rest": Packet(REQUEST, 1, bytes((MD5, 255)) + bytes(16)).encode(),
    "b075 tls fragment that lies": Packet(REQUEST, 1, bytes((TLS, 0xC0)) + b"\xff\xff\xff\xff").encode(),
    "b075 peap fragment without its length": Packet(REQUEST, 1, bytes((PEAP, 0x80))).encode(),
    "b075 no type": Packet(REQUEST, 1).encode(),
    "b075 half a header": bytes((REQUEST, 1)),
    "b076 nak to an authenticator": Packet(RESPONSE, 1, bytes((NAK, MD5))).encode(),
    "b076 a request for a method unknown": Packet(REQUEST, 1, bytes((254,)) + bytes(20)).encode(),
}


def eap(information: bytes) -> bytes:
    return encode_frame(Protocol.EAP, information)


def establishing() -> Play:
    return play(link()).wait(0.2)


PHASES = {"establish": establishing, "authenticate": lcp_open, "network": network, "opened": opened}


class EapTests:
    @pytest.mark.parametrize("phase", PHASES)
    @pytest.mark.parametrize("name", MALFORMED)
    def test_b073_b074_b075_b076_nothing_of_it_is_answered_or_does_harm(self, name, phase):
        conversation = PHASES[phase]()
        before = conversation.machine.phase
        conversation.hush()
        assert conversation >> eap(MALFORMED[name])
        assert not conversation.outputs
        assert conversation.machine.phase is before

    def test_b073_a_log_in_goes_on_after_it(self):
        conversation = lcp_open()
        for information in MALFORMED.values():
            conversation >> eap(information)
        authenticated(conversation) << "[CHAP Success *]"
        assert conversation.machine.phase is Phase.NETWORK

    @given(st.lists(st.binary(max_size=64), max_size=20), st.sampled_from(list(PHASES)))
    def test_b076_b077_no_octets_of_it_are_answered(self, packets, phase):
        conversation = PHASES[phase]().hush()
        for information in packets:
            conversation >> eap(information)
        assert conversation
        assert not conversation.outputs

    def test_b076_a_peer_answers_a_request_for_eap_at_lcp_and_never_in_eap(self):
        conversation = play(link(client())) << "[LCP ConfReq id=0x1 *]"
        conversation >> "[LCP ConfReq id=0x0 <auth eap>]" << "[LCP ConfNak id=0x0 <auth chap MS-v2>]"
        assert conversation >> eap(MALFORMED["b073 a request nobody asked for"])

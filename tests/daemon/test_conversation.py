"""What is remembered of a negotiation, and the round trip."""

import pytest
from tests.notation import frame

from openpptp.daemon.conversation import FRAMES_REMEMBERED, OCTETS_REMEMBERED, Conversation, Conversations, Line

REQUEST = "[LCP EchoReq id=0x5 magic=0x1]"
REPLY = "[LCP EchoRep id=0x5 magic=0x1]"


class MemoryTests:
    def test_both_directions_in_order_as_pppd_writes_them(self):
        conversation = Conversation()
        conversation.received(frame("[LCP ConfReq id=0x1 <mru 1400>]"), 1.0)
        conversation.sent(frame("[LCP ConfAck id=0x1 <mru 1400>]"), 2.0)
        assert conversation.lines() == [
            Line(1.0, "rcvd", "[LCP ConfReq id=0x1 <mru 1400>]"),
            Line(2.0, "sent", "[LCP ConfAck id=0x1 <mru 1400>]"),
        ]

    def test_the_oldest_gives_way(self):
        conversation = Conversation()
        for number in range(FRAMES_REMEMBERED + 5):
            conversation.received(frame(f"[LCP TermReq id=0x{number:x}]"), float(number))
        assert [line.when for line in conversation.lines()] == [float(n) for n in range(5, FRAMES_REMEMBERED + 5)]

    def test_a_long_frame_is_cut(self):
        conversation = Conversation()
        conversation.received(b"\xff\x03\x80\x21\x01\x01\x05\x78" + bytes(1400), 1.0)
        ((_, _, told),) = conversation._frames
        assert len(told) == OCTETS_REMEMBERED
        assert conversation.lines()[0].packet.startswith("[IPCP]")

    @pytest.mark.parametrize("octets", [b"", b"\xff", b"\xff\x03", b"\xc0\x21", b"\xc0\x21\x09", bytes(3)])
    def test_any_octets_are_taken(self, octets):
        conversation = Conversation()
        conversation.received(octets, 1.0)
        assert len(conversation.lines()) == 1

    def test_each_call_has_its_own(self):
        conversations = Conversations()
        conversations.of(1).sent(frame("[LCP TermReq id=0x1]"), 1.0)
        assert (len(conversations.of(1).lines()), len(conversations.of(2).lines())) == (1, 0)


class RoundTripTests:
    """By our own LCP Echo-Requests, which are not remembered otherwise."""

    @pytest.mark.parametrize(
        ("said", "round_trip"),
        [
            ((("sent", REQUEST, 1.0), ("received", REPLY, 1.25)), 0.25),
            ((("sent", REQUEST, 1.0), ("sent", REQUEST, 2.0), ("received", REPLY, 2.25)), 0.25),
            ((("received", REPLY, 1.25),), None),
            ((("received", REQUEST, 1.0), ("sent", REPLY, 1.25)), None),
            ((("sent", REQUEST, 1.0), ("received", REPLY.replace("0x5", "0x6"), 1.25)), None),
            ((("sent", REQUEST, 1.0), ("received", REPLY, 1.25), ("received", REPLY, 9.0)), 0.25),
        ],
        ids=["answered", "asked_again", "unasked", "the_peers_own", "another_id", "answered_twice"],
    )
    def test_it_is_from_our_question_to_its_answer(self, said, round_trip):
        conversation = Conversation()
        for method, packet, when in said:
            getattr(conversation, method)(frame(packet), when)
        assert conversation.round_trip == round_trip
        assert conversation.lines() == []

"""What a witness writes down, from octets as they pass."""

import pytest
from tests.notation import frame

from openpptp.daemon.doctor.probe.methods import METHODS, OUR_METHOD, answer_of
from openpptp.daemon.doctor.probe.seen import CallSeen, Method
from openpptp.daemon.doctor.probe.witness import NOTHING_RECEIVED, Witness
from openpptp.wire.control import CallDisconnectNotify, OutgoingCallReply, StartControlConnectionReply

OURS, ITS = 0x1111, 0x2222
START = StartControlConnectionReply(0x0100, 1, host_name="local", vendor_name="linux")
PAP = METHODS[3]


class Scene:
    """One call, a second of which lies between two things that happen."""

    def __init__(self) -> None:
        self.now = 100.0
        self.seen = CallSeen(call_id=OURS)
        self.witness = Witness(self.seen, self.now)

    def reads(self, data: bytes) -> "Scene":
        self.now += 1
        self.witness.stream_received(data, self.now)
        return self

    def connected(self) -> "Scene":
        return self.reads(START.encode()).reads(OutgoingCallReply(ITS, OURS, 1).encode())

    def __lshift__(self, sent: str) -> "Scene":
        self.now += 1
        self.witness.gre_sent(frame(sent), self.now, taken=True)
        return self

    def __rshift__(self, heard: str) -> "Scene":
        return self.hears(heard)

    def hears(self, heard: str, acknowledgement: int | None = None) -> "Scene":
        self.now += 1
        self.witness.gre_received(acknowledgement, frame(heard) if heard else b"", 63, self.now)
        return self


class ControlTests:
    """The control connection."""

    def test_replies_and_when_they_came(self):
        seen = Scene().connected().seen
        assert (seen.start_reply, seen.start_after) == (START, 1.0)
        assert (seen.connected, seen.call_after) == (True, 2.0)

    def test_the_end_counts_from_the_calls_connection(self):
        scene = Scene().connected().reads(CallDisconnectNotify(ITS, 1).encode())
        assert (scene.seen.disconnect_after, scene.seen.hung_up_by_server) == (1.0, True)

    @pytest.mark.parametrize(
        ("named", "vendor", "translated"),
        [(ITS, "linux", False), (OURS, "linux", True), (OURS, "accel-ppp", None), (0x3333, "linux", None)],
    )
    def test_whose_call_id_the_end_names_tells_of_a_translator(self, named, vendor, translated):
        start = StartControlConnectionReply(0x0100, 1, vendor_name=vendor)
        scene = Scene().reads(start.encode()).reads(OutgoingCallReply(ITS, OURS, 1).encode())
        assert scene.seen.translated is None
        assert scene.reads(CallDisconnectNotify(named, 4).encode()).seen.translated is translated

    def test_what_is_no_pptp_is_kept_in_part(self):
        seen = Scene().reads(b"HTTP/1.1 400 Bad Request\r\n" + bytes(1000)).reads(bytes(1000)).seen
        assert seen.said.startswith(b"HTTP/1.1")
        assert len(seen.said) == 200

    def test_who_closed_the_stream(self):
        scene = Scene()
        scene.witness.stream_closed(101.0)
        assert scene.seen.closed_after == 1.0
        ours = Scene()
        ours.seen.hung_up = True
        ours.witness.stream_closed(101.0)
        assert ours.seen.closed_after is None


class GreTests:
    """GRE both ways."""

    def test_a_server_that_speaks_by_itself(self):
        gre = Scene().connected().hears("[LCP ConfReq id=0x1]").seen.gre
        assert (gre.received, gre.first_after, gre.time_to_live) == (1, 1.0, 63)
        assert (gre.spoke_unheard, gre.heard) == (True, False)

    def test_an_acknowledgement_shows_that_it_hears_us(self):
        gre = Scene().connected().hears("", 0).seen.gre
        assert (gre.spoke_unheard, gre.heard) == (False, True)

    def test_ciscos_acknowledgement_of_nothing_does_not(self):
        assert not Scene().connected().hears("[LCP ConfReq id=0x1]", NOTHING_RECEIVED).seen.gre.heard

    @pytest.mark.parametrize("answer", ["ConfAck id=0x1", "ConfNak id=0x1 <mru 1400>", "EchoRep id=0x1 magic=0x0"])
    def test_an_answer_does(self, answer):
        assert Scene().connected().hears(f"[LCP {answer}]").seen.gre.heard

    def test_packets_the_system_did_not_take(self):
        scene = Scene().connected()
        scene.witness.gre_sent(frame("[LCP ConfReq id=0x1]"), scene.now, taken=False)
        assert (scene.seen.gre.sent, scene.seen.gre.not_sent) == (0, 1)

    def test_octets_that_are_no_frame_count_and_tell_nothing(self):
        scene = Scene().connected()
        for octets in (b"\xff", b"\xff\x03\xc0", b"\xc0\x21\x01", b"\x80\xfd\x01\x01\x00\x06\x12\x01", b"\x00\x21abc"):
            scene.witness.gre_received(None, octets, 63, scene.now)
        assert scene.seen.gre.received == 5
        assert scene.seen.lcp.requests == 0


class LcpTests:
    """The link."""

    def test_it_is_open_when_both_have_acked(self):
        scene = Scene().connected()
        scene << "[LCP ConfReq id=0x1 <mru 1400>]" >> "[LCP ConfAck id=0x1 <mru 1400>]"
        scene >> "[LCP ConfReq id=0x7 <mru 1450> <auth chap MS-v2>]"
        assert scene.seen.lcp.opened_after is None
        scene << "[LCP ConfAck id=0x7 <mru 1450> <auth chap MS-v2>]"
        lcp = scene.seen.lcp
        assert (lcp.opened_after, lcp.peer_mru, lcp.demanded) == (4.0, 1450, [OUR_METHOD])

    def test_a_new_request_of_the_server_must_be_acked_again(self):
        scene = Scene().connected() << "[LCP ConfAck id=0x7]"
        scene >> "[LCP ConfReq id=0x8]" >> "[LCP ConfAck id=0x1]"
        assert scene.seen.lcp.opened_after is None

    def test_what_ends_it(self):
        scene = Scene().connected() >> "[LCP ConfReq id=0x1]"
        scene.witness.gre_received(None, bytes.fromhex("ff03c0210502000f") + b"go away now", 63, scene.now)
        assert scene.seen.lcp.ended == "the peer ended the session: go away now"
        assert not scene.seen.lcp.answered_by_end


class MethodTests:
    """What the server says when another method is suggested."""

    def suggested(self) -> Scene:
        scene = Scene().connected() >> "[LCP ConfReq id=0x1 <auth chap MS-v2>]"
        return scene << "[LCP ConfNak id=0x1 <auth pap>]"

    def test_it_asks_for_that_then(self):
        assert answer_of((self.suggested() >> "[LCP ConfReq id=0x2 <auth pap>]").seen, PAP) is Method.TAKEN

    @pytest.mark.parametrize("request_", ["[LCP ConfReq id=0x2 <auth chap MS-v2>]", "[LCP ConfReq id=0x2 <mru 1400>]"])
    def test_it_asks_for_another_or_none(self, request_):
        assert answer_of((self.suggested() >> request_).seen, PAP) is Method.REFUSED

    def test_it_repeats_itself_since_our_packet_was_lost(self):
        scene = self.suggested() >> "[LCP ConfReq id=0x1 <auth chap MS-v2>]"
        assert answer_of(scene.seen, PAP) is Method.UNKNOWN

    def test_it_ends_the_link(self):
        assert answer_of((self.suggested() >> '[LCP TermReq id=0x3 "no"]').seen, PAP) is Method.REFUSED

    def test_it_asked_for_that_by_itself(self):
        assert answer_of((Scene().connected() >> "[LCP ConfReq id=0x1 <auth pap>]").seen, PAP) is Method.TAKEN


class LoginTests:
    """The log-in."""

    def test_a_success(self):
        scene = Scene().connected()
        scene.witness.gre_sent(bytes.fromhex("ff03c22302010004"), scene.now, taken=True)
        scene.witness.gre_received(None, bytes.fromhex("c22303010004"), 63, scene.now)
        assert (scene.seen.login.proved, scene.seen.login.let_in) == (True, True)

    def test_the_first_failure_in_words(self):
        scene = Scene().connected()
        for text in (b"E=691 R=0 C=00 V=3 M=no", b"E=647 R=0 C=00 V=3 M=no"):
            failure = b"\xc2\x23\x04\x01" + (4 + len(text)).to_bytes(2, "big") + text
            scene.witness.gre_received(None, failure, 63, scene.now)
        assert "691" in scene.seen.login.failure

    def test_the_encryption_the_server_asks_for(self):
        scene = Scene().connected() >> "[CCP ConfReq id=0x1 <mppe +H -M -S +L -D -C>]"
        assert scene.seen.login.offered == [0x01000020]

    def test_a_server_that_refuses_it(self):
        for refusal in ("ff0380fd04010010120601000040", "ff03c0210801000680fd"):
            scene = Scene().connected()
            scene.witness.gre_received(None, _padded(bytes.fromhex(refusal)), 63, scene.now)
            assert scene.seen.login.rejects_encryption


def _padded(frame_: bytes) -> bytes:
    """Set the Length of the packet in a frame."""
    return frame_[:6] + (len(frame_) - 4).to_bytes(2, "big") + frame_[8:]

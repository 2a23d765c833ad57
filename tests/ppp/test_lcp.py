"""LCP's options and codes, told as conversations."""

import pytest
from tests.play import play
from tests.sim.ppp_pair import client, pseudo_random, server

from openpptp.credentials import AuthMethod
from openpptp.errors import EndReason
from openpptp.ppp.automaton import LayerDown, LayerUp, Send
from openpptp.ppp.fsm import State
from openpptp.ppp.lcp import ECHO_BURST, ECHO_RATE, MAX_PROTOCOL_REJECTS, Lcp, ProtocolRejected, describe_termination
from openpptp.ppp.lcp_options import MagicNumber
from openpptp.ppp.outputs import LinkOpened
from openpptp.wire.ppp import Code, Packet

ASK = "[LCP ConfReq id=0x1 <mru 1400> <auth chap MS-v2> <magic *> <pcomp> <accomp>]"


def lcp(settings=None, end="server"):
    return Lcp(settings or server(), pseudo_random(7), end)


def asked(settings=None, end="server"):
    """Return a conversation in which our request is out."""
    return play(lcp(settings, end)).hush()


def opened(settings=None):
    """Return a conversation with LCP open and, of ours, only the magic number agreed on."""
    conversation = asked(settings or server(authenticate_peer=(), mru=1500))
    machine = conversation.machine
    data = machine._negotiation.ask()
    machine.receive(Packet(Code.CONFIGURE_ACK, 1, data), 0.0)
    conversation >> "[LCP ConfReq id=0x1 <magic 0x12345678>]"
    assert machine.state is State.OPENED
    return conversation.hush()


class ConfigureRequestTests:
    """5.1. Configure-Request."""

    def test_we_ask_for_all_we_want_at_once(self):
        assert play(lcp()) << ASK

    def test_r072_default_mru_is_not_asked_for(self):
        assert play(lcp(client(mru=1500))) << "[LCP ConfReq id=0x1 <magic *> <pcomp> <accomp>]"

    def test_unknown_options_are_rejected_alone(self):
        assert (
            asked() >> "[LCP ConfReq id=0x4 <mru 100> <callback CBCP> <mrru 1614> <endpoint [local:01]> <pcomp>]"
            << "[LCP ConfRej id=0x4 <callback CBCP> <mrru 1614> <endpoint [local:01]>]"
        )  # fmt: skip

    def test_b092_b093_windows_and_rras_extras_are_rejected(self):
        extras = b"\x0d\x03\x06\x11\x04\x06\x4e\x13\x04\x01\xaa\x17\x04\x00\x01"
        heard = b"\xff\x03\xc0\x21\x01\x05" + (4 + len(extras)).to_bytes(2, "big") + extras
        conversation = asked() >> heard
        assert conversation << "[LCP ConfRej id=0x5 <callback CBCP> <mrru 1614>*>]"

    def test_all_that_suits_is_acked_in_order_to_the_octet(self):
        wish = "<accomp> <magic 0x1020304> <asyncmap 0xa0000> <pcomp> <mru 1500>"
        assert asked() >> f"[LCP ConfReq id=0x9 {wish}]" << f"[LCP ConfAck id=0x9 {wish}]"

    @pytest.mark.parametrize("mru", [128, 576, 1400, 1450, 1500, 65535])
    def test_q47_any_mru_from_128_is_taken(self, mru):
        assert asked() >> f"[LCP ConfReq id=0x9 <mru {mru}>]" << f"[LCP ConfAck id=0x9 <mru {mru}>]"

    @pytest.mark.parametrize("mru", [0, 127])
    def test_smaller_mru_is_nakked(self, mru):
        assert asked() >> f"[LCP ConfReq id=0x9 <mru {mru}>]" << "[LCP ConfNak id=0x9 <mru 128>]"

    @pytest.mark.parametrize(
        ("option", "answer"),
        [
            (b"\x01\x03\x05", "[LCP ConfNak id=0x1 <mru 1500>]"),
            (b"\x02\x03\x05", "[LCP ConfNak id=0x1 <asyncmap 0x0>]"),
            (b"\x05\x05\x01\x02\x03", "[LCP ConfNak id=0x1 <magic *>]"),
            (b"\x07\x03\x01", "[LCP ConfRej id=0x1 *]"),
        ],
    )
    def test_b061_right_type_with_wrong_length(self, option, answer):
        packet = Packet(Code.CONFIGURE_REQUEST, 1, option).encode()
        assert asked() >> b"\xff\x03\xc0\x21" + packet << answer

    @pytest.mark.parametrize("octets", [b"\x01\x00", b"\x01\x01", b"\x01", b"\x01\x05\x05\xdc"])
    def test_b061_impossible_option_length_drops_the_packet(self, octets):
        assert asked() >> b"\xff\x03\xc0\x21" + Packet(Code.CONFIGURE_REQUEST, 1, octets).encode()

    def test_b062_option_twice_the_first_counts(self):
        conversation = opened()
        conversation >> "[LCP ConfReq id=0x9 <mru 1000> <mru 600>]"
        conversation.machine.receive(Packet(2, 2, conversation.machine._negotiation.ask()), 0.0)
        assert conversation.machine.agreed().peer_mru == 1000

    def test_b062_option_a_hundred_times_is_dropped(self):
        options = b"\x01\x04\x05\x78" * 100
        assert asked() >> b"\xff\x03\xc0\x21" + Packet(Code.CONFIGURE_REQUEST, 1, options).encode()

    def test_q46_asyncmap_is_acked_and_never_asked(self):
        assert asked() >> "[LCP ConfReq id=0x9 <asyncmap 0x0>]" << "[LCP ConfAck id=0x9 <asyncmap 0x0>]"


class ConfigureAnswersTests:
    """5.3 and 5.4. What the peer does not like is not asked again."""

    def test_r077_rejected_options_are_left_out(self):
        conversation = play(lcp(client()))
        conversation.hush()
        data = conversation.machine._negotiation.ask()
        magic = data[4:10]
        reject = Packet(Code.CONFIGURE_REJECT, 1, b"\x01\x04\x05\x78" + magic + b"\x07\x02\x08\x02").encode()
        assert conversation >> b"\xff\x03\xc0\x21" + reject << "[LCP ConfReq id=0x2]"

    @pytest.mark.parametrize(("suggested", "next_mru"), [(1000, "<mru 1000> "), (1500, ""), (64, "<mru 1400> ")])
    def test_suggested_mru(self, suggested, next_mru):
        assert (
            asked(client()) >> f"[LCP ConfNak id=0x1 <mru {suggested}>]"
            << f"[LCP ConfReq id=0x2 {next_mru}<magic *> <pcomp> <accomp>]"
        )  # fmt: skip

    def test_nakked_boolean_is_left_out(self):
        conversation = asked(client())
        nak = Packet(Code.CONFIGURE_NAK, 1, b"\x07\x02\x08\x02").encode()
        assert conversation >> b"\xff\x03\xc0\x21" + nak << "[LCP ConfReq id=0x2 <mru 1400> <magic *>]"


class AuthenticationProtocolTests:
    """6.2. Authentication-Protocol."""

    def test_next_allowed_method_the_peer_names_is_tried(self):
        settings = server(authenticate_peer=(AuthMethod.MSCHAP_V2, AuthMethod.CHAP_MD5))
        assert (
            asked(settings) >> "[LCP ConfNak id=0x1 <auth chap MD5>]"
            << "[LCP ConfReq id=0x2 <mru 1400> <auth chap MD5> <magic *> <pcomp> <accomp>]"
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("offered", "name"), [("pap", "PAP"), ("chap MD5", "CHAP-MD5"), ("chap MS", "MS-CHAPv1"), ("eap", "EAP")]
    )
    def test_b082_nothing_outside_the_list_is_agreed_to(self, offered, name):
        conversation = asked() >> f"[LCP ConfNak id=0x1 <auth {offered}>]"
        assert conversation.violation.reason is EndReason.AUTHENTICATION_UNSUITABLE
        assert str(conversation.violation) == f"the client offers only {name}; this server requires MS-CHAPv2"

    def test_b082_peer_that_will_not_authenticate(self):
        conversation = asked() >> "[LCP ConfRej id=0x1 <auth chap MS-v2>]"
        assert str(conversation.violation) == "the client refuses to prove who it is; this server requires MS-CHAPv2"

    def test_q41_eap_is_nakked_with_our_first_method(self):
        assert (
            asked(client(), "client") >> "[LCP ConfReq id=0x1 <auth eap>]" << "[LCP ConfNak id=0x1 <auth chap MS-v2>]"
        )

    def test_server_that_insists(self):
        conversation = asked(client(), "client")
        for number in range(1, 6):
            (
                conversation
                >> f"[LCP ConfReq id={number:#x} <auth pap>]"
                << f"[LCP ConfNak id={number:#x} <auth chap MS-v2>]"
            )
        conversation >> "[LCP ConfReq id=0x6 <auth pap>]"
        assert str(conversation.violation) == "the server requires PAP; this client answers only MS-CHAPv2"
        assert conversation

    def test_without_a_password_we_do_not_authenticate(self):
        conversation = asked(client(our_password=None), "client")
        for number in range(1, 6):
            conversation >> f"[LCP ConfReq id={number:#x} <auth pap>]" << f"[LCP ConfRej id={number:#x} <auth pap>]"
        conversation >> "[LCP ConfReq id=0x6 <auth pap>]"
        assert str(conversation.violation) == "the server requires PAP; this client has no password to answer with"

    def test_who_only_asks_what_would_do_suggests_it_without_a_password(self):
        asking = client(our_password=None, suggest=bytes.fromhex("c227"))
        assert asked(asking, "client") >> "[LCP ConfReq id=0x1 <auth pap>]" << "[LCP ConfNak id=0x1 <auth eap>]"


class MagicNumberTests:
    """6.4. Magic-Number."""

    def test_r087_zero_is_nakked(self):
        assert asked() >> "[LCP ConfReq id=0x1 <magic 0x0>]" << "[LCP ConfNak id=0x1 <magic *>]"

    def test_ours_is_never_zero(self):
        octets = iter([bytes(4), b"\0\0\0\1"])
        assert MagicNumber(lambda _: next(octets)).ask() == b"\0\0\0\1"

    def test_b071_our_own_requests_coming_back(self):
        machine = lcp(client())
        conversation = play(machine)
        for number in range(20):
            if conversation.violation is None:
                for packet in [Packet(Code.CONFIGURE_REQUEST, number, machine._negotiation.ask())]:
                    conversation >> b"\xff\x03\xc0\x21" + packet.encode()
        assert conversation.violation.reason is EndReason.LOOPED

    def test_b071_echo_with_our_number(self):
        conversation = opened()
        own = conversation.machine._our_magic()
        for number in range(4):
            conversation >> b"\xff\x03\xc0\x21" + Packet(Code.ECHO_REQUEST, number, own).encode()
        assert conversation.violation.reason is EndReason.LOOPED
        assert conversation


class EchoTests:
    """5.8. Echo-Request and Echo-Reply."""

    def test_r082_reply_has_our_number_and_their_data(self):
        conversation = opened()
        magic = int.from_bytes(conversation.machine._our_magic(), "big")
        assert (
            conversation >> "[LCP EchoReq id=0x7 magic=0x12345678 61 62]"
            << f"[LCP EchoRep id=0x7 magic={magic:#x} 61 62]"
        )  # fmt: skip

    def test_r082_no_reply_before_opened(self):
        assert asked() >> "[LCP EchoReq id=0x7 magic=0x0]"

    def test_b064_reply_is_cut_to_the_peers_mru(self):
        conversation = opened()
        conversation >> "[LCP ConfReq id=0x2 <mru 128>]"
        machine = conversation.machine
        machine.receive(Packet(Code.CONFIGURE_ACK, 2, machine._negotiation.ask()), 0.0)
        (send,) = machine.receive(Packet(Code.ECHO_REQUEST, 1, bytes(1400)), 0.0)
        assert len(send.packet.encode()) == 128

    def test_p17_a_flood_is_answered_seldom(self):
        machine = opened().machine
        answers = [
            machine.receive(Packet(Code.ECHO_REQUEST, 1, bytes(4)), 10.0 + number / 10_000) for number in range(10_000)
        ]
        assert sum(map(len, answers)) == ECHO_BURST + ECHO_RATE - 1
        assert machine.receive(Packet(Code.ECHO_REQUEST, 1, bytes(4)), 12.0)

    def test_echo_without_magic_is_dropped(self):
        assert opened() >> b"\xff\x03\xc0\x21" + Packet(Code.ECHO_REQUEST, 1, b"ab").encode()

    def test_r088_ours_carries_our_number_each_interval(self):
        conversation = opened(server(authenticate_peer=(), mru=1500, echo_interval=5.0))
        magic = int.from_bytes(conversation.machine._our_magic(), "big")
        assert conversation.wait(4.9)
        assert conversation.wait(0.2) << f"[LCP EchoReq id=0x2 magic={magic:#x}]"

    def test_replies_keep_the_link(self):
        conversation = opened(server(authenticate_peer=(), mru=1500, echo_interval=5.0))
        for number in range(2, 12):
            conversation.wait(5.0) >> f"[LCP EchoRep id={number:#x} magic=0x12345678]" << "[LCP EchoReq *]"
        assert conversation.violation is None

    def test_silence_ends_the_session(self):
        conversation = opened(server(authenticate_peer=(), mru=1500, echo_interval=5.0, echo_failures=3)).wait(100)
        assert conversation.violation.reason is EndReason.PEER_SILENT
        assert len(conversation.frames) == 3

    def test_no_interval_no_echo(self):
        assert opened(server(authenticate_peer=(), mru=1500, echo_interval=0)).wait(1000)

    def test_peer_that_knows_no_echo_is_left_alone(self):
        conversation = opened(server(authenticate_peer=(), mru=1500, echo_interval=5.0)).wait(5) << "[LCP EchoReq *]"
        assert (conversation >> "[LCP CodeRej id=0x1 09 02 00 08]").wait(1000)


class OtherCodesTests:
    """5.6, 5.7, 5.9 and RFC 1570."""

    @pytest.mark.parametrize("code", [11, 12, 13])
    def test_q43_identification_time_remaining_and_discard_are_taken_in_silence(self, code):
        assert opened() >> b"\xff\x03\xc0\x21" + Packet(code, 1, b"\0\0\0\0MSRASV5.20").encode()

    @pytest.mark.parametrize("code", [0, 14, 15, 255])
    def test_b070_unknown_codes_are_rejected(self, code):
        assert opened() >> b"\xff\x03\xc0\x21" + Packet(code, 1, b"").encode() << "[LCP CodeRej *]"

    def test_b068_protocol_reject_of_lcp_ends_the_link(self):
        conversation = opened() >> "[LCP ProtRej id=0x1 c0 21]"
        assert conversation.told(LayerDown) << "[LCP TermReq *]"

    def test_b069_protocol_reject_names_the_protocol(self):
        assert (opened() >> "[LCP ProtRej id=0x1 80 57 01]").told(ProtocolRejected(0x8057))

    def test_b069_protocol_reject_before_opened_or_cut_is_dropped(self):
        assert not (asked() >> "[LCP ProtRej id=0x1 80 57]").outputs
        assert not (opened() >> "[LCP ProtRej id=0x1 80]").outputs

    def test_r081_unknown_protocols_are_rejected_once_a_while_and_not_for_ever(self):
        machine = opened().machine
        assert machine.reject_protocol(0x8057, b"\x01\x05", 0.0)[0].packet.data == b"\x80\x57\x01\x05"
        assert machine.reject_protocol(0x8057, b"", 9.0) == []
        assert machine.reject_protocol(0x8057, b"", 11.0) != []
        rejected = [machine.reject_protocol(0x8001 + 2 * n, bytes(3000), 12.0) for n in range(100)]
        assert sum(map(len, rejected)) == MAX_PROTOCOL_REJECTS - 1
        assert len(rejected[0][0].packet.encode()) <= 1500

    def test_what_was_agreed_is_told(self):
        conversation = opened() >> "[LCP ConfReq id=0x2 <mru 1450> <pcomp> <accomp>]"
        machine = conversation.machine
        conversation.do(lambda now: machine.receive(Packet(2, 2, machine._negotiation.ask()), now))
        assert conversation.told(LayerDown).told(LayerUp) << "[LCP ConfReq id=0x2 *]" << "[LCP ConfAck id=0x2 *]"
        assert machine.agreed() == LinkOpened(1450, compress_address_control=True, compress_protocol=True)


class TerminateRequestTests:
    """5.5. What the peer says when it ends."""

    MARK = b"\x12\x34\x56\x78\x00\x3c\xcd\x74"

    @pytest.mark.parametrize(
        ("data", "reason", "words"),
        [
            (b"", EndReason.PEER_REQUEST, ""),
            (MARK + b"\0\0\0\0", EndReason.PEER_REQUEST, ""),
            (
                MARK + b"\0\0\x03\x97",
                EndReason.AUTHENTICATION_UNSUITABLE,
                ": Windows error 919, the other side refused to be authenticated",
            ),
            (MARK + b"\0\0\0\x05", EndReason.PEER_REQUEST, ": Windows error 5"),
            (b"MPPE required but not possible\0", EndReason.PEER_REQUEST, ": MPPE required but not possible"),
            (b"a\x1b[31mb\xff", EndReason.PEER_REQUEST, ": a?[31mb\ufffd"),
        ],
    )
    def test_q44_text_and_windows_errors(self, data, reason, words):
        assert describe_termination(data) == (reason, "the peer ended the session" + words)

    def test_b063_a_text_without_end_is_cut_both_ways(self):
        _, said = describe_termination(b"a" * 3000)
        assert len(said) < 300
        conversation = opened()
        conversation.machine.terminate_text = b"b" * 3000
        (packet,) = [o.packet for o in conversation.machine.close(0.0) if isinstance(o, Send)]
        assert len(packet.encode()) <= 1500

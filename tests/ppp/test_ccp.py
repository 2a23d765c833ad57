"""MPPE's option judged and asked, resets and their limits."""

import pytest
from tests.play import play

from openpptp.credentials import Encryption, MppeStartKeys
from openpptp.errors import EndReason
from openpptp.ppp.automaton import LayerUp
from openpptp.ppp.ccp import EXCESS_RESETS, RESETS_PER_SECOND, Ccp
from openpptp.ppp.fsm import State
from openpptp.ppp.outputs import EncryptionFlush
from openpptp.ppp.settings import EncryptionPolicy
from openpptp.wire.ppp import CcpOption, Code, Option, Packet, encode_options

KEYS = MppeStartKeys(b"S" * 16, b"R" * 16, b"s" * 8, b"r" * 8)
ALL = frozenset({40, 56, 128})
STATELESS_128, STATEFUL_128 = 0x01000040, 0x00000040


def ccp(**policy):
    return Ccp(EncryptionPolicy(**policy), KEYS, "server")


def request(bits, code=Code.CONFIGURE_REQUEST, identifier=1):
    """Return a frame with the MPPE option, whatever bits it has."""
    options = encode_options([Option(CcpOption.MPPE, bits.to_bytes(4, "big"))])
    return b"\xff\x03\x80\xfd" + Packet(code, identifier, options).encode()


def answer_to(bits, **policy):
    """Return code and bits of our answer to one request."""
    machine = ccp(**policy)
    machine.open(0.0)
    machine.up(0.0)
    (send,) = machine.receive(Packet(Code.CONFIGURE_REQUEST, 1, b"\x12\x06" + bits.to_bytes(4, "big")), 0.0)
    return Code(send.packet.code), int.from_bytes(send.packet.data[2:6], "big")


def first_request(**policy):
    """Return the bits we ask for."""
    machine = ccp(**policy)
    machine.open(0.0)
    return int.from_bytes(machine.up(0.0)[0].packet.data[2:6], "big")


def opened(theirs=STATELESS_128, **policy):
    """Return a conversation with CCP open."""
    conversation = play(ccp(**policy))
    machine = conversation.machine
    data = machine._negotiation.ask()
    conversation >> b"\xff\x03\x80\xfd" + Packet(Code.CONFIGURE_ACK, 1, data).encode()
    conversation >> request(theirs)
    assert machine.state is State.OPENED
    return conversation.told(LayerUp).hush()


class SupportedBitsTests:
    """RFC 3078 section 2. Configuration Option Format."""

    @pytest.mark.parametrize(
        ("policy", "bits"),
        [
            ({}, STATELESS_128),
            ({"key_bits": ALL}, 0x010000E0),
            ({"key_bits": frozenset({40})}, 0x01000020),
            ({"stateful": True}, STATELESS_128),
            ({"stateful": True, "prefer_stateful": True}, STATEFUL_128),
            ({"prefer_stateful": True}, STATELESS_128),
        ],
    )
    def test_r202_we_offer_all_we_allow(self, policy, bits):
        assert first_request(**policy) == bits

    @pytest.mark.parametrize("bits", [STATELESS_128])
    def test_q60_exactly_what_we_allow_is_acked(self, bits):
        assert answer_to(bits) == (Code.CONFIGURE_ACK, bits)

    @pytest.mark.parametrize(
        "bits",
        [
            0x00000000,  # B-108, Archer C9
            0x01000000,  # B-108, Windows with optional encryption
            0x010000E1,  # Windows XP
            0x01000031,  # Windows 98
            0x01000041,  # RRAS; B-107 bit C
            0x01000050,  # B-107 bit D
            0x010000C0,  # bit M beside
            0x00000040,  # stateful
            0x01000020,  # 40 bit only
            0x81000040,  # unknown bits
            0xFFFFFFFF,
        ],
    )
    def test_b107_b108_all_else_is_nakked_with_one_value(self, bits):
        assert answer_to(bits) == (Code.CONFIGURE_NAK, STATELESS_128)

    @pytest.mark.parametrize(
        ("bits", "answer"),
        [
            (0x010000E0, 0x01000040),
            (0x010000A0, 0x01000080),
            (0x01000021, 0x01000020),
            (0x000000A0, 0x01000080),
        ],
    )
    def test_r202_responder_names_the_strongest_both_know(self, bits, answer):
        assert answer_to(bits, key_bits=ALL) == (Code.CONFIGURE_NAK, answer)

    def test_stateful_where_the_peer_insists_and_it_is_allowed(self):
        assert answer_to(STATEFUL_128, stateful=True) == (Code.CONFIGURE_ACK, STATEFUL_128)

    def test_wrong_length_is_nakked(self):
        conversation = play(ccp()).hush() >> b"\xff\x03\x80\xfd" + Packet(1, 1, b"\x12\x05\0\0\0").encode()
        assert conversation << "[CCP ConfNak id=0x1 <mppe +H -M +S -L -D -C>]"

    def test_mppe_off_is_rejected(self):
        assert answer_to(STATELESS_128, enabled=False)[0] is Code.CONFIGURE_REJECT

    def test_b109_other_compressors_are_rejected_before_mppe_is_nakked(self):
        options = b"\x1a\x04\x78\x00\x18\x04\x78\x00\x15\x03\x2f\x12\x06\x01\x00\x00\x41"
        conversation = play(ccp()).hush() >> b"\xff\x03\x80\xfd" + Packet(1, 1, options).encode()
        assert conversation << "[CCP ConfRej id=0x1 <deflate 15> <deflate(old#) 15> <bsd v1 15>]"

    def test_peer_that_names_no_mppe_is_told_five_times_and_then_left(self):
        conversation = play(ccp()).hush()
        for number in range(1, 6):
            conversation >> f"[CCP ConfReq id={number:#x}]" << f"[CCP ConfNak id={number:#x} <mppe +H -M +S -L -D -C>]"
        conversation >> "[CCP ConfReq id=0x6]"
        assert conversation.violation.reason is EndReason.ENCRYPTION_UNSUITABLE
        assert str(conversation.violation) == "the client offers no encryption; this server requires MPPE 128 bit"

    def test_b065_peer_that_keeps_40_bits(self):
        conversation = play(ccp()).hush()
        for number in range(1, 7):
            conversation >> request(0x01000020, identifier=number)
        assert str(conversation.violation) == "the client offers MPPE 40 bit; this server requires MPPE 128 bit"

    def test_b065_archer_c9_that_keeps_asking_for_nothing(self):
        conversation = play(ccp()).hush()
        for number in range(1, 7):
            conversation >> request(0, identifier=number)
        assert str(conversation.violation) == "the client offers no encryption; this server requires MPPE 128 bit"

    def test_peer_may_name_no_mppe_where_it_is_not_required(self):
        assert play(ccp(required=False)).hush() >> "[CCP ConfReq id=0x1]" << "[CCP ConfAck id=0x1]"


class KeysTests:
    """What is known of the password may be good for 128 bit only (RFC 3079 section 2.1)."""

    def test_no_shorter_length_is_offered_then(self):
        machine = Ccp(EncryptionPolicy(key_bits=ALL), MppeStartKeys(b"S" * 16, b"R" * 16, b"", b""), "server")
        machine.open(0.0)
        assert int.from_bytes(machine.up(0.0)[0].packet.data[2:6], "big") == STATELESS_128


class AnswersTests:
    """RFC 1962 section 4: what the peer says to our request."""

    def test_r194_suggested_strength_is_taken(self):
        conversation = play(ccp(key_bits=ALL)).hush() >> request(0x01000020, Code.CONFIGURE_NAK)
        assert conversation << "[CCP ConfReq id=0x2 <mppe +H -M -S +L -D -C>]"

    def test_stateful_suggestion_is_taken_only_where_allowed(self):
        refusing = play(ccp()).hush() >> request(STATEFUL_128, Code.CONFIGURE_NAK)
        assert refusing << "[CCP ConfReq id=0x2 <mppe +H -M +S -L -D -C>]"
        allowing = play(ccp(stateful=True)).hush() >> request(STATEFUL_128, Code.CONFIGURE_NAK)
        assert allowing << "[CCP ConfReq id=0x2 <mppe -H -M +S -L -D -C>]"

    @pytest.mark.parametrize(
        ("bits", "offer"), [(0x01000020, "MPPE 40 bit"), (0x010000A0, "MPPE 56 or 40 bit"), (0, "no encryption")]
    )
    def test_b082_weaker_suggestion_ends_the_session_in_words(self, bits, offer):
        conversation = play(ccp()) >> request(bits, Code.CONFIGURE_NAK)
        assert conversation.violation.reason is EndReason.ENCRYPTION_UNSUITABLE
        assert str(conversation.violation) == f"the client offers {offer}; this server requires MPPE 128 bit"

    def test_weaker_suggestion_where_encryption_is_not_required(self):
        conversation = play(ccp(required=False)).hush() >> request(0x01000020, Code.CONFIGURE_NAK)
        assert conversation << "[CCP ConfReq id=0x2]"

    def test_reject_ends_the_session_in_words(self):
        conversation = play(ccp()) >> request(STATELESS_128, Code.CONFIGURE_REJECT)
        assert str(conversation.violation) == "the client offers no encryption; this server requires MPPE 128 bit"

    def test_reject_where_encryption_is_not_required(self):
        conversation = play(ccp(required=False)).hush() >> request(STATELESS_128, Code.CONFIGURE_REJECT)
        assert conversation << "[CCP ConfReq id=0x2]"
        conversation >> request(STATELESS_128) << "[CCP ConfRej id=0x1 <mppe +H -M +S -L -D -C>]"
        conversation >> "[CCP ConfReq id=0x2]" << "[CCP ConfAck id=0x2]" >> "[CCP ConfAck id=0x2]"
        assert conversation.told(LayerUp).machine.agreed() is None


class DirectionTests:
    """RFC 1962 section 4: an option says what its sender can decompress."""

    def test_r195_our_option_governs_receiving_and_theirs_sending(self):
        machine = opened(theirs=STATEFUL_128, stateful=True).machine
        assert machine.agreed() == (
            Encryption(b"S" * 16, 128, stateful=True),
            Encryption(b"R" * 16, 128, stateful=False),
        )

    def test_short_keys_for_40_bits(self):
        machine = opened(theirs=0x01000020, key_bits=frozenset({40})).machine
        assert machine.agreed() == (Encryption(b"s" * 8, 40, stateful=False), Encryption(b"r" * 8, 40, stateful=False))

    def test_strengths_may_differ_by_direction(self):
        machine = opened(theirs=0x01000080, key_bits=ALL).machine
        assert [encryption.key_bits for encryption in machine.agreed()] == [56, 128]


class RepetitionTests:
    """Finding 17: a request repeated too soon makes pppd give up MPPE."""

    def test_no_request_is_repeated_within_a_second(self):
        conversation = play(ccp()).hush()
        assert conversation.wait(0.99)
        assert conversation.wait(0.02) << "[CCP ConfReq id=0x1 *]"
        assert conversation.wait(1.9)

    def test_request_repeated_after_ccp_is_open_does_not_end_it(self):
        conversation = opened() >> request(STATELESS_128)
        assert conversation << "[CCP ConfAck id=0x1 *]"
        assert conversation.machine.state is State.OPENED

    def test_new_request_after_ccp_is_open_negotiates_anew(self):
        conversation = opened() >> request(STATELESS_128, identifier=2)
        assert conversation << "[CCP ConfReq id=0x2 *]" << "[CCP ConfAck id=0x2 *]"
        assert conversation.machine.state is State.ACK_SENT


class ResetTests:
    """RFC 1962 section 3.1 and RFC 3078 section 8.2."""

    def test_r217_reset_request_makes_the_next_packet_flushed(self):
        conversation = opened(theirs=STATEFUL_128, stateful=True) >> "[CCP ResetReq id=0x5]"
        assert conversation.told(EncryptionFlush)

    def test_stateless_needs_no_flush(self):
        conversation = opened() >> "[CCP ResetReq id=0x5]"
        assert not conversation.outputs
        assert conversation

    def test_b104_b105_resets_are_capped_and_then_end_the_session(self):
        conversation = opened(theirs=STATEFUL_128, stateful=True)
        for _ in range(RESETS_PER_SECOND + EXCESS_RESETS - 1):
            conversation >> "[CCP ResetReq id=0x5]"
        assert len(conversation.outputs) == RESETS_PER_SECOND
        conversation >> "[CCP ResetReq id=0x5]"
        assert conversation.violation.reason is EndReason.FLOODED

    def test_resets_now_and_then_are_answered(self):
        conversation = opened(theirs=STATEFUL_128, stateful=True)
        for _ in range(200):
            conversation.wait(0.5) >> "[CCP ResetReq id=0x5]"
        assert len(conversation.outputs) == 200

    def test_r216_our_request_has_no_data_and_is_not_repeated_at_once(self):
        conversation = opened()
        conversation.do(conversation.machine.request_reset) << "[CCP ResetReq id=0x2]"
        assert conversation.do(conversation.machine.request_reset)
        conversation.now = 0.2
        assert conversation.do(conversation.machine.request_reset) << "[CCP ResetReq id=0x3]"

    def test_reset_before_opened_is_nothing(self):
        conversation = play(ccp()).hush()
        assert conversation.do(conversation.machine.request_reset) >> "[CCP ResetReq id=0x5]"

    def test_reset_ack_is_taken_in_silence_and_unknown_codes_are_not(self):
        assert opened() >> "[CCP ResetAck id=0x5]"
        assert opened() >> b"\xff\x03\x80\xfd" + Packet(9, 1, b"").encode() << "[CCP CodeRej *]"

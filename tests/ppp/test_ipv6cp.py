"""Interface identifiers."""

from tests.play import play
from tests.sim.ppp_pair import pseudo_random

from openpptp.ppp.automaton import LayerUp
from openpptp.ppp.ipv6cp import Ipv6cp, random_identifier
from openpptp.wire.ppp import Code, Packet

THEIRS = b"\x00\x11\x22\x33\x44\x55\x66\x77"


def asked():
    conversation = play(Ipv6cp(pseudo_random(3)))
    return conversation.hush()


def wish(value, code=Code.CONFIGURE_REQUEST, identifier=1):
    option = b"\x01" + bytes((len(value) + 2,)) + value
    return b"\xff\x03\x80\x57" + Packet(code, identifier, option).encode()


def own(conversation):
    """Return the identifier we ask for."""
    return conversation.machine._negotiation.ask()[2:]


def answer(conversation):
    """Return code and identifier of our answer to a request."""
    packet = conversation.machine._answer
    return Code(packet.code), packet.data[2:]


class InterfaceIdentifierTests:
    """RFC 5072 section 4.1."""

    def test_r182_different_and_not_zero_is_acked(self):
        assert answer(asked() >> wish(THEIRS)) == (Code.CONFIGURE_ACK, THEIRS)

    def test_r182_b090_equal_is_nakked_with_another(self):
        conversation = asked()
        code, suggestion = answer(conversation >> wish(own(conversation)))
        assert code is Code.CONFIGURE_NAK
        assert suggestion not in {own(conversation), bytes(8)}

    def test_r182_r183_b090_zero_is_nakked_with_a_local_one(self):
        code, suggestion = answer(asked() >> wish(bytes(8)))
        assert code is Code.CONFIGURE_NAK
        assert suggestion != bytes(8)
        assert suggestion[0] & 2 == 0

    def test_r182_ours_is_never_zero_so_that_both_zero_cannot_arise(self):
        octets = iter([bytes(8), b"\x02" + bytes(7), b"\xff" * 8])
        assert random_identifier(lambda _: next(octets)) == b"\xfd" + b"\xff" * 7

    def test_wrong_length_is_nakked(self):
        assert answer(asked() >> wish(b"\x01\x02"))[0] is Code.CONFIGURE_NAK

    def test_r184_missing_identifier_is_asked_for_once(self):
        conversation = asked() >> "[IPV6CP ConfReq id=0x1]"
        assert answer(conversation)[0] is Code.CONFIGURE_NAK
        assert answer(conversation >> "[IPV6CP ConfReq id=0x2]") == (Code.CONFIGURE_ACK, b"")

    def test_suggestion_is_taken(self):
        conversation = asked() >> wish(THEIRS, Code.CONFIGURE_NAK)
        assert own(conversation) == THEIRS

    def test_suggestion_of_zero_or_of_theirs_is_answered_with_a_new_one(self):
        conversation = asked() >> wish(THEIRS)
        before = own(conversation)
        conversation >> wish(bytes(8), Code.CONFIGURE_NAK)
        middle = own(conversation)
        conversation >> wish(THEIRS, Code.CONFIGURE_NAK, 2)
        assert len({before, middle, own(conversation), THEIRS, bytes(8)}) == 5

    def test_both_identifiers_are_told(self):
        conversation = asked()
        mine = own(conversation)
        conversation >> wish(mine, Code.CONFIGURE_ACK) >> wish(THEIRS)
        agreed = conversation.told(LayerUp).machine.agreed()
        assert (agreed.our_identifier, agreed.peer_identifier) == (mine, THEIRS)

    def test_end_without_identifier_has_nothing_agreed(self):
        conversation = asked()
        conversation >> wish(own(conversation), Code.CONFIGURE_REJECT) << "[IPV6CP ConfReq id=0x2]"
        conversation >> "[IPV6CP ConfAck id=0x2]" >> wish(THEIRS)
        assert conversation.told(LayerUp).machine.agreed() is None

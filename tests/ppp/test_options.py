"""What is the same for the options of all protocols."""

import itertools

import pytest

from openpptp.errors import BadMessage
from openpptp.ppp.options import (
    ACK,
    MAX_FAILURE,
    PACKET_LIMIT,
    REJECT,
    Nak,
    NegotiableOption,
    Negotiation,
)
from openpptp.wire.ppp import Code, Option, Packet, encode_options


class Number(NegotiableOption):
    """Likes 4; asks with 2."""

    type = 9

    def __init__(self, lacking=None):
        super().__init__()
        self.value = b"\x02"
        self.lacking = lacking
        self.heard = []

    def ask(self):
        return self.value

    def judge(self, value):
        return {b"\x04": ACK, b"": REJECT}.get(value, Nak(b"\x04"))

    def nakked(self, value):
        self.heard.append(value)
        self.value = value

    def rejected(self):
        self.heard.append("rejected")
        self.value = None

    def missing(self):
        return self.lacking

    def insisted(self):
        self.heard.append("insisted")


class Long(Number):
    """Answers with as much as an option holds."""

    type = 10

    def judge(self, value):
        return Nak(bytes(253))


class Silent(NegotiableOption):
    """Says nothing of its own accord."""

    type = 11


def data(*options):
    return encode_options([Option(number, value) for number, value in options])


identifiers = itertools.count(5)


def judged(negotiation, *options, identifier=None):
    identifier = next(identifiers) % 256 if identifier is None else identifier
    answer, _ = negotiation.judge(Packet(Code.CONFIGURE_REQUEST, identifier, data(*options)))
    return Code(answer.code), answer.data


class AnswerTests:
    """RFC 1661 sections 5.2 to 5.4."""

    def test_r073_ack_holds_the_very_octets(self):
        negotiation = Negotiation((Number(),))
        assert judged(negotiation, (9, b"\x04"), (9, b"\x07")) == (Code.CONFIGURE_ACK, data((9, b"\x04"), (9, b"\x07")))

    def test_q80_reject_comes_alone_and_first(self):
        assert judged(Negotiation((Number(),)), (9, b"\x01"), (77, b"x"), (78, b"")) == (
            Code.CONFIGURE_REJECT,
            data((77, b"x"), (78, b"")),
        )

    def test_r075_nak_holds_what_does_not_suit_alone(self):
        negotiation = Negotiation((Number(), Long()))
        assert judged(negotiation, (9, b"\x04"), (10, b"")) == (Code.CONFIGURE_NAK, data((10, bytes(253))))

    def test_b062_second_of_the_same_type_is_noted_and_ignored(self):
        negotiation = Negotiation((Number(),))
        answer, notes = negotiation.judge(Packet(1, 5, data((9, b"\x04"), *[(9, b"\x01")] * 20)))
        assert answer.code == Code.CONFIGURE_ACK
        assert len(notes) == 20

    def test_b061_unreadable_options_are_nobodys_request(self):
        with pytest.raises(BadMessage):
            Negotiation(()).judge(Packet(1, 5, b"\x09\x01"))

    def test_b063_answer_never_passes_the_default_mru(self):
        options = []
        for number in range(10, 30):
            options.append(Long())
            options[-1].type = number
        negotiation = Negotiation(tuple(options))
        code, answer = judged(negotiation, *[(number, b"") for number in range(10, 30)])
        assert code is Code.CONFIGURE_NAK
        assert PACKET_LIMIT - 255 < len(answer) <= PACKET_LIMIT

    def test_b065_after_max_failure_naks_a_reject(self):
        option = Number()
        negotiation = Negotiation((option,))
        codes = [judged(negotiation, (9, b"\x01"))[0] for _ in range(MAX_FAILURE + 1)]
        assert codes == [Code.CONFIGURE_NAK] * MAX_FAILURE + [Code.CONFIGURE_REJECT]
        assert option.heard == ["insisted"]

    def test_a_repeated_request_gets_the_same_nak_and_does_not_count(self):
        option = Number()
        negotiation = Negotiation((option,))
        codes = {judged(negotiation, (9, b"\x01"), identifier=1)[0] for _ in range(3 * MAX_FAILURE)}
        assert codes == {Code.CONFIGURE_NAK}
        assert option.heard == []

    def test_ack_between_naks_starts_the_count_over(self):
        negotiation = Negotiation((Number(),))
        for _ in range(20):
            assert judged(negotiation, (9, b"\x01"))[0] is Code.CONFIGURE_NAK
            assert judged(negotiation, (9, b"\x04"))[0] is Code.CONFIGURE_ACK

    def test_missing_option_is_appended_until_max_failure(self):
        option = Number(lacking=b"\x04")
        negotiation = Negotiation((option, Silent()))
        codes = [judged(negotiation)[0] for _ in range(MAX_FAILURE + 1)]
        assert codes == [Code.CONFIGURE_NAK] * MAX_FAILURE + [Code.CONFIGURE_ACK]
        assert option.heard == ["insisted"]

    def test_value_is_theirs_once_acked_and_while_named(self):
        option = Number()
        negotiation = Negotiation((option,))
        judged(negotiation, (9, b"\x04"), (77, b""))
        assert option.theirs is None
        judged(negotiation, (9, b"\x04"))
        assert option.theirs == b"\x04"
        judged(negotiation)
        assert option.theirs is None

    def test_who_repeats_what_was_nakked_without_end_is_told_to_insist(self):
        """The same Identifier is taken for a lost Nak; but a peer that never changes it must not go unnamed."""
        option = Number()
        negotiation = Negotiation((option, Silent()))
        negotiation.give_up()
        assert option.heard == []
        judged(negotiation, (9, b"\x01"))
        negotiation.give_up()
        assert option.heard == ["insisted"]


class QuestionTests:
    """RFC 1661 sections 5.1 to 5.4, the other way."""

    def test_r074_ack_must_repeat_the_request(self):
        option = Number()
        negotiation = Negotiation((option, Silent()))
        asked = negotiation.ask()
        assert not negotiation.acked(asked + b"\x0b\x02")
        assert option.ours is None
        assert negotiation.acked(asked)
        assert option.ours == b"\x02"

    def test_r076_nak_may_be_of_another_length(self):
        option = Number()
        negotiation = Negotiation((option,))
        negotiation.ask()
        assert negotiation.nakked(data((9, b"\x01\x02\x03")))
        assert negotiation.ask() == data((9, b"\x01\x02\x03"))

    def test_nak_of_what_was_not_asked_or_twice_is_not_taken_up(self):
        option = Number()
        negotiation = Negotiation((option, Silent()))
        negotiation.ask()
        assert negotiation.nakked(data((11, b"\x01"), (99, b""), (9, b"\x06"), (9, b"\x07")))
        assert option.heard == [b"\x06"]

    def test_empty_nak_and_reject_are_nothing(self):
        negotiation = Negotiation((Number(),))
        negotiation.ask()
        assert not negotiation.nakked(b"")
        assert not negotiation.rejected(b"")

    def test_b065_peer_that_naks_for_ever_has_rejected(self):
        option = Number()
        negotiation = Negotiation((option,))
        for _ in range(MAX_FAILURE + 1):
            negotiation.ask()
            negotiation.nakked(data((9, b"\x02")))
        assert option.heard[-1] == "rejected"
        assert negotiation.ask() == b""

    def test_r077_reject_must_hold_our_options_unmodified_and_in_order(self):
        number, long = Number(), Long()
        negotiation = Negotiation((number, long))
        negotiation.ask()
        assert not negotiation.rejected(data((9, b"\x03")))
        assert not negotiation.rejected(data((10, b"\x02"), (9, b"\x02")))
        assert negotiation.rejected(data((10, b"\x02")))
        assert negotiation.ask() == data((9, b"\x02"))

    def test_an_option_has_nothing_to_say_by_default(self):
        option = Silent()
        option.nakked(b"")
        option.rejected()
        option.insisted()
        assert (option.ask(), option.missing()) == (None, None)
        with pytest.raises(NotImplementedError):
            option.judge(b"")

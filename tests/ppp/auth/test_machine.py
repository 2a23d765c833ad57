"""What all authentication machines share."""

import pytest

from openpptp.ppp.auth.machine import printable_text, retransmission_delay


class RetransmissionTests:
    def test_the_first_repetition_comes_early(self):
        assert [retransmission_delay(sent) for sent in (1, 2, 3, 4, 10)] == [1.0, 2.0, 3.0, 3.0, 3.0]


class PrintableTests:
    @pytest.mark.parametrize(
        ("text", "shown"), [(" ok ", "ok"), ("a\nb\x1b[2J", "a\\nb\\x1b[2J"), ("\u202eevil", "\\u202eevil")]
    )
    def test_b132_control_characters_do_not_reach_a_terminal_or_log(self, text, shown):
        assert printable_text(text) == shown

    def test_a_long_message_is_cut(self):
        assert len(printable_text("x" * 255)) == 200

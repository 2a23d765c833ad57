"""Tables: text in, a total function of state and event out."""

from enum import Enum

import pytest

from openpptp.tunnel.table import Table


class Lamp(Enum):
    OFF = "off"
    ON = "on"
    BROKEN = "broken"


class Hand(Enum):
    PRESS = "press"
    KICK = "kick"


class Deed(Enum):
    NOTHING = "nothing"
    CLICK = "click"


def table(text: str) -> Table[Lamp, Hand, Deed]:
    return Table("A lamp", text, Lamp, Hand, Deed.NOTHING)


class TableTests:
    """A state diagram as text."""

    def test_a_drawn_arrow_is_found(self):
        row = table("off press click on")[Lamp.OFF, Hand.PRESS]
        assert (row.action, row.new_state) == (Deed.CLICK, Lamp.ON)

    def test_a_pair_not_drawn_does_nothing_and_stays(self):
        row = table("off press click on")[Lamp.ON, Hand.KICK]
        assert (row.action, row.new_state) == (Deed.NOTHING, Lamp.ON)

    def test_arrows_come_in_the_order_of_the_text(self):
        arrows = list(table("on press click off\noff press click on"))
        assert [arrow.state for arrow in arrows] == [Lamp.ON, Lamp.OFF]

    def test_only_states_in_the_text_are_drawn(self):
        assert table("off press click on").states == (Lamp.OFF, Lamp.ON)

    @pytest.mark.parametrize(
        "text", ["off press click", "off sing click on", "off press click gone", "off press sing on"]
    )
    def test_a_row_that_says_nothing_sensible_is_refused(self, text):
        with pytest.raises(ValueError):  # noqa: PT011 - the enum's own words
            table(text)

    def test_two_rows_for_one_pair_are_refused(self):
        with pytest.raises(ValueError, match="two rows"):
            table("off press click on\noff press nothing off")

"""Times of day by weekday."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.backends.hours import WEEK, parse_hours
from openpptp.backends.policy_values import UnusableValue

MONDAY = datetime(2026, 11, 23)


def until(text: str, day: int, hour: int, minute: int = 0) -> datetime | None:
    """Return up to when a user may stay at a moment of the week that begins with MONDAY."""
    found = parse_hours(text).until((MONDAY + timedelta(days=day, hours=hour, minutes=minute)).timestamp())
    return None if found is None else datetime.fromtimestamp(found)


class UntilTests:
    @pytest.mark.parametrize(
        ("text", "moment", "expected"),
        [
            ("08:00-18:00", (0, 8), (0, 18)),
            ("08:00-18:00", (6, 17, 59), (6, 18)),
            ("08:00-18:00", (0, 7, 59), None),
            ("08:00-18:00", (0, 18), None),
            ("mon-fri/08:00-18:00", (4, 12), (4, 18)),
            ("mon-fri/08:00-18:00", (5, 12), None),
            ("fri-mon/08:00-18:00", (6, 12), (6, 18)),
            ("fri-mon/08:00-18:00", (2, 12), None),
            ("sun/22:00-06:00", (7, 5, 59), (7, 6)),
            ("sun/22:00-06:00", (0, 1), (0, 6)),
            ("sun/22:00-06:00", (7, 6), None),
            ("08:00-12:00,12:00-13:00,12:30-14:00", (0, 9), (0, 14)),
            ("mon/00:00-24:00,tue/00:00-06:00", (0, 23), (1, 6)),
            ("00:00-24:00", (3, 4), (10, 4)),
            ("00:00-00:00", (3, 4), (10, 4)),
        ],
    )
    def test_a_moment(self, text, moment, expected):
        day = None if expected is None else MONDAY + timedelta(days=expected[0], hours=expected[1])
        assert until(text, *moment) == day

    @given(st.integers(0, WEEK - 1), st.integers(0, 6), st.integers(0, 1439), st.integers(0, 1440))
    def test_he_may_be_there_until_then_and_not_at_it(self, minute, day, begin, end):
        names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        hours = parse_hours(f"{names[day]}/{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}")
        now = (MONDAY + timedelta(minutes=minute)).timestamp()
        found = hours.until(now)
        inside = (minute - day * 1440 - begin) % WEEK < ((end - begin) % 1440 or 1440)
        assert (found is not None) == inside
        if found is not None:
            assert now < found <= now + 1440 * 60
            assert hours.until(found) is None or (end - begin) % 1440 == 0


class NotationTests:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("MON-FRI/08:00-18:00", "mon-fri/08:00-18:00"),
            ("mon-sun/08:00-18:00", "08:00-18:00"),
            ("wed-tue/08:00-18:00", "08:00-18:00"),
            ("sat-sat/09:00-12:00,sat/09:00-12:00", "sat/09:00-12:00"),
        ],
    )
    def test_it_has_one_form(self, text, written):
        assert str(parse_hours(text)) == written

    @pytest.mark.parametrize(
        "text",
        ["", "8:00-18:00", "08:00", "08:00-24:01", "24:00-08:00", "08:60-09:00", "mo/08:00-18:00"],
    )
    def test_what_is_none(self, text):
        with pytest.raises(UnusableValue):
            parse_hours(text)

    def test_it_is_bounded(self):
        with pytest.raises(UnusableValue, match="too many"):
            parse_hours(",".join(f"{number // 60:02}:{number % 60:02}-12:00" for number in range(29)))

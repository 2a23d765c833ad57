"""Times, octets, rates, quotas, sessions and dates as people write them."""

from datetime import datetime
from ipaddress import IPv4Network

import pytest

from openpptp.backends import policy_values as values
from openpptp.backends.policy_values import Period, Quota, SessionLimit, UnusableValue, Way


class SecondsTests:
    @pytest.mark.parametrize(
        ("text", "seconds", "written"),
        [("90", 90, "90s"), ("1800", 1800, "30m"), ("8h", 28800, "8h"), ("7d", 604800, "1w"), ("36h", 129600, "36h")],
    )
    def test_a_time(self, text, seconds, written):
        assert (values.parse_seconds(text), values.show_seconds(seconds)) == (seconds, written)

    @pytest.mark.parametrize("text", ["", "-1", "0", "1.5h", "h", "1y", "11 m", "99999999w", "1" * 13])
    def test_what_is_none(self, text):
        with pytest.raises(UnusableValue):
            values.parse_seconds(text)


class OctetsTests:
    @pytest.mark.parametrize(
        ("text", "octets", "written"),
        [("500", 500, "500B"), ("1k", 1024, "1KiB"), ("10GiB", 10 * 2**30, "10GiB"), ("1536K", 1536 * 1024, "1536KiB")],
    )
    def test_octets(self, text, octets, written):
        assert (values.parse_octets(text), values.show_octets(octets)) == (octets, written)


class RateTests:
    @pytest.mark.parametrize(
        ("text", "way", "written"),
        [
            ("10mbit/2mbit", Way(10_000_000, 2_000_000), "10mbit/2mbit"),
            ("512KBIT", Way(512_000, 512_000), "512kbit"),
            ("1500kbit/none", Way(1_500_000, None), "1500kbit/none"),
            ("none/1gbit", Way(None, 10**9), "none/1gbit"),
        ],
    )
    def test_to_the_user_and_from_him(self, text, way, written):
        assert values.parse_rate(text) == way
        assert values.show_rate(way) == written

    @pytest.mark.parametrize("text", ["10", "7kbit", "1mbit/2mbit/3mbit", "none/none", "/", "10 mbit", "9e9gbit"])
    def test_what_is_none(self, text):
        with pytest.raises(UnusableValue):
            values.parse_rate(text)

    @pytest.mark.parametrize("text", ["2999", "2G", "64K/x"])
    def test_a_burst_that_would_let_nothing_or_everything_through(self, text):
        with pytest.raises(UnusableValue):
            values.parse_burst(text)


class QuotaTests:
    NOW = datetime(2026, 11, 25, 14, 30).timestamp()  # a Wednesday

    @pytest.mark.parametrize(
        ("period", "begin", "end"),
        [
            (Period.DAY, datetime(2026, 11, 25), datetime(2026, 11, 26)),
            (Period.WEEK, datetime(2026, 11, 23), datetime(2026, 11, 30)),
            (Period.MONTH, datetime(2026, 11, 1), datetime(2026, 12, 1)),
        ],
    )
    def test_the_period_of_a_moment(self, period, begin, end):
        assert Quota(2**30, period).bounds(self.NOW) == (begin.timestamp(), end.timestamp())

    def test_the_last_month_of_a_year_ends_with_it(self):
        assert (
            Quota(1, Period.MONTH).bounds(datetime(2026, 12, 31, 23, 59).timestamp())[1]
            == datetime(2027, 1, 1).timestamp()
        )

    def test_without_a_period_it_never_begins_anew(self):
        assert values.parse_quota("1T").bounds(self.NOW) == (0.0, None)

    @pytest.mark.parametrize("text", ["10", "10G/", "10G/year", "/day", "1023K", "9999999T"])
    def test_what_is_none(self, text):
        with pytest.raises(UnusableValue):
            values.parse_quota(text)


class SessionsTests:
    def test_deny_is_what_a_number_alone_means(self):
        assert values.parse_sessions("2") == values.parse_sessions("2/deny") == SessionLimit(2)
        assert values.parse_sessions("1/replace") == SessionLimit(1, replace=True)

    @pytest.mark.parametrize("text", ["0", "", "1/", "1/kick", "65536", "-1", "²"])
    def test_what_is_none(self, text):
        with pytest.raises(UnusableValue):
            values.parse_sessions(text)


class OtherTests:
    def test_a_date_with_and_without_a_time(self):
        assert values.parse_expiry("2027-01-31") == datetime(2027, 1, 31)
        assert values.show_expiry(values.parse_expiry("2027-01-31T18:00")) == "2027-01-31T18:00"

    @pytest.mark.parametrize("text", ["2027-02-30", "31.1.2027", "2027-01-31T25:00", "0001-01-01", "tomorrow"])
    def test_what_is_no_date(self, text):
        with pytest.raises(UnusableValue):
            values.parse_expiry(text)

    @pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.1/24", "127.0.0.0/8", "224.0.0.0/8", "::/64", "10.0.0.0/7"])
    def test_a_network_that_cannot_lie_behind_a_user(self, text):
        with pytest.raises(UnusableValue):
            values.parse_routes(text)

    def test_one_address_is_a_network_too_and_the_same_twice_is_one(self):
        assert values.parse_routes("10.0.0.1,10.0.0.1/32") == (IPv4Network("10.0.0.1/32"),)

    def test_the_lists_are_bounded(self):
        with pytest.raises(UnusableValue, match="too many"):
            values.parse_routes(",".join(f"10.0.{number}.0/24" for number in range(65)))
        with pytest.raises(UnusableValue, match="more than two"):
            values.parse_servers("10.0.0.1,10.0.0.2,10.0.0.3")

    @pytest.mark.parametrize("text", ["127.0.0.1", "0.0.0.1", "224.0.0.1", "255.255.255.255", "host", "10.0.0.300"])
    def test_an_address_no_host_can_have(self, text):
        with pytest.raises(UnusableValue):
            values.parse_host(text)

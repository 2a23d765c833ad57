"""Ranges of addresses: how they are read, what is told about a wrong one, what is left of them."""

from ipaddress import IPv4Address

import pytest

from openpptp.backends.ranges import AddressRange, UnusableRange, overlaps, parse_range


class ReadingTests:
    """What people write."""

    @pytest.mark.parametrize(
        ("text", "first", "last"),
        [
            ("10.9.0.10-10.9.0.12", "10.9.0.10", "10.9.0.12"),
            ("10.9.0.10-12", "10.9.0.10", "10.9.0.12"),
            (" 10.9.0.10 - 10.9.0.11 ", "10.9.0.10", "10.9.0.11"),
            ("10.9.0.7", "10.9.0.7", "10.9.0.7"),
            ("10.9.0.0/24", "10.9.0.1", "10.9.0.254"),
            ("10.9.0.8/30", "10.9.0.9", "10.9.0.10"),
            ("10.9.0.8/31", "10.9.0.8", "10.9.0.9"),
            ("10.9.0.8/32", "10.9.0.8", "10.9.0.8"),
        ],
    )
    def test_addresses_of(self, text, first, last):
        found = parse_range(text)
        assert found == (IPv4Address(first), IPv4Address(last))
        assert parse_range(str(found)) == found

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "ten",
            "10.9.0",
            "10.9.0.1-",
            "-10.9.0.1",
            "10.9.0.1-10.9.0.2-10.9.0.3",
            "10.9.0.1-300",
            "10.9.0.1/24",
            "10.9.0.0/33",
            "10.9.0.0/",
            "fd00::/64",
        ],
    )
    def test_what_is_no_range_is_named_and_shown_how_to_write(self, text):
        with pytest.raises(UnusableRange, match="is not a range of IPv4 addresses") as error:
            parse_range(text)
        assert str(error.value).startswith(f"{text}: ")
        assert "10.0.0.0/24" in error.value.remedy
        assert error.value.exit_code == 2

    def test_a_range_the_wrong_way_round_is_turned(self):
        with pytest.raises(UnusableRange, match=r'write "10\.9\.0\.3-10\.9\.0\.9"'):
            parse_range("10.9.0.9-10.9.0.3")

    @pytest.mark.parametrize(
        "text", ["0.0.0.0/24", "127.0.0.1", "224.0.0.1", "255.255.255.255", "126.0.0.1-128.0.0.1", "0.0.0.0/0"]
    )
    def test_addresses_no_host_can_have(self, text):
        with pytest.raises(UnusableRange, match="no host can have"):
            parse_range(text)


class RangeTests:
    """What can be asked of one."""

    TEN = parse_range("10.9.0.1-10.9.0.10")

    def test_size(self):
        assert self.TEN.size == 10

    @pytest.mark.parametrize(
        ("taken", "left"),
        [
            ("10.9.0.1", ["10.9.0.2-10.9.0.10"]),
            ("10.9.0.5", ["10.9.0.1-10.9.0.4", "10.9.0.6-10.9.0.10"]),
            ("10.9.0.10", ["10.9.0.1-10.9.0.9"]),
            ("10.9.0.11", ["10.9.0.1-10.9.0.10"]),
        ],
    )
    def test_what_is_left_without_an_address(self, taken, left):
        assert list(map(str, self.TEN.without(IPv4Address(taken)))) == left

    def test_nothing_is_left_of_one_address(self):
        assert AddressRange(self.TEN.first, self.TEN.first).without(self.TEN.first) == ()

    def test_overlapping_ranges_are_found_in_any_order(self):
        apart, inside = parse_range("10.9.0.11"), parse_range("10.9.0.4")
        assert list(overlaps([inside, apart, self.TEN])) == [(self.TEN, inside)]
        assert list(overlaps([apart, self.TEN])) == []

"""What the server changes on its host, in pieces."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from openpptp.backends.ranges import parse_range
from openpptp.daemon.host import firewall_table, networks_of


class NetworksTests:
    """A pool as routes and as the source of what is masqueraded."""

    @pytest.mark.parametrize(
        ("text", "networks"),
        [
            ("10.0.0.0/24", ["10.0.0.0/24"]),
            ("10.0.0.1-10.0.0.254", ["10.0.0.0/24"]),
            ("10.0.0.0/31", ["10.0.0.0/31"]),
            ("10.0.0.7", ["10.0.0.7/32"]),
            ("10.0.0.8-10.0.0.11", ["10.0.0.8/30"]),
            ("10.0.0.10-10.0.0.13", ["10.0.0.10/31", "10.0.0.12/31"]),
            ("10.0.0.4-10.0.0.9", ["10.0.0.4/30", "10.0.0.8/31"]),
        ],
    )
    def test_a_range_becomes_the_fewest_networks(self, text, networks):
        assert networks_of(parse_range(text)) == list(map(IPv4Network, networks))

    @pytest.mark.parametrize(
        ("text", "lan", "networks"),
        [
            ("10.0.0.128/25", "10.0.0.0/24", ["10.0.0.129/32", "10.0.0.130/31", "10.0.0.254/32"]),
            ("10.0.0.1-10.0.0.254", "10.0.0.0/24", ["10.0.0.0/24"]),
            ("10.1.0.0/25", "10.0.0.0/24", ["10.1.0.0/25"]),
        ],
    )
    def test_within_a_lan_it_is_those_addresses_exactly(self, text, lan, networks):
        found = networks_of(parse_range(text), [IPv4Network(lan)])
        assert set(map(IPv4Network, networks)) <= set(found)
        assert (sum(network.num_addresses for network in found) == parse_range(text).size) == (len(networks) > 1)

    def test_no_network_reaches_more_than_one_address_beyond_the_range(self):
        for first in range(32):
            for last in range(first, 32):
                entry = parse_range(f"10.0.0.{first}-10.0.0.{last}")
                covered = {address for network in networks_of(entry) for address in network}
                wanted = {IPv4Address("10.0.0.0") + number for number in range(first, last + 1)}
                assert wanted <= covered
                assert len(covered) <= len(wanted) + 2


def test_the_table_carries_the_interface_in_letters_nft_takes():
    assert firewall_table("pptp-a.1") == "openpptp_pptp_a_1"

import asyncio
from ipaddress import IPv4Address, IPv4Network

import pytest
import structlog

from openpptp.backends.ranges import parse_range
from openpptp.daemon.serve import FixedAddresses, firewall_table, listen, networks_of
from openpptp.errors import SetupError


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

    def test_no_network_reaches_more_than_one_address_beyond_the_range(self):
        for first in range(32):
            for last in range(first, 32):
                entry = parse_range(f"10.0.0.{first}-10.0.0.{last}")
                covered = {address for network in networks_of(entry) for address in network}
                wanted = {IPv4Address("10.0.0.0") + number for number in range(first, last + 1)}
                assert wanted <= covered
                assert len(covered) <= len(wanted) + 2


class ListenTests:
    """B-146 and the other ways in which the port is not to be had."""

    def test_a_taken_port_names_the_port_and_the_remedy(self):
        with listen(IPv4Address("127.0.0.1"), 0) as first:
            first.listen()
            with pytest.raises(SetupError, match=r"TCP port \d+ is taken .* ss -ltnp"):
                listen(IPv4Address("127.0.0.1"), first.getsockname()[1])

    def test_a_foreign_address_is_a_wrong_setting(self):
        with pytest.raises(SetupError, match=r"192\.0\.2\.1 is not an address of this machine") as caught:
            listen(IPv4Address("192.0.2.1"), 0)
        assert caught.value.exit_code == 2


def test_the_table_carries_the_interface_in_letters_nft_takes():
    assert firewall_table("pptp-a.1") == "openpptp_pptp_a_1"


class HostLinks:
    """Plays net.links: writes down what is asked, in order."""

    def __init__(self, refuses: str = "") -> None:
        self.did: list[tuple[str, str, str]] = []
        self.refuses = refuses

    async def later(self, change, network, device) -> None:
        await asyncio.sleep(0)
        if change.__name__ == self.refuses:
            raise SetupError("the host does not let us")
        change(network, device)

    def add_route(self, network, device) -> None:
        self.did.append(("add", str(network), device))

    def remove_route(self, network, device) -> None:
        self.did.append(("remove", str(network), device))


class FixedAddressesTests:
    """Addresses the secrets file gives outside the pool."""

    async def test_each_gets_a_route_and_loses_it(self):
        links = HostLinks()
        addresses = FixedAddresses(links, "pptp0", structlog.get_logger())
        addresses.lead(IPv4Address("10.77.1.5"), True)
        addresses.lead(IPv4Address("10.77.1.5"), False)
        await addresses.settled()
        assert links.did == [("add", "10.77.1.5/32", "pptp0"), ("remove", "10.77.1.5/32", "pptp0")]

    async def test_a_host_that_refuses_costs_a_line(self):
        links = HostLinks(refuses="add_route")
        addresses = FixedAddresses(links, "pptp0", structlog.get_logger())
        with structlog.testing.capture_logs() as lines:
            addresses.lead(IPv4Address("10.77.1.5"), True)
            await addresses.settled()
        assert [line["event"] for line in lines] == ["the host does not let us"]

"""Making a server on its host: routes for what users are given outside the pools."""

import asyncio
from ipaddress import IPv4Network

import structlog

from openpptp.daemon.server_making import FixedAddresses
from openpptp.errors import SetupError


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
    """What users are given outside the pools."""

    async def test_each_gets_a_route_and_loses_it(self):
        links = HostLinks()
        addresses = FixedAddresses(links, "pptp0", structlog.get_logger())
        addresses.lead(IPv4Network("10.77.1.5"), True)
        addresses.lead(IPv4Network("10.77.1.5"), False)
        await addresses.settled()
        assert links.did == [("add", "10.77.1.5/32", "pptp0"), ("remove", "10.77.1.5/32", "pptp0")]

    async def test_a_host_that_refuses_costs_a_line(self):
        links = HostLinks(refuses="add_route")
        addresses = FixedAddresses(links, "pptp0", structlog.get_logger())
        with structlog.testing.capture_logs() as lines:
            addresses.lead(IPv4Network("10.77.1.5"), True)
            await addresses.settled()
        assert [line["event"] for line in lines] == ["the host does not let us"]

import asyncio
from ipaddress import IPv4Address, IPv4Network

import pytest
import structlog

from openpptp.daemon.config import Settings
from openpptp.daemon.serve import FixedAddresses, few_descriptors, listen
from openpptp.errors import SetupError


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


class DescriptorTests:
    """B-140: that there will be too few is said at the start."""

    @pytest.mark.parametrize(("most", "sessions"), [(64, 0), (100, 36), (316, 252)])
    def test_b140_too_few_for_the_sessions_allowed_are_named_with_the_remedy(self, most, sessions):
        settings = Settings.model_validate({"network": {"pool": ["10.9.0.0/24"]}})
        text = few_descriptors(settings, most)
        assert f"{most} files, which is enough for about {sessions} sessions of the 253 that" in text
        assert "LimitNOFILE=" in text

    def test_enough_are_not_spoken_of(self):
        settings = Settings.model_validate({"network": {"pool": ["10.9.0.0/24"]}})
        assert few_descriptors(settings, 317) == ""

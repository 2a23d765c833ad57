"""With a real host: tests/netns/test_host.py and test_lan.py."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from openpptp.daemon.host_links import LanNeighbours, PoolRoutes, TunnelDevice
from openpptp.errors import SetupError
from openpptp.net.links import Device, HostNetwork, Route

OURS, POOL = IPv4Address("10.0.0.1"), IPv4Network("10.0.0.0/24")


class HostLinks:
    """Plays net.links and net.proxy_arp."""

    def __init__(self, device: Device | None = None, way: str = "pptp0", *, address: bool = True) -> None:
        self.found, self.way, self.address = device, way, address
        self.routed: list[IPv4Network] = []
        self.lans: list[tuple[IPv4Interface, str]] = []
        self.entries: tuple[list[dict[str, str]], list[dict[str, str]]] = ([], [])

    def device(self, name) -> Device | None:
        return self.found

    def addresses(self) -> list[tuple[IPv4Interface, str]]:
        return [(IPv4Interface("10.0.0.1/32"), "pptp0")] if self.address else []

    def add_route(self, network, device, *, source) -> None:
        self.routed.append(network)

    def has_route(self, network, device) -> bool:
        return network in self.routed

    def route_to(self, address) -> Route:
        if not self.way:
            raise SetupError("no way")
        return Route(None, self.way, None)

    def networks(self) -> list[tuple[IPv4Interface, str]]:
        return self.lans

    def state(self) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        return self.entries


class TunnelDeviceTests:
    @pytest.mark.parametrize(
        ("found", "address", "state", "words"),
        [
            (None, True, "missing", "there is no interface pptp0"),
            (Device(False, 1396, False), True, "overridden", "somebody switched pptp0 off"),
            (Device(True, 1500, False), True, "overridden", "somebody set the MTU of pptp0 to 1500 in place of 1396"),
            (Device(True, 1396, False), False, "overridden", "somebody took the address 10.0.0.1 from pptp0"),
            (Device(True, 1396, False), True, "present", "pptp0 is up with 10.0.0.1 and MTU 1396"),
        ],
    )
    def test_what_the_host_shows(self, found, address, state, words):
        piece = TunnelDevice(HostLinks(found, address=address), "pptp0", OURS, 1396, 8000, ipv6=True)
        condition = piece.verify()
        assert (condition.piece, condition.state, condition.sentence) == ("tunnel device", state, words)
        assert bool(condition.remedy) == (state != "present")
        assert piece.describe()[0].endswith("IPv6 on")


class PoolRoutesTests:
    @pytest.mark.parametrize(("way", "state"), [("pptp0", "present"), ("eth0", "overridden"), ("", "overridden")])
    def test_the_way_packets_take_counts(self, way, state):
        links = HostLinks(way=way)
        routes = PoolRoutes(links, "pptp0", OURS, [POOL])
        assert routes.verify().state == "missing"
        routes.apply()
        assert routes.verify().state == state

    def test_a_network_that_is_our_own_address_alone_has_no_way(self):
        routes = PoolRoutes(HostLinks(way="lo"), "pptp0", OURS, [IPv4Network("10.0.0.1/32")])
        routes.apply()
        assert routes.verify().state == "present"

    def test_the_whole_of_a_lan_is_refused_before_any_route_is_made(self):
        links = HostLinks()
        routes = PoolRoutes(links, "pptp0", OURS, [IPv4Network("10.9.0.0/24"), POOL], [HostNetwork(POOL, "eth0")])
        with pytest.raises(SetupError, match=r"network\.pool: 10\.0\.0\.0/24 is all of the network on eth0") as caught:
            routes.apply()
        assert caught.value.exit_code == 2
        assert links.routed == []


class LanNeighboursTests:
    def test_no_lan(self):
        piece = LanNeighbours(HostLinks(), [POOL])
        assert piece.describe() == []
        assert piece.verify().sentence == "no client's address lies in a network of this host"

    def test_a_lan_with_clients(self):
        host = HostLinks()
        host.lans = [(IPv4Interface("10.0.0.200/23"), "eth0"), (IPv4Interface("172.16.0.1/16"), "eth1")]
        host.entries = [{"address": "10.0.0.9", "device": "eth0"}], []
        piece = LanNeighbours(host, [POOL])
        assert piece.describe() == ["proxy ARP on eth0 for each client within 10.0.0.0/23"]
        assert piece.verify().sentence == "ARP is answered on eth0 for 1 clients"

    def test_an_entry_that_somebody_took_away(self):
        host = HostLinks()
        host.entries = [], [{"address": "10.0.0.9", "device": "eth0"}]
        condition = LanNeighbours(host, [POOL]).verify()
        assert condition.state == "overridden"
        assert condition.sentence == "somebody took away what answers ARP for 10.0.0.9 on eth0"

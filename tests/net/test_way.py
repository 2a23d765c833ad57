"""The way to an address."""

from contextlib import closing
from ipaddress import IPv4Address

import pytest
from tests.netns.topology import Topology

from openpptp.errors import SetupError
from openpptp.net.way import Way, Ways

GATEWAY, CLIENT = IPv4Address("192.168.100.1"), IPv4Address("192.168.100.2")


@pytest.mark.root
class WayTests:
    @pytest.fixture
    def ways(self, topology: Topology):
        """Return what looks ways up in the client's namespace."""
        with topology.client.inside(), closing(Ways()) as ways:
            yield ways

    def test_by_a_gateway(self, ways):
        assert ways.way_to(Topology.SERVER) == Way("nat0", "veth", 1500, GATEWAY, CLIENT)

    def test_directly(self, ways):
        way = ways.way_to(GATEWAY)
        assert (way.gateway, way.is_tunnel) == (None, False)

    def test_a_route_may_carry_less_than_its_device(self, topology, ways):
        topology.client.ip(f"route add {Topology.SERVER} via {GATEWAY} mtu 1400")
        assert ways.way_to(Topology.SERVER).mtu == 1400

    def test_a_tunnel_is_seen_as_one(self, topology, ways):
        topology.client.ip("tuntap add dev tun7 mode tun")
        topology.client.ip("link set tun7 up mtu 1420")
        topology.client.ip(f"route add {Topology.SERVER} dev tun7")
        way = ways.way_to(Topology.SERVER)
        assert (way.device, way.kind, way.mtu, way.is_tunnel) == ("tun7", "tun", 1420, True)

    def test_no_way(self, topology, ways):
        topology.client.ip("route del default")
        with pytest.raises(SetupError, match=r"cannot reach 203\.0\.113\.1: Network is unreachable"):
            ways.way_to(Topology.SERVER)

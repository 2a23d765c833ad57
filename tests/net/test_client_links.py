"""The way to the server without the tunnel."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from tests.netns.namespace import join

from openpptp.errors import SetupError
from openpptp.net.client_links import Carrier, ClientLinks
from openpptp.net.tun import Tun

pytestmark = pytest.mark.root

SERVER = IPv4Address("198.51.100.9")
GATEWAY, OTHER = IPv4Address("10.1.0.1"), IPv4Address("10.2.0.1")
HALVES = (IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1"))


@pytest.fixture
def host(make_namespace):
    """A host with two networks, whose default route leads through the first, and a tunnel device."""
    host, router, other = make_namespace("host"), make_namespace("router"), make_namespace("other")
    join(host, "10.1.0.2/24", router, "10.1.0.1/24")
    join(host, "10.2.0.2/24", other, "10.2.0.1/24")
    host.ip("route add default via 10.1.0.1")
    with host.inside():
        tun = Tun("inside")
        yield host
        tun.close()


@pytest.fixture
def links(host):
    links = ClientLinks()
    yield links
    links.close()


def way(host) -> str:
    return host.run("ip", "route", "get", str(SERVER), check=False).stdout


def pins(host) -> list[str]:
    shown = host.run("ip", "route", "show", f"{SERVER}/32").stdout.splitlines()
    return [line for line in shown if not line.startswith("unreachable")]


class PinCarrierTests:
    """A host route that no other route of ours can overrule."""

    def test_it_leads_the_way_it_led_before(self, host, links):
        assert links.pin_carrier(SERVER, avoid="inside") == Carrier("router0", GATEWAY, 1500)
        assert "via 10.1.0.1 dev router0" in way(host)
        assert links.is_pinned(SERVER, avoid="inside")

    def test_twice_is_once(self, host, links):
        links.pin_carrier(SERVER, avoid="inside")
        links.pin_carrier(SERVER, avoid="inside")
        assert len(pins(host)) == 1

    def test_q48_the_mtu_is_that_of_the_device_or_less_where_a_route_says_so(self, host, links):
        host.ip("link set router0 mtu 1492")
        assert links.pin_carrier(SERVER, avoid="inside").mtu == 1492
        host.ip("route replace default via 10.1.0.1 mtu 1400")
        assert links.pin_carrier(SERVER, avoid="inside").mtu == 1400

    def test_it_follows_the_default_route_to_another_network(self, host, links):
        links.pin_carrier(SERVER, avoid="inside")
        host.ip("route replace default via 10.2.0.1")
        assert links.pin_carrier(SERVER, avoid="inside") == Carrier("other0", OTHER, 1500)
        assert len(pins(host)) == 1
        assert "via 10.2.0.1 dev other0" in way(host)

    def test_it_passes_over_the_tunnels_own_routes(self, host, links):
        links.device_up("inside", address=IPv4Interface("10.9.0.2/32"), mtu=1396)
        links.pin_carrier(SERVER, avoid="inside")
        for half in HALVES:
            links.add_route(half, "inside")
        assert links.pin_carrier(SERVER, avoid="inside").device == "router0"

    def test_of_several_ways_the_longest_prefix_and_then_the_least_metric_counts(self, host, links):
        links.pin_carrier(SERVER, avoid="inside")
        host.ip("route add 198.51.100.0/24 via 10.1.0.1 metric 7")
        host.ip("route add 198.51.100.0/24 via 10.2.0.1 metric 5")
        assert links.pin_carrier(SERVER, avoid="inside").gateway == OTHER

    def test_a_route_of_several_hops_is_led_through_the_first(self, host, links):
        links.pin_carrier(SERVER, avoid="inside")
        host.ip("route replace default nexthop via 10.2.0.1 nexthop via 10.1.0.1")
        assert links.pin_carrier(SERVER, avoid="inside").gateway == OTHER

    def test_b058_when_its_device_goes_the_tunnel_is_not_the_way_either(self, host, links):
        links.device_up("inside", address=IPv4Interface("10.9.0.2/32"), mtu=1396)
        links.pin_carrier(SERVER, avoid="inside")
        for half in HALVES:
            links.add_route(half, "inside")
        host.ip("link set router0 down")
        assert way(host) == ""
        assert not links.is_pinned(SERVER, avoid="inside")
        with pytest.raises(SetupError, match=r"no way to 198\.51\.100\.9 outside the tunnel"):
            links.pin_carrier(SERVER, avoid="inside")
        host.ip("link set router0 up")
        host.ip("route add default via 10.1.0.1")
        links.pin_carrier(SERVER, avoid="inside")
        assert "dev router0" in way(host)

    def test_no_way_at_all_is_said(self, host, links):
        host.ip("route del default")
        with pytest.raises(SetupError, match="no way"):
            links.pin_carrier(SERVER, avoid="inside")
        assert pins(host) == []

    def test_unpinned_nothing_is_left(self, host, links):
        before = host.run("ip", "route").stdout
        links.pin_carrier(SERVER, avoid="inside")
        links.unpin(SERVER, avoid="inside")
        assert host.run("ip", "route").stdout == before
        links.pin_carrier(SERVER, avoid="inside")
        assert links.undo() == []
        assert host.run("ip", "route").stdout == before

    def test_two_tunnels_to_one_server_have_a_pin_each(self, host, links):
        second, tun = ClientLinks(), Tun("second")
        try:
            links.pin_carrier(SERVER, avoid="inside")
            second.pin_carrier(SERVER, avoid="second")
            assert len(pins(host)) == 2
            links.undo()
            assert "dev router0" in way(host)
            second.undo()
            assert pins(host) == []
        finally:
            second.close()
            tun.close()


class AddressTests:
    """The addresses of the tunnel's end."""

    def test_one_goes_and_the_other_stays_with_the_routes(self, host, links):
        peer = IPv4Address("10.9.0.1")
        links.device_up("inside", address=IPv4Interface("10.9.0.2/32"), peer=peer, mtu=1396)
        links.add_route(HALVES[0], "inside")
        links.device_up("inside", address=IPv4Interface("10.9.0.3/32"), peer=peer, mtu=1396)
        links.leave_address("inside", IPv4Address("10.9.0.2"))
        assert "10.9.0.3 peer 10.9.0.1/32" in host.run("ip", "-4", "addr", "show", "inside").stdout
        assert not links.has_address(IPv4Address("10.9.0.2"))
        assert links.has_address(IPv4Address("10.9.0.3"))
        assert "0.0.0.0/1" in host.run("ip", "route", "show", "dev", "inside").stdout

    def test_a_route_that_went_with_its_device_comes_back_and_is_noted_once(self, host, links):
        links.device_up("inside", address=IPv4Interface("10.9.0.2/32"), mtu=1396)
        links.add_route(HALVES[0], "inside")
        host.ip("link set inside down")
        host.ip("link set inside up")
        assert links.add_route(HALVES[0], "inside")
        assert not links.add_route(HALVES[0], "inside")
        assert len(links._journal.entries("route")) == 1
        links.undo()
        assert "0.0.0.0/1" not in host.run("ip", "route").stdout

    def test_link_local_is_the_agreed_one_alone(self, host, links):
        links.device_up("inside", mtu=1396)
        for last in (1, 2):
            address = links.set_link_local("inside", bytes.fromhex(f"0011223344556600{last:02x}")[:7] + bytes([last]))
            shown = host.run("ip", "-br", "-6", "addr", "show", "inside").stdout.split()[2:]
            assert shown == [f"{address}/64"]


class RefuseRouteTests:
    """What is to be refused at once."""

    def test_it_counts_when_no_better_route_is_there(self, host, links):
        network = IPv4Network("198.51.100.0/24")
        links.refuse_route(network, metric=1000)
        assert way(host) == ""
        links.device_up("inside", address=IPv4Interface("10.9.0.2/32"), mtu=1396)
        links.add_route(network, "inside")
        assert "dev inside" in way(host)
        links.remove_route(network, "")
        assert "unreachable" not in host.run("ip", "route").stdout

import asyncio
import errno
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from pyroute2.netlink.exceptions import NetlinkError
from tests.net.packets import kill_itself, powerless
from tests.netns.namespace import join

from openpptp.errors import SetupError
from openpptp.net.journal import Journal
from openpptp.net.links import HostNetwork, Links, Route
from openpptp.net.tun import Tun

SERVER, GATEWAY = IPv4Address("198.51.100.9"), IPv4Address("10.1.0.1")
OFFICE = IPv4Network("172.20.0.0/16")


@pytest.fixture
def host(make_namespace):
    """A host at 10.1.0.2/24 whose default route leads through router0, and the test inside it."""
    host, router = make_namespace("host"), make_namespace("router")
    join(host, "10.1.0.2/24", router, "10.1.0.1/24")
    host.ip("route add default via 10.1.0.1")
    with host.inside():
        yield host


@pytest.fixture
def links(host):
    links = Links()
    yield links
    links.close()


def state(namespace):
    return [namespace.run("ip", *what.split()).stdout for what in ("-4 addr", "-4 route show table all")]


@pytest.mark.root
class DeviceTests:
    """A device gets its settings and is switched on."""

    def test_address_mtu_and_queue_and_no_ipv6(self, links, host):
        tun = Tun("inside")
        links.device_up("inside", address=IPv4Interface("10.88.0.1/24"), mtu=1396, queue_packets=1000)
        shown = host.run("ip", "addr", "show", "inside").stdout
        assert "mtu 1396" in shown
        assert "qlen 1000" in shown
        assert "inet 10.88.0.1/24" in shown
        assert "inet6" not in shown
        tun.close()

    def test_point_to_point(self, links, host):
        tun = Tun("inside")
        links.device_up("inside", address=IPv4Interface("10.88.0.5/32"), peer=IPv4Address("10.88.0.1"))
        assert "inet 10.88.0.5 peer 10.88.0.1/32" in host.run("ip", "addr", "show", "inside").stdout
        assert links.undo() == []
        assert "inet" not in host.run("ip", "addr", "show", "inside").stdout
        tun.close()

    def test_ipv6_stays_on_when_asked_for(self, links, host):
        host.sysctl("net/ipv6/conf/default/disable_ipv6", "0")
        for name, ipv6 in (("four", False), ("six", True)):
            tun = Tun(name)
            links.device_up(name, ipv6=ipv6)
            assert host.sysctl(f"net/ipv6/conf/{name}/disable_ipv6") == str(int(not ipv6))
            tun.close()

    def test_an_address_twice_is_one_address(self, links):
        address = IPv4Interface("10.1.0.77/24")
        assert links.add_address("router0", address)
        assert not links.add_address("router0", address)
        assert (address, "router0") in links.addresses()
        links.undo()
        assert (address, "router0") not in links.addresses()

    def test_b142_no_such_device(self, links):
        with pytest.raises(SetupError, match="this host has no network device nowhere"):
            links.device_up("nowhere", mtu=1400)

    def test_b142_an_mtu_the_device_does_not_take(self, links):
        with pytest.raises(SetupError, match="cannot set up the device router0: Invalid argument"):
            links.device_up("router0", mtu=1_000_000)


@pytest.mark.root
class RouteTests:
    """Routes of ours come and go; those of others stay."""

    def test_a_route_is_added_once(self, links, host):
        assert links.add_route(OFFICE, "router0", gateway=GATEWAY, metric=50)
        assert not links.add_route(OFFICE, "router0", gateway=GATEWAY, metric=50)
        assert "172.20.0.0/16 via 10.1.0.1 dev router0 proto 47 metric 50" in host.run("ip", "route").stdout
        assert links.remove_route(OFFICE, "router0")
        assert not links.remove_route(OFFICE, "router0")
        assert "172.20" not in host.run("ip", "route").stdout

    def test_a_route_of_the_administrator_is_left_alone(self, links, host):
        host.ip("route add 172.20.0.0/16 via 10.1.0.1")
        before = state(host)
        assert not links.add_route(OFFICE, "router0", gateway=GATEWAY)
        assert not links.remove_route(OFFICE, "router0")
        assert links.undo() == []
        assert state(host) == before

    def test_another_route_to_the_same_network_is_an_error(self, links, host):
        host.ip("route add 172.20.0.0/16 via 10.1.0.99")
        with pytest.raises(SetupError, match=r"cannot route 172\.20\.0\.0/16 through router0: File exists"):
            links.add_route(OFFICE, "router0", gateway=GATEWAY)

    def test_a_default_route_and_its_halves(self, links, host):
        tun = Tun("inside")
        links.device_up("inside", address=IPv4Interface("10.88.0.5/32"))
        before = state(host)
        assert links.add_route(IPv4Network("0.0.0.0/0"), "inside", metric=5)
        assert links.add_route(IPv4Network("0.0.0.0/1"), "inside")
        assert links.add_route(IPv4Network("128.0.0.0/1"), "inside", source=IPv4Address("10.88.0.5"))
        assert links.route_to(IPv4Address("192.0.2.1")).device == "inside"
        for network in ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"):
            assert links.remove_route(IPv4Network(network), "inside")
        assert state(host) == before
        tun.close()

    def test_the_way_to_an_address(self, links):
        assert links.route_to(SERVER) == Route(GATEWAY, "router0", IPv4Address("10.1.0.2"))
        assert links.route_to(IPv4Address("10.1.0.50")) == Route(None, "router0", IPv4Address("10.1.0.2"))

    def test_no_way_to_an_address(self, links, host):
        host.ip("route del default")
        with pytest.raises(SetupError, match=r"cannot reach 198\.51\.100\.9: Network is unreachable"):
            links.route_to(SERVER)

    def test_networks_a_pool_must_not_overlap(self, links, host):
        host.ip("route add 10.55.0.0/16 via 10.1.0.1")
        host.ip("route add 0.0.0.0/1 via 10.1.0.1")
        host.ip("route add blackhole 10.66.0.0/16")
        found = links.networks()
        assert HostNetwork(IPv4Network("10.1.0.0/24"), "router0") in found
        assert HostNetwork(IPv4Network("10.55.0.0/16"), "router0") in found
        assert all(each.network.prefixlen >= 2 for each in found)


@pytest.mark.root
class PinTests:
    """A host route keeps the tunnel's own packets out of the tunnel."""

    def test_b058_the_server_stays_outside_when_everything_else_goes_inside(self, links, host):
        tun = Tun("inside")
        links.device_up("inside", address=IPv4Interface("10.88.0.5/32"))
        assert links.pin(SERVER, avoid="inside")
        links.add_route(IPv4Network("0.0.0.0/1"), "inside")
        links.add_route(IPv4Network("128.0.0.0/1"), "inside")
        assert links.route_to(SERVER) == Route(GATEWAY, "router0", IPv4Address("10.1.0.2"))
        assert links.route_to(IPv4Address("192.0.2.1")).device == "inside"
        assert not links.pin(SERVER, avoid="inside")
        tun.close()

    def test_two_tunnels_to_one_server_have_a_route_each(self, links, host):
        first, second = Tun("one"), Tun("two")
        other = Links()
        assert links.pin(SERVER, avoid="one")
        assert other.pin(SERVER, avoid="two")
        assert links.undo() == []
        assert other.route_to(SERVER).device == "router0"
        assert "198.51.100.9 via 10.1.0.1" in host.run("ip", "route").stdout
        assert other.undo() == []
        assert "198.51.100.9" not in host.run("ip", "route").stdout
        other.close()
        first.close()
        second.close()

    def test_b058_a_way_through_the_tunnel_itself_is_refused(self, links):
        tun = Tun("inside")
        links.device_up("inside", address=IPv4Interface("10.88.0.5/32"))
        links.add_route(IPv4Network("128.0.0.0/1"), "inside")
        with pytest.raises(SetupError, match="leads through inside, the tunnel itself"):
            links.pin(SERVER, avoid="inside")
        tun.close()

    def test_a_pinned_way_is_taken_back(self, links, host):
        before = state(host)
        assert links.pin(SERVER)
        assert "198.51.100.9 via 10.1.0.1" in host.run("ip", "route").stdout
        assert links.undo() == []
        assert state(host) == before

    def test_a_host_route_that_was_there_before_stays(self, links, host):
        host.ip("route add 198.51.100.9 via 10.1.0.1")
        before = state(host)
        assert not links.pin(SERVER)
        assert links.undo() == []
        assert state(host) == before

    def test_a_neighbour_is_pinned_to_its_device(self, links, host):
        assert links.pin(IPv4Address("10.1.0.50"))
        assert "10.1.0.50 dev router0 proto 47 scope link" in host.run("ip", "route").stdout

    def test_a_pin_lost_with_the_uplink_is_made_again(self, links, host):
        links.pin(SERVER)
        host.ip("link set router0 down")
        host.ip("link set router0 up")
        host.ip("route add default via 10.1.0.1")
        assert links.pin(SERVER)
        links.undo()
        assert "198.51" not in host.run("ip", "route").stdout


@pytest.mark.root
class UndoTests:
    """Everything added is removed in reverse order, if it is still as we added it."""

    def test_undo_leaves_the_host_as_it_was(self, links, host):
        before = state(host)
        links.add_address("router0", IPv4Interface("10.2.0.2/24"))
        links.add_route(OFFICE, "router0", gateway=IPv4Address("10.2.0.1"))
        links.pin(SERVER)
        assert links.undo() == []
        assert state(host) == before
        assert links.undo() == []

    def test_the_newest_change_is_undone_first(self, links, monkeypatch):
        links.add_address("router0", IPv4Interface("10.2.0.2/24"))
        links.add_route(OFFICE, "router0", gateway=IPv4Address("10.2.0.1"))
        links.pin(SERVER)
        change, undone = links._change, []
        monkeypatch.setattr(links, "_change", lambda verb, entry: (undone.append(entry), change(verb, entry)))
        links.undo()
        assert [entry.get("network", "address") for entry in undone] == [f"{SERVER}/32", str(OFFICE), "address"]

    def test_the_same_route_made_anew_by_the_administrator_is_theirs(self, links, host):
        links.add_route(OFFICE, "router0", gateway=GATEWAY)
        host.ip("route del 172.20.0.0/16")
        host.ip("route add 172.20.0.0/16 via 10.1.0.1")
        assert links.undo() == []
        assert "172.20.0.0/16 via 10.1.0.1" in host.run("ip", "route").stdout

    def test_what_cannot_be_undone_is_said_and_kept_for_the_next_try(self, links, host, monkeypatch):
        links.add_route(OFFICE, "router0", gateway=GATEWAY)
        with monkeypatch.context() as patched:
            patched.setattr(links, "_change", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOBUFS, "x")))
            (problem,) = links.undo()
        assert problem.endswith("No buffer space available")
        assert links.undo() == []
        assert "172.20" not in host.run("ip", "route").stdout

    def test_what_others_changed_meanwhile_is_theirs(self, links, host):
        links.add_route(OFFICE, "router0", gateway=GATEWAY)
        host.ip("route replace 172.20.0.0/16 via 10.1.0.99")
        assert links.undo() == []
        assert "172.20.0.0/16 via 10.1.0.99" in host.run("ip", "route").stdout

    def test_a_device_that_is_gone_is_no_problem(self, links):
        tun = Tun("inside")
        links.device_up("inside", address=IPv4Interface("10.88.0.1/24"))
        links.add_route(OFFICE, "inside")
        tun.close()
        assert links.undo() == []

    def test_b145_what_a_killed_process_left_is_removed_by_the_next(self, host, tmp_path):
        before = state(host)
        kill_itself(
            host,
            "from ipaddress import *\nfrom pathlib import Path\n"
            "from openpptp.net.journal import Journal\nfrom openpptp.net.links import Links\n"
            f"links = Links(Journal(Path({str(tmp_path)!r})))\n"
            "links.add_address('router0', IPv4Interface('10.2.0.2/24'))\n"
            f"links.pin(IPv4Address('{SERVER}'))\n",
        )
        assert state(host) != before
        journal = Journal(tmp_path)
        links = Links(journal)
        assert links.undo() == []
        assert state(host) == before
        assert journal.entries("route", "address") == []
        links.close()
        journal.close()

    def test_b145_a_journal_of_another_version_is_dropped(self, host):
        journal = Journal()
        journal.remember("route", something="else")
        links = Links(journal)
        assert links.undo() == []
        assert journal.entries("route") == []
        links.close()


@pytest.mark.root
class ThreadTests:
    """Inside a running event loop."""

    async def test_both_ways_of_calling_work(self, links):
        assert await links.later(links.route_to, SERVER) == links.route_to(SERVER)
        assert await links.later(links.add_route, OFFICE, "router0", gateway=GATEWAY)
        first, second = await asyncio.gather(links.later(links.networks), links.later(links.undo))
        assert HostNetwork(OFFICE, "router0") in first
        assert second == []

    async def test_errors_come_back_as_ours(self, links):
        with pytest.raises(SetupError, match="no network device"):
            await links.later(links.device_up, "nowhere")


class NetlinkErrorTests:
    """What netlink refuses becomes one sentence."""

    @pytest.mark.root
    def test_no_privilege(self, namespace):
        said = powerless(
            namespace,
            "from openpptp.net.links import Links\nlinks = Links()\n"
            "with explained():\n    links.device_up('lo', mtu=1400, ipv6=True)\nlinks.close()\n",
        )
        assert said == "3 this process may not set up the device lo; run as root or grant CAP_NET_ADMIN\n"

    @pytest.mark.parametrize("error", [NetlinkError(errno.ENOBUFS, "x"), OSError(errno.ENOBUFS, "x")])
    def test_b142_no_buffers(self, error):
        class Netlink:
            def link_lookup(self, **_):
                raise error

            def close(self):
                pass

        links = Links(netlink=Netlink)
        with pytest.raises(SetupError, match="No buffer space available"):
            links.add_route(OFFICE, "eth0")
        links.close()

    def test_close_without_use(self):
        Links().close()

"""What becomes of routes when the host's network changes; surroundings and rtnetlink are tested with it."""

import errno
import queue
import socket

import pytest
from tests.net.packets import number
from tests.netns.namespace import Namespace, join

from openpptp.errors import SetupError
from openpptp.net import surroundings
from openpptp.net.ethernet import EthernetRoute, EthernetRoutes
from openpptp.net.rtnetlink import Message, Netlink, attribute, attributes, messages
from openpptp.net.surroundings import Surroundings
from openpptp.net.tun import Tun

US, GATEWAY, OTHER, FAR = (number(each) for each in ("10.5.0.1", "10.5.0.2", "10.5.0.3", "10.6.1.7"))
MAC = "02:00:00:00:00:02"


class Watcher:
    """EthernetRoutes in a namespace, and what they tell, in order."""

    def __init__(self, namespace: Namespace):
        self.told: queue.Queue = queue.Queue()
        self.devices: queue.Queue = queue.Queue()
        with namespace.inside():
            self.routes = EthernetRoutes(lambda *told: self.told.put(told), self.devices.put)

    def watch(self, peer: int, local: int = US) -> EthernetRoute | None:
        self.routes.watch(peer, local)
        return self.next(peer, local)

    def next(self, peer: int, local: int = US) -> EthernetRoute | None:
        """Return what is told next, which is about this pair."""
        told = self.told.get(timeout=5)
        assert told[:2] == (peer, local)
        return told[2]

    def is_quiet(self) -> bool:
        """Return whether nothing more was told before what an order of ours made it tell."""
        assert self.watch(number("10.5.0.250"), number("10.5.0.250")) is None
        self.routes.forget(number("10.5.0.250"), number("10.5.0.250"))
        return self.told.empty()


class Host:
    """We are 10.5.0.1 on the device gateway0; the gateway 10.5.0.2 leads to 10.6.0.0/16."""

    def __init__(self, make_namespace):
        self.us, self.gateway = make_namespace("us"), make_namespace("gateway")
        join(self.us, "10.5.0.1/24", self.gateway, "10.5.0.2/24")
        self.us.ip("route add 10.6.0.0/16 via 10.5.0.2")
        self.knows(MAC)

    def knows(self, address: str, *, state: str = "reachable", neighbour: str = "10.5.0.2"):
        self.us.ip(f"neigh replace {neighbour} lladdr {address} dev gateway0 nud {state}")

    @property
    def index(self) -> int:
        with self.us.inside():
            return socket.if_nametoindex("gateway0")

    def route(self, mtu: int = 1500, address: str = MAC) -> EthernetRoute:
        ours = self.us.run("cat", "/sys/class/net/gateway0/address").stdout.strip()
        header = bytes.fromhex((address + ours).replace(":", "")) + b"\x08\x00"
        return EthernetRoute(self.index, header, mtu)


@pytest.fixture
def host(make_namespace):
    return Host(make_namespace)


@pytest.fixture
def watcher(host):
    made = Watcher(host.us)
    yield made
    made.routes.close()


@pytest.mark.root
class RouteTests:
    """Which pairs have an Ethernet route."""

    @pytest.mark.parametrize("peer", [GATEWAY, FAR], ids=["neighbour", "behind a gateway"])
    def test_a_plain_route_through_a_known_neighbour_is_usable(self, host, watcher, peer):
        assert watcher.watch(peer) == host.route()
        assert watcher.devices.get(timeout=5) == {host.index}

    @pytest.mark.parametrize("state", ["permanent", "noarp", "delay", "probe"])
    def test_neighbours_in_these_states_are_known(self, host, watcher, state):
        host.knows(MAC, state=state)
        assert watcher.watch(GATEWAY) == host.route()

    @pytest.mark.parametrize("state", ["incomplete", "failed", "none"])
    def test_neighbours_in_these_states_are_not(self, host, watcher, state):
        host.us.ip(f"neigh replace 10.5.0.3 lladdr {MAC} dev gateway0 nud {state}")
        assert watcher.watch(OTHER) is None

    def test_a_stale_neighbour_is_used_and_asked_again(self, host, watcher):
        host.knows(MAC, state="stale")
        assert watcher.watch(GATEWAY) == host.route()
        assert watcher.is_quiet()
        shown = host.us.run("ip", "neigh", "show", "10.5.0.2").stdout
        assert "STALE" not in shown

    def test_a_neighbour_that_nobody_asked_for_yet_has_the_raw_socket_ask(self, host, watcher):
        host.us.ip("neigh del 10.5.0.2 dev gateway0")
        assert watcher.watch(FAR) is None
        assert host.us.ping("10.5.0.2")
        ours = host.gateway.run("cat", "/sys/class/net/us0/address").stdout.strip()
        assert watcher.next(FAR) == host.route(address=ours)

    @pytest.mark.parametrize(
        "route",
        [
            "unreachable 10.7.0.0/16",
            "blackhole 10.7.0.0/16",
            "10.7.0.0/16 dev lo",
            "local 10.7.0.0/16 dev lo",
            "broadcast 10.7.0.0/16 dev gateway0",
            "10.7.0.0/16 nexthop via 10.5.0.2 nexthop via 10.5.0.3",
            "10.7.0.0/16 dev inside",
        ],
    )
    def test_every_other_kind_of_route_is_not_usable(self, host, watcher, route):
        with host.us.inside():
            tun = Tun("inside")
        host.us.ip("link set inside up")
        host.us.ip(f"route add {route}")
        assert watcher.watch(number("10.7.0.1")) is None
        tun.close()

    def test_without_a_route_there_is_none(self, watcher):
        assert watcher.watch(number("192.0.2.1")) is None

    def test_an_address_that_is_not_ours_sends_nothing(self, watcher):
        assert watcher.watch(GATEWAY, OTHER) is None

    def test_ourselves_are_not_reached_by_ethernet(self, host, watcher):
        assert watcher.watch(US) is None

    def test_the_route_s_mtu_counts_when_it_is_smaller(self, host, watcher):
        host.us.ip("route add 10.7.0.0/16 via 10.5.0.2 mtu 1300")
        host.us.ip("route add 10.8.0.0/16 via 10.5.0.2 mtu 2000")
        assert watcher.watch(number("10.7.0.1")) == host.route(1300)
        assert watcher.watch(number("10.8.0.1")) == host.route(1500)

    def test_rules_by_source_are_followed(self, host, watcher):
        host.us.ip("addr add 10.5.0.77/24 dev gateway0")
        host.us.ip("rule add from 10.5.0.77 table 100")
        host.us.ip("route add 10.6.0.0/16 via 10.5.0.3 table 100")
        host.knows("02:00:00:00:00:03", neighbour="10.5.0.3")
        assert watcher.watch(FAR) == host.route()
        assert watcher.watch(FAR, number("10.5.0.77")) == host.route(address="02:00:00:00:00:03")


@pytest.mark.root
class ChangeTests:
    """What is told when something changes."""

    def test_a_neighbour_with_another_address(self, host, watcher):
        watcher.watch(FAR)
        host.knows("02:00:00:00:00:99")
        assert watcher.next(FAR) == host.route(address="02:00:00:00:00:99")

    def test_a_neighbour_that_answers_no_more(self, host, watcher):
        watcher.watch(FAR)
        host.us.ip("neigh replace 10.5.0.2 dev gateway0 nud failed")
        assert watcher.next(FAR) is None
        host.knows(MAC)
        assert watcher.next(FAR) == host.route()

    def test_a_device_that_goes_down_and_comes_back(self, host, watcher):
        watcher.watch(GATEWAY)
        assert watcher.devices.get(timeout=5) == {host.index}
        host.us.ip("link set gateway0 down")
        assert watcher.next(GATEWAY) is None
        assert watcher.devices.get(timeout=5) == frozenset()
        host.us.ip("link set gateway0 up")
        assert watcher.devices.get(timeout=5) == {host.index}
        host.knows(MAC)
        assert watcher.next(GATEWAY) == host.route()

    def test_a_device_without_carrier(self, host, watcher):
        watcher.watch(GATEWAY)
        host.gateway.ip("link set us0 down")
        assert watcher.next(GATEWAY) is None

    def test_a_device_that_gets_a_master(self, host, watcher):
        watcher.watch(GATEWAY)
        command = "ip link add master type bridge"
        if host.us.run(*command.split(), check=False).returncode:
            pytest.skip("not on this machine: this kernel has no bridges")
        host.us.ip("link set gateway0 master master")
        assert watcher.next(GATEWAY) is None

    def test_a_device_that_is_deleted(self, host, watcher):
        watcher.watch(GATEWAY)
        host.us.ip("link del gateway0")
        assert watcher.next(GATEWAY) is None

    def test_a_smaller_mtu(self, host, watcher):
        watcher.watch(FAR)
        host.us.ip("link set gateway0 mtu 1400")
        assert watcher.next(FAR) == host.route(1400)

    def test_our_own_ethernet_address(self, host, watcher):
        watcher.watch(FAR)
        host.us.ip("link set gateway0 address 02:00:00:00:00:11")
        assert watcher.next(FAR) is None  # the kernel forgets its neighbours then
        host.knows(MAC)
        assert watcher.next(FAR) == host.route()

    def test_another_gateway(self, host, watcher):
        watcher.watch(FAR)
        host.knows("02:00:00:00:00:03", neighbour="10.5.0.3")
        host.us.ip("route add 10.6.1.0/24 via 10.5.0.3")
        assert watcher.next(FAR) == host.route(address="02:00:00:00:00:03")
        host.us.ip("route del 10.6.1.0/24 via 10.5.0.3")
        assert watcher.next(FAR) == host.route()

    def test_no_route_any_more(self, host, watcher):
        watcher.watch(FAR)
        host.us.ip("route del 10.6.0.0/16")
        assert watcher.next(FAR) is None

    @pytest.mark.parametrize("selector", ["fwmark 3", "uidrange 0-9", "ipproto gre", "iif lo", "tos 8"])
    def test_a_rule_that_a_lookup_cannot_follow(self, host, watcher, selector):
        watcher.watch(FAR)
        watcher.devices.get(timeout=5)
        host.us.ip(f"rule add {selector} table 100")
        assert watcher.next(FAR) is None
        assert watcher.devices.get(timeout=5) == frozenset()
        host.us.ip(f"rule del {selector} table 100")
        assert watcher.next(FAR) == host.route()

    def test_an_ipsec_policy(self, host, watcher):
        watcher.watch(FAR)
        policy = "src 10.5.0.1 dst 10.99.0.0/16 dir out"
        added = host.us.run(*f"ip xfrm policy add {policy} tmpl proto esp mode transport".split(), check=False)
        if added.returncode:
            pytest.skip("not on this machine: this kernel has no IPsec")
        assert watcher.next(FAR) is None
        host.us.run(*f"ip xfrm policy del {policy}".split())
        assert watcher.next(FAR) == host.route()

    def test_what_is_the_same_is_not_told_again(self, host, watcher):
        watcher.watch(FAR)
        host.us.ip("route add 10.9.0.0/16 via 10.5.0.2")
        host.knows(MAC, state="permanent")
        assert watcher.is_quiet()

    def test_two_thousand_peers_behind_one_gateway(self, host, watcher):
        peers = [number("10.6.0.1") + each for each in range(2000)]
        for peer in peers:
            watcher.routes.watch(peer, US)
        assert {watcher.told.get(timeout=5) for _ in peers} == {(peer, US, host.route()) for peer in peers}
        host.knows("02:00:00:00:00:99")
        route = host.route(address="02:00:00:00:00:99")
        assert {watcher.told.get(timeout=5) for _ in peers} == {(peer, US, route) for peer in peers}


@pytest.mark.root
class WatchTests:
    """Beginning and ending to watch."""

    def test_what_is_watched_twice_has_to_be_forgotten_twice(self, host, watcher):
        watcher.watch(FAR)
        watcher.routes.watch(FAR, US)
        watcher.routes.forget(FAR, US)
        assert watcher.is_quiet()
        host.knows("02:00:00:00:00:99")
        assert watcher.next(FAR) is not None
        watcher.routes.forget(FAR, US)
        assert watcher.devices.get(timeout=5) == {host.index}
        assert watcher.devices.get(timeout=5) == frozenset()
        host.knows(MAC)
        assert watcher.is_quiet()

    def test_what_is_watched_anew_is_told_anew(self, host, watcher):
        watcher.watch(FAR)
        watcher.routes.forget(FAR, US)
        assert watcher.watch(FAR) == host.route()

    def test_forgetting_what_was_not_watched_does_nothing(self, watcher):
        watcher.routes.forget(FAR, US)
        assert watcher.is_quiet()

    def test_after_closing_nothing_is_told(self, host, watcher):
        watcher.watch(FAR)
        watcher.routes.close()
        watcher.routes.close()
        watcher.routes.watch(GATEWAY, US)
        host.knows("02:00:00:00:00:99")
        assert watcher.told.empty()


@pytest.mark.root
class FaultTests:
    """When we cannot know, there is no Ethernet route."""

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_that_fails_takes_its_routes_with_it(self, host, watcher):
        watcher.watch(FAR)
        watcher.routes._surroundings.take_news = None
        host.knows("02:00:00:00:00:99")
        assert watcher.next(FAR) is None

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_callback_that_fails_for_one_peer_leaves_no_other_s_route(self, host, watcher):
        watcher.watch(GATEWAY)
        watcher.watch(FAR)

        def changed(peer, local, route):
            if peer == GATEWAY:
                raise OSError
            watcher.told.put((peer, local, route))

        watcher.routes._changed = changed
        host.us.ip("link set gateway0 mtu 1400")
        told = watcher.next(FAR)
        assert told is None or watcher.next(FAR) is None

    def test_lost_news_are_made_up_for(self, host):
        with host.us.inside():
            made = Surroundings()
        made.learn()
        assert made.neighbours[host.index, GATEWAY].address == bytes.fromhex(MAC.replace(":", ""))
        host.us.ip("neigh del 10.5.0.2 dev gateway0")
        host.knows(MAC, neighbour="10.5.0.3")

        class Overflown:
            def __init__(self):
                self.told = iter([OSError(errno.ENOBUFS, "lost"), BlockingIOError()])

            def recv(self, _):
                raise next(self.told)

        for each in made.news:
            each.close()
        made.news = [Overflown()]
        news = made.take_news()
        assert news.routes
        assert news.places == {(host.index, GATEWAY), (host.index, OTHER)}
        assert (host.index, GATEWAY) not in made.neighbours
        made.close()

    def test_policies_that_may_not_be_read_may_be_there(self, host, monkeypatch):
        with host.us.inside():
            made = Surroundings()
        if made._xfrm is None:
            pytest.skip("not on this machine: this kernel has no IPsec")
        assert made.is_plain()

        def refuse(*_):
            raise PermissionError(errno.EPERM, "no")

        monkeypatch.setattr(made._xfrm, "dump", refuse)
        assert not made.is_plain()
        made.close()

    def test_a_kernel_without_ipsec_has_no_policies(self, host, monkeypatch):
        def without(protocol=socket.NETLINK_ROUTE):
            if protocol == surroundings.NETLINK_XFRM:
                raise OSError(errno.EPROTONOSUPPORT, "no")
            return Netlink(protocol)

        monkeypatch.setattr(surroundings, "Netlink", without)
        with host.us.inside():
            made = Surroundings()
        assert made.is_plain()
        made.close()

    def test_without_netlink_the_reason_is_said(self, monkeypatch):
        def refuse(_=0):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(surroundings, "Netlink", refuse)
        with pytest.raises(SetupError, match="cannot watch the host's routes: Operation not permitted"):
            EthernetRoutes(print)


class MessageTests:
    """netlink(7): what the kernel wrote, also cut short."""

    def test_attributes_are_read_back(self):
        body = attribute(1, b"abcde") + attribute(0x8002, b"") + attribute(3, b"1234")
        assert attributes(body) == {1: b"abcde", 2: b"", 3: b"1234"}

    def test_datagrams_are_split(self):
        one = (20).to_bytes(4, "little") + bytes([7, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]) + b"body"
        assert list(messages(one + one)) == [Message(7, 5, b"body")] * 2

    @pytest.mark.parametrize("length", range(20))
    def test_what_is_cut_short_ends_it(self, length):
        one = (20).to_bytes(4, "little") + bytes([7, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]) + b"body"
        list(messages(one[:length]))
        attributes((attribute(1, b"abcdefgh") * 2)[:length])
        assert list(messages(bytes(length))) == []
        assert attributes(bytes(length)) == {}

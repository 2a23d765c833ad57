"""Packets, with a real server, are in tests/netns/test_lan.py."""

from ipaddress import IPv4Address

import pytest
from tests.net.packets import powerless
from tests.netns.namespace import join

from openpptp.errors import SetupError
from openpptp.net.journal import Journal
from openpptp.net.links import Links
from openpptp.net.proxy_arp import KNOWN_FOR, ProxyArp

pytestmark = pytest.mark.root
CLIENT = IPv4Address("192.0.2.99")


@pytest.fixture
def proxy(make_namespace, alone):
    """ProxyArp on a host with a LAN, a tunnel of others and addresses that have no neighbours."""
    join(alone, "192.0.2.1/24", make_namespace("lan"), "192.0.2.50/24")
    for name, address in {"tun0": "192.0.2.1/32", "tun1": "192.0.2.3/24"}.items():
        alone.ip(f"tuntap add {name} mode tun")
        alone.ip(f"addr add {address} dev {name}")
        alone.ip(f"link set {name} up")
    alone.ip("addr add 192.0.2.65/32 dev lan0")
    journal = Journal()
    links = Links(journal)
    yield ProxyArp(links, journal, own="tun0")
    links.close()


def shown(namespace) -> list[str]:
    return namespace.run("ip", "neigh", "show", "proxy").stdout.split("\n")[:-1]


class ProxyArpTests:
    def test_only_networks_whose_hosts_ask_count(self, proxy):
        assert [(str(address), device) for address, device in proxy.networks()] == [("192.0.2.1/24", "lan0")]

    def test_an_address_of_the_lan_is_answered_for_once(self, proxy, alone):
        assert proxy.answer(CLIENT) == ["lan0"]
        assert proxy.answer(CLIENT) == []
        assert shown(alone) == ["192.0.2.99 dev lan0 proxy "]
        assert ([entry["address"] for entry in proxy.state()[0]], proxy.state()[1]) == (["192.0.2.99"], [])
        proxy.stop(CLIENT)
        proxy.stop(CLIENT)
        assert shown(alone) == []

    @pytest.mark.parametrize("address", ["192.0.2.1", "198.51.100.7"])
    def test_our_own_and_those_of_elsewhere_are_not(self, proxy, alone, address):
        assert proxy.answer(IPv4Address(address)) == []
        assert shown(alone) == []

    def test_a_network_that_came_is_known_after_a_while_and_not_asked_for_each_time(self, proxy, alone):
        now = [100.0]
        proxy._clock = lambda: now[0]
        newcomer = IPv4Address("203.0.113.9")
        assert proxy.answer(newcomer) == []
        alone.ip("addr add 203.0.113.1/24 dev lan0")
        assert proxy.answer(newcomer) == []
        now[0] += KNOWN_FOR + 1
        assert proxy.answer(newcomer) == ["lan0"]

    def test_what_others_answer_for_stays_theirs(self, proxy, alone):
        alone.ip(f"neigh add proxy {CLIENT} dev lan0")
        assert proxy.answer(CLIENT) == []
        proxy.stop(CLIENT)
        assert proxy.undo() == []
        assert shown(alone) == ["192.0.2.99 dev lan0 proxy "]

    def test_undo_takes_all_of_ours(self, proxy, alone):
        for number in (99, 100):
            proxy.answer(IPv4Address(f"192.0.2.{number}"))
        alone.ip("neigh del proxy 192.0.2.100 dev lan0")
        present, gone = proxy.state()
        assert ([each["address"] for each in present], [each["address"] for each in gone]) == (
            ["192.0.2.99"],
            ["192.0.2.100"],
        )
        assert proxy.undo() == []
        assert (shown(alone), proxy.state()) == ([], ([], []))

    def test_a_device_that_went_away_took_them_with_it(self, proxy, alone):
        proxy.answer(CLIENT)
        alone.ip("link del lan0")
        assert proxy.undo() == []


class RefusalTests:
    """A process that may not."""

    def test_no_privilege_is_said_and_nothing_is_noted(self, proxy, alone):
        said = powerless(
            alone,
            "from ipaddress import *\nfrom openpptp.net.journal import Journal\nfrom openpptp.net.links import Links\n"
            "from openpptp.net.proxy_arp import KNOWN_FOR, ProxyArp\n"
            "journal = Journal()\nlinks = Links(journal)\nproxy = ProxyArp(links, journal, own='tun0')\n"
            "with explained():\n    proxy.answer(IPv4Address('192.0.2.99'))\n"
            "print(journal.entries('proxy ARP'))\n"
            "journal.remember('proxy ARP', index=2, device='lan0', address='192.0.2.99')\n"
            "print(proxy.undo(), len(journal.entries('proxy ARP')))\nlinks.close()\n",
        )
        assert said.splitlines() == [
            "3 this process may not answer ARP for 192.0.2.99 on lan0; run as root or grant CAP_NET_ADMIN",
            "[]",
            "['this process may not stop answering ARP for 192.0.2.99 on lan0; run as root or grant CAP_NET_ADMIN'] 1",
        ]

    def test_a_kernel_that_does_not_tell(self, proxy, monkeypatch):
        def refuse(*_):
            raise OSError(12, "Cannot allocate memory")

        monkeypatch.setattr("openpptp.net.proxy_arp.Netlink.dump", refuse)
        with pytest.raises(SetupError, match="cannot read for which addresses this host answers ARP: Cannot allocate"):
            proxy.answer(CLIENT)

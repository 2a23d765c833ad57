"""Clients with addresses in a network of the server's own."""

import pytest
from tests.eventually import eventually
from tests.netns.namespace import join
from tests.netns.programs import connecting, serving, start_server, state

pytestmark = pytest.mark.root

LAN = {"pool": ["192.168.7.100-192.168.7.110"], "local_address": "192.168.7.1"}


@pytest.fixture
def neighbour(topology, make_namespace):
    """A host in the server's LAN, which knows of nothing but that LAN."""
    made = make_namespace("lan")
    join(topology.server, "192.168.7.1/24", made, "192.168.7.50/24")
    return made


def proxied(topology) -> list[str]:
    return topology.server.run("ip", "neigh", "show", "proxy").stdout.splitlines()


class ProxyArpTests:
    """A host of the LAN begins a conversation with a client."""

    def test_a_lan_host_reaches_a_client_by_arp(self, topology, neighbour, tmp_path):
        before = state(topology.server)
        with serving(topology.server, tmp_path / "server", network=LAN) as server:
            assert proxied(topology) == []
            with connecting(topology.client, tmp_path / "client", "--route", "192.168.7.0/24") as client:
                client.connected()
                assert eventually(lambda: proxied(topology))
                assert proxied(topology) == ["192.168.7.100 dev lan0 proxy "]
                assert neighbour.ping("192.168.7.100", wait=5)
                server_mac = topology.server.run("cat", "/sys/class/net/lan0/address").stdout.strip()
                assert server_mac in neighbour.run("ip", "neigh", "show", "192.168.7.100").stdout
                assert not neighbour.ping("192.168.7.101", wait=0.3), "nobody has that address"
                assert topology.client.ping("192.168.7.50")
                assert client.stop() == 0
            server.says("session ended")
            assert eventually(lambda: not proxied(topology))
            assert server.stop() == 0
        assert state(topology.server) == before

    def test_it_is_not_done_when_it_is_not_wanted(self, topology, neighbour, tmp_path):
        with (
            serving(topology.server, tmp_path / "server", network={**LAN, "proxy_arp": False}),
            connecting(topology.client, tmp_path / "client") as client,
        ):
            client.connected()
            assert topology.client.ping("192.168.7.1")
            assert proxied(topology) == []

    def test_b145_what_a_killed_server_left_is_taken_away_and_what_others_made_stays(
        self, topology, neighbour, tmp_path
    ):
        topology.server.ip("neigh add proxy 192.168.7.99 dev lan0")
        with (
            serving(topology.server, tmp_path / "server", network=LAN) as victim,
            connecting(topology.client, tmp_path / "client") as client,
        ):
            client.connected()
            assert eventually(lambda: len(proxied(topology)) == 2)
            victim.kill()
        second = start_server(topology.server, tmp_path / "server", network=LAN)
        second.says("serving")
        assert proxied(topology) == ["192.168.7.99 dev lan0 proxy "]
        assert second.stop() == 0
        assert proxied(topology) == ["192.168.7.99 dev lan0 proxy "]


class PoolTests:
    """What of the LAN is the clients', and what is not."""

    def test_a_neighbour_at_the_edge_of_the_pool_is_still_reached(self, topology, neighbour, tmp_path):
        """All hosts of a /28 are clients; its first and last address are ordinary hosts of the LAN."""
        neighbour.ip("addr add 192.168.7.96/24 dev server0")
        with serving(topology.server, tmp_path / "server", network={**LAN, "pool": ["192.168.7.96/28"]}):
            assert topology.server.ping("192.168.7.96")
            assert "dev pptp0" in topology.server.run("ip", "route", "get", "192.168.7.97").stdout

    def test_a_pool_that_is_the_whole_lan_is_refused(self, topology, neighbour, tmp_path):
        server = start_server(topology.server, tmp_path / "server", network={**LAN, "pool": ["192.168.7.0/24"]})
        assert server.exit_code() == 2
        assert "network.pool: 192.168.7.0/24 is all of the network on lan0" in server.log()

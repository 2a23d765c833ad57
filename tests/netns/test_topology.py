"""The networks the other tests stand on: do they do what their picture says?"""

import os
import socket
import subprocess
import sys
from hashlib import sha256

import pytest
from tests.netns.namespace import PREFIX, RUN_NETNS, ours, sweep
from tests.netns.target import ask, octets, target
from tests.netns.topology import Topology

from openpptp.net.gre import RawGrePort

pytestmark = pytest.mark.root


class TopologyTests:
    """World, server, NAT box, client."""

    def test_the_client_reaches_the_server_through_the_nat_box(self, topology):
        assert topology.client.ping(topology.SERVER, count=2)

    def test_the_server_sees_the_nat_box_not_the_client(self, topology):
        with target(topology.server, str(topology.SERVER)):
            assert ask(topology.client, str(topology.SERVER)) == str(topology.NAT).encode()

    def test_nothing_reaches_the_world_while_the_server_does_not_masquerade(self, topology):
        topology.server.sysctl("net/ipv4/ip_forward", "1")
        assert topology.server.ping(topology.WORLD)
        assert not topology.client.ping(topology.WORLD, wait=0.3)

    def test_a_second_client_has_a_network_of_its_own(self, make_topology):
        clients = make_topology(clients=2).clients
        assert all(client.ping(Topology.SERVER) for client in clients)
        assert clients[1].run("ip", "-br", "addr", "show", "nat0").stdout.split()[2] == "192.168.101.2/24"

    def test_the_target_gives_and_hashes_octets(self, topology):
        with target(topology.world, str(topology.WORLD)):
            assert ask(topology.server, str(topology.WORLD), "/octets/100000") == octets(100000)
            digest = sha256(octets(5000)).hexdigest().encode()
            assert ask(topology.server, str(topology.WORLD), "/", octets(5000)) == digest

    def test_finding_11_without_the_helper_gre_answers_are_dropped(self, make_topology):
        """Control connections pass either way; a GRE packet of the server's that nobody asked for never does."""
        topology = make_topology(helper=False)
        with topology.server.inside():
            server = RawGrePort()
        with topology.client.inside():
            client = RawGrePort()
        client_address = int.from_bytes(socket.inet_aton("192.168.100.2"), "big")
        assert client.send(b"\x30\x01\x88\x0b" + bytes(8), int(topology.SERVER), client_address)
        (arrived,) = server.receive()
        assert arrived.source == int(topology.NAT)
        assert server.send(b"\x30\x01\x88\x0b\x00\x00\x12\x34" + bytes(4), arrived.source, int(topology.SERVER))
        assert client.receive() == []
        server.close()
        client.close()


class LossTests:
    """Loss by nft numgen, finding 12."""

    def test_all_or_nothing_is_exact(self, topology):
        topology.server.lose(100, protocol="icmp")
        assert not topology.client.ping(topology.SERVER, wait=0.2)
        topology.server.lose(0)
        assert topology.client.ping(topology.SERVER)

    def test_a_share_of_packets_is_lost(self, make_topology):
        topology = make_topology()
        topology.server.lose(50)
        with topology.nat.inside():
            sender = RawGrePort()
        with topology.server.inside():
            receiver = RawGrePort()
        for _ in range(400):
            sender.send(b"x" * 20, int(topology.SERVER), int(topology.NAT))
        arrived = 0
        while more := receiver.receive():
            arrived += len(more)
        sender.close()
        receiver.close()
        assert 120 < arrived < 280  # fifty-fifty: outside this by chance once in 10^15 runs


@pytest.mark.usefixtures("namespaces_possible")
class CleaningUpTests:
    """No test leaves anything behind."""

    def test_processes_devices_and_namespaces_go(self):
        before = ours()
        topology = Topology()
        process = topology.client.start("sh", "-c", "sleep 1000 & wait", stdout=subprocess.DEVNULL)
        assert ours() != before
        topology.close()
        assert process.poll() is not None
        assert ours() == before

    def test_a_topology_that_cannot_be_built_leaves_nothing(self, monkeypatch):
        before = ours()
        monkeypatch.setattr(Topology, "NAT", "nowhere")
        with pytest.raises(AssertionError):
            Topology()
        assert ours() == before

    def test_what_a_killed_run_left_is_swept(self):
        dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        name = f"{PREFIX}{int(dead.stdout)}-0-server"
        subprocess.run(["ip", "netns", "add", name], check=True)
        sweep()
        assert not (RUN_NETNS / name).exists()

    def test_our_own_are_not_swept(self, namespace):
        sweep()
        assert namespace.name in ours()
        assert str(os.getpid()) in namespace.name

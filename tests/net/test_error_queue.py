"""ICMP messages about what a socket sent."""

import socket
from ipaddress import IPv4Address

import pytest
from tests.eventually import eventually
from tests.netns.topology import Topology

from openpptp.net.error_queue import IcmpError, ignore_errors, take_errors, watch_errors
from openpptp.net.ports import Datagram
from openpptp.net.probing_gre import ProbingGrePort

ROUTER = IPv4Address("192.168.100.1")
PACKET = bytes.fromhex("3001880b000000070000000000000000")
REJECT = "table ip wall {{ chain c {{ type filter hook forward priority filter; {} reject with icmp type {}; }}; }}"


class Watching:
    """A witness that remembers what it was shown."""

    def __init__(self) -> None:
        self.received: list[tuple[Datagram, int]] = []
        self.sent: list[tuple[bytes, bool]] = []
        self.errors: list[IcmpError] = []

    def gre_received(self, datagram: Datagram, time_to_live: int) -> None:
        self.received.append((datagram, time_to_live))

    def gre_sent(self, payload: bytes, peer: int, *, taken: bool) -> None:
        self.sent.append((payload, taken))

    def icmp_received(self, error: IcmpError) -> None:
        self.errors.append(error)


class EmptyTests:
    """Nothing came."""

    def test_a_socket_without_errors(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            watch_errors(plain)
            assert take_errors(plain) == []

    def test_an_error_of_this_host_is_none_that_came(self):
        """A port of the loopback device answers by ICMP; a message too long is refused by the call itself."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            watch_errors(plain)
            plain.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
            plain.connect(("127.0.0.1", 9))
            with pytest.raises(OSError, match="too long"):
                plain.send(bytes(65507 - 8 + 100))
            assert take_errors(plain) == []

    def test_they_are_kept_as_long_as_somebody_watches(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            for watched in (True, False):
                (watch_errors if watched else ignore_errors)(plain)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
                    nobody.bind(("127.0.0.1", 0))
                    port = nobody.getsockname()[1]
                plain.sendto(b"x", ("127.0.0.1", port))
                found = take_errors(plain)
                assert found == ([IcmpError(3, 3, IPv4Address("127.0.0.1"))] if watched else [])


@pytest.mark.root
class GreTests:
    """A raw GRE socket that shows what passes."""

    @pytest.fixture
    def port(self, topology: Topology):
        """Return a port in the client's namespace, and its witness."""
        witness = Watching()
        with topology.client.inside():
            port = ProbingGrePort(witness)
        yield port, witness
        port.close()

    def came(self, port: ProbingGrePort, witness: Watching) -> list[IcmpError]:
        assert eventually(lambda: port.receive() == [] and witness.errors, seconds=5)
        return witness.errors

    def test_who_refuses_and_how(self, topology, port):
        topology.nat.nft(REJECT.format("meta l4proto gre", "admin-prohibited"))
        port[0].send(PACKET, int(Topology.SERVER), 0)
        assert self.came(*port) == [IcmpError(3, 13, ROUTER)]
        assert port[1].sent == [(PACKET, True)]

    def test_the_next_packet_leaves_all_the_same(self, topology, port):
        topology.nat.nft(REJECT.format("meta l4proto gre", "prot-unreachable"))
        for _ in range(3):
            assert port[0].send(PACKET, int(Topology.SERVER), 0)
            self.came(*port)
        assert [taken for _, taken in port[1].sent] == [True] * 3

    def test_a_whole_packet_is_refused_where_it_does_not_fit(self, topology, port):
        topology.nat.ip(f"route change {Topology.INTERNET} dev server0 src {Topology.NAT} mtu lock 1300")
        long = PACKET + bytes(1400)
        port[0].send(long, int(Topology.SERVER), 0)
        port[0].whole(lambda: port[0].send(long, int(Topology.SERVER), 0))
        assert eventually(lambda: port[0].receive() == [] and len(port[1].errors) == 2, seconds=5)
        nobody_there = IcmpError(3, 2, Topology.SERVER)  # what became of the first one, which was cut
        assert sorted(port[1].errors) == [nobody_there, IcmpError(3, 4, ROUTER, 1300)]

    def test_a_packet_longer_than_the_device_is_not_taken(self, topology, port):
        port[0].whole(lambda: port[0].send(PACKET + bytes(1500), int(Topology.SERVER), 0))
        assert port[1].sent[0][1] is False
        assert port[0].send(PACKET, int(Topology.SERVER), 0)

    def test_what_arrives_is_shown_with_its_time_to_live(self, topology):
        witness = Watching()
        with topology.server.inside():
            port = ProbingGrePort(witness)
        with topology.nat.inside():
            other = ProbingGrePort(Watching())
        try:
            other.send(PACKET, int(Topology.SERVER), 0)
            arrived: list[Datagram] = []
            assert eventually(lambda: arrived.extend(port.receive()) or arrived, seconds=5)
            assert arrived == [Datagram(PACKET, int(Topology.NAT), int(Topology.SERVER))]
            assert witness.received == [(arrived[0], 64)]
        finally:
            port.close()
            other.close()

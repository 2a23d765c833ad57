import errno
import socket
from ipaddress import IPv4Address

import pytest
from tests.net.packets import number, powerless, sniffer

from openpptp.errors import SetupError
from openpptp.net.gre import BUFFER_OCTETS, RawGrePort
from openpptp.net.ports import Datagram

LOOPBACK, ELSEWHERE = number("127.0.0.1"), number("127.0.0.9")
PACKET = bytes.fromhex("3001880b000000070000000000000000")


@pytest.fixture
def port(alone):
    port = RawGrePort()
    yield port
    port.close()


@pytest.mark.root
class LoopbackTests:
    """GRE both ways over the loopback device of an empty namespace."""

    def test_a_datagram_arrives_without_its_ip_header_and_with_both_addresses(self, port):
        assert port.send(PACKET, LOOPBACK, ELSEWHERE)
        assert port.receive() == [Datagram(PACKET, ELSEWHERE, LOOPBACK)]

    def test_the_answer_goes_back_the_same_way(self, port):
        port.send(PACKET, LOOPBACK, ELSEWHERE)
        (arrived,) = port.receive()
        assert port.send(b"answer", arrived.source, arrived.destination)
        assert port.receive() == [Datagram(b"answer", LOOPBACK, ELSEWHERE)]

    def test_local_zero_leaves_the_choice_to_the_system(self, port):
        port.send(PACKET, ELSEWHERE, 0)
        assert [(each.source, each.destination) for each in port.receive()] == [(LOOPBACK, ELSEWHERE)]

    def test_a_batch_keeps_to_its_limit_and_leaves_the_rest(self, port):
        for index in range(5):
            port.send(bytes([index]), LOOPBACK, LOOPBACK)
        assert [each.payload for each in port.receive(3)] == [b"\0", b"\1", b"\2"]
        assert [each.payload for each in port.receive(3)] == [b"\3", b"\4"]
        assert port.receive() == []

    def test_ip_options_are_skipped(self, port):
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, 47) as other:
            other.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x01" * 8)
            other.sendto(PACKET, ("127.0.0.1", 0))
        assert port.receive() == [Datagram(PACKET, LOOPBACK, LOOPBACK)]

    def test_an_empty_payload_is_a_datagram_too(self, port):
        assert port.send(b"", LOOPBACK, LOOPBACK)
        assert port.receive() == [Datagram(b"", LOOPBACK, LOOPBACK)]

    def test_bound_to_an_address_it_hears_only_what_is_sent_there(self, alone):
        everything, bound = RawGrePort(), RawGrePort(IPv4Address(ELSEWHERE))
        everything.send(b"one", LOOPBACK, LOOPBACK)
        everything.send(b"other", ELSEWHERE, LOOPBACK)
        assert [each.payload for each in bound.receive()] == [b"other"]
        assert [each.payload for each in everything.receive()] == [b"one", b"other"]
        everything.close()
        bound.close()

    def test_a_socket_that_somebody_else_has_opened_is_taken(self, alone):
        opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
        port = RawGrePort(opened=opened)
        port.send(b"one", LOOPBACK, LOOPBACK)
        assert [each.payload for each in port.receive()] == [b"one"]
        assert port.receive() == [], "it does not wait"
        port.close()
        assert opened.fileno() == -1

    def test_the_buffers_hold_megabytes(self, port):
        for which in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            assert port._socket.getsockopt(socket.SOL_SOCKET, which) >= BUFFER_OCTETS

    async def test_asyncio_can_watch_it(self, port):
        import asyncio

        arrived = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(port, lambda: arrived.done() or arrived.set_result(port.receive()))
        port.send(PACKET, LOOPBACK, LOOPBACK)
        assert (await arrived)[0].payload == PACKET
        asyncio.get_running_loop().remove_reader(port)


@pytest.mark.root
class MultiHomedTests:
    """A host with several addresses answers from the one the control connection uses."""

    def test_each_packet_leaves_from_the_address_asked_for(self, topology):
        topology.server.ip("addr add 203.0.113.50/24 dev nat0")
        with topology.server.inside():
            server = RawGrePort()
        with topology.nat.inside():
            peer = RawGrePort()
        wanted = [topology.SERVER, IPv4Address("203.0.113.50"), topology.SERVER_TO_WORLD]
        for local in wanted:
            assert server.send(PACKET, int(topology.NAT), int(local))
        assert [each.source for each in peer.receive()] == [int(local) for local in wanted]
        server.close()
        peer.close()

    def test_q32_df_is_clear_and_what_is_too_big_goes_in_fragments(self, topology):
        with topology.server.inside():
            server = RawGrePort()
        with topology.nat.inside():
            peer = RawGrePort()
        wire = sniffer(topology.nat, "server0")
        server.send(PACKET, int(topology.NAT), int(topology.SERVER))
        server.send(bytes(3000), int(topology.NAT), int(topology.SERVER))
        seen = [wire.recv(2000) for _ in range(4)]  # one whole, three fragments
        assert all(not packet[6] & 0x40 for packet in seen)
        assert [len(each.payload) for each in peer.receive()] == [len(PACKET), 3000]
        for each in (server, peer, wire):
            each.close()

    def test_q32_df_can_be_asked_for(self, topology):
        with topology.server.inside():
            server = RawGrePort(dont_fragment=True)
        wire = sniffer(topology.nat, "server0")
        assert server.send(PACKET, int(topology.NAT), int(topology.SERVER))
        assert wire.recv(2000)[6] & 0x40
        assert not server.send(bytes(3000), int(topology.NAT), int(topology.SERVER))
        assert server.unsent == {"EMSGSIZE": 1}
        server.close()
        wire.close()


@pytest.mark.root
class LostOnSendingTests:
    """What the system does not take is lost and counted, never raised."""

    def test_no_route(self, port):
        assert not port.send(PACKET, number("192.0.2.1"), 0)
        assert port.unsent == {"ENETUNREACH": 1}

    def test_an_address_that_is_not_ours(self, port):
        assert not port.send(PACKET, LOOPBACK, number("192.0.2.1"))
        assert port.unsent.total() == 1

    def test_a_firewall_of_the_host(self, port, alone):
        alone.nft("table ip f {\n chain c {\n type filter hook output priority 0;\n meta l4proto gre drop\n }\n}\n")
        assert not port.send(PACKET, LOOPBACK, LOOPBACK)
        assert port.unsent == {"EPERM": 1}

    def test_more_than_an_ip_datagram_holds(self, port):
        assert not port.send(bytes(65536), LOOPBACK, LOOPBACK)
        assert port.unsent == {"EMSGSIZE": 1}

    @pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS])
    def test_full_queues(self, port, monkeypatch, number):
        monkeypatch.setattr(port, "_socket", BrokenSocket(port._socket, OSError(number, "full")))
        assert not port.send(PACKET, LOOPBACK, LOOPBACK)
        assert port.unsent == {errno.errorcode[number]: 1}

    def test_a_closed_port_is_our_own_mistake(self, alone):
        port = RawGrePort()
        port.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            port.send(PACKET, LOOPBACK, LOOPBACK)

    def test_remembered_addresses_are_bounded(self, port, monkeypatch):
        monkeypatch.setattr("openpptp.net.gre.REMEMBERED_ADDRESSES", 4)
        for last in range(1, 20):
            assert port.send(PACKET, LOOPBACK + last, LOOPBACK + last)
        assert len(port._destinations) <= 4
        assert len(port._sources) <= 4
        assert len(port.receive()) == 19


class BrokenSocket:
    """A socket that gives and takes what it is told to."""

    def __init__(self, real, error=None, datagrams=()):
        self.real, self.error, self.datagrams = real, error, list(datagrams)

    def sendmsg(self, *_):
        raise self.error

    def recv_into(self, buffer):
        if not self.datagrams:
            raise BlockingIOError
        buffer[: len(self.datagrams[0])] = self.datagrams[0]
        return len(self.datagrams.pop(0))

    def close(self):
        self.real.close()


def header(version_and_length, total):
    return bytes([version_and_length, 0]) + total.to_bytes(2, "big") + bytes(4) + b"\x40\x2f\0\0" + bytes(8)


@pytest.mark.root
class MalformedTests:
    """Without a whole IPv4 header a packet is ignored and counted; a kernel should never let one through."""

    @pytest.mark.parametrize(
        "datagram",
        [
            b"",
            b"\x45",
            header(0x45, 20)[:19],
            header(0x44, 20),
            header(0x46, 20),
            header(0x65, 20),
            header(0x45, 19),
            header(0x45, 21),
        ],
        ids=[
            "empty",
            "one octet",
            "19 octets",
            "IHL 4",
            "IHL past the end",
            "version 6",
            "total 19",
            "total past the end",
        ],
    )
    def test_truncated_or_inconsistent_headers_are_ignored(self, port, monkeypatch, datagram):
        good = header(0x45, 23) + b"abc"
        monkeypatch.setattr(port, "_socket", BrokenSocket(port._socket, datagrams=[datagram, good]))
        assert [each.payload for each in port.receive()] == [b"abc"]
        assert port.malformed == 1

    def test_octets_after_the_total_length_are_cut_off(self, port, monkeypatch):
        monkeypatch.setattr(port, "_socket", BrokenSocket(port._socket, datagrams=[header(0x45, 22) + b"abcd"]))
        assert [each.payload for each in port.receive()] == [b"ab"]


@pytest.mark.root
class SetupTests:
    """What a person can mend is said in one sentence."""

    def test_no_privilege(self, namespace):
        said = powerless(namespace, "from openpptp.net.gre import RawGrePort\nwith explained():\n    RawGrePort()\n")
        assert said.startswith("3 ")
        assert "CAP_NET_RAW" in said

    def test_an_address_of_another_host(self, alone):
        with pytest.raises(SetupError, match=r"192\.0\.2\.1: it is not an address of this host") as caught:
            RawGrePort(IPv4Address("192.0.2.1"))
        assert caught.value.exit_code == 2

    def test_a_system_without_raw_sockets(self, monkeypatch):
        def refuse(*_):
            raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

        monkeypatch.setattr("socket.socket", refuse)
        with pytest.raises(SetupError, match="Protocol not supported") as caught:
            RawGrePort()
        assert caught.value.exit_code == 3

    def test_without_cap_net_admin_the_buffers_are_what_the_system_allows(self, namespace):
        script = (
            "from openpptp.net.gre import RawGrePort\n"
            "port = RawGrePort()\nprint(port.send(b'x', 0x7f000001, 0x7f000001), len(port.receive()))\n"
        )
        assert powerless(namespace, script, without="-net_admin") == "True 1\n"

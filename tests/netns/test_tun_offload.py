"""Large segments between two real TUN devices: cut into packets, merged again, and the kernel takes them all."""

import hashlib
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.native.tun_frames import Frame, cut, merge_into
from tests.netns.namespace import Namespace

from openpptp.net.tun import Tun

pytestmark = pytest.mark.root

MTU = 1400
SOL_UDP, UDP_SEGMENT = 17, 103  # linux/udp.h
AMOUNT = 4_000_000


class Wire:
    """Two namespaces whose inside packets go through the segmenter and the merger, and what happens to them between."""

    def __init__(self, make_namespace: Callable[[str], Namespace]) -> None:
        self.ends = [make_namespace("left"), make_namespace("right")]
        self.tuns: list[Tun] = []
        for number, end in enumerate(self.ends, 1):
            with end.inside():
                self.tuns.append(Tun("inside", offload=True))
            end.sysctl("net/ipv6/conf/inside/disable_ipv6", "0")
            end.ip(f"addr add 10.6.0.{number}/24 dev inside")
            end.ip(f"link set inside mtu {MTU} up")
            end.ip(f"addr add fd06::{number}/64 dev inside nodad")
        self.between: Callable[[list[bytes]], list[bytes]] = lambda packets: packets
        self.large_out = 0
        self.large_in = 0
        self.refused = 0
        self.wrong: list[str] = []
        self._stop, self._stopper = os.pipe()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def close(self) -> None:
        os.write(self._stopper, b"x")
        self._thread.join()
        for tun in self.tuns:
            tun.close()
        os.close(self._stop)
        os.close(self._stopper)

    def _carry(self) -> None:
        while True:
            ready = select.select([*self.tuns, self._stop], [], [])[0]
            if self._stop in ready:
                return
            for tun in ready:
                packets = self._take(tun)
                other = self.tuns[1 - self.tuns.index(tun)]
                self.refused += merge_into(lambda frame, to=other: self._give(to, frame), self.between(packets))[1]

    def _take(self, tun: Tun) -> list[bytes]:
        packets: list[bytes] = []
        for _ in range(16):
            try:
                frame = os.read(tun.fileno(), 65546)
            except BlockingIOError:
                break
            pieces = cut(frame)
            if pieces is None or any(len(piece) > MTU for piece in pieces):
                self.wrong.append(frame[:80].hex())
                continue
            self.large_out += len(pieces) > 1
            packets += pieces
        return packets

    def _give(self, tun: Tun, frame: Frame) -> bool:
        self.large_in += frame.packets > 1
        try:
            return os.write(tun.fileno(), frame.octets) == len(frame.octets)
        except OSError:
            return False

    def count(self, end: int, name: str) -> int:
        """Return one of the kernel's counters in a namespace."""
        shown = self.ends[end].run("nstat", "-asz", name).stdout.split()
        return int(shown[shown.index(name) + 1])

    def pair(self, address: str, kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
        """Return a socket on the left that speaks to the right's, and that one (listening for TCP)."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.ends[1].inside():
            right = socket.socket(family, kind)
        right.bind((address, 7000))
        right.settimeout(30)
        with self.ends[0].inside():
            left = socket.socket(family, kind)
        left.settimeout(30)
        return left, right


@pytest.fixture
def wire(make_namespace: Callable[[str], Namespace]) -> Iterator[Wire]:
    made = Wire(make_namespace)
    yield made
    made.close()


def transfer(wire: Wire, address: str) -> None:
    """Send octets both ways at once over TCP; the same must arrive."""
    left, listener = wire.pair(address, socket.SOCK_STREAM)
    listener.listen()
    left.connect((address, 7000))
    right, _ = listener.accept()
    right.settimeout(30)
    data = hashlib.shake_128(address.encode()).digest(AMOUNT)
    digests: dict[int, str] = {}

    def read(end: socket.socket) -> None:
        digest = hashlib.sha256()
        while octets := end.recv(1 << 16):
            digest.update(octets)
        digests[end.fileno()] = digest.hexdigest()

    def write(end: socket.socket) -> None:
        end.sendall(data)
        end.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=job, args=(end,)) for end in (left, right) for job in (read, write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(digests.values()) == [hashlib.sha256(data).hexdigest()] * 2
    for each in (left, right, listener):
        each.close()


ADDRESSES = pytest.mark.parametrize("address", ["10.6.0.2", "fd06::2"], ids=["ipv4", "ipv6"])


@ADDRESSES
class RealKernelTests:
    def test_tcp_arrives_in_large_segments_that_the_kernel_finds_right(self, wire, address):
        transfer(wire, address)
        assert wire.wrong == []
        assert wire.refused == 0
        assert wire.large_out > 10
        assert wire.large_in > 10
        assert [wire.count(end, "TcpInCsumErrors") for end in (0, 1)] == [0, 0]
        assert [wire.count(end, "TcpInErrs") for end in (0, 1)] == [0, 0]

    def test_damaged_and_lost_packets_are_never_merged_into_good_ones(self, wire, address):
        passed = [0]

        def damage(packets):
            left = []
            for packet in packets:
                passed[0] += 1
                if passed[0] % 401 == 0 and len(packet) > 200:
                    packet = packet[:150] + bytes((packet[150] ^ 0x55,)) + packet[151:]
                if passed[0] % 499:
                    left.append(packet)
            return left

        wire.between = damage
        transfer(wire, address)
        assert wire.wrong == []
        assert wire.large_in > 10
        assert wire.count(0, "TcpInCsumErrors") + wire.count(1, "TcpInCsumErrors") > 0

    def test_large_udp_arrives_as_the_datagrams_it_was_cut_into(self, wire, address):
        left, right = wire.pair(address, socket.SOCK_DGRAM)
        left.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
        data = hashlib.shake_128(b"udp").digest(20_345)
        left.sendto(data, (address, 7000))
        assert [right.recv(2000) for _ in range(21)] == [data[n : n + 1000] for n in range(0, len(data), 1000)]
        assert wire.wrong == []
        assert wire.count(1, "UdpInCsumErrors" if "." in address else "Udp6InCsumErrors") == 0
        left.close()
        right.close()


SIZES = [36] * 200 + [1, 36, 36, 20, 37, 37, 1352, 1300, 100] + [512] * 150 + [0, 8, 8] + [1352] * 120
DATAGRAMS = [hashlib.shake_128(str(number).encode()).digest(size) for number, size in enumerate(SIZES)]
"Runs that become large, and what interrupts them."
SO_RCVBUFFORCE = 33
RECEIVER = {"10.6.0.2": "10.7.0.2", "fd06::2": "fd07::2"}
"Behind the right end, for each of its addresses."


def hold_until_all_are_there(wire: Wire) -> None:
    """Let the datagrams pass together, so that there is something to merge however slowly they come."""
    held: list[bytes] = []

    def between(packets: list[bytes]) -> list[bytes]:
        passing = [packet for packet in packets if packet[9 if packet[0] >> 4 == 4 else 6] != 17]
        held.extend(packet for packet in packets if packet not in passing)
        if len(held) == len(DATAGRAMS):
            passing += held
            held.clear()
        return passing

    wire.between = between


def send_all(left: socket.socket, address: str, *, connected: bool = True) -> None:
    if connected:
        left.connect((address, 7000))
    for datagram in DATAGRAMS:
        if connected:
            left.send(datagram)
        else:
            left.sendto(datagram, (address, 7000))


def receive_all(right: socket.socket) -> list[bytes]:
    return [right.recv(2000) for _ in DATAGRAMS]


def nothing_is_wrong(wire: Wire, *ends: Namespace) -> None:
    assert wire.wrong == []
    assert wire.refused == 0
    for end in (*wire.ends, *ends):
        shown = end.run("nstat", "-asz", "*InErrors", "*CsumErrors").stdout.split()[1:]
        assert {name: value for name, value in zip(shown[::3], shown[1::3], strict=True) if value != "0"} == {}


@ADDRESSES
class MergedDatagramTests:
    """Every program gets exactly the datagrams that were sent, in their order."""

    @pytest.mark.parametrize("connected", [True, False], ids=["connected", "unconnected"])
    def test_a_program_of_this_host(self, wire, address, connected):
        hold_until_all_are_there(wire)
        left, right = wire.pair(address, socket.SOCK_DGRAM)
        right.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        if connected:
            left.bind(("10.6.0.1" if "." in address else "fd06::1", 7001))
            right.connect(left.getsockname())
        send_all(left, address, connected=connected)
        assert receive_all(right) == DATAGRAMS
        assert wire.large_in > 6
        nothing_is_wrong(wire)
        left.close()
        right.close()

    @pytest.mark.parametrize("device", ["able", "plain"])
    def test_a_program_behind_this_host(self, wire, address, device, make_namespace):
        """Over a device that takes large datagrams and over one for which the kernel cuts them and writes checksums."""
        behind, right = make_namespace("behind"), wire.ends[1]
        right.ip(f"link add out type veth peer name in netns {behind.name}")
        for end, name, number in ((right, "out", 1), (behind, "in", 2)):
            end.sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "0")
            end.ip(f"addr add 10.7.0.{number}/24 dev {name}")
            end.ip(f"addr add fd07::{number}/64 dev {name} nodad")
            end.ip(f"link set {name} up")
        behind.ip("route add default via 10.7.0.1")
        behind.ip("-6 route add default via fd07::1")
        right.sysctl("net/ipv4/ip_forward", "1")
        right.sysctl("net/ipv6/conf/all/forwarding", "1")
        wire.ends[0].ip("route add 10.7.0.0/24 dev inside")
        wire.ends[0].ip("-6 route add fd07::/64 dev inside")
        if device == "plain":
            right.run("ethtool", "-K", "out", "tx", "off", "tx-udp-segmentation", "off")
        assert right.ping(RECEIVER[address], wait=10)  # few packets wait for a neighbour
        hold_until_all_are_there(wire)
        left, unused = wire.pair(address, socket.SOCK_DGRAM)
        with behind.inside():
            program = socket.socket(left.family, socket.SOCK_DGRAM)
        program.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        program.settimeout(30)
        program.bind((RECEIVER[address], 7000))
        send_all(left, RECEIVER[address])
        assert receive_all(program) == DATAGRAMS
        assert wire.large_in > 6
        nothing_is_wrong(wire, behind)
        for each in (left, unused, program):
            each.close()

    def test_a_port_where_nobody_is(self, wire, address):
        hold_until_all_are_there(wire)
        left, right = wire.pair(address, socket.SOCK_DGRAM)
        right.close()
        send_all(left, address)
        with pytest.raises(ConnectionRefusedError):
            left.recv(1)
        assert wire.large_in > 6
        left.close()


class DatagramsToManyTests:
    """What goes to many is never merged where that can be seen, and right where it cannot."""

    @pytest.mark.parametrize(
        ("group", "large"), [("239.1.2.3", False), ("255.255.255.255", False), ("10.6.0.255", True), ("ff15::3", False)]
    )
    def test_each_listener_gets_each_datagram(self, wire, group, large):
        hold_until_all_are_there(wire)
        left, first = wire.pair("::" if ":" in group else "", socket.SOCK_DGRAM)
        first.close()
        listeners = [listener(wire.ends[1], group) for _ in range(2)]
        left.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        left.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"inside")
        send_all(left, group, connected=False)
        for each in listeners:
            assert receive_all(each) == DATAGRAMS
            each.close()
        assert (wire.large_in > 6) == large
        assert large or wire.large_in == 0
        nothing_is_wrong(wire)
        left.close()


def listener(end: Namespace, group: str) -> socket.socket:
    with end.inside():
        made = socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET, socket.SOCK_DGRAM)
        index = socket.if_nametoindex("inside")
    made.settimeout(30)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    made.bind(("", 7000))
    if ":" in group:
        joined = socket.inet_pton(socket.AF_INET6, group) + index.to_bytes(4, sys.byteorder)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joined)
    elif group.startswith("239"):
        joined = socket.inet_aton(group) + socket.inet_aton("10.6.0.2")
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
    return made

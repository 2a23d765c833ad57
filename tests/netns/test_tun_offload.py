"""Large segments between two real TUN devices: cut into packets, merged again, and the kernel takes them all."""

import hashlib
import os
import select
import socket
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

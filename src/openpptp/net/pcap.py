"""Write what passes a port or a device to a pcapng file that tshark and Wireshark read.

Each traced port is one interface in the file, of link type raw IP; around GRE stands the IPv4 header that the raw
socket took off, made up again.
"""

from collections.abc import Callable
from enum import IntEnum
from ipaddress import IPv4Address
from struct import Struct
from typing import BinaryIO

from openpptp.net.ports import Datagram, GrePort, TunDevice

Clock = Callable[[], float]
"Gives seconds since 1970."

# draft-ietf-opsawg-pcapng sections 4.1 to 4.3
SECTION_HEADER = Struct("<IIIHHqI")
INTERFACE_DESCRIPTION = Struct("<IIHHI")
ENHANCED_PACKET = Struct("<IIIIIII")
OPTION = Struct("<HH")
LINKTYPE_RAW = 101
IF_NAME = 2
EPB_FLAGS = 2
BYTE_ORDER_MAGIC = 0x1A2B3C4D

IPV4_HEADER = Struct("!BBHHHBBH4s4s")  # RFC 791 section 3.1
OCTET_LIMIT = 1 << 30  # ours: a forgotten trace must not fill the disk


class Direction(IntEnum):
    """Which way a packet went, as the file's flags say it (section 4.3.1)."""

    IN = 1
    OUT = 2


class CaptureFile:
    """A pcapng file being written; after octet_limit nothing more is written."""

    def __init__(self, file: BinaryIO, *, octet_limit: int = OCTET_LIMIT) -> None:
        """Begin the file, which this object closes."""
        self._file = file
        self._room = octet_limit
        self._interfaces = 0
        self.full = False
        self._write(0x0A0D0D0A, SECTION_HEADER.pack(0x0A0D0D0A, 28, BYTE_ORDER_MAGIC, 1, 0, -1, 28)[8:-4])

    def interface(self, name: str) -> int:
        """Add an interface of raw IP packets; return its number."""
        body = INTERFACE_DESCRIPTION.pack(1, 0, LINKTYPE_RAW, 0, 65535)[8:] + _option(IF_NAME, name.encode())
        self._write(1, body)
        self._interfaces += 1
        return self._interfaces - 1

    def packet(self, interface: int, packet: bytes, when: float, direction: Direction) -> None:
        """Write one packet; when is in seconds since 1970, kept to the microsecond."""
        microseconds = int(when * 1_000_000)
        high, low = microseconds >> 32, microseconds & 0xFFFFFFFF
        head = ENHANCED_PACKET.pack(6, 0, interface, high, low, len(packet), len(packet))[8:]
        flags = _option(EPB_FLAGS, int(direction).to_bytes(4, "little"))
        self._write(6, head + _padded(packet) + flags)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, block: int, body: bytes) -> None:
        length = len(body) + 12
        if self.full or length > self._room:
            self.full = True
            return
        self._room -= length
        around = length.to_bytes(4, "little")
        self._file.write(block.to_bytes(4, "little") + around + body + around)


class TracedGrePort:
    """A GrePort that writes down what passes the one it wraps."""

    def __init__(self, port: GrePort, capture: CaptureFile, clock: Clock, name: str = "gre") -> None:
        """Wrap port; name stands in the file."""
        self._port = port
        self._capture = capture
        self._clock = clock
        self._interface = capture.interface(name)

    def fileno(self) -> int:
        """Return what a selector can watch."""
        return self._port.fileno()

    def receive(self, limit: int = 64) -> list[Datagram]:
        """Return what has arrived, at most limit datagrams; empty when nothing waits."""
        arrived = self._port.receive(limit)
        for datagram in arrived:
            self._note(datagram, Direction.IN)
        return arrived

    def send(self, payload: bytes, peer: int, local: int) -> bool:
        """Send from local to peer; False when the system had no room and the packet is lost."""
        sent = self._port.send(payload, peer, local)
        if sent:
            self._note(Datagram(payload, local, peer), Direction.OUT)
        return sent

    def close(self) -> None:
        """Close the port; the file stays open."""
        self._port.close()

    def _note(self, datagram: Datagram, direction: Direction) -> None:
        self._capture.packet(self._interface, ipv4_packet(datagram), self._clock(), direction)


class TracedTun:
    """A TunDevice that writes down what passes the one it wraps."""

    def __init__(self, device: TunDevice, capture: CaptureFile, clock: Clock) -> None:
        """Wrap device."""
        self._device = device
        self._capture = capture
        self._clock = clock
        self._interface = capture.interface(device.name)

    @property
    def name(self) -> str:
        """The interface's name in the system."""
        return self._device.name

    def fileno(self) -> int:
        """Return what a selector can watch."""
        return self._device.fileno()

    def receive(self, limit: int = 64) -> list[bytes]:
        """Return inside packets on their way out, at most limit; empty when nothing waits."""
        packets = self._device.receive(limit)
        for packet in packets:
            # As a capture on the interface itself would say: the system sends it out through this device.
            self._capture.packet(self._interface, packet, self._clock(), Direction.OUT)
        return packets

    def send(self, packet: bytes) -> bool:
        """Hand one packet to the inside; False when the system had no room."""
        taken = self._device.send(packet)
        if taken:
            self._capture.packet(self._interface, packet, self._clock(), Direction.IN)
        return taken

    def close(self) -> None:
        """Close the device; the file stays open."""
        self._device.close()


def ipv4_packet(datagram: Datagram, *, protocol: int = 47) -> bytes:
    """Return the datagram behind a made-up IPv4 header with a right checksum."""
    source, destination = (IPv4Address(each).packed for each in (datagram.source, datagram.destination))
    length = 20 + len(datagram.payload)
    fields = (0x45, 0, length, 0, 0, 64, protocol)
    header = IPV4_HEADER.pack(*fields, 0, source, destination)
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, 20, 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return IPV4_HEADER.pack(*fields, total ^ 0xFFFF, source, destination) + datagram.payload


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _option(code: int, value: bytes) -> bytes:
    return OPTION.pack(code, len(value)) + _padded(value) + bytes(4)  # and opt_endofopt

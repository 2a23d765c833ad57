"""What the tests of this folder put on the wire, look for on it, and run without privileges."""

import socket
import sys
from ipaddress import IPv4Address
from struct import pack, unpack_from

from tests.netns.namespace import Namespace

from openpptp.net.pcap import ipv4_packet
from openpptp.net.ports import Datagram

ETHERNET_IPV4, ETHERNET_IPV6 = 0x0800, 0x86DD


def number(address: str | IPv4Address) -> int:
    return int(IPv4Address(address))


def checksum(data: bytes) -> int:
    total = sum(unpack_from(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def udp(source: str, destination: str, source_port: int, destination_port: int, payload: bytes) -> bytes:
    """Return an IPv4 packet; UDP without a checksum, as RFC 768 allows."""
    datagram = pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
    return ipv4_packet(Datagram(datagram, number(source), number(destination)), protocol=17)


def syn(source: str, destination: str, port: int, segment_size: int) -> bytes:
    """Return an IPv4 packet with a TCP SYN that carries Maximum Segment Size."""
    head = pack("!HHIIBBHHHBBH", 40000, port, 1, 0, 6 << 4, 2, 65535, 0, 0, 2, 4, segment_size)
    pseudo = IPv4Address(source).packed + IPv4Address(destination).packed + pack("!HH", 6, len(head))
    segment = head[:16] + pack("!H", checksum(pseudo + head)) + head[18:]
    return ipv4_packet(Datagram(segment, number(source), number(destination)), protocol=6)


def segment_size(packet: bytes) -> int:
    """Return the Maximum Segment Size of a TCP SYN whose first option it is."""
    at = (packet[0] & 15) * 4 + 20
    assert packet[at : at + 2] == b"\x02\x04"
    return int.from_bytes(packet[at + 2 : at + 4], "big")


def sniffer(namespace: Namespace, device: str, protocol: int = ETHERNET_IPV4) -> socket.socket:
    """Return a socket that gives each packet of a protocol arriving at a device, without its Ethernet header."""
    with namespace.inside():
        found = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol))
        found.bind((device, protocol))
    found.settimeout(5)
    return found


ENVIRONMENT = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def powerless(namespace: Namespace, script: str, *, without: str = "-net_raw,-net_admin") -> str:
    """Run a script as a root that lacks these capabilities; return what it prints."""
    command = ("setpriv", "--bounding-set", without, "--inh-caps", without, sys.executable, "-c", EXPLAIN + script)
    return namespace.run(*command, env=ENVIRONMENT).stdout


def kill_itself(namespace: Namespace, script: str) -> None:
    """Run a script that ends as by kill -9, and see that it did."""
    script += "\nimport os\nos.kill(os.getpid(), 9)\n"
    done = namespace.run(sys.executable, "-c", script, check=False, env=ENVIRONMENT)
    assert done.returncode == -9, done.stderr


EXPLAIN = """
import contextlib
from openpptp.errors import SetupError
@contextlib.contextmanager
def explained():
    try:
        yield
    except SetupError as error:
        print(error.exit_code, error)
"""

"""A program that never falls silent: TCP, UDP, DNS, ping, IPv4 and IPv6, to the world and to a neighbour.

    python talker.py WORLD NEIGHBOUR WORLD6 [--once]

Whatever is refused is tried again.
"""

import contextlib
import socket
import struct
import sys
import time

QUERY = bytes.fromhex("0001010000010000000000000377777707657861 6d706c650000010001".replace(" ", ""))
PAUSE = 0.02


def checksum(octets: bytes) -> int:
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(kind: int) -> bytes:
    head = struct.pack("!BBHHH", kind, 0, 0, 1, 1)
    return struct.pack("!BBHHH", kind, 0, checksum(head), 1, 1)


def say(world: str, neighbour: str, world6: str) -> None:
    datagrams = [(world, 9999, b"udp"), (world, 53, QUERY), (neighbour, 9999, b"udp"), (neighbour, 53, QUERY)]
    for address, port, what in [*datagrams, (world6, 9999, b"udp"), (world6, 53, QUERY)]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.sendto(what, (address, port))
    for address in (world, world6):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as tcp:
            tcp.setblocking(False)
            tcp.connect((address, 8080))
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as ping:
        ping.sendto(echo_request(8), (world, 0))
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as ping:
        ping.sendto(echo_request(128), (world6, 0))


if __name__ == "__main__":
    arguments = sys.argv[1:4]
    say(*arguments)
    while "--once" not in sys.argv:
        time.sleep(PAUSE)
        say(*arguments)

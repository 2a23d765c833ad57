"""A server and a client in one process, without root and without a device: a ping through the tunnel.

The control connection is TCP on this machine's loopback. GRE passes over a wire in memory, and IP packets are octets.
"""

import asyncio
import socket
import struct
from ipaddress import IPv4Address

import openpptp

SERVER, USER, PASSWORD = "127.0.0.9", "alice", "correct horse"
ECHO_REPLY, ECHO_REQUEST = 0, 8


def checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - (total & 0xFFFF) - (total >> 16)


def echo(kind: int, source: IPv4Address, destination: IPv4Address, number: int) -> bytes:
    """Return an IPv4 packet with an ICMP echo (RFC 791, RFC 792)."""
    icmp = struct.pack("!BBHHH", kind, 0, 0, 1723, number) + b"PPTP" * 4
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0) + source.packed + destination.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + icmp


async def answer(server: openpptp.Server) -> None:
    """Answer each echo request that a user sends, as a host behind the server would."""
    async for packet in server.packets:
        source, destination = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
        (number,) = struct.unpack_from("!H", packet, 26)
        await server.send(echo(ECHO_REPLY, destination, source, number))


async def main() -> None:
    """Serve, connect, ping three times."""
    wire = openpptp.Wire()
    async with openpptp.serve(
        network={"pool": ["10.9.0.0/24"]},
        users={USER: PASSWORD},
        ports=openpptp.Ports(wire.port(SERVER)),
        listener=socket.create_server((SERVER, 0)),
    ) as server:
        answering = asyncio.create_task(answer(server))
        ports = openpptp.Ports(wire.port("127.0.0.1"))
        async with openpptp.connect(SERVER, USER, PASSWORD, port=server.address[1], ports=ports) as tunnel:
            print(f"connected as {tunnel.address}, {tunnel.encryption}, MTU {tunnel.mtu}")
            ours, theirs = tunnel.address or IPv4Address(0), tunnel.peer or IPv4Address(0)
            for number in range(1, 4):
                await tunnel.send(echo(ECHO_REQUEST, ours, theirs, number))
                reply = await anext(tunnel.packets)
                print(f"{len(reply)} octets from {IPv4Address(reply[12:16])}: {reply[28:].decode()}")
            print(f"{tunnel.counters.packets_out} packets out, {tunnel.counters.packets_in} in")
        answering.cancel()


if __name__ == "__main__":
    asyncio.run(main())

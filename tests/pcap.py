"""Capture files for tests: read what others recorded, write what a test wants judged.

    for packet in read(path): packet.linktype, packet.data
    for layer in layers(path): layer.kind is "ipv4", "ppp", "pppoe-discovery", "pppoe-session" or "other"
    for packet in ipv4_packets(path): packet.source, packet.destination, packet.protocol, packet.payload
    write(path, [ipv4("192.0.2.1", "192.0.2.2", 47, gre_octets), ...])

Nothing here judges what it reads: a damaged record ends the file, a damaged packet is "other".
"""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

ETHERNET, PPP, RAW_IP, RAW_IPV4, SLL, SLL2 = 1, 9, 101, 228, 113, 276
PPP_HDLC, CISCO_HDLC, IEEE802_11, RADIOTAP, PPP_WITH_DIRECTION, PRISM = 50, 104, 105, 127, 204, 119
MAX_RECORD = 1 << 20


class Captured(NamedTuple):
    linktype: int
    data: bytes


class Layer(NamedTuple):
    kind: str
    data: bytes


class Ipv4Packet(NamedTuple):
    source: str
    destination: str
    protocol: int
    payload: bytes


def read(path: Path) -> Iterator[Captured]:
    """Yield the packets of a pcap or pcapng file."""
    octets = path.read_bytes()
    if octets[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _read_pcapng(octets)
    else:
        yield from _read_pcap(octets)


def _read_pcap(octets: bytes) -> Iterator[Captured]:
    order = {0xA1B2C3D4: "<", 0xA1B23C4D: "<", 0xD4C3B2A1: ">", 0x4D3CB2A1: ">"}.get(
        int.from_bytes(octets[:4], "little")
    )
    assert order, "no pcap file"
    linktype = struct.unpack_from(order + "I", octets, 20)[0] & 0xFFFF
    position = 24
    while position + 16 <= len(octets):
        length = struct.unpack_from(order + "I", octets, position + 8)[0]
        if length > MAX_RECORD:
            return
        yield Captured(linktype, octets[position + 16 : position + 16 + length])
        position += 16 + length


def _read_pcapng(octets: bytes) -> Iterator[Captured]:
    order, linktypes, position = "<", [], 0
    while position + 12 <= len(octets):
        kind = octets[position : position + 4]
        if kind == b"\x0a\x0d\x0d\x0a":
            order = "<" if octets[position + 8 : position + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            linktypes = []
        number, length = struct.unpack_from(order + "II", octets, position)
        if length < 12:
            return
        body = octets[position + 8 : position + length - 4]
        if number == 1:
            linktypes.append(struct.unpack_from(order + "H", body)[0])
        elif number == 6 and len(body) >= 20:
            interface, _, _, captured = struct.unpack_from(order + "IIII", body)
            yield Captured(linktypes[interface], body[20 : 20 + captured])
        elif number == 3:
            yield Captured(linktypes[0], body[4:])
        position += length


def layers(path: Path) -> Iterator[Layer]:
    """Yield what each packet carries above its link layer."""
    for packet in read(path):
        try:
            yield _layer(packet.linktype, packet.data)
        except (IndexError, struct.error):
            yield Layer("other", packet.data)


def _layer(linktype: int, data: bytes) -> Layer:
    match linktype:
        case 1:
            return _by_ethertype(int.from_bytes(data[12:14], "big"), data[14:])
        case 9 | 50:
            return Layer("ppp", data)
        case 204:
            return Layer("ppp", data[1:])
        case 12 | 14 | 101 | 228:
            return _ip(data)
        case 0 | 108:
            return _ip(data[4:])
        case 113:
            return _by_ethertype(int.from_bytes(data[14:16], "big"), data[16:])
        case 276:
            return _by_ethertype(int.from_bytes(data[:2], "big"), data[20:])
        case 105:
            return _ieee802_11(data)
        case 127:
            return _ieee802_11(data[int.from_bytes(data[2:4], "little") :])
        case 119:
            return _ieee802_11(data[int.from_bytes(data[4:8], "big") :])
    return Layer("other", data)


def _ieee802_11(data: bytes) -> Layer:
    if data[0] & 0x0C != 0x08:
        return Layer("other", data)
    header = 24 + (2 if data[0] & 0x80 else 0) + (6 if data[1] & 3 == 3 else 0)
    llc = data[header:]
    if llc[:3] != b"\xaa\xaa\x03":
        return Layer("other", data)
    return _by_ethertype(int.from_bytes(llc[6:8], "big"), llc[8:])


def _ip(data: bytes) -> Layer:
    if data[0] >> 4 == 4:
        return Layer("ipv4", data)
    if data[0] >> 4 == 6 and data[6] == 4:
        return _ip(data[40:])  # IPv4 in IPv6
    return Layer("other", data)


def _by_ethertype(ethertype: int, data: bytes) -> Layer:
    match ethertype:
        case 0x0800 | 0x86DD:
            return _ip(data)
        case 0x8100:
            return _by_ethertype(int.from_bytes(data[2:4], "big"), data[4:])
        case 0x8863:
            return Layer("pppoe-discovery", data)
        case 0x8864:
            return Layer("pppoe-session", data)
    return Layer("other", data)


def ipv4_packets(path: Path) -> Iterator[Ipv4Packet]:
    """Yield the IPv4 packets of a file, padding cut, later fragments left out."""
    for layer in layers(path):
        data = layer.data
        if layer.kind != "ipv4" or len(data) < 20 or data[0] >> 4 != 4:
            continue
        total, fragment = struct.unpack_from("!HxxH", data, 2)
        if fragment & 0x1FFF:
            continue
        header = (data[0] & 15) * 4
        source, destination = (str(IPv4Address(data[at : at + 4])) for at in (12, 16))
        yield Ipv4Packet(source, destination, data[9], data[header : total or None])


def tcp_streams(path: Path, port: int) -> dict[tuple[str, int, str, int], bytes]:
    """Return what each end sent to or from a TCP port, in order, retransmissions left out."""
    streams: dict[tuple[str, int, str, int], bytearray] = {}
    expected: dict[tuple[str, int, str, int], int] = {}
    for packet in ipv4_packets(path):
        if packet.protocol != 6 or len(packet.payload) < 20:
            continue
        source, destination, sequence, _, offset, flags = struct.unpack_from("!HHIIBB", packet.payload)
        if port not in (source, destination):
            continue
        key = (packet.source, source, packet.destination, destination)
        if flags & 2:
            streams[key], expected[key] = bytearray(), sequence + 1
            continue
        data = packet.payload[(offset >> 4) * 4 :]
        already = (expected.setdefault(key, sequence) - sequence) & 0xFFFFFFFF
        if already < len(data):
            streams.setdefault(key, bytearray()).extend(data[already:])
            expected[key] = sequence + len(data)
    return {key: bytes(stream) for key, stream in streams.items()}


def checksum(octets: bytes) -> int:
    """Return the Internet checksum."""
    padded = octets + b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ipv4(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    """Return an IPv4 packet."""
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + addresses
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload


def tcp(
    source: tuple[str, int], destination: tuple[str, int], sequence: int, acknowledgement: int, flags: int, data=b""
) -> bytes:
    """Return an IPv4 packet with a TCP segment; flags as on the wire (2 SYN, 16 ACK, 8 PSH, 1 FIN)."""
    segment = struct.pack("!HHIIBBHHH", source[1], destination[1], sequence, acknowledgement, 0x50, flags, 0xFFFF, 0, 0)
    segment += data
    pseudo = IPv4Address(source[0]).packed + IPv4Address(destination[0]).packed
    total = checksum(pseudo + struct.pack("!BBH", 0, 6, len(segment)) + segment)
    return ipv4(source[0], destination[0], 6, segment[:16] + total.to_bytes(2, "big") + segment[18:])


def tcp_conversation(
    turns: Iterable[tuple[bool, bytes]], client=("192.0.2.1", 50000), server=("192.0.2.2", 1723)
) -> list[bytes]:
    """Return a whole TCP connection, one segment per turn; True: the client speaks."""
    ends = (client, server)
    numbers = [1000, 2000]
    packets = [
        tcp(client, server, 1000, 0, 2),
        tcp(server, client, 2000, 1001, 18),
        tcp(client, server, 1001, 2001, 16),
    ]
    numbers = [1001, 2001]
    for from_client, data in turns:
        us, them = (0, 1) if from_client else (1, 0)
        packets.append(tcp(ends[us], ends[them], numbers[us], numbers[them], 24, data))
        numbers[us] += len(data)
        packets.append(tcp(ends[them], ends[us], numbers[them], numbers[us], 16))
    packets.append(tcp(client, server, numbers[0], numbers[1], 17))
    packets.append(tcp(server, client, numbers[1], numbers[0] + 1, 17))
    packets.append(tcp(client, server, numbers[0] + 1, numbers[1] + 1, 16))
    return packets


def write(path: Path, packets: Iterable[bytes], linktype: int = RAW_IP) -> Path:
    """Write a pcap file, one packet per millisecond."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, linktype))
        for number, packet in enumerate(packets):
            seconds, milliseconds = divmod(number, 1000)
            file.write(struct.pack("<IIII", 1_000_000_000 + seconds, milliseconds * 1000, len(packet), len(packet)))
            file.write(packet)
    return path

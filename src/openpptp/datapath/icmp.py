"""What becomes of an inside packet that is longer than the tunnel carries: fragments, or an ICMP answer.

RFC 791 section 3.2, RFC 1191 section 4, RFC 4443 section 3.2.
"""

from struct import Struct, pack_into, unpack_from

DONT_FRAGMENT = 0x4000
MORE_FRAGMENTS = 0x2000
OFFSET = 0x1FFF
ICMP = 1
ICMPV6 = 58
MAX_ICMP = 576  # RFC 1812 section 4.3.2.3: as much of the packet as this leaves room for
MAX_ICMPV6 = 1280  # RFC 4443 section 2.4 (c)

_IPV4 = Struct("!BBHHHBBH4s4s")
_COPIED = 0x80


def checksum(octets: bytes | bytearray) -> int:
    """Return the Internet checksum (RFC 1071)."""
    number = int.from_bytes(octets + bytes(len(octets) % 2), "big") % 0xFFFF
    return 0xFFFF - number if number or not any(octets) else 0


def fragment(packet: bytes, mtu: int) -> list[bytes]:
    """Split an IPv4 packet with DF clear into packets of at most mtu octets; empty when mtu has no room for data."""
    header = (packet[0] & 0x0F) * 4
    total, _, flags = unpack_from("!HHH", packet, 2)
    begin = (flags & OFFSET) * 8
    first, later = packet[:header], packet[:20] + _copied_options(packet[20:header])
    fragments = []
    position = header
    while position < total:
        head = bytearray(first if position == header else later)
        room = (mtu - len(head)) // 8 * 8
        if room <= 0:
            return []
        data = packet[position : min(position + room, total)]
        more = position + len(data) < total or bool(flags & MORE_FRAGMENTS)
        head[0] = 0x40 | len(head) // 4
        pack_into("!H", head, 2, len(head) + len(data))
        pack_into("!H", head, 6, (MORE_FRAGMENTS if more else 0) | (begin + position - header) // 8)
        pack_into("!H", head, 10, 0)
        pack_into("!H", head, 10, checksum(head))
        fragments.append(bytes(head) + data)
        position += len(data)
    return fragments


def _copied_options(options: bytes) -> bytes:
    """Return those options that every fragment carries, padded to whole words (RFC 791 section 3.1)."""
    kept = b""
    position = 0
    while position < len(options) and options[position] != 0:
        size = 1 if options[position] == 1 else (options[position + 1] if position + 1 < len(options) else 0)
        if size < 1:
            break
        if options[position] & _COPIED:
            kept += options[position : position + size]
        position += size
    return kept + bytes(-len(kept) % 4)


def too_big(packet: bytes, mtu: int) -> bytes | None:
    """Return the ICMP packet that tells the sender of this one about the mtu; None where none may be sent.

    It comes from the packet's own destination: any other address of ours would fail the receiver's source check.
    """
    return _too_big_v6(packet, mtu) if packet[0] >> 4 == 6 else _too_big_v4(packet, mtu)


def _too_big_v4(packet: bytes, mtu: int) -> bytes | None:
    header = (packet[0] & 0x0F) * 4
    flags, protocol = unpack_from("!H", packet, 6)[0], packet[9]
    source, destination = packet[12:16], packet[16:20]
    is_error = protocol == ICMP and (len(packet) <= header or packet[header] in (3, 4, 5, 11, 12))
    if flags & OFFSET or is_error or destination[0] >= 224 or source[0] in (0, 127) or source[0] >= 224:
        return None  # RFC 1122 section 3.2.2
    body = bytearray(b"\x03\x04" + bytes(6)) + packet[: MAX_ICMP - 28]
    pack_into("!H", body, 6, mtu)
    pack_into("!H", body, 2, checksum(body))
    head = bytearray(_IPV4.pack(0x45, 0, 20 + len(body), 0, 0, 64, ICMP, 0, destination, source))
    pack_into("!H", head, 10, checksum(head))
    return bytes(head + body)


def _too_big_v6(packet: bytes, mtu: int) -> bytes | None:
    source, destination = packet[8:24], packet[24:40]
    is_error = packet[6] == ICMPV6 and (len(packet) <= 40 or packet[40] < 128)
    if is_error or destination[0] == 0xFF or source[0] == 0xFF or not any(source):
        return None
    body = bytearray(b"\x02\x00\x00\x00" + mtu.to_bytes(4, "big")) + packet[: MAX_ICMPV6 - 48]
    pseudo = destination + source + len(body).to_bytes(4, "big") + bytes((0, 0, 0, ICMPV6))
    pack_into("!H", body, 2, checksum(pseudo + bytes(body)))
    return b"\x60\x00\x00\x00" + len(body).to_bytes(2, "big") + bytes((ICMPV6, 64)) + destination + source + bytes(body)

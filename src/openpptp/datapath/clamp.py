"""The segment size that a TCP connection through a tunnel may use (RFC 9293 section 3.7.1).

Lowered in both directions' first packets to what the call carries, no ICMP message is needed to find it out; many
sites never get theirs (RFC 2923 section 2.1).
"""

from openpptp.datapath.icmp import OFFSET

TCP = 6
EXTENSIONS = frozenset({0, 43, 60})  # hop-by-hop options, routing, destination options (RFC 8200 section 4)

_FLAGS, _CHECKSUM, _HEADER = 13, 16, 20
_SYN, _RST = 0x02, 0x04
_MAXIMUM_SEGMENT_SIZE, _NOTHING, _END = 2, 1, 0


def clamped(packet: bytes, mtu: int) -> bytes:
    """Return an IP packet with its Maximum Segment Size lowered to what mtu leaves; any but a TCP SYN as it is.

    The IP header is consistent. A wrong TCP checksum stays wrong.
    """
    start = _tcp(packet)
    if not start or len(packet) < start + _HEADER or packet[start + _FLAGS] & (_SYN | _RST) != _SYN:
        return packet
    most = mtu - (40 if packet[0] >> 4 == 4 else 60)
    place = _segment_size(packet, start)
    if not place or most < 1 or (packet[place] << 8 | packet[place + 1]) <= most:
        return packet
    lowered = bytearray(packet)
    lowered[place : place + 2] = most.to_bytes(2, "big")
    checksum = start + _CHECKSUM
    odd = (place - start) % 2
    before, after = (
        int.from_bytes(octets[place : place + 2], "little" if odd else "big") for octets in (packet, lowered)
    )
    total = (~(packet[checksum] << 8 | packet[checksum + 1]) & 0xFFFF) + (~before & 0xFFFF) + after  # RFC 1624
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    lowered[checksum : checksum + 2] = (~total & 0xFFFF).to_bytes(2, "big")
    return bytes(lowered)


def _tcp(packet: bytes) -> int:
    """Return where TCP begins; 0 in what is not TCP, or a later fragment."""
    if packet[0] >> 4 == 4:
        is_first = not (packet[6] << 8 | packet[7]) & OFFSET
        return (packet[0] & 0x0F) * 4 if packet[9] == TCP and is_first else 0
    header, position = packet[6], 40
    while header in EXTENSIONS and position + 2 <= len(packet):
        header, position = packet[position], position + 8 * (packet[position + 1] + 1)
    return position if header == TCP else 0


def _segment_size(packet: bytes, start: int) -> int:
    """Return where the option's value stands; 0 when there is none."""
    end = min(len(packet), start + (packet[start + 12] >> 4) * 4)
    position = start + _HEADER
    while position + 1 < end and packet[position] != _END:
        if packet[position] == _NOTHING:
            position += 1
            continue
        size = packet[position + 1]
        if size < 2 or position + size > end:
            break
        if packet[position] == _MAXIMUM_SEGMENT_SIZE and size == 4:
            return position + 2
        position += size
    return 0

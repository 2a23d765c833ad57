"""Enhanced GRE as octets, and the arithmetic of its sequence numbers.

RFC 2637 section 4.1. On the packet path, so: tuples instead of objects, and flags compared as whole words.
"""

from struct import Struct

from openpptp.errors import BadMessage

PROTOCOL_TYPE = 0x880B  # RFC 2637 section 4.1

# C, R, s, Recur and Flags are zero, K is set, Ver is 1; only S and A vary.
_BARE = 0x2001
_SEQUENCE = 0x1000
_ACKNOWLEDGEMENT = 0x0080
_FIXED = 0xFFFF & ~(_SEQUENCE | _ACKNOWLEDGEMENT)

_HEADER = Struct("!HHHH")  # flags and version, Protocol Type, Payload Length, Call ID
_HEADER_ONE = Struct("!HHHHI")
_HEADER_BOTH = Struct("!HHHHII")
_NUMBER = Struct("!I")
_NUMBERS = Struct("!II")

_MODULUS = 1 << 32
_HALF = 1 << 31


def encode(
    call_id: int, payload: bytes = b"", sequence: int | None = None, acknowledgement: int | None = None
) -> bytes:
    """Return one packet for the call the peer numbered call_id.

    A payload needs a sequence number; an acknowledgement rides along or stands alone.
    """
    length = len(payload)
    if sequence is not None:
        if acknowledgement is not None:
            return _HEADER_BOTH.pack(0x3081, PROTOCOL_TYPE, length, call_id, sequence, acknowledgement) + payload
        return _HEADER_ONE.pack(0x3001, PROTOCOL_TYPE, length, call_id, sequence) + payload
    if acknowledgement is not None:
        return _HEADER_ONE.pack(0x2081, PROTOCOL_TYPE, 0, call_id, acknowledgement)
    return _HEADER.pack(_BARE, PROTOCOL_TYPE, 0, call_id)


def decode(packet: bytes) -> tuple[int, int | None, int | None, bytes]:
    """Return Call ID, sequence number, acknowledgement number (None where absent) and payload.

    Octets after the payload are padding of a short Ethernet frame and cut off. A packet with S set and no payload
    carries at most an acknowledgement; its sequence number is not returned. Raise BadMessage for all that is not
    enhanced GRE of PPTP, for a packet shorter than it says, and for a payload without a sequence number.
    """
    size = len(packet)
    if size < 8:
        raise BadMessage(f"GRE packet of {size} octets")
    flags, protocol, length, call_id = _HEADER.unpack_from(packet)
    if protocol != PROTOCOL_TYPE or flags & _FIXED != _BARE:
        raise BadMessage(f"GRE packet with flags 0x{flags:04x}, protocol 0x{protocol:04x}")
    sequence: int | None = None
    acknowledgement: int | None = None
    start = 8
    if flags & _SEQUENCE:
        if flags & _ACKNOWLEDGEMENT:
            if size < 16:
                raise BadMessage(f"GRE packet of {size} octets with sequence and acknowledgement")
            sequence, acknowledgement = _NUMBERS.unpack_from(packet, 8)
            start = 16
        else:
            if size < 12:
                raise BadMessage(f"GRE packet of {size} octets with sequence")
            (sequence,) = _NUMBER.unpack_from(packet, 8)
            start = 12
    elif flags & _ACKNOWLEDGEMENT:
        if size < 12:
            raise BadMessage(f"GRE packet of {size} octets with acknowledgement")
        (acknowledgement,) = _NUMBER.unpack_from(packet, 8)
        start = 12
    if not length:
        return call_id, None, acknowledgement, b""
    end = start + length
    if end > size:
        raise BadMessage(f"GRE payload of {length} octets in {size - start}")
    if sequence is None:
        raise BadMessage("GRE payload without a sequence number")
    return call_id, sequence, acknowledgement, bytes(packet[start:end])


def serial_add(number: int, count: int = 1) -> int:
    """Return the 32-bit sequence number count steps after number."""
    return (number + count) % _MODULUS


def serial_distance(later: int, earlier: int) -> int:
    """Return how many steps later is after earlier, negative when before it, modulo 2**32 (as RFC 1982 counts)."""
    return (later - earlier + _HALF) % _MODULUS - _HALF

"""Is what came out of the decryption a packet? MPPE has no integrity of its own (RFC 3078 section 9): this decides."""


def plausible(datagram: bytes) -> bool:
    """Say whether decrypted octets can be a PPP datagram that was meant for us.

    IP must have a consistent header. Of other protocols 0x0021 to 0x00FA only those with a protocol field of two
    octets are believed: one octet alone would make two forgeries in five plausible.
    """
    if len(datagram) < 2:
        return False
    first = datagram[0]
    if first & 1:
        protocol, start = first, 1
    else:
        protocol, start = first << 8 | datagram[1], 2
    rest = len(datagram) - start
    if protocol == 0x21:
        if rest < 20:
            return False
        header = (datagram[start] & 0x0F) * 4
        total = datagram[start + 2] << 8 | datagram[start + 3]
        return datagram[start] >> 4 == 4 and 20 <= header <= total <= rest
    if protocol == 0x57:
        return (
            rest >= 40 and datagram[start] >> 4 == 6 and 40 + (datagram[start + 4] << 8 | datagram[start + 5]) <= rest
        )
    return start == 2 and 0x21 < protocol <= 0xFA and bool(protocol & 1)

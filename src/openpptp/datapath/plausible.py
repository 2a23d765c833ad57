"""Is what came out of the decryption a packet? MPPE has no integrity of its own (RFC 3078 section 9): this decides."""


def plausible(datagram: bytes) -> bool:
    """Say whether decrypted octets can be a PPP datagram that was meant for us: IP with a consistent header.

    No other protocol is ever agreed on, and a protocol number alone is too easy to meet by chance: one forgery in 600
    would be one, and each that is believed throws the order of the real packets off (B-100).
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
    return False

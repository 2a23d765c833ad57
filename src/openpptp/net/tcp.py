"""What the kernel knows of the path that a TCP connection takes (tcp(7), TCP_INFO)."""

import socket
from struct import Struct
from typing import Protocol

INFO = Struct("=5xB2x8xI40xI")  # struct tcp_info of linux/tcp.h: options, snd_mss, pmtu
TIMESTAMPS = 1  # TCPI_OPT_TIMESTAMPS
TIMESTAMPS_OCTETS = 12  # of each segment, which snd_mss leaves out
HEADERS = 40  # IPv4 and TCP without options
LEAST_PATH = 1280  # ours: a smaller segment size tells of a small window, or of a stack that names none


class Answering(Protocol):
    """As much of a socket as is asked."""

    def getsockopt(self, level: int, name: int, length: int, /) -> bytes:
        """Return an option."""


def path_mtu(connection: Answering | None) -> int | None:
    """Return the longest IPv4 packet, in octets, that the way to the peer is known to carry; None: nothing is known.

    It is the least of our own route's MTU, of what ICMP messages said, and of what the peer, or a router that knows a
    narrow link on the way, wrote into its first segment.
    """
    if connection is None:
        return None
    try:
        options, segment, path = INFO.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO.size))
    except OSError:
        return None
    segment += HEADERS + (TIMESTAMPS_OCTETS if options & TIMESTAMPS else 0)
    return min((each for each in (segment, path) if each >= LEAST_PATH), default=None)

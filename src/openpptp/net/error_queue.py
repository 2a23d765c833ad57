"""What ICMP messages tell of packets a socket sent (ip(7), IP_RECVERR): who sent them, and what they say."""

import contextlib
import socket
from ipaddress import IPv4Address
from struct import Struct
from typing import NamedTuple

IP_RECVERR = 11  # linux/in.h; Python 3.11 names neither
MSG_ERRQUEUE = 0x2000
EXTENDED_ERROR = Struct("=IBBBxII")  # struct sock_extended_err: errno, origin, type, code, info, data
SOCKADDR_IN = Struct("!4s8x")  # after family and port
ORIGIN_ICMP = 2  # SO_EE_ORIGIN_ICMP
MOST = 32  # ours: messages taken at once
ROOM = 512  # ours: octets of ancillary data; one message has 48


class IcmpError(NamedTuple):
    """An ICMP message about a packet of ours."""

    type: int
    "As RFC 792 numbers it: 3 destination unreachable, 11 time exceeded."
    code: int
    source: IPv4Address
    "Who sent it."
    mtu: int = 0
    "Octets the next link carries, where that is what it says (RFC 1191)."


def watch_errors(sent_by: socket.socket) -> None:
    """Keep ICMP messages about what the socket sends, for take_errors."""
    sent_by.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def ignore_errors(sent_by: socket.socket) -> None:
    """Keep no more of them: the system alone acts on them again."""
    sent_by.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 0)


def take_errors(sent_by: socket.socket) -> list[IcmpError]:
    """Return the ICMP messages that have come, and with them clear the error they left on the socket."""
    found: list[IcmpError] = []
    for _ in range(MOST):
        try:
            _, ancillary, _, _ = sent_by.recvmsg(1, ROOM, MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:  # nothing more
            break
        for level, kind, data in ancillary:
            if (level, kind) == (socket.IPPROTO_IP, IP_RECVERR):
                with contextlib.suppress(ValueError):
                    found.append(_read(data))
    return found


def _read(data: bytes) -> IcmpError:
    if len(data) < EXTENDED_ERROR.size + 4 + SOCKADDR_IN.size:
        raise ValueError(f"an error of {len(data)} octets")
    _, origin, kind, code, info, _ = EXTENDED_ERROR.unpack_from(data)
    if origin != ORIGIN_ICMP:
        raise ValueError(f"an error of origin {origin}")  # this host's own, which the call itself returns
    (offender,) = SOCKADDR_IN.unpack_from(data, EXTENDED_ERROR.size + 4)
    return IcmpError(kind, code, IPv4Address(offender), info if (kind, code) == (3, 4) else 0)

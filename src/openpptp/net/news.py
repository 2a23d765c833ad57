"""Tells that this host's links, IPv4 addresses or routes have changed; what we change ourselves is left out."""

import contextlib
import errno
import socket
from struct import Struct

from openpptp.errors import SetupError
from openpptp.net.rtnetlink import Message, messages, news_socket

# linux/rtnetlink.h
RTM_NEWLINK, RTM_DELLINK = 16, 17
RTM_NEWADDR, RTM_DELADDR = 20, 21
RTM_NEWROUTE, RTM_DELROUTE = 24, 25
GROUPS = 0x001 | 0x010 | 0x040  # links, IPv4 addresses, IPv4 routes
LINK = Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
ADDRESS = Struct("=4BI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
ROUTE = Struct("=8BI")  # struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
OUR_PROTOCOL = 47  # as in links.py
KERNEL_PROTOCOL = 2  # RTPROT_KERNEL: follows from an address, which is told of as well
MAIN_TABLE = 254
AT_ONCE = 64  # ours: datagrams taken before the rest of the program has its turn


class NetworkNews:
    """Readable when there is something for take()."""

    def __init__(self, ignored: str = "") -> None:
        """Open the socket; what happens to the device ignored, the tunnel's own, is no news. Raises SetupError."""
        self._ignored = 0
        with contextlib.suppress(OSError):  # no such device: then there is nothing to ignore
            self._ignored = socket.if_nametoindex(ignored)
        try:
            self._socket = news_socket(socket.NETLINK_ROUTE, GROUPS)
        except OSError as error:
            raise SetupError(f"cannot watch this host's network: {error.strerror}") from error

    def fileno(self) -> int:
        """Return what a selector can watch."""
        return self._socket.fileno()

    def take(self) -> bool:
        """Read what has been told; return whether any of it is about the network that carries us."""
        changed = False
        for _ in range(AT_ONCE):
            try:
                told = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                changed = True  # some was missed
                continue
            changed |= any(self._matters(message) for message in messages(told))
        return changed

    def close(self) -> None:
        """Close for good."""
        self._socket.close()

    def _matters(self, message: Message) -> bool:
        kind, body = message.kind, message.body
        if kind in {RTM_NEWLINK, RTM_DELLINK}:
            return bool(LINK.unpack_from(body)[2] != self._ignored)
        if kind in {RTM_NEWADDR, RTM_DELADDR}:
            return bool(ADDRESS.unpack_from(body)[4] != self._ignored)
        if kind in {RTM_NEWROUTE, RTM_DELROUTE}:
            _, _, _, _, table, protocol, *_ = ROUTE.unpack_from(body)
            return bool(table == MAIN_TABLE and protocol not in {OUR_PROTOCOL, KERNEL_PROTOCOL})
        return False

"""The raw socket through which enhanced GRE leaves and enters (IP protocol 47, RFC 2637 section 4.1).

The kernel hands over whole IPv4 datagrams, reassembled, each to every raw socket that listens; the header is read
for its addresses and stripped. Going out, the kernel writes the header; which of our addresses it names as the
source is told per packet, since a multi-homed host must answer from where the control connection was made.
"""

import errno
import socket
from collections import Counter
from ipaddress import IPv4Address
from struct import Struct

from openpptp.errors import SetupError
from openpptp.net.ports import Datagram
from openpptp.net.stream import set_mark

IPPROTO_GRE = 47  # IANA
HEADER = Struct("!BxHxxxxxxxxII")  # RFC 791 section 3.1: version and IHL, total length, source, destination
PACKET_INFO = Struct("=i4s4s")  # ip(7): interface index, ipi_spec_dst, ipi_addr

# linux/in.h and asm-generic/socket.h; Python 3.11 does not name them.
IP_PKTINFO = 8
IP_MTU_DISCOVER = 10
IP_PMTUDISC_DONT = 0
IP_PMTUDISC_DO = 2
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

BUFFER_OCTETS = 8 << 20  # ours: one tenth of a second at 640 Mbit/s, all calls together
REMEMBERED_ADDRESSES = 16384  # ours: above the calls one daemon holds; then we forget all and begin anew

# Not a defect of ours, nor worth an exception per packet: full queues, a route or a device that went away, a firewall.
PACKET_LOST = (
    errno.EAGAIN,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EPERM,
    errno.EACCES,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
    errno.EINVAL,
    errno.EMSGSIZE,
    errno.ECONNREFUSED,
    errno.EPROTO,
    errno.ENODEV,
    errno.ENXIO,
)


class RawGrePort:
    """A GrePort on a raw socket; bind narrows it to what is sent to one of our addresses."""

    def __init__(
        self,
        bind: IPv4Address | None = None,
        *,
        dont_fragment: bool = False,
        mark: int | None = None,
        opened: socket.socket | None = None,
    ) -> None:
        """Open the socket; dont_fragment sets DF on what we send (clear by default, as Windows leaves it).

        mark is a firewall mark for all that leaves by it. opened is a raw socket for protocol 47 that whoever may has
        opened, and which is ours from now on. Raises SetupError when this process may not open one itself, or when
        bind is not an address of this host.
        """
        self._socket = _open_socket() if opened is None else opened
        self._socket.setblocking(False)
        try:
            self._prepare(bind, dont_fragment=dont_fragment)
            if mark is not None:
                set_mark(self._socket, mark)
        except BaseException:
            self._socket.close()
            raise
        self._buffer = bytearray(65536)
        self._view = memoryview(self._buffer)
        self._destinations: dict[int, tuple[str, int]] = {}
        self._sources: dict[int, list[tuple[int, int, bytes]]] = {}
        self.unsent: Counter[str] = Counter()
        "Packets the system did not take, by errno's name."
        self.malformed = 0
        "What arrived without a whole IPv4 header."

    def _prepare(self, bind: IPv4Address | None, *, dont_fragment: bool) -> None:
        raw = self._socket
        for forced, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                raw.setsockopt(socket.SOL_SOCKET, forced, BUFFER_OCTETS)
            except PermissionError:  # CAP_NET_RAW without CAP_NET_ADMIN: as much as net.core.*mem_max allows
                raw.setsockopt(socket.SOL_SOCKET, plain, BUFFER_OCTETS)
        raw.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO if dont_fragment else IP_PMTUDISC_DONT)
        if bind is not None:
            try:
                raw.bind((str(bind), 0))
            except OSError as error:
                message = f"cannot take GRE at {bind}: it is not an address of this host; change it or leave it out"
                raise SetupError(message, exit_code=2) from error

    def fileno(self) -> int:
        """Return what a selector can watch."""
        return self._socket.fileno()

    def receive(self, limit: int = 64) -> list[Datagram]:
        """Return what has arrived, at most limit datagrams; empty when nothing waits."""
        arrived: list[Datagram] = []
        receive_into, buffer, view, unpack = self._socket.recv_into, self._buffer, self._view, HEADER.unpack_from
        for _ in range(limit):
            try:
                octets = receive_into(buffer)
            except OSError:  # nothing waits, or a device went down: neither is for the caller
                break
            header = (buffer[0] & 0x0F) * 4
            if octets < 20 or buffer[0] >> 4 != 4 or not 20 <= header <= octets:
                self.malformed += 1
                continue
            _, total, source, destination = unpack(buffer)
            if not header <= total <= octets:
                self.malformed += 1
                continue
            arrived.append(Datagram(bytes(view[header:total]), source, destination))
        return arrived

    def send(self, payload: bytes, peer: int, local: int) -> bool:
        """Send from local to peer; False when the system did not take it and the packet is lost.

        local 0 leaves the choice to the kernel. Every loss is counted in unsent.
        """
        destination = self._destinations.get(peer) or self._remember_destination(peer)
        source = self._sources.get(local)
        if source is None:
            source = self._remember_source(local)
        try:
            self._socket.sendmsg((payload,), source, 0, destination)
        except OSError as error:
            if error.errno not in PACKET_LOST:
                raise
            self.unsent[errno.errorcode[error.errno]] += 1
            return False
        return True

    def _remember_destination(self, peer: int) -> tuple[str, int]:
        if len(self._destinations) >= REMEMBERED_ADDRESSES:
            self._destinations.clear()
        self._destinations[peer] = destination = (str(IPv4Address(peer)), 0)
        return destination

    def _remember_source(self, local: int) -> list[tuple[int, int, bytes]]:
        if len(self._sources) >= REMEMBERED_ADDRESSES:
            self._sources.clear()
        info = PACKET_INFO.pack(0, local.to_bytes(4, "big"), bytes(4))
        self._sources[local] = source = [(socket.IPPROTO_IP, IP_PKTINFO, info)]
        return source

    def close(self) -> None:
        """Close for good."""
        self._socket.close()


def _open_socket() -> socket.socket:
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, IPPROTO_GRE)
    except PermissionError as error:
        message = (
            "PPTP carries data in GRE (IP protocol 47), for which this process may not open a raw socket; "
            "run as root or grant CAP_NET_RAW"
        )
        raise SetupError(message, exit_code=3) from error
    except OSError as error:
        message = f"this system gives no raw socket for GRE ({error.strerror}); PPTP needs a Linux kernel with IPv4"
        raise SetupError(message, exit_code=3) from error

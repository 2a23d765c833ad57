"""The TUN device through which all inside packets leave and enter, whole IP packets without any header before them."""

import errno
import fcntl
import os
from collections import Counter
from struct import Struct

from openpptp.errors import SetupError

DEVICE_NODE = "/dev/net/tun"
INTERFACE_REQUEST = Struct("16sH22x")  # struct ifreq (netdevice(7)): name, flags
LONGEST_NAME = 15  # IFNAMSIZ without its closing zero
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000

# The device is down or gone, the packet is none, memory is short: one lost packet, never an exception per packet.
PACKET_LOST = (
    errno.EAGAIN,
    errno.EIO,
    errno.EINVAL,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EBADFD,
    errno.ENETDOWN,
    errno.EMSGSIZE,
)


class Tun:
    """A TunDevice of the system; the interface exists as long as this object is open."""

    def __init__(self, name: str = "pptp%d", *, node: str = DEVICE_NODE) -> None:
        """Make the interface; %d in name stands for the first free number.

        Raises SetupError when there is no TUN driver, no privilege, or the name is taken.
        """
        if not name or len(name) > LONGEST_NAME or not name.isascii() or any(c in name for c in "/ :\t\n"):
            message = f"'{name}' cannot name an interface: use 1 to {LONGEST_NAME} ASCII letters, digits, '-' or '_'"
            raise SetupError(message, exit_code=2)
        self._file = _open_node(node)
        try:
            self._name = _attach(self._file, name)
        except BaseException:
            os.close(self._file)
            raise
        self._buffer = bytearray(65536)
        self._view = memoryview(self._buffer)
        self.unsent: Counter[str] = Counter()
        "Packets the system did not take, by errno's name."
        self.gone = False
        "The interface was deleted under us; its descriptor stays readable for ever, so stop watching it."

    @property
    def name(self) -> str:
        """The interface's name in the system."""
        return self._name

    def fileno(self) -> int:
        """Return what a selector can watch."""
        return self._file

    def receive(self, limit: int = 64) -> list[bytes]:
        """Return inside packets on their way out, at most limit; empty when nothing waits."""
        packets: list[bytes] = []
        file, buffers, view = self._file, (self._buffer,), self._view
        for _ in range(limit):
            try:
                octets = os.readv(file, buffers)
            except BlockingIOError:
                break
            except OSError as error:
                self.gone = error.errno == errno.EBADFD
                break
            packets.append(bytes(view[:octets]))
        return packets

    def send(self, packet: bytes) -> bool:
        """Hand one packet to the inside; False when the system did not take it, counted in unsent."""
        try:
            os.write(self._file, packet)
        except OSError as error:
            if error.errno not in PACKET_LOST:
                raise
            self.unsent[errno.errorcode[error.errno]] += 1
            return False
        return True

    def close(self) -> None:
        """Close; the interface goes with it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _open_node(node: str) -> int:
    try:
        return os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        message = f"{node} does not exist; load the driver ('modprobe tun') or give this container the TUN device"
        raise SetupError(message, exit_code=3) from error
    except PermissionError as error:
        message = f"this process may not open {node}; run as root, or allow the device and CAP_NET_ADMIN"
        raise SetupError(message, exit_code=3) from error
    except OSError as error:  # ENODEV, ENXIO: the node is there, the driver is not
        message = f"cannot open {node} ({error.strerror}); load the driver ('modprobe tun')"
        raise SetupError(message, exit_code=3) from error


def _attach(file: int, name: str) -> str:
    request = INTERFACE_REQUEST.pack(name.encode("ascii"), IFF_TUN | IFF_NO_PI)
    try:
        answer = fcntl.ioctl(file, TUNSETIFF, request)
    except PermissionError as error:
        message = f"this process may not make the interface '{name}'; run as root or grant CAP_NET_ADMIN"
        raise SetupError(message, exit_code=3) from error
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EEXIST):
            message = f"the interface '{name}' is in use by another program; stop that one or choose another name"
        elif error.errno == errno.EINVAL:
            message = f"'{name}' exists but is no TUN device of this kind; choose another name or delete it"
        else:
            message = f"cannot make the interface '{name}': {error.strerror}"
        raise SetupError(message) from error
    return bytes(INTERFACE_REQUEST.unpack(answer)[0]).rstrip(b"\0").decode("ascii")

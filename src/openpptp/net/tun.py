"""The TUN device through which all inside packets leave and enter.

The reference data path takes whole IP packets without any header before them; the engine takes large segments as well,
each with a header that says how it is to be cut (IFF_VNET_HDR), and may take several queues.
"""

import contextlib
import errno
import fcntl
import os
from collections import Counter
from collections.abc import Sequence
from struct import Struct

from openpptp.errors import SetupError

DEVICE_NODE = "/dev/net/tun"
INTERFACE_REQUEST = Struct("16sH22x")  # struct ifreq (netdevice(7)): name, flags
LONGEST_NAME = 15  # IFNAMSIZ without its closing zero
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000
IFF_MULTI_QUEUE = 0x0100
TUNSETOFFLOAD = 0x400454D0
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_USO4, TUN_F_USO6 = 0x01, 0x02, 0x04, 0x08, 0x20, 0x40
LARGE_TCP = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN
LARGE_UDP = TUN_F_USO4 | TUN_F_USO6  # since Linux 6.2
MOST_QUEUES = 256  # linux/tun.c: MAX_TAP_QUEUES

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

    def __init__(
        self,
        name: str = "pptp%d",
        *,
        node: str = DEVICE_NODE,
        offload: bool = False,
        queues: int = 1,
        opened: Sequence[int] = (),
    ) -> None:
        """Make the interface; %d in name stands for the first free number.

        opened are descriptors that open_node gave, one for each queue, which are this object's to close from here on;
        what is missing of them is opened now.
        offload and queues are for whoever reads and writes filenos itself: offload puts 10 octets of struct
        virtio_net_hdr before each packet and allows large segments; queues spreads flows over so many descriptors.
        Raises SetupError when there is no TUN driver, no privilege, or the name is taken.
        """
        flags = IFF_TUN | IFF_NO_PI | (IFF_VNET_HDR if offload else 0) | (IFF_MULTI_QUEUE if queues > 1 else 0)
        self._files = list(opened)
        try:
            _check(name, queues)
            while len(self._files) < queues:
                self._files.append(open_node(node))
            self._name = _attach(self._files[0], name, flags)
            for file in self._files[1:]:
                _attach(file, self._name, flags)
            self.merges_udp = offload and _allow_large(self._files[0])
            "It takes several datagrams as one large one, and gives them so."
        except BaseException:
            self.close()
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
        return self.filenos[0]

    @property
    def filenos(self) -> tuple[int, ...]:
        """The descriptor of each queue; -1 when it is closed."""
        return tuple(self._files) or (-1,)

    def receive(self, limit: int = 64) -> list[bytes]:
        """Return inside packets on their way out, at most limit; empty when nothing waits."""
        packets: list[bytes] = []
        file, buffers, view = self.fileno(), (self._buffer,), self._view
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
            os.write(self.fileno(), packet)
        except OSError as error:
            if error.errno not in PACKET_LOST:
                raise
            self.unsent[errno.errorcode[error.errno]] += 1
            return False
        return True

    def close(self) -> None:
        """Close; the interface goes with it."""
        while self._files:
            os.close(self._files.pop())


def _check(name: str, queues: int) -> None:
    if not 1 <= queues <= MOST_QUEUES:
        raise SetupError(f"a TUN device has 1 to {MOST_QUEUES} queues, not {queues}", exit_code=2)
    if not name or len(name) > LONGEST_NAME or not name.isascii() or any(c in name for c in "/ :\t\n"):
        message = f"'{name}' cannot name an interface: use 1 to {LONGEST_NAME} ASCII letters, digits, '-' or '_'"
        raise SetupError(message, exit_code=2)


def open_node(node: str = DEVICE_NODE) -> int:
    """Return a descriptor for one queue of an interface to be made; raise SetupError."""
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


def _allow_large(file: int) -> bool:
    """Let the system hand over large segments and packets without checksums; return whether it knows large UDP."""
    for features in (LARGE_TCP | LARGE_UDP, LARGE_TCP):
        with contextlib.suppress(OSError):
            fcntl.ioctl(file, TUNSETOFFLOAD, features)
            return features & LARGE_UDP != 0
    return False


def _attach(file: int, name: str, flags: int) -> str:
    request = INTERFACE_REQUEST.pack(name.encode("ascii"), flags)
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


def check_node(node: str = DEVICE_NODE) -> None:
    """Raise SetupError when this process could make no TUN device; none is made."""
    os.close(open_node(node))

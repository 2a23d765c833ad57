"""Namespaces of this process (namespaces(7)): a network with nothing in it, and files of its own for the host's."""

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from struct import Struct

from openpptp.errors import SetupError

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000  # linux/sched.h
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_SLAVE = 0x2, 0x4, 0x8, 0x1000, 0x4000, 0x80000  # linux/mount.h
MNT_DETACH = 2
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914  # linux/sockios.h
IFF_UP = 0x1
INTERFACE_FLAGS = Struct("16sH22x")  # struct ifreq (netdevice(7)): name, flags
PING_GROUPS = Path("/proc/sys/net/ipv4/ping_group_range")
SMALL = "size=1m,mode=0755"

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)


def leave_network() -> None:
    """Move this process, which has one thread, into a network namespace of its own, and let it change mounts alone.

    Mounts that others make later are seen. There is no device but loopback, which is up. Raises SetupError when the
    system does not let us.
    """
    pingers = PING_GROUPS.read_text(encoding="ascii")
    try:
        _check(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
        _mount("none", Path("/"), flags=MS_REC | MS_SLAVE)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            message = "this process may not make a network namespace; run as root (CAP_SYS_ADMIN)"
        else:
            message = f"this system makes no network namespace: {error.strerror}"
        raise SetupError(message, exit_code=3) from error
    with contextlib.suppress(OSError):  # a program that pings without privilege may go on doing it
        PING_GROUPS.write_text(pingers, encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _, flags = INTERFACE_FLAGS.unpack(fcntl.ioctl(any_socket, SIOCGIFFLAGS, INTERFACE_FLAGS.pack(b"lo", 0)))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, INTERFACE_FLAGS.pack(b"lo", flags | IFF_UP))


def put_in_place(texts: Mapping[Path, str], emptied: Iterable[Path], scratch: Path) -> dict[Path, int]:
    """Put files in the place of the host's, and empty directories, for this process and its children; after leaving.

    Return a descriptor of each file that was there, by which it can be rewritten. Nothing is left on the host: the
    files live in memory. scratch is a directory that is covered meanwhile.
    """
    targets = {path: path.resolve() for path in texts}
    was_there = {path for path, target in targets.items() if target.exists()}
    files: dict[Path, int] = {}
    try:
        for directory in emptied:
            if directory.is_dir():
                _mount("tmpfs", directory, kind="tmpfs", flags=MS_NOSUID | MS_NODEV | MS_NOEXEC, data=SMALL)
        _mount("tmpfs", scratch, kind="tmpfs", flags=MS_NOSUID | MS_NODEV, data=SMALL)
        try:
            for number, path in enumerate(sorted(was_there)):
                own, target = scratch / str(number), targets[path]
                if not target.exists():  # in one of the emptied directories
                    target.touch()
                files[path] = os.open(own, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                os.fchmod(files[path], 0o644)
                rewrite(files[path], texts[path])
                _mount(str(own), target, flags=MS_BIND)
        finally:
            _check(_libc.umount2(os.fsencode(scratch), MNT_DETACH))  # what is bound elsewhere stays
    except OSError as error:
        raise SetupError(f"cannot give the program files of its own: {error.strerror}", exit_code=3) from error
    return files


def rewrite(file: int, text: str) -> None:
    """Replace what is in a file that put_in_place gave."""
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)


def _mount(source: str, target: Path, *, kind: str = "none", flags: int = 0, data: str = "") -> None:
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), os.fsencode(kind), flags, os.fsencode(data)))


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

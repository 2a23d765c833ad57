"""What this process may do: Linux capabilities, and the switches that keep it from getting more (capabilities(7)).

Capabilities belong to threads, and threads and programs begun later inherit them: use this before any other thread
begins.
"""

import contextlib
import ctypes
import errno
import os
import resource
from collections.abc import Iterable, Sequence
from enum import IntEnum

# linux/prctl.h
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

VERSION_3 = 0x20080522  # linux/capability.h: sets of 64 bits, in two halves
MOST = 64  # bits in a set


class Capability(IntEnum):
    """Those this program speaks of (linux/capability.h)."""

    DAC_OVERRIDE = 1
    "Files, whoever they belong to."
    NET_ADMIN = 12
    "Devices, addresses, routes, nftables, the switches below /proc/sys/net."
    NET_RAW = 13
    "Raw and packet sockets."


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Half(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)


def become(uid: int, gid: int, groups: Sequence[int]) -> None:
    """Turn into another user and keep the permitted capabilities; raise OSError where the system does not let us.

    None of them is in effect afterwards: hold_only follows.
    """
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _prctl(PR_SET_KEEPCAPS, 0)


def forgo_others(kept: Iterable[Capability]) -> None:
    """Take all but these out of the bounding set, so that no program we start can have them either."""
    wanted = _mask(kept)
    for number in range(MOST):
        try:
            there = _prctl(PR_CAPBSET_READ, number)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return  # beyond the last one this kernel has
        if there and not wanted >> number & 1:
            # A process without CAP_SETPCAP cannot; then only refuse_new stands between its programs and the rest.
            with contextlib.suppress(PermissionError):
                _prctl(PR_CAPBSET_DROP, number)


def hold_only(kept: Iterable[Capability]) -> None:
    """Hold these alone, as far as they are permitted, and let programs we start hold them too."""
    held = _mask(kept) & permitted()
    _set(held)
    with contextlib.suppress(OSError):  # a kernel before 4.3 has no ambient set
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
        for number in range(MOST):
            if held >> number & 1:
                _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number)


def permitted() -> int:
    """Return the permitted set, a bit for each capability."""
    halves = (_Half * 2)()
    _check(_libc.capget(ctypes.byref(_Header(VERSION_3, 0)), halves))
    return int(halves[0].permitted) | int(halves[1].permitted) << 32


def refuse_new() -> None:
    """Give neither us nor any program we start more than we have, whatever its file says (PR_SET_NO_NEW_PRIVS)."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """Leave no core file, and let no other process of our user look at our memory; changing the user undoes that."""
    _prctl(PR_SET_DUMPABLE, 0)


def forbid_cores() -> None:
    """Let neither us nor any program we start write a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def name_process(name: str) -> None:
    """Give the calling thread a name of at most 15 octets, as ps shows it."""
    octets = ctypes.create_string_buffer(name.encode())
    _prctl(PR_SET_NAME, ctypes.addressof(octets))


def _set(held: int) -> None:
    low, high = held & 0xFFFFFFFF, held >> 32
    halves = (_Half * 2)(_Half(low, low, low), _Half(high, high, high))
    _check(_libc.capset(ctypes.byref(_Header(VERSION_3, 0)), halves))


def _mask(capabilities: Iterable[Capability]) -> int:
    return sum(1 << capability for capability in set(capabilities))


def _prctl(option: int, first: int = 0, second: int = 0) -> int:
    return _check(_libc.prctl(option, first, second, 0, 0))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

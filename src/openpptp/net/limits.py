"""What the system lets this process have."""

import contextlib
import mmap
import resource

MOST_DESCRIPTORS = 70_000  # ours: 65,535 sessions, each a connection, and what else is open


def raise_descriptor_limit() -> int:
    """Let this process open as many files as its hard limit allows, MOST_DESCRIPTORS at most; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    with contextlib.suppress(OSError, ValueError):  # more than /proc/sys/fs/nr_open
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


def has_memory(octets: int) -> bool:
    """Tell whether this process could have so much more memory, under its own limit and the system's promise."""
    try:
        mmap.mmap(-1, octets, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError):
        return False
    return True

"""Runs a command as a unit of systemd would: python confined.py UNIT NUMBERS COMMAND...

What the unit says of capabilities, limits, system calls, address families and memory holds for the command; what it
says of mounts does not. NUMBERS is a file of names of system calls, each with its number.
"""

import ctypes
import os
import re
import resource
import struct
import sys
from pathlib import Path

PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 22, 24, 38, 65  # linux/prctl.h
CAPABILITIES = {  # linux/capability.h, those a unit of ours may name
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SETPCAP": 8,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
}
LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/filter.h: BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # linux/seccomp.h: SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM
NUMBER_AT, FIRST_ARGUMENT_AT = 0, 16  # struct seccomp_data

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *arguments) -> None:
    values = [*arguments, *(0,) * (4 - len(arguments))]
    if libc.prctl(option, *(ctypes.c_ulong(value) if isinstance(value, int) else value for value in values)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def keep_only(capabilities: set[int]) -> None:
    for number in set(range(int(LAST_CAPABILITY.read_text()) + 1)) - capabilities:
        prctl(PR_CAPBSET_DROP, number)


def filter_calls(allowed: set[int], socket: int, families: set[int]) -> None:
    """Let only these system calls pass, and socket() only for these families; others fail with EPERM."""
    steps = [(LOAD, 0, 0, NUMBER_AT), (EQUAL, 0, 2 + 2 * len(families), socket), (LOAD, 0, 0, FIRST_ARGUMENT_AT)]
    for family in families:
        steps += [(EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]
    steps.append((RETURN, 0, 0, REFUSE))
    for number in sorted(allowed - {socket}):
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    steps.append((RETURN, 0, 0, REFUSE))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    prctl(PR_SET_SECCOMP, 2, program)


def main() -> None:
    unit = Path(sys.argv[1]).read_text()
    says = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    numbers = {name: int(number) for name, number in map(str.split, Path(sys.argv[2]).read_text().splitlines())}
    files = min(int(says["LimitNOFILE"]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])  # a container may allow less
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (int(says["LimitCORE"]),) * 2)
    os.environ.update(line.split("=", 1) for line in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE))
    keep_only({CAPABILITIES[name] for name in says["CapabilityBoundingSet"].split()})
    assert says["NoNewPrivileges"] == "yes"
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if says.get("MemoryDenyWriteExecute") == "yes":
        prctl(PR_SET_MDWE, 1)
    filter_calls(
        set(numbers.values()), numbers["socket"], {FAMILIES[name] for name in says["RestrictAddressFamilies"].split()}
    )
    os.execvp(sys.argv[3], sys.argv[3:])


main()

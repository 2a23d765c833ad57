"""Network namespaces for tests with real packets, and for the bench.

No part of one is visible in the namespace the tests run in; names carry our process id, and what a killed run left is
swept by the next.
"""

import contextlib
import ctypes
import itertools
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

PREFIX = "openpptp-"
RUN_NETNS = Path("/run/netns")
CLONE_NEWNET = 0x40000000

_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


class Namespace:
    """One network namespace with the loopback device up and no IPv6."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.name = f"{PREFIX}{os.getpid()}-{next(_numbers)}-{label}"
        self._processes: list[subprocess.Popen] = []
        _ip("netns", "add", self.name)
        # A new namespace copies these from the first one.
        self.sysctl("net/ipv6/conf/default/disable_ipv6", "1")
        self.sysctl("net/ipv4/ip_forward", "0")
        self.ip("link set lo up")

    def ip(self, command: str) -> None:
        """Run one `ip` command in here."""
        _ip("-n", self.name, *command.split())

    def run(self, *command: str, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
        """Run a command in here and wait for it; its output is in the result."""
        options = {"capture_output": True, "text": True, "timeout": 60, **options}
        done = subprocess.run(["ip", "netns", "exec", self.name, *command], check=False, **options)
        assert not check or done.returncode == 0, f"{command} in {self.label}: {done.stdout}{done.stderr}"
        return done

    def start(self, *command: str, **options) -> subprocess.Popen:
        """Start a command in here; it is killed with the namespace at the latest."""
        process = subprocess.Popen(["ip", "netns", "exec", self.name, *command], **options)
        self._processes.append(process)
        return process

    def nft(self, rules: str) -> None:
        """Add rules in nftables' own notation."""
        self.run("nft", "-f", "-", input=rules)

    def ruleset(self) -> str:
        return self.run("nft", "list", "ruleset").stdout

    def sysctl(self, key: str, value: str | None = None) -> str:
        """Read or set a switch, named by its path below /proc/sys."""
        with self.inside():
            path = Path("/proc/sys", key)
            if value is not None:
                path.write_text(value)
            return path.read_text().strip()

    def ping(self, address: IPv4Address | str, *, count: int = 1, size: int = 56, wait: float = 2.0) -> bool:
        """Return whether every one of count pings was answered."""
        command = ("ping", "-n", "-i", "0.05", "-c", str(count), "-s", str(size), "-W", str(wait), str(address))
        return f" {count} received" in self.run(*command, check=False).stdout

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Bring the calling thread in here for a while; sockets, threads and programs made meanwhile stay here."""
        thread = Path(f"/proc/self/task/{threading.get_native_id()}/ns/net")
        with thread.open() as home, (RUN_NETNS / self.name).open() as here:
            _setns(here.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def lose(self, percent: int, *, protocol: str = "gre") -> None:
        """Drop that share of the arriving packets of an IP protocol, by lot; 0 ends it."""
        rule = f"meta l4proto {protocol} numgen random mod 100 <= {percent - 1} counter drop" if percent else ""
        self.nft(
            "table ip loss {}\ndelete table ip loss\n"
            f"table ip loss {{\n chain arriving {{\n type filter hook prerouting priority raw;\n {rule}\n }}\n}}\n"
        )

    def close(self) -> None:
        """End what we started in here, then the namespace; every device goes with it."""
        for process in self._processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        _remove(self.name)


def _setns(file: int) -> None:
    if _libc.setns(file, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _remove(name: str) -> None:
    # Grandchildren survive their parent; whoever is in a namespace of ours was started by us.
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
    for pid in listed.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def sweep() -> None:
    """Remove namespaces of test runs that no longer live."""
    for path in RUN_NETNS.glob(f"{PREFIX}*-*-*"):
        pid = path.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            _remove(path.name)


def ours() -> list[str]:
    """Return the names of this process's namespaces that exist."""
    return sorted(path.name for path in RUN_NETNS.glob(f"{PREFIX}{os.getpid()}-*"))


def join(one: Namespace, one_address: str, other: Namespace, other_address: str, *, suffix: int = 0) -> None:
    """Lay a cable: each end is named after the namespace it leads to."""
    there, here = f"{other.label.rstrip('0123456789')}{suffix}", f"{one.label.rstrip('0123456789')}0"
    _ip("link", "add", there, "netns", one.name, "type", "veth", "peer", "name", here, "netns", other.name)
    for namespace, device, address in ((one, there, one_address), (other, here, other_address)):
        namespace.ip(f"addr add {address} dev {device}")
        namespace.ip(f"link set {device} up")

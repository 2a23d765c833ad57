"""Network namespaces of the host: where our program runs and what it must leave as it was."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import IO


class Namespace:
    """One network namespace of the host, known by a name of its own."""

    def __init__(self, purpose: str) -> None:
        self.name = f"openpptp-{purpose}-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", self.name], check=True, timeout=10)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *arguments: str, timeout: float = 20.0, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in it and return what it printed."""
        finished = subprocess.run(
            ["ip", "netns", "exec", self.name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and finished.returncode != 0:
            raise AssertionError(f"`{' '.join(arguments)}` ended with {finished.returncode}:\n{finished.stdout}")
        return finished

    def start(
        self, *arguments: str, log: IO[bytes], environment: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.Popen[bytes]:
        """Start a program in it; the process id is the program's own, since `ip netns exec` becomes it."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment,
        )

    def state(self) -> dict[str, object]:
        """Return all that a program could leave behind: links, addresses, routes, rules, forwarding, sockets."""
        links = json.loads(self.run("ip", "-j", "address").stdout)
        return {
            "links": {link["ifname"]: [a["local"] for a in link["addr_info"]] for link in links},
            "routes": self.run("ip", "-4", "route", "show", "table", "all").stdout,
            "rules": self.run("ip", "rule").stdout,
            "nft": self.run("nft", "list", "ruleset").stdout,
            "forwarding": self.run("sysctl", "-n", "net.ipv4.ip_forward").stdout,
            "raw sockets": self.run("cat", "/proc/net/raw").stdout,
            "listening": self.run("ss", "-Htuln").stdout,
        }

    def delete(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False, timeout=10)


@contextlib.contextmanager
def nothing_left_in(namespace: Namespace) -> Iterator[None]:
    """Check that what happens inside leaves the namespace as it found it."""
    before = namespace.state()
    yield
    assert namespace.state() == before


def end(process: subprocess.Popen[bytes], signal_number: int, *, timeout: float = 10.0) -> int:
    """Signal a process we started and return its exit status; kill it when it does not end in time."""
    process.send_signal(signal_number)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout)
        raise AssertionError(f"process {process.pid} did not end {timeout} s after signal {signal_number}") from None


OPENPPTP = (sys.executable, "-m", "openpptp")

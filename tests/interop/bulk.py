"""10 MB each way through a tunnel, checked by hash."""

import subprocess
import sys
from pathlib import Path

from tests.interop.guest import Guest, eventually
from tests.interop.namespaces import Namespace

PROGRAM = str(Path(__file__).with_name("transfer.py"))
SIZE = 10_000_000
PORT = "5000"
TIMEOUT = 120.0


def listen_in_guest(guest: Guest, address: str, size: int = SIZE, *, prefix: str = "") -> None:
    """Start the listening end in the guest; its line comes from heard_in_guest."""
    guest.run(f""": >/run/transfer
        {prefix}/usr/bin/python3 {PROGRAM} listen {address} {PORT} {size} >/run/transfer 2>&1 &
        for _ in $(seq 200); do grep -q READY /run/transfer && exit 0; sleep 0.05; done; cat /run/transfer; exit 1""")


def heard_in_guest(guest: Guest) -> str:
    """Return the line of the listening end in the guest."""
    return guest.run(
        "for _ in $(seq 200); do [ $(wc -l </run/transfer) = 2 ] && break; sleep 0.05; done; cat /run/transfer"
    ).output


def connect_in_guest(guest: Guest, address: str, size: int = SIZE, *, prefix: str = "") -> str:
    """Run the connecting end in the guest and return its line."""
    command = f"{prefix}/usr/bin/python3 {PROGRAM} connect {address} {PORT} {size}"
    return guest.run(command, timeout=TIMEOUT).output


def listen_on_host(namespace: Namespace, address: str, log_file: Path) -> subprocess.Popen[bytes]:
    """Start the listening end in a host namespace; its line comes into log_file."""
    with log_file.open("wb") as log:
        process = namespace.start(sys.executable, PROGRAM, "listen", address, PORT, str(SIZE), log=log)
    assert eventually(lambda: "READY" in log_file.read_text(), timeout=10), log_file.read_text()
    return process


def connect_on_host(namespace: Namespace, address: str) -> str:
    """Run the connecting end in a host namespace and return its line."""
    return namespace.run(sys.executable, PROGRAM, "connect", address, PORT, str(SIZE), timeout=TIMEOUT).stdout


def assert_undamaged(listener: str, connector: str) -> None:
    """Check that each end received what the other sent."""
    heard, said = listener.split()[-2:], connector.split()[-2:]
    assert len(said) == 2
    assert heard == said[::-1], "the transfer arrived damaged"

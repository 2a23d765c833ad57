"""10 MB each way through a tunnel, checked by hash."""

import sys
from pathlib import Path

from tests.interop.guest import Guest
from tests.netns.namespace import Namespace
from tests.netns.programs import Program, start

PROGRAM = str(Path(__file__).with_name("transfer.py"))
SIZE = 10_000_000
PORT = "7777"  # no protocol of wireshark's, which would take our random octets for its own malformed ones
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


def listen_on_host(namespace: Namespace, address: str, folder: Path) -> Program:
    """Start the listening end in a host namespace; its line comes into its log."""
    listener = start(namespace, folder, sys.executable, PROGRAM, "listen", address, PORT, str(SIZE), name="listen")
    listener.says("READY")
    return listener


def connect_on_host(namespace: Namespace, address: str) -> str:
    """Run the connecting end in a host namespace and return its line."""
    return namespace.run(sys.executable, PROGRAM, "connect", address, PORT, str(SIZE), timeout=TIMEOUT).stdout


def assert_undamaged(listener: str, connector: str) -> None:
    """Check that each end received what the other sent."""
    heard, said = listener.split()[-2:], connector.split()[-2:]
    assert len(said) == 2
    assert heard == said[::-1], "the transfer arrived damaged"

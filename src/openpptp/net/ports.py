"""The doors to the network, as protocols, so that everything above them runs without one.

Implementations: gre.py and tun.py (system calls), memory.py (twins in memory, with loss, reordering and a pcap
writer). None of them knows PPTP.
"""

from ipaddress import IPv4Address
from typing import NamedTuple, Protocol


class Datagram(NamedTuple):
    """One IP datagram of protocol 47, without its IP header."""

    payload: bytes
    source: int
    "IPv4 address as an integer: the packet path compares it, nobody prints it."
    destination: int


class GrePort(Protocol):
    """Where enhanced GRE leaves and enters (IP protocol 47)."""

    def fileno(self) -> int:
        """Return what a selector can watch."""

    def receive(self, limit: int = 64) -> list[Datagram]:
        """Return what has arrived, at most limit datagrams; empty when nothing waits."""

    def send(self, payload: bytes, peer: int, local: int) -> bool:
        """Send from local to peer; False when the system had no room and the packet is lost."""

    def close(self) -> None:
        """Close for good."""


class TunDevice(Protocol):
    """Where inside packets leave and enter."""

    @property
    def name(self) -> str:
        """The interface's name in the system."""

    def fileno(self) -> int:
        """Return what a selector can watch."""

    def receive(self, limit: int = 64) -> list[bytes]:
        """Return inside packets on their way out, at most limit; empty when nothing waits."""

    def send(self, packet: bytes) -> bool:
        """Hand one packet to the inside; False when the system had no room."""

    def close(self) -> None:
        """Close; the interface goes with it."""


def address_number(address: IPv4Address) -> int:
    """Return the integer that Datagram uses for an address."""
    return int(address)

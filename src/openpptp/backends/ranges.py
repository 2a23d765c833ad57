"""Ranges of IPv4 addresses, as people write them."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import NamedTuple

from openpptp.errors import SetupError

UNUSABLE = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")))
"Addresses no host can have (RFC 1122 section 3.2.1.3)."
REMEDY = 'write "10.0.0.2-10.0.0.254", "10.0.0.0/24" or "10.0.0.2"'


class AddressRange(NamedTuple):
    """IPv4 addresses from first to last, both included."""

    first: IPv4Address
    last: IPv4Address

    def __str__(self) -> str:
        """Give the range as a settings file writes it."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def size(self) -> int:
        """How many addresses the range holds."""
        return int(self.last) - int(self.first) + 1

    def holds(self, address: IPv4Address) -> bool:
        """Tell whether address lies in the range."""
        return self.first <= address <= self.last

    def without(self, address: IPv4Address) -> "tuple[AddressRange, ...]":
        """Return what is left of the range when address is taken out: none, one or two ranges."""
        if not self.holds(address):
            return (self,)
        below = (AddressRange(self.first, address - 1),) if address > self.first else ()
        above = (AddressRange(address + 1, self.last),) if address < self.last else ()
        return below + above


class UnusableRange(SetupError):
    """A text that is no range of addresses for hosts, and how to write one."""

    def __init__(self, text: str, what: str, remedy: str = REMEDY) -> None:
        super().__init__(f"{text}: {what}; {remedy}", exit_code=2)
        self.what = what
        self.remedy = remedy


def parse_range(text: str) -> AddressRange:
    """Read "a-b", "network/bits" (its host addresses) or one address; raise UnusableRange otherwise.

    The end may be the last number alone, as pptpd's remoteip has it: 192.168.0.234-238.
    """
    try:
        first, last = _read(text.strip())
    except ValueError as error:
        raise UnusableRange(text, f"is not a range of IPv4 addresses ({error})") from None
    if first > last:
        raise UnusableRange(text, "the range ends before it begins", f'write "{last}-{first}"')
    for network in UNUSABLE:
        if first <= network[-1] and network[0] <= last:
            what = f"holds addresses no host can have ({network})"
            raise UnusableRange(text, what, "take private ones, as 10.0.0.0/24")
    return AddressRange(first, last)


def _read(text: str) -> tuple[IPv4Address, IPv4Address]:
    if "/" in text:
        network = IPv4Network(text)
        edge = 1 if network.prefixlen < 31 else 0  # RFC 3021: a /31 has no network and no broadcast address
        return network[edge], network[-1 - edge]
    begin, dash, end = (part.strip() for part in text.partition("-"))
    if end.isdigit():
        end = f"{begin.rpartition('.')[0]}.{end}"
    return IPv4Address(begin), IPv4Address(end if dash else begin)


def overlaps(ranges: Iterable[AddressRange]) -> Iterator[tuple[AddressRange, AddressRange]]:
    """Yield neighbours that share an address; none when all addresses are different."""
    for first, second in pairwise(sorted(ranges)):
        if second.first <= first.last:
            yield first, second

"""Lists of addresses as pptpd.conf(5) has them, for localip and remoteip."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from openpptp.backends.ranges import AddressRange
from openpptp.daemon.foreign_files import Resolve, address_of, resolve


class UnreadableAddresses(ValueError):
    """A list of addresses that pptpd would end over."""


def whole_number(text: str) -> int | None:
    """Return a whole number of at most nine digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def parse_addresses(text: str, look_up: Resolve = resolve) -> Iterator[AddressRange]:
    """Read pptpd's list of addresses: names, single addresses, and a range in any one of the four numbers.

    Raises UnreadableAddresses for what pptpd ends over or skips: a list that means fewer addresses than it says would
    surprise later.
    """
    for element in text.split(","):
        word = element.strip()
        if not word:
            raise UnreadableAddresses("an address is missing beside a comma")
        parts = word.split(".")
        dashed = [part for part in parts if "-" in part]
        if not dashed or not re.fullmatch(r"[0-9.-]+", word):
            yield _single(word, look_up)
        elif len(dashed) > 1 or dashed[0].count("-") > 1 or len(parts) != 4:
            raise UnreadableAddresses(f"{word}: a range stands in one of four numbers, as 192.168.0.2-254")
        else:
            yield from _range(word, parts, parts.index(dashed[0]))


def _single(word: str, look_up: Resolve) -> AddressRange:
    address = address_of(word, look_up)
    if address is None:
        raise UnreadableAddresses(f"{word} is no IPv4 address and no name that is known")
    return AddressRange(address, address)


def _range(word: str, parts: list[str], where: int) -> Iterator[AddressRange]:
    low, high = (whole_number(end) for end in parts[where].split("-"))
    if low is None or high is None or high > 255:
        raise UnreadableAddresses(f"{word}: a range is from one number to another, at most 255")
    if high < low:
        raise UnreadableAddresses(f"{word}: the range ends before it begins; pptpd has no shorthand, write {low}-NNN")

    def at(number: int) -> IPv4Address:
        try:
            return IPv4Address(".".join((*parts[:where], str(number), *parts[where + 1 :])))
        except ValueError:
            raise UnreadableAddresses(f"{word} is no IPv4 address") from None

    if where == 3:
        yield AddressRange(at(low), at(high))
    else:
        yield from (AddressRange(at(number), at(number)) for number in range(low, high + 1))

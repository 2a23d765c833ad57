"""Values a settings file is made of, each with its own words for what is wrong and how to write it."""

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from openpptp.daemon.connect_request import INTERFACE_NAME

UNUSABLE = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")))
"Addresses no host can have (RFC 1122 section 3.2.1.3)."
POOL_REMEDY = 'write "10.0.0.2-10.0.0.254", "10.0.0.0/24" or "10.0.0.2"'


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


def mistake(what: str, remedy: str) -> PydanticCustomError:
    """Return the error a validator raises; both parts are shown to the person who wrote the file."""
    return PydanticCustomError("mistake", "{what}", {"what": what, "remedy": remedy})


def parse_range(text: object) -> AddressRange:
    """Read "a-b", "network/bits" (its host addresses) or one address; raise a mistake otherwise.

    The end may be the last number alone, as pptpd's remoteip has it: 192.168.0.234-238.
    """
    if isinstance(text, AddressRange):
        return text
    if not isinstance(text, str):
        raise mistake("must be text in quotes", POOL_REMEDY)
    try:
        first, last = _read_range(text)
    except ValueError as error:
        raise mistake(f"is not a range of IPv4 addresses ({error})", POOL_REMEDY) from None
    if first > last:
        raise mistake("the range ends before it begins", f'write "{last}-{first}"')
    for network in UNUSABLE:
        if first <= network[-1] and network[0] <= last:
            raise mistake(f"holds addresses no host can have ({network})", "take private ones, as 10.0.0.0/24")
    return AddressRange(first, last)


def _read_range(text: str) -> tuple[IPv4Address, IPv4Address]:
    if "/" in text:
        return _hosts(IPv4Network(text))
    begin, dash, end = (part.strip() for part in text.partition("-"))
    if end.isdigit():
        end = f"{begin.rpartition('.')[0]}.{end}"
    return IPv4Address(begin), IPv4Address(end if dash else begin)


def _hosts(network: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    if network.prefixlen >= 31:  # RFC 3021: no network and no broadcast address to spare
        return network[0], network[-1]
    return network[1], network[-2]


def parse_address(text: object) -> IPv4Address:
    """Read one IPv4 address; raise a mistake otherwise."""
    if isinstance(text, IPv4Address):
        return text
    try:
        if isinstance(text, str):
            return IPv4Address(text)
    except ValueError:
        pass
    raise mistake("is not an IPv4 address", 'write it in quotes, as "192.0.2.1"')


def check_interface_name(text: object) -> str:
    """Return a name Linux takes for an interface; raise a mistake otherwise."""
    if isinstance(text, str) and INTERFACE_NAME.fullmatch(text):
        return text
    raise mistake("is not a name for an interface", 'use 1 to 15 letters, digits, "-", "_" or ".", as "pptp0"')


Text = Annotated[str, Field(strict=True, min_length=1, max_length=255)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
InterfaceName = Annotated[str, BeforeValidator(check_interface_name)]
Address = Annotated[IPv4Address, BeforeValidator(parse_address), PlainSerializer(str)]
Range = Annotated[AddressRange, BeforeValidator(parse_range), PlainSerializer(str)]

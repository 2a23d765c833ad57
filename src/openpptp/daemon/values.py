"""Values a settings file is made of, each with its own words for what is wrong and how to write it."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from openpptp.backends import ranges
from openpptp.backends.policy import ITEMS, NONE, NOTHING, UnusablePolicy
from openpptp.backends.policy_values import POOL_NAME
from openpptp.daemon.connect_request import INTERFACE_NAME, INTERFACE_NAME_REMEDY

AddressRange = ranges.AddressRange


def mistake(what: str, remedy: str) -> PydanticCustomError:
    """Return the error a validator raises; both parts are shown to the person who wrote the file."""
    return PydanticCustomError("mistake", "{what}", {"what": what, "remedy": remedy})


def read_range(text: object) -> AddressRange:
    """Read a range of addresses; raise a mistake otherwise."""
    if isinstance(text, ranges.AddressRange):
        return text
    if not isinstance(text, str):
        raise mistake("must be text in quotes", ranges.REMEDY)
    try:
        return ranges.parse_range(text)
    except ranges.UnusableRange as error:
        raise mistake(error.what, error.remedy) from None


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
    raise mistake("is not a name for an interface", INTERFACE_NAME_REMEDY)


def check_whole_path(text: object) -> Path:
    """Return a path that means the same wherever a command is run; raise a mistake otherwise."""
    if isinstance(text, (str, Path)) and Path(text).is_absolute() and "\0" not in str(text):
        return Path(text)
    raise mistake("is not a whole path", 'write it in quotes and from / on, as "/etc/ppp"')


def check_item(name: str, text: object) -> str:
    """Return an item of a policy in its one form; raise a mistake otherwise."""
    if not isinstance(text, str):
        raise mistake("must be text in quotes", f"the item is: {ITEMS[name].help}")
    try:
        return dict(NOTHING.said(name, text).items())[name]
    except UnusablePolicy as error:
        raise mistake("cannot be read", str(error).partition(": ")[2]) from None


def check_pool_name(text: object) -> str:
    """Return a name for a pool; raise a mistake otherwise."""
    if isinstance(text, str) and POOL_NAME.fullmatch(text) and text != NONE:
        return text
    raise mistake("is no name of a pool", "take letters, digits, dots and dashes, as office-2")


Text = Annotated[str, Field(strict=True, min_length=1, max_length=255)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
InterfaceName = Annotated[str, BeforeValidator(check_interface_name)]
Address = Annotated[IPv4Address, BeforeValidator(parse_address), PlainSerializer(str)]
WholePath = Annotated[Path, BeforeValidator(check_whole_path)]
Range = Annotated[AddressRange, BeforeValidator(read_range), PlainSerializer(str)]
PoolName = Annotated[str, BeforeValidator(check_pool_name)]

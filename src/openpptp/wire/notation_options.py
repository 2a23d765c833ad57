"""Configuration options in pppd's notation: `<mru 1400>`, `<auth chap MS-v2>`, `<mppe +H -M +S -L -D -C>`.

An option nobody knows, or of a wrong length, is shown whole in hexadecimal: `< 17 04 00 01>`.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address

from openpptp.wire.notation_text import number, tail
from openpptp.wire.ppp import (
    CHAP_MD5,
    MS_CHAP_V1,
    MS_CHAP_V2,
    CcpOption,
    IpcpOption,
    Ipv6cpOption,
    LcpOption,
    MppeBits,
    Protocol,
)

Printer = Callable[[bytes], str | None]
"Gives the text of an option's value, None when its length is wrong."

AUTHENTICATION: dict[int, str] = {Protocol.PAP: "pap", Protocol.CHAP: "chap", Protocol.EAP: "eap"}
CHAP_ALGORITHMS = {CHAP_MD5: "MD5", MS_CHAP_V1: "MS", MS_CHAP_V2: "MS-v2"}
MPPE_LETTERS = {
    "H": MppeBits.STATELESS,
    "M": MppeBits.BITS_56,
    "S": MppeBits.BITS_128,
    "L": MppeBits.BITS_40,
    "D": MppeBits.OBSOLETE,
    "C": MppeBits.COMPRESSION,
}
ENDPOINT_CLASSES = ("null", "local", "IP", "MAC", "magic", "phone")


def describe_options(protocol: int, data: bytes) -> str:
    """Return every option with a blank before it; what is no option any more follows in hexadecimal."""
    printers = _PRINTERS.get(protocol, {})
    shown = []
    position = 0
    while position + 1 < len(data):
        option, length = data[position : position + 2]
        if length < 2 or position + length > len(data):
            break
        printer = printers.get(option)
        text = printer(data[position + 2 : position + length]) if printer else None
        shown.append(f" <{tail(data[position : position + length]) if text is None else text}>")
        position += length
    return "".join(shown) + tail(data[position:])


def _flag(word: str) -> Printer:
    return lambda value: None if value else word


def _decimal(word: str, size: int) -> Printer:
    return lambda value: f"{word} {number(value)}" if len(value) == size else None


def _hexadecimal(word: str, size: int) -> Printer:
    return lambda value: f"{word} 0x{number(value):x}" if len(value) == size else None


def _addresses(word: str, count: int = 1) -> Printer:
    def describe(value: bytes) -> str | None:
        if len(value) != 4 * count:
            return None
        return " ".join((word, *(str(IPv4Address(value[i : i + 4])) for i in range(0, len(value), 4))))

    return describe


def _authentication(value: bytes) -> str | None:
    if len(value) < 2:
        return None
    protocol, rest = number(value[:2]), value[2:]
    text = f"auth {AUTHENTICATION.get(protocol, hex(protocol))}"
    if protocol == Protocol.CHAP and rest:
        return f"{text} {CHAP_ALGORITHMS.get(rest[0], hex(rest[0]))}{tail(rest[1:])}"
    return text + tail(rest)


def _quality(value: bytes) -> str | None:
    if len(value) < 2:
        return None
    protocol = number(value[:2])
    return f"quality {'lqr' if protocol == Protocol.LINK_QUALITY_REPORT else hex(protocol)}{tail(value[2:])}"


def _callback(value: bytes) -> str | None:
    if not value:
        return None
    return f"callback {'CBCP' if value[0] == 6 else value[0]}{tail(value[1:])}"


def _endpoint(value: bytes) -> str | None:
    if not value:
        return None
    kind, rest = value[0], value[1:]
    name = ENDPOINT_CLASSES[kind] if kind < len(ENDPOINT_CLASSES) else str(kind)
    if kind == 2 and len(rest) == 4:
        return f"endpoint [{name}:{IPv4Address(rest)}]"
    return f"endpoint [{name}:{rest.hex(':' if kind == 3 else '.')}]"


def _mppe(value: bytes) -> str | None:
    if len(value) != 4:
        return None
    bits = number(value)
    letters = " ".join(f"{'+' if bits & bit else '-'}{letter}" for letter, bit in MPPE_LETTERS.items())
    unknown = bits & ~sum(MPPE_LETTERS.values())
    return f"mppe {letters}{f' +U 0x{unknown:x}' if unknown else ''}"


def _deflate(word: str) -> Printer:
    def describe(value: bytes) -> str | None:
        # RFC 1979 section 2.1: window and method 8 in the first octet, check method 0 in the second
        if len(value) != 2 or value[0] & 0x0F != 8 or value[1]:
            return None
        return f"{word} {(value[0] >> 4) + 8}"

    return describe


def _bsd(value: bytes) -> str | None:
    return f"bsd v{value[0] >> 5} {value[0] & 0x1F}" if len(value) == 1 else None


def _ip_compression(value: bytes) -> str | None:
    if len(value) < 2:
        return None
    protocol = number(value[:2])
    return f"compress {'VJ' if protocol == Protocol.VJ_COMPRESSED else hex(protocol)}{tail(value[2:])}"


def _interface_identifier(value: bytes) -> str | None:
    return f"addr fe80::{value.hex(':', 2)}" if len(value) == 8 else None


_PRINTERS: Mapping[int, Mapping[int, Printer]] = {
    Protocol.LCP: {
        LcpOption.MAXIMUM_RECEIVE_UNIT: _decimal("mru", 2),
        LcpOption.ASYNC_CONTROL_CHARACTER_MAP: _hexadecimal("asyncmap", 4),
        LcpOption.AUTHENTICATION_PROTOCOL: _authentication,
        LcpOption.QUALITY_PROTOCOL: _quality,
        LcpOption.MAGIC_NUMBER: _hexadecimal("magic", 4),
        LcpOption.PROTOCOL_FIELD_COMPRESSION: _flag("pcomp"),
        LcpOption.ADDRESS_CONTROL_FIELD_COMPRESSION: _flag("accomp"),
        LcpOption.CALLBACK: _callback,
        LcpOption.MULTILINK_MAXIMUM_RECEIVE_UNIT: _decimal("mrru", 2),
        LcpOption.SHORT_SEQUENCE_NUMBERS: _flag("ssnhf"),
        LcpOption.ENDPOINT_DISCRIMINATOR: _endpoint,
    },
    Protocol.CCP: {
        CcpOption.MPPE: _mppe,
        CcpOption.BSD_COMPRESS: _bsd,
        CcpOption.DEFLATE: _deflate("deflate"),
        CcpOption.DEFLATE_DRAFT: _deflate("deflate(old#)"),
    },
    Protocol.IPCP: {
        IpcpOption.IP_ADDRESSES: _addresses("addrs", 2),
        IpcpOption.IP_COMPRESSION_PROTOCOL: _ip_compression,
        IpcpOption.IP_ADDRESS: _addresses("addr"),
        IpcpOption.PRIMARY_DNS: _addresses("ms-dns1"),
        IpcpOption.SECONDARY_DNS: _addresses("ms-dns2"),
        # pppd writes ms-wins for both; the second needs its own word to be told apart.
        IpcpOption.PRIMARY_NBNS: _addresses("ms-wins"),
        IpcpOption.SECONDARY_NBNS: _addresses("ms-wins2"),
    },
    Protocol.IPV6CP: {
        Ipv6cpOption.INTERFACE_IDENTIFIER: _interface_identifier,
        Ipv6cpOption.IPV6_COMPRESSION_PROTOCOL: _hexadecimal("compress", 2),
    },
}

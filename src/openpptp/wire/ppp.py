"""PPP frames, control packets and option lists as octets.

RFC 1661 sections 2, 5 and 6; the numbers of RFC 1332, 1877, 1962, 3078 and 5072. Frames are as PPTP carries them:
no flags, no escapes, no FCS.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Self

from openpptp.errors import BadMessage, Misuse

ADDRESS_CONTROL = b"\xff\x03"  # RFC 1662 section 3.1: All-Stations address, Unnumbered Information
DEFAULT_MRU = 1500  # RFC 1661 section 6.1
FIRST_CONTROL_PROTOCOL = 0x8000  # RFC 1661 section 2: from here on they are about the link, below are data
MPPE_OVERHEAD = 4  # octets: RFC 3078 section 3, the coherency count, and the protocol number inside
MAX_OPTIONS = 32  # ours: no sane peer sends more than a dozen; bounds what one packet can make us do

_HEADER = Struct("!BBH")  # Code, Identifier, Length


class Protocol(IntEnum):
    """PPP DLL protocol numbers this package knows by name."""

    IPV4 = 0x0021
    VJ_COMPRESSED = 0x002D
    VJ_UNCOMPRESSED = 0x002F
    MULTILINK = 0x003D
    IPV6 = 0x0057
    LINK_COMPRESSED = 0x00FB
    MPPE = 0x00FD
    "Also any other compressed datagram (RFC 1962 section 2)."
    IPCP = 0x8021
    OSI_CONTROL = 0x8023
    APPLETALK_CONTROL = 0x8029
    IPX_CONTROL = 0x802B
    NETBIOS_CONTROL = 0x803F
    ENCRYPTION_CONTROL = 0x8053
    IPV6CP = 0x8057
    MPLS_CONTROL = 0x8281
    CISCO_DISCOVERY_CONTROL = 0x8207
    LINK_COMPRESSION_CONTROL = 0x80FB
    CCP = 0x80FD
    LCP = 0xC021
    PAP = 0xC023
    LINK_QUALITY_REPORT = 0xC025
    CALLBACK_CONTROL = 0xC029
    BANDWIDTH_ALLOCATION_CONTROL = 0xC02B
    BANDWIDTH_ALLOCATION = 0xC02D
    CHAP = 0xC223
    EAP = 0xC227


class Code(IntEnum):
    """Codes of LCP and of the network control protocols (RFC 1661 section 5, RFC 1570, RFC 1962 section 3)."""

    CONFIGURE_REQUEST = 1
    CONFIGURE_ACK = 2
    CONFIGURE_NAK = 3
    CONFIGURE_REJECT = 4
    TERMINATE_REQUEST = 5
    TERMINATE_ACK = 6
    CODE_REJECT = 7
    PROTOCOL_REJECT = 8
    ECHO_REQUEST = 9
    ECHO_REPLY = 10
    DISCARD_REQUEST = 11
    IDENTIFICATION = 12
    TIME_REMAINING = 13
    RESET_REQUEST = 14
    RESET_ACK = 15


class LcpOption(IntEnum):
    """LCP configuration options (RFC 1661 section 6, RFC 1570, RFC 1990)."""

    MAXIMUM_RECEIVE_UNIT = 1
    ASYNC_CONTROL_CHARACTER_MAP = 2
    AUTHENTICATION_PROTOCOL = 3
    QUALITY_PROTOCOL = 4
    MAGIC_NUMBER = 5
    PROTOCOL_FIELD_COMPRESSION = 7
    ADDRESS_CONTROL_FIELD_COMPRESSION = 8
    CALLBACK = 13
    MULTILINK_MAXIMUM_RECEIVE_UNIT = 17
    SHORT_SEQUENCE_NUMBERS = 18
    ENDPOINT_DISCRIMINATOR = 19
    LINK_DISCRIMINATOR = 23


class IpcpOption(IntEnum):
    """IPCP configuration options (RFC 1332 section 3, RFC 1877 section 1)."""

    IP_ADDRESSES = 1
    IP_COMPRESSION_PROTOCOL = 2
    IP_ADDRESS = 3
    PRIMARY_DNS = 129
    PRIMARY_NBNS = 130
    SECONDARY_DNS = 131
    SECONDARY_NBNS = 132


class Ipv6cpOption(IntEnum):
    """IPv6CP configuration options (RFC 5072 section 4)."""

    INTERFACE_IDENTIFIER = 1
    IPV6_COMPRESSION_PROTOCOL = 2


class CcpOption(IntEnum):
    """CCP configuration options (RFC 1962 section 4)."""

    MPPE = 18
    "Microsoft PPC/PPE: MPPC and MPPE in one (RFC 3078 section 2, RFC 2118)."
    BSD_COMPRESS = 21
    DEFLATE_DRAFT = 24
    DEFLATE = 26


class MppeBits(IntEnum):
    """Supported Bits of the MPPE option, as one 32-bit number (RFC 3078 section 2)."""

    STATELESS = 0x01000000
    BITS_56 = 0x00000080
    BITS_128 = 0x00000040
    BITS_40 = 0x00000020
    OBSOLETE = 0x00000010
    COMPRESSION = 0x00000001


_LCP = int(Protocol.LCP)  # a plain number: looking a member up costs more than the rest of encode_frame

CHAP_MD5 = 0x05
MS_CHAP_V1 = 0x80
MS_CHAP_V2 = 0x81


def encode_frame(
    protocol: int, information: bytes, *, compress_address_control: bool = False, compress_protocol: bool = False
) -> bytes:
    """Put a PPP header before information (RFC 1661 section 2).

    LCP is always written in full, whatever was negotiated (sections 6.5 and 6.6).
    """
    if protocol == _LCP:
        return b"\xff\x03\xc0\x21" + information
    address_control = b"" if compress_address_control else ADDRESS_CONTROL
    width = 1 if compress_protocol and protocol <= 0xFF else 2
    return address_control + protocol.to_bytes(width, "big") + information


def decode_frame(frame: bytes) -> tuple[int, bytes]:
    """Return protocol number and information field (RFC 1661 section 2).

    Address, Control and the protocol's high octet may be missing whether that was negotiated or not: peers compress
    early and late. A number with an even low octet is returned as it is; it is a protocol nobody recognises.
    """
    size = len(frame)
    start = 2 if size >= 2 and frame[0] == 0xFF and frame[1] == 0x03 else 0
    if start >= size:
        raise BadMessage("PPP frame ends before its protocol field")
    first = frame[start]
    if first & 1:
        if first == 0xFF:
            raise BadMessage("PPP frame with 0xFF where neither Address nor protocol can have it")
        return first, bytes(frame[start + 1 :])
    if start + 2 > size:
        raise BadMessage("PPP frame ends within its protocol field")
    return first << 8 | frame[start + 1], bytes(frame[start + 2 :])


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of LCP, an NCP, PAP, CHAP or EAP (RFC 1661 section 5)."""

    code: int
    identifier: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the packet with its Length set."""
        length = _HEADER.size + len(self.data)
        if length > 0xFFFF:
            raise Misuse(f"PPP packet of {length} octets does not fit its Length field")
        return _HEADER.pack(self.code, self.identifier, length) + self.data

    @classmethod
    def decode(cls, information: bytes) -> Self:
        """Read one packet; octets after its Length are padding and ignored. Raise BadMessage when it is cut."""
        if len(information) < _HEADER.size:
            raise BadMessage(f"PPP packet of {len(information)} octets has no header")
        code, identifier, length = _HEADER.unpack_from(information)
        if not _HEADER.size <= length <= len(information):
            raise BadMessage(f"PPP packet with Length {length} in {len(information)} octets")
        return cls(code, identifier, bytes(information[_HEADER.size : length]))


@dataclass(frozen=True, slots=True)
class Option:
    """One configuration option (RFC 1661 section 6); its meaning depends on the protocol."""

    type: int
    value: bytes = b""


def encode_options(options: Iterable[Option]) -> bytes:
    """Return the options one after the other."""
    parts = []
    for option in options:
        if len(option.value) > 253:
            raise Misuse(f"option {option.type} with {len(option.value)} octets does not fit its Length field")
        parts.append(bytes((option.type, len(option.value) + 2)) + option.value)
    return b"".join(parts)


def decode_options(data: bytes) -> tuple[Option, ...]:
    """Split the data of a Configure packet into options, in order.

    Raise BadMessage when a Length is below 2 or beyond the data, or when there are more than MAX_OPTIONS.
    """
    options: list[Option] = []
    position = 0
    while position < len(data):
        if len(options) == MAX_OPTIONS:
            raise BadMessage(f"more than {MAX_OPTIONS} options in one packet")
        length = data[position + 1] if position + 1 < len(data) else 0
        if length < 2 or position + length > len(data):
            raise BadMessage(f"option {data[position]} with Length {length} in {len(data) - position} octets")
        options.append(Option(data[position], bytes(data[position + 2 : position + length])))
        position += length
    return tuple(options)

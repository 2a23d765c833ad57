"""PPP over Ethernet as octets: what follows the Ethernet header (RFC 2516; PPP-Max-Payload of RFC 4638)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Self

from openpptp.errors import BadMessage, Misuse
from openpptp.wire.notation_text import escape

DISCOVERY_ETHERTYPE = 0x8863
SESSION_ETHERTYPE = 0x8864
MAX_TAGS = 64  # ours: a sane discovery packet has a handful

_HEADER = Struct("!BBHH")  # VER and TYPE, CODE, SESSION_ID, LENGTH
_TAG = Struct("!HH")  # TAG_TYPE, TAG_LENGTH
_VERSION_TYPE = 0x11  # RFC 2516 section 4


class PppoeCode(IntEnum):
    """CODE (RFC 2516 sections 5 and 6)."""

    SESSION = 0x00
    PADO = 0x07
    PADI = 0x09
    PADR = 0x19
    PADS = 0x65
    PADT = 0xA7


class TagType(IntEnum):
    """TAG_TYPE (RFC 2516 appendix A)."""

    END_OF_LIST = 0x0000
    SERVICE_NAME = 0x0101
    AC_NAME = 0x0102
    HOST_UNIQ = 0x0103
    AC_COOKIE = 0x0104
    VENDOR_SPECIFIC = 0x0105
    RELAY_SESSION_ID = 0x0110
    PPP_MAX_PAYLOAD = 0x0120
    SERVICE_NAME_ERROR = 0x0201
    AC_SYSTEM_ERROR = 0x0202
    GENERIC_ERROR = 0x0203


_TEXT_TAGS = frozenset(
    {
        TagType.SERVICE_NAME,
        TagType.AC_NAME,
        TagType.SERVICE_NAME_ERROR,
        TagType.AC_SYSTEM_ERROR,
        TagType.GENERIC_ERROR,
    }
)


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of a discovery packet; AC-Cookie, Host-Uniq and Relay-Session-Id go back as they came."""

    type: int
    value: bytes = b""

    def __str__(self) -> str:
        try:
            name = TagType(self.type).name.lower().replace("_", "-")
        except ValueError:
            name = f"tag-0x{self.type:04x}"
        shown = f'"{escape(self.value.decode("latin-1"))}"' if self.type in _TEXT_TAGS else self.value.hex()
        return f"<{name} {shown}>" if shown else f"<{name}>"


@dataclass(frozen=True, slots=True)
class Discovery:
    """A discovery packet: PADI, PADO, PADR, PADS or PADT."""

    code: int
    session_id: int = 0
    tags: tuple[Tag, ...] = ()

    def encode(self) -> bytes:
        """Return the packet from VER and TYPE on."""
        return _encode(self.code, self.session_id, encode_tags(self.tags))

    @classmethod
    def decode(cls, packet: bytes) -> Self:
        """Read one packet, padding after LENGTH ignored; raise BadMessage when it is cut or its tags overrun it."""
        code, session_id, payload = _decode(packet)
        return cls(code, session_id, decode_tags(payload))

    def first(self, tag_type: int) -> bytes | None:
        """Return the value of the first tag of that type, None when there is none."""
        return next((tag.value for tag in self.tags if tag.type == tag_type), None)

    def __str__(self) -> str:
        try:
            name = PppoeCode(self.code).name
        except ValueError:
            name = f"code=0x{self.code:x}"
        return " ".join((f"[PPPoE {name} session=0x{self.session_id:x}", *map(str, self.tags))) + "]"


def encode_session(session_id: int, frame: bytes) -> bytes:
    """Return a session packet; frame begins with the PPP protocol field, no Address and Control (section 6)."""
    return _encode(PppoeCode.SESSION, session_id, frame)


def decode_session(packet: bytes) -> tuple[int, bytes]:
    """Return SESSION_ID and PPP frame of a session packet, padding cut off; raise BadMessage when it is none."""
    code, session_id, frame = _decode(packet)
    if code != PppoeCode.SESSION:
        raise BadMessage(f"PPPoE code 0x{code:02x} in a session packet")
    return session_id, frame


def encode_tags(tags: Iterable[Tag]) -> bytes:
    """Return the tags one after the other."""
    return b"".join(_TAG.pack(tag.type, len(tag.value)) + tag.value for tag in tags)


def decode_tags(payload: bytes) -> tuple[Tag, ...]:
    """Split a discovery payload into tags, up to End-Of-List; raise BadMessage when one overruns it."""
    tags: list[Tag] = []
    position = 0
    while position < len(payload):
        if len(tags) == MAX_TAGS:
            raise BadMessage(f"more than {MAX_TAGS} PPPoE tags")
        if position + _TAG.size > len(payload):
            raise BadMessage("PPPoE tag without its length")
        tag_type, length = _TAG.unpack_from(payload, position)
        if tag_type == TagType.END_OF_LIST:
            break
        position += _TAG.size
        if position + length > len(payload):
            raise BadMessage(f"PPPoE tag 0x{tag_type:04x} of {length} octets in {len(payload) - position}")
        tags.append(Tag(tag_type, bytes(payload[position : position + length])))
        position += length
    return tuple(tags)


def _encode(code: int, session_id: int, payload: bytes) -> bytes:
    if len(payload) > 0xFFFF:
        raise Misuse(f"PPPoE payload of {len(payload)} octets")
    return _HEADER.pack(_VERSION_TYPE, code, session_id, len(payload)) + payload


def _decode(packet: bytes) -> tuple[int, int, bytes]:
    if len(packet) < _HEADER.size:
        raise BadMessage(f"PPPoE packet of {len(packet)} octets has no header")
    version_type, code, session_id, length = _HEADER.unpack_from(packet)
    if version_type != _VERSION_TYPE:
        raise BadMessage(f"PPPoE version and type 0x{version_type:02x}")
    end = _HEADER.size + length
    if end > len(packet):
        raise BadMessage(f"PPPoE payload of {length} octets in {len(packet) - _HEADER.size}")
    return code, session_id, bytes(packet[_HEADER.size : end])

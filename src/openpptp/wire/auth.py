"""What PAP and CHAP packets carry, as octets.

RFC 1334 section 2.2, RFC 1994 section 4, RFC 2433 sections 6 to 8, RFC 2759 sections 4 to 7. The classes read and
write Packet.data; those of MS-CHAP the Value of a Response or the text of a Success or Failure.
"""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import ClassVar, Self

from openpptp.errors import BadMessage, Misuse

CHAP_MD5_VALUE = 16  # RFC 1994 section 4.1: an MD5 digest
MS_CHAP_V1_CHALLENGE = 8  # RFC 2433 section 5
MS_CHAP_V2_CHALLENGE = 16  # RFC 2759 section 3
MS_CHAP_RESPONSE = 49  # RFC 2433 section 6, RFC 2759 section 4


class PapCode(IntEnum):
    """RFC 1334 section 2.2."""

    AUTHENTICATE_REQUEST = 1
    AUTHENTICATE_ACK = 2
    AUTHENTICATE_NAK = 3


class ChapCode(IntEnum):
    """RFC 1994 section 4, RFC 2759 section 7."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4
    CHANGE_PASSWORD = 7


class MsChapError(IntEnum):
    """Error codes of an MS-CHAP Failure (RFC 2433 section 8, RFC 2759 section 6)."""

    RESTRICTED_LOGON_HOURS = 646
    ACCOUNT_DISABLED = 647
    PASSWORD_EXPIRED = 648
    NO_DIALIN_PERMISSION = 649
    AUTHENTICATION_FAILURE = 691
    CHANGING_PASSWORD = 709


def _length_prefixed(data: bytes, what: str) -> tuple[bytes, bytes]:
    """Split data into the field its first octet measures and the rest."""
    if not data or len(data) < 1 + data[0]:
        raise BadMessage(f"{what} is cut short")
    end = 1 + data[0]
    return bytes(data[1:end]), bytes(data[end:])


def _prefix_length(value: bytes, what: str) -> bytes:
    if len(value) > 255:
        raise Misuse(f"{what} of {len(value)} octets does not fit its length field")
    return bytes((len(value),)) + value


def _exactly(value: bytes, length: int, what: str) -> bytes:
    if len(value) != length:
        raise Misuse(f"{what} has {len(value)} octets instead of {length}")
    return value


@dataclass(frozen=True, slots=True)
class PapRequest:
    """Authenticate-Request (RFC 1334 section 2.2.1)."""

    peer_id: bytes
    password: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return Packet.data."""
        return _prefix_length(self.peer_id, "PAP Peer-ID") + _prefix_length(self.password, "PAP Password")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read Packet.data; octets after the password are ignored."""
        peer_id, rest = _length_prefixed(data, "PAP Peer-ID")
        password, _ = _length_prefixed(rest, "PAP Password")
        return cls(peer_id, password)


@dataclass(frozen=True, slots=True)
class PapReply:
    """Authenticate-Ack or -Nak (RFC 1334 section 2.2.2)."""

    message: str = ""

    def encode(self) -> bytes:
        """Return Packet.data."""
        return _prefix_length(self.message.encode(errors="replace"), "PAP Message")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read Packet.data; a reply without even the length field counts as one without a message."""
        return cls(_length_prefixed(data, "PAP Message")[0].decode(errors="replace") if data else "")


@dataclass(frozen=True, slots=True)
class ChapValue:
    """Challenge or Response of any CHAP (RFC 1994 section 4.1)."""

    value: bytes = field(repr=False)
    name: bytes = b""

    def encode(self) -> bytes:
        """Return Packet.data."""
        return _prefix_length(self.value, "CHAP Value") + self.name

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read Packet.data; raise BadMessage when the Value is empty or cut. Its right size is the method's matter."""
        value, name = _length_prefixed(data, "CHAP Value")
        if not value:
            raise BadMessage("CHAP Value is empty")
        return cls(value, name)


@dataclass(frozen=True, slots=True)
class MsChapV1Response:
    """Value of an MS-CHAPv1 Response (RFC 2433 section 6)."""

    lm_response: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    use_nt_response: bool = True

    def encode(self) -> bytes:
        """Return ChapValue.value, 49 octets."""
        lm_response = _exactly(self.lm_response, 24, "LM-Response")
        return lm_response + _exactly(self.nt_response, 24, "NT-Response") + bytes((self.use_nt_response,))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read ChapValue.value; raise BadMessage unless it has 49 octets."""
        if len(value) != MS_CHAP_RESPONSE:
            raise BadMessage(f"MS-CHAP Response of {len(value)} octets")
        return cls(bytes(value[:24]), bytes(value[24:48]), bool(value[48]))


@dataclass(frozen=True, slots=True)
class MsChapV2Response:
    """Value of an MS-CHAPv2 Response (RFC 2759 section 4)."""

    peer_challenge: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    flags: int = 0
    "Must be zero, but Windows 98 sets 0x04 (and wants no M= in the Success)."

    def encode(self) -> bytes:
        """Return ChapValue.value, 49 octets."""
        peer_challenge = _exactly(self.peer_challenge, 16, "Peer-Challenge")
        return peer_challenge + bytes(8) + _exactly(self.nt_response, 24, "NT-Response") + bytes((self.flags,))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read ChapValue.value; the 8 reserved octets are ignored. Raise BadMessage unless it has 49 octets."""
        if len(value) != MS_CHAP_RESPONSE:
            raise BadMessage(f"MS-CHAP Response of {len(value)} octets")
        return cls(bytes(value[:16]), bytes(value[24:48]), value[48])


@dataclass(frozen=True, slots=True)
class MsChapV2Success:
    """Text of an MS-CHAPv2 Success (RFC 2759 section 5)."""

    authenticator_response: bytes = field(repr=False)
    "20 octets; S= carries them as 40 hexadecimal digits."
    message: str = ""

    _TEXT: ClassVar = re.compile(rb"S=([0-9A-Fa-f]{40})(?: ?M=(.*)|[ \0]*)", re.DOTALL)

    def encode(self) -> bytes:
        """Return Packet.data; without a message also without " M=", which Windows 98 demands."""
        digits = _exactly(self.authenticator_response, 20, "Authenticator-Response").hex().upper()
        return f"S={digits}{' M=' if self.message else ''}{self.message}".encode(errors="replace")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read Packet.data in any form seen in the field; raise BadMessage when S= is missing or malformed.

        Servers send S= alone (RRAS) or leave out the blank before M= (Server 2019); digits may be lower case.
        """
        match = cls._TEXT.fullmatch(data)
        if not match:
            raise BadMessage("MS-CHAPv2 Success without a well-formed S=")
        return cls(bytes.fromhex(match[1].decode()), (match[2] or b"").rstrip(b"\0").decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class MsChapFailure:
    """Text of an MS-CHAP Failure (RFC 2433 section 8, RFC 2759 section 6)."""

    error_code: int
    retry: bool = False
    challenge: bytes = b""
    "A new one to answer when retry is set: 8 octets with version 1, 16 with version 2."
    version: int = 3
    message: str = ""

    _ERROR: ClassVar = re.compile(rb"E=([0-9]{1,10})(?![0-9])")
    _RETRY: ClassVar = re.compile(rb" R=([0-9])")
    _CHALLENGE: ClassVar = re.compile(rb" C=((?:[0-9A-Fa-f]{2})*)(?![0-9A-Fa-f])")
    _VERSION: ClassVar = re.compile(rb" V=([0-9]{1,10})(?![0-9])")

    def encode(self) -> bytes:
        """Return Packet.data."""
        challenge = self.challenge.hex().upper()
        text = f"E={self.error_code} R={self.retry:d} C={challenge} V={self.version}"
        return f"{text}{' M=' if self.message else ''}{self.message}".encode(errors="replace")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read Packet.data; only E= must be there, since what counts for a person is why the log-in failed."""
        fields, _, message = bytes(data).partition(b"M=")
        error = cls._ERROR.match(fields)
        if not error:
            raise BadMessage("MS-CHAP Failure without E=")
        retry, challenge, version = (p.search(fields) for p in (cls._RETRY, cls._CHALLENGE, cls._VERSION))
        return cls(
            int(error[1]),
            bool(retry and retry[1] != b"0"),
            bytes.fromhex(challenge[1].decode()) if challenge else b"",
            int(version[1]) if version else 0,
            message.rstrip(b"\0").decode(errors="replace"),
        )


@dataclass(frozen=True, slots=True)
class MsChapV2ChangePassword:
    """Change-Password (RFC 2759 section 7)."""

    encrypted_password: bytes = field(repr=False)
    "516 octets."
    encrypted_hash: bytes = field(repr=False)
    "16 octets."
    peer_challenge: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    flags: int = 0

    _LAYOUT: ClassVar = Struct("!516s16s16s8x24sH")

    def encode(self) -> bytes:
        """Return Packet.data, 582 octets."""
        return self._LAYOUT.pack(
            _exactly(self.encrypted_password, 516, "Encrypted-Password"),
            _exactly(self.encrypted_hash, 16, "Encrypted-Hash"),
            _exactly(self.peer_challenge, 16, "Peer-Challenge"),
            _exactly(self.nt_response, 24, "NT-Response"),
            self.flags,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read Packet.data; raise BadMessage unless it has 582 octets."""
        if len(data) != cls._LAYOUT.size:
            raise BadMessage(f"MS-CHAP Change-Password of {len(data)} octets")
        return cls(*cls._LAYOUT.unpack(data))

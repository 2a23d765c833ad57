"""What a peer presents to be let in, what is answered, and the keys that follow.

The link asks CheckCredentials with one of the presented forms; a backend (secrets file, RADIUS) answers
Accepted or Refused. Neither side knows the other.
"""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address


class AuthMethod(Enum):
    """Authentication protocols under the names settings and messages use, strongest first."""

    MSCHAP_V2 = "MS-CHAPv2"
    MSCHAP_V1 = "MS-CHAPv1"
    CHAP_MD5 = "CHAP-MD5"
    PAP = "PAP"

    @property
    def makes_keys(self) -> bool:
        """Whether keys for MPPE follow from it (RFC 3079 sections 2 and 3); without them CCP is not even tried."""
        return self in (AuthMethod.MSCHAP_V2, AuthMethod.MSCHAP_V1)

    @property
    def proves_both(self) -> bool:
        """Whether who asks for the proof gives one too: that it knows the password (RFC 2759 section 5)."""
        return self is AuthMethod.MSCHAP_V2


@dataclass(frozen=True, slots=True)
class PapPresented:
    """User name and password in clear (RFC 1334 section 2.2.1)."""

    user: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChapMd5Presented:
    """Response to a CHAP-MD5 Challenge (RFC 1994 section 4.1)."""

    user: bytes
    identifier: int
    challenge: bytes
    response: bytes = field(repr=False)
    "16 octets."


@dataclass(frozen=True, slots=True)
class MsChapV1Presented:
    """Response to an MS-CHAPv1 Challenge (RFC 2433 section 6)."""

    user: bytes
    challenge: bytes
    "8 octets."
    lm_response: bytes = field(repr=False)
    "24 octets."
    nt_response: bytes = field(repr=False)
    "24 octets."
    use_nt_response: bool


@dataclass(frozen=True, slots=True)
class MsChapV2Presented:
    """Response to an MS-CHAPv2 Challenge (RFC 2759 section 4)."""

    user: bytes
    authenticator_challenge: bytes
    "16 octets."
    peer_challenge: bytes
    "16 octets."
    nt_response: bytes = field(repr=False)
    "24 octets."


@dataclass(frozen=True, slots=True)
class UnreadablePresented:
    """A Response that cannot be one of the method agreed on; refused on the same way as a wrong password."""

    user: bytes
    detail: str


Presented = PapPresented | ChapMd5Presented | MsChapV1Presented | MsChapV2Presented | UnreadablePresented


@dataclass(frozen=True, slots=True)
class MppeStartKeys:
    """Start keys for MPPE, as seen from the end that holds this value (RFC 3079)."""

    send: bytes = field(repr=False)
    "16 octets, for 128 bit."
    receive: bytes = field(repr=False)
    "16 octets, for 128 bit."
    send_short: bytes = field(repr=False)
    "8 octets, for 40 and 56 bit."
    receive_short: bytes = field(repr=False)
    "8 octets, for 40 and 56 bit; empty, as send_short then is, where only 128 bit can be had."

    def lengths(self, allowed: frozenset[int]) -> frozenset[int]:
        """Return for which of these key lengths, in bits, the keys are good."""
        return allowed if self.send_short else allowed & {128}


@dataclass(frozen=True, slots=True)
class Encryption:
    """One direction of MPPE as CCP agreed on it."""

    start_key: bytes = field(repr=False)
    "16 octets when key_bits is 128, 8 otherwise."
    key_bits: int
    "40, 56 or 128."
    stateful: bool


@dataclass(frozen=True, slots=True)
class NetworkGrant:
    """The addresses a user is given."""

    our_address: IPv4Address
    peer_address: IPv4Address
    dns: tuple[IPv4Address, ...] = ()
    wins: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The user may come in."""

    user: str
    "The name for logs, limits and accounting."
    network: NetworkGrant | None = None
    "None: no address could be leased; the session ends with NO_ADDRESS."
    authenticator_response: bytes = field(default=b"", repr=False)
    "MS-CHAPv2 only: the 20 octets that S= carries (RFC 2759 section 8.7)."
    keys: MppeStartKeys | None = field(default=None, repr=False)
    "Given by MS-CHAPv1 and MS-CHAPv2 only; PAP and CHAP-MD5 make no keys."


@dataclass(frozen=True, slots=True)
class Refused:
    """The user may not come in."""

    detail: str
    "For our log only, never sent: 'unknown user' and 'wrong password' must look alike outside."
    error_code: int = 691
    "RFC 2759 section 6: 646 restricted hours, 647 disabled, 648 expired, 649 no dial-in, 691 failure."
    message: str = "Access denied"
    "What the peer is told; more than that only who has shown that he knows the password."


Answer = Accepted | Refused

"""What a PPP link tells its parent."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from openpptp.credentials import AuthMethod, Encryption, Presented
from openpptp.errors import EndReason
from openpptp.machine import Output


@dataclass(frozen=True, slots=True)
class SendFrame(Output):
    """A control-protocol frame for the peer: PPP header, no HDLC; FF 03 kept (RFC 1661 section 6.6)."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class CheckCredentials(Output):
    """A question; the answer goes to Link.credentials_checked, seconds later if a backend is slow."""

    presented: Presented


@dataclass(frozen=True, slots=True)
class PeerAuthenticated(Output):
    """The peer proved who it is to us."""

    user: str
    method: AuthMethod


@dataclass(frozen=True, slots=True)
class WeAuthenticated(Output):
    """The peer let us in (and, with MS-CHAPv2, proved that it knows the password)."""

    method: AuthMethod


@dataclass(frozen=True, slots=True)
class EncryptionUp(Output):
    """CCP opened: install these keys before the next data packet in either direction."""

    send: Encryption
    receive: Encryption


@dataclass(frozen=True, slots=True)
class EncryptionDown(Output):
    """CCP closed: nothing can be encrypted or decrypted any more."""


@dataclass(frozen=True, slots=True)
class EncryptionDeclined(Output):
    """CCP came to its end without MPPE where that is allowed: data goes in clear, nothing is worth waiting for."""


@dataclass(frozen=True, slots=True)
class EncryptionFlush(Output):
    """The peer sent a CCP Reset-Request: the next packet out must be flushed (RFC 3078 section 8.2)."""


@dataclass(frozen=True, slots=True)
class LinkOpened(Output):
    """LCP opened: how data frames may be written, and how long their PPP information field may be."""

    peer_mru: int
    compress_address_control: bool
    compress_protocol: bool


@dataclass(frozen=True, slots=True)
class Ipv4Up(Output):
    """IPCP opened."""

    our_address: IPv4Address
    peer_address: IPv4Address
    dns: tuple[IPv4Address, ...] = ()
    wins: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Ipv4Down(Output):
    """IPCP left Opened."""


@dataclass(frozen=True, slots=True)
class Ipv6Up(Output):
    """IPv6CP opened; interface identifiers of 8 octets."""

    our_identifier: bytes
    peer_identifier: bytes


@dataclass(frozen=True, slots=True)
class Ipv6Down(Output):
    """IPv6CP left Opened."""


@dataclass(frozen=True, slots=True)
class Ipv6Declined(Output):
    """IPv6CP will not open: the peer does without it."""


@dataclass(frozen=True, slots=True)
class LinkEnded(Output):
    """The link is over; nothing follows. detail is a sentence for a person, in the peer's terms where it gave any."""

    reason: EndReason
    detail: str
    offered: tuple[str, ...] = ()
    "What the peer would have agreed to where this end did not, as errors.PeerViolation has it."

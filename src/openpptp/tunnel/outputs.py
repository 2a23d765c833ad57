"""What a tunnel asks of its driver. call_id is always the Call ID we assigned."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from openpptp.credentials import Encryption, Presented
from openpptp.errors import EndReason
from openpptp.machine import Output


@dataclass(frozen=True, slots=True)
class SendStream(Output):
    """Octets for the control connection's TCP stream."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CloseStream(Output):
    """Send what is queued, then close the TCP stream."""


@dataclass(frozen=True, slots=True)
class Connected(Output):
    """Start-Control-Connection was agreed on; the peer's names are cleaned for the log."""

    peer_host_name: str
    peer_vendor_name: str


@dataclass(frozen=True, slots=True)
class OpenPath(Output):
    """From now on GRE with this Call ID from the peer's address belongs to the call.

    Emitted when the Call ID is first named to the peer, before the reply: GRE may overtake it.
    """

    call_id: int


@dataclass(frozen=True, slots=True)
class ConnectPath(Output):
    """The peer's Call ID is known: the path may send."""

    call_id: int
    peer_call_id: int


@dataclass(frozen=True, slots=True)
class SendFrame(Output):
    """A control-protocol PPP frame for the path to send."""

    call_id: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class CheckCredentials(Output):
    """A question; the answer goes to Tunnel.credentials_checked."""

    call_id: int
    presented: Presented


@dataclass(frozen=True, slots=True)
class EncryptionUp(Output):
    """Keys for the path, before the next data packet."""

    call_id: int
    send: Encryption
    receive: Encryption


@dataclass(frozen=True, slots=True)
class EncryptionDown(Output):
    """The path can no longer encrypt or decrypt."""

    call_id: int


@dataclass(frozen=True, slots=True)
class EncryptionFlush(Output):
    """The path's next packet out must be flushed."""

    call_id: int


@dataclass(frozen=True, slots=True)
class InterfaceUp(Output):
    """Data may flow: network protocols are open and encryption is up where it is required."""

    call_id: int
    user: str
    our_address: IPv4Address | None
    peer_address: IPv4Address | None
    dns: tuple[IPv4Address, ...]
    wins: tuple[IPv4Address, ...]
    our_identifier: bytes | None
    "IPv6 interface identifier; None when IPv6CP is not open."
    peer_identifier: bytes | None
    mtu: int
    "Longest inside packet, in octets."
    key_bits: int | None
    "Of MPPE, outwards; None: data goes in clear."
    encryption_required: bool
    compress_address_control: bool
    compress_protocol: bool


@dataclass(frozen=True, slots=True)
class InterfaceDown(Output):
    """Data no longer flows; always before ClosePath when InterfaceUp was given."""

    call_id: int


@dataclass(frozen=True, slots=True)
class ClosePath(Output):
    """GRE of this call is no longer ours."""

    call_id: int


@dataclass(frozen=True, slots=True)
class SessionEnded(Output):
    """The last output of a session: give back what was leased, write the accounting."""

    call_id: int
    user: str | None
    reason: EndReason
    detail: str
    offered: tuple[str, ...] = ()
    "What the peer would have agreed to where this end did not, as errors.PeerViolation has it."


@dataclass(frozen=True, slots=True)
class TunnelEnded(Output):
    """The control connection is over and every session with it; nothing follows."""

    reason: EndReason
    detail: str

"""The one seam all data paths share: reference, engine, null.

A data path owns the packets of all calls of a daemon. The driver steers it with the methods below and gives it two
callbacks; data never passes through the driver.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from openpptp.credentials import Encryption

FrameReceived = Callable[[int, bytes], None]
"Called with our Call ID and a control-protocol PPP frame."
EncryptionLost = Callable[[int, bool], None]
"Called with our Call ID when stateful MPPE lost step (False: ask for a reset) or gave up (True: end the session)."


@dataclass(frozen=True, slots=True)
class Rate:
    """What a call may carry in one direction (datapath/bucket.py)."""

    bits_per_second: int
    "Of inner packets; 0 is no limit."
    burst_octets: int = 0
    "What may come at once; 0: an eighth of a second's worth, 3,000 octets at least."


@dataclass(frozen=True, slots=True)
class Inside:
    """What data a call may carry and how its frames are written."""

    mtu: int
    allowed_ipv4: tuple[IPv4Address, ...]
    "Inner source addresses the peer may use; packets to them go to this call. No networks either: any (a client)."
    encryption_required: bool
    compress_address_control: bool
    compress_protocol: bool
    peer_identifier: bytes | None = None
    "IPv6 interface identifier of the peer; None: no IPv6."
    routed_ipv4: tuple[IPv4Network, ...] = ()
    "Networks behind the peer: sources it may use as well; packets to them go to this call, the longest prefix first."
    rate_in: Rate | None = None
    "From the peer; more is dropped."
    rate_out: Rate | None = None
    "To the peer; more is dropped."
    clamp_segment_size: bool = True
    "Lower what TCP connections propose, both ways, to what mtu leaves."


@dataclass(slots=True)
class Counters:
    """What passed one call and what did not; every drop has a name."""

    packets_in: int = 0
    octets_in: int = 0
    packets_out: int = 0
    octets_out: int = 0
    acks_sent: int = 0
    lost: int = 0
    "Sequence numbers that never came."
    late_recovered: int = 0
    dropped_duplicate: int = 0
    dropped_late: int = 0
    dropped_malformed: int = 0
    dropped_not_open: int = 0
    dropped_not_encrypted: int = 0
    dropped_not_decryptable: int = 0
    dropped_source: int = 0
    dropped_too_big: int = 0
    dropped_rate: int = 0
    dropped_queue_full: int = 0
    last_in: float = 0.0
    "Monotonic seconds of the last data packet from the peer that passed, 0 when there was none."
    last_out: float = 0.0
    "And to the peer."


class DataPath(Protocol):
    """Everything a driver asks of a data path."""

    def open_call(self, call_id: int, peer: IPv4Address, local: IPv4Address) -> None:
        """Take GRE for call_id from peer; answer from local."""

    def connect_call(self, call_id: int, peer_call_id: int) -> None:
        """Learn the peer's Call ID; from here on the call may send."""

    def send_frame(self, call_id: int, frame: bytes) -> None:
        """Send one control-protocol PPP frame in clear."""

    def encryption_up(self, call_id: int, send: Encryption, receive: Encryption) -> None:
        """Install MPPE in both directions."""

    def encryption_down(self, call_id: int) -> None:
        """Forget the keys."""

    def encryption_flush(self, call_id: int) -> None:
        """Answer a Reset-Request: the next packet out is flushed."""

    def interface_up(self, call_id: int, inside: Inside) -> None:
        """Let data flow."""

    def interface_down(self, call_id: int) -> None:
        """Stop data; control-protocol frames still pass."""

    def close_call(self, call_id: int) -> Counters:
        """Forget the call and return its last counters."""

    def counters(self, call_id: int) -> Counters:
        """Return the counters of an open call."""

    def unknown_packets(self) -> int:
        """Return how many GRE packets belonged to no call; they are never answered."""

    def close(self) -> None:
        """Stop for good."""

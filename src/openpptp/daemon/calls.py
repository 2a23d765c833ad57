"""What ties a data path to the drivers of its calls."""

from ipaddress import IPv4Address
from typing import Protocol

from openpptp.datapath.seam import Inside
from openpptp.tunnel.outputs import InterfaceUp


class CallOwner(Protocol):
    """Takes what a data path says of a call."""

    def frame_received(self, call_id: int, frame: bytes) -> None:
        """Take a control-protocol frame."""

    def encryption_lost(self, call_id: int, gave_up: bool) -> None:
        """Take the word that stateful MPPE lost step."""


class Calls(dict[int, CallOwner]):
    """The owner of each open Call ID; its methods are the callbacks of datapath/seam.py.

    What comes for a call that has just ended is dropped.
    """

    def frame_received(self, call_id: int, frame: bytes) -> None:
        """Pass a control-protocol frame to its owner."""
        owner = self.get(call_id)
        if owner is not None:
            owner.frame_received(call_id, frame)

    def encryption_lost(self, call_id: int, gave_up: bool) -> None:
        """Pass the loss of stateful encryption to its owner."""
        owner = self.get(call_id)
        if owner is not None:
            owner.encryption_lost(call_id, gave_up)


class Identifiers:
    """Which call has which IPv6 interface identifier: all share one interface, so no two may have the same (B-090)."""

    def __init__(self) -> None:
        """Start with none taken."""
        self._owners: dict[bytes, int] = {}
        self._taken: dict[int, bytes] = {}

    def take(self, identifier: bytes, call_id: int) -> bool:
        """Give an identifier to a call that has none; False when another call has it."""
        if identifier in self._owners:
            return False
        self._owners[identifier], self._taken[call_id] = call_id, identifier
        return True

    def give_back(self, call_id: int) -> None:
        """Let others have what a call has, if anything."""
        identifier = self._taken.pop(call_id, None)
        if identifier is not None:
            del self._owners[identifier]


def inside(output: InterfaceUp, *allowed: IPv4Address) -> Inside:
    """Return what a call may carry: inner sources, and with none named, any."""
    return Inside(
        mtu=output.mtu,
        allowed_ipv4=allowed,
        encryption_required=output.encryption_required,
        compress_address_control=output.compress_address_control,
        compress_protocol=output.compress_protocol,
        peer_identifier=output.peer_identifier,
    )

"""Which call a packet belongs to: by Call ID and source from outside, by destination from inside.

A GRE packet that belongs to no call is counted and never answered: whoever forges its source gets nothing sent to
the victim (RFC 2637 has no answer for it anyway).
"""

from dataclasses import dataclass, field

from openpptp.datapath.path import LINK_LOCAL, Path
from openpptp.datapath.seam import Inside
from openpptp.errors import Misuse


@dataclass(slots=True, eq=False)
class Call:
    """One call of the table; addresses are integers as in net.ports.Datagram."""

    call_id: int
    peer: int
    local: int
    path: Path
    addresses: tuple[bytes, ...] = field(default=())
    "Inside destinations that lead here, each 4 octets of IPv4 or 8 of an IPv6 interface identifier."
    armed: float | None = None
    "For the runner: when it will next look at this call."
    closed: bool = False


class CallTable:
    """All calls of one data path."""

    def __init__(self) -> None:
        self.unknown = 0
        "GRE packets that belonged to no call."
        self.unrouted = 0
        "Inside packets that belonged to no call."
        self._calls: dict[int, Call] = {}
        self._addresses: dict[bytes, Call] = {}
        self._default: Call | None = None

    def __len__(self) -> int:
        return len(self._calls)

    def open(self, call_id: int, peer: int, local: int, path: Path) -> Call:
        """Take GRE for call_id, which may be 0, from peer."""
        if call_id in self._calls:
            raise Misuse(f"call {call_id} is open already")
        call = self._calls[call_id] = Call(call_id, peer, local, path)
        return call

    def call(self, call_id: int) -> Call:
        """Return an open call; raise Misuse when it is not open."""
        call = self._calls.get(call_id)
        if call is None:
            raise Misuse(f"call {call_id} is not open")
        return call

    def find(self, call_id: int, source: int) -> Call | None:
        """Return the call of a received GRE packet; None, counted, when it is nobody's or comes from elsewhere."""
        call = self._calls.get(call_id)
        if call is None or call.peer != source:
            self.unknown += 1
            return None
        return call

    def attach(self, call: Call, inside: Inside) -> None:
        """Send inside packets for the peer's addresses to this call, or all that no other call takes."""
        self.detach(call)
        addresses = [address.packed for address in inside.allowed_ipv4]
        if inside.peer_identifier is not None:
            addresses.append(inside.peer_identifier)
        call.addresses = tuple(addresses)
        for address in call.addresses:
            self._addresses[address] = call
        if not inside.allowed_ipv4:
            self._default = call

    def detach(self, call: Call) -> None:
        """Send no more inside packets to this call; an address another call took over stays that one's."""
        for address in call.addresses:
            if self._addresses.get(address) is call:
                del self._addresses[address]
        call.addresses = ()
        if self._default is call:
            self._default = None

    def route(self, packet: bytes) -> Call | None:
        """Return the call an inside packet goes to; None, counted, when there is none."""
        call = None
        version = packet[0] >> 4 if packet else 0
        if version == 4:
            call = self._addresses.get(packet[16:20], self._default)
        elif version == 6:
            is_link_local = packet[24:32] == LINK_LOCAL
            call = self._addresses.get(packet[32:40], self._default) if is_link_local else self._default
        if call is None:
            self.unrouted += 1
        return call

    def close(self, call_id: int) -> Call:
        """Forget a call and return it."""
        call = self.call(call_id)
        self.detach(call)
        call.closed = True
        del self._calls[call_id]
        return call

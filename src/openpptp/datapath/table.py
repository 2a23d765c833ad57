"""Which call a packet belongs to: by Call ID and source from outside, by destination from inside.

A GRE packet that belongs to no call is counted and never answered: whoever forges its source gets nothing sent to
the victim (RFC 2637 has no answer for it anyway).
"""

from dataclasses import dataclass, field

from openpptp.datapath.path import LINK_LOCAL, Path
from openpptp.datapath.seam import Inside
from openpptp.errors import Misuse

ADDRESS = 32  # bits of an IPv4 address: the longest prefix there is
IPV4_HEADER = 20  # octets, the least


@dataclass(slots=True, eq=False)
class Call:
    """One call of the table; addresses are integers as in net.ports.Datagram."""

    call_id: int
    peer: int
    local: int
    path: Path
    networks: tuple[tuple[int, int], ...] = field(default=())
    "Inside destinations that lead here, as (prefix length, network); an address is a network of length 32."
    identifier: bytes | None = None
    "And the IPv6 interface identifier that does."
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
        self._networks: dict[int, dict[int, Call]] = {}
        "By prefix length, the longest first; no length is there without a network."
        self._identifiers: dict[bytes, Call] = {}
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
        call.networks = tuple((ADDRESS, int(address)) for address in inside.allowed_ipv4)
        call.networks += tuple((network.prefixlen, int(network.network_address)) for network in inside.routed_ipv4)
        for length, network in call.networks:
            if length not in self._networks:
                self._networks = dict(sorted([*self._networks.items(), (length, {})], reverse=True))
            self._networks[length][network] = call
        if inside.peer_identifier is not None:
            call.identifier = inside.peer_identifier
            self._identifiers[call.identifier] = call
        if not call.networks:
            self._default = call

    def detach(self, call: Call) -> None:
        """Send no more inside packets to this call; an address another call took over stays that one's."""
        for length, network in call.networks:
            if self._networks.get(length, {}).get(network) is call:
                del self._networks[length][network]
                if not self._networks[length]:
                    del self._networks[length]
        call.networks = ()
        if call.identifier is not None and self._identifiers.get(call.identifier) is call:
            del self._identifiers[call.identifier]
        call.identifier = None
        if self._default is call:
            self._default = None

    def route(self, packet: bytes) -> Call | None:
        """Return the call an inside packet goes to; None, counted, when there is none."""
        call = None
        version = packet[0] >> 4 if packet else 0
        if version == 4:
            call = self._longest(int.from_bytes(packet[16:20])) if len(packet) >= IPV4_HEADER else self._default
        elif version == 6:
            is_link_local = packet[24:32] == LINK_LOCAL
            call = self._identifiers.get(packet[32:40], self._default) if is_link_local else self._default
        if call is None:
            self.unrouted += 1
        return call

    def _longest(self, destination: int) -> Call | None:
        for length, networks in self._networks.items():
            call = networks.get(destination >> ADDRESS - length << ADDRESS - length)
            if call is not None:
                return call
        return self._default

    def close(self, call_id: int) -> Call:
        """Forget a call and return it."""
        call = self.call(call_id)
        self.detach(call)
        call.closed = True
        del self._calls[call_id]
        return call

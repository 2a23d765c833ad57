"""IP Control Protocol (RFC 1332) with name server addresses (RFC 1877).

One class serves both ends: an end that was granted addresses insists on them, an end without asks the peer.
"""

from ipaddress import IPv4Address, IPv4Network
from typing import ClassVar

from openpptp.credentials import NetworkGrant
from openpptp.errors import EndReason, PeerViolation
from openpptp.ppp.automaton import Automaton, RestartTimer
from openpptp.ppp.options import ACK, REJECT, Judgement, Nak, NegotiableOption
from openpptp.ppp.outputs import Ipv4Up
from openpptp.wire.ppp import IpcpOption, Protocol

UNSPECIFIED = IPv4Address(0)
_THIS_NETWORK = IPv4Network("0.0.0.0/8")  # RFC 1122 section 3.2.1.3; reserved is 240.0.0.0/4, with the broadcast


def _usable(address: IPv4Address) -> bool:
    """Tell whether one end of a link may have this address."""
    return address not in _THIS_NETWORK and not (address.is_loopback or address.is_multicast or address.is_reserved)


def _address(value: bytes | None) -> IPv4Address:
    """Return the address in an option; unspecified when there is none or its length is wrong."""
    return IPv4Address(value) if value is not None and len(value) == 4 else UNSPECIFIED


class Address(NegotiableOption):
    """IP-Address (RFC 1332 section 3.3)."""

    type: ClassVar[int] = IpcpOption.IP_ADDRESS

    def __init__(self, own: IPv4Address | None, assigned: IPv4Address | None) -> None:
        super().__init__()
        self._own = own
        self._wanted = UNSPECIFIED if own is None else own
        self._assigned = assigned
        self._wished: IPv4Address | None = None
        "What the peer asked for last."
        self._given = UNSPECIFIED
        "What the peer gave us last and no end of a link can have."
        self._asking = True

    def ask(self) -> bytes | None:
        """Name our address, or 0.0.0.0 to be given one."""
        return self._wanted.packed if self._asking else None

    def judge(self, value: bytes) -> Judgement:
        """Ack the assigned address and no other; without one to assign, Ack what an end of a link can have."""
        address = self._wished = _address(value)
        if self._assigned is not None:
            return ACK if address == self._assigned else Nak(self._assigned.packed)
        return ACK if _usable(address) and address != self._wanted else REJECT

    def nakked(self, value: bytes) -> None:
        """Take the address we are given; keep the one we were set up with."""
        if self._own is None and _usable(_address(value)):
            self._wanted = _address(value)
        else:
            self._given = _address(value)

    def rejected(self) -> None:
        """Leave our address unsaid; without one there is no session."""
        self.check()
        self._asking = False

    def check(self) -> None:
        """End when we have no address after all."""
        if not _usable(self._wanted):
            given = (
                "no IPv4 address" if self._given == UNSPECIFIED else f"{self._given}, which no end of a link can have"
            )
            raise PeerViolation(EndReason.NO_ADDRESS, f"the peer gives out {given}")

    def missing(self) -> bytes | None:
        """Tell the peer the address it has to ask for (RFC 1332 section 3.3)."""
        return None if self._assigned is None else self._assigned.packed

    def insisted(self) -> None:
        """End: what comes from another address would be dropped anyway."""
        asks = "for none" if self._wished is None else f"for {self._wished}"
        what = f"the peer is given the IPv4 address {self._assigned} and asks {asks} instead, again and again"
        raise PeerViolation(EndReason.NO_ADDRESS, what)

    @property
    def own(self) -> IPv4Address:
        """Our address as agreed on."""
        return self._wanted

    @property
    def peer(self) -> IPv4Address:
        """The peer's address; unspecified when the peer, a server as a rule, named none."""
        return self._assigned if self._assigned is not None else _address(self.theirs)


class NameServer(NegotiableOption):
    """Primary or secondary DNS or NBNS server address (RFC 1877 section 1)."""

    def __init__(self, number: IpcpOption, known: IPv4Address | None, *, wanted: bool) -> None:
        super().__init__()
        self.type = number  # type: ignore[misc]  # one class for four options that differ in nothing else
        self._known = known
        self._wanted = wanted
        self._value = UNSPECIFIED

    def ask(self) -> bytes | None:
        """Ask with 0.0.0.0 first, then with what the peer suggested."""
        return self._value.packed if self._wanted else None

    def judge(self, value: bytes) -> Judgement:
        """Name our server's address, Reject where we have none."""
        if self._known is None:
            return REJECT
        return ACK if value == self._known.packed else Nak(self._known.packed)

    def nakked(self, value: bytes) -> None:
        """Take what the peer names."""
        if _usable(_address(value)):
            self._value = _address(value)
        else:
            self._wanted = False

    def rejected(self) -> None:
        """Do without."""
        self._wanted = False

    @property
    def learned(self) -> IPv4Address | None:
        """The address the peer gave us, None when it gave none."""
        return _address(self.ours) if _usable(_address(self.ours)) else None


class Ipcp(Automaton):
    """IPCP; VJ compression and the old IP-Addresses are rejected as unknown (RFC 1332 sections 3.1 and 3.2)."""

    protocol = Protocol.IPCP

    def __init__(self, grant: NetworkGrant | None, own: IPv4Address | None, *, dns: bool, wins: bool) -> None:
        """Negotiate with the addresses of grant, or with own alone; ask for name servers where wanted."""
        self._grant = grant
        self._own = grant.our_address if grant is not None else own
        self._ask_dns = dns
        self._ask_wins = wins
        super().__init__(RestartTimer())

    def new_options(self) -> tuple[NegotiableOption, ...]:
        """Return the address and the name servers, primaries first (RFC 1877 section 1)."""
        grant = self._grant
        dns = grant.dns if grant is not None else ()
        wins = grant.wins if grant is not None else ()
        self._address = Address(self._own, grant.peer_address if grant is not None else None)
        self._dns = _servers((IpcpOption.PRIMARY_DNS, IpcpOption.SECONDARY_DNS), dns, wanted=self._ask_dns)
        self._wins = _servers((IpcpOption.PRIMARY_NBNS, IpcpOption.SECONDARY_NBNS), wins, wanted=self._ask_wins)
        return (self._address, self._dns[0], self._wins[0], self._dns[1], self._wins[1])

    def agreed(self) -> Ipv4Up:
        """Return what was agreed on; end the session when we have no address after all."""
        self._address.check()
        return Ipv4Up(self._address.own, self._address.peer, _learned(self._dns), _learned(self._wins))


def _servers(
    numbers: tuple[IpcpOption, IpcpOption], known: tuple[IPv4Address, ...], *, wanted: bool
) -> tuple[NameServer, NameServer]:
    primary = known[0] if known else None
    secondary = known[1] if len(known) > 1 else None
    return NameServer(numbers[0], primary, wanted=wanted), NameServer(numbers[1], secondary, wanted=wanted)


def _learned(servers: tuple[NameServer, NameServer]) -> tuple[IPv4Address, ...]:
    return tuple(server.learned for server in servers if server.learned is not None)

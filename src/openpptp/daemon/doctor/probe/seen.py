"""What can be seen of a server from a client's side; no judgement here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network

from openpptp.errors import EndReason
from openpptp.net.error_queue import IcmpError
from openpptp.net.way import Way
from openpptp.tunnel.outputs import InterfaceUp
from openpptp.wire.control import CallDisconnectNotify, OutgoingCallReply, StartControlConnectionReply

PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")))
"RFC 1918, RFC 6598 (the NAT of carriers), RFC 3927."


class TcpOutcome(Enum):
    """What became of an attempt to open a TCP connection."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class TcpSeen:
    """One attempt at one address."""

    address: IPv4Address
    outcome: TcpOutcome
    seconds: float
    errors: tuple[IcmpError, ...] = ()
    "ICMP messages that came for it."
    detail: str = ""
    "The system's words for a failure of another kind."


@dataclass(slots=True)
class GreSeen:
    """The GRE of one call, both ways."""

    sent: int = 0
    not_sent: int = 0
    "Packets this host did not let out."
    received: int = 0
    first_after: float | None = None
    "Seconds from the call's connection to the first packet of the server."
    heard: bool = False
    "The server has acknowledged or answered a packet of ours."
    spoke_unheard: bool = False
    "The server's first packet came without a word that it had heard us."
    time_to_live: int = 0
    errors: list[IcmpError] = field(default_factory=list)


@dataclass(slots=True)
class LcpSeen:
    """The link control protocol of one call."""

    requests: int = 0
    "Configure-Requests of the server, repetitions counted."
    demanded: list[bytes] = field(default_factory=list)
    "Authentication-Protocols it asked for, one after the other; empty octets where it asked for none."
    suggested: bytes = b""
    "The one we last suggested by Configure-Nak."
    answer: bytes | None = None
    "What it asked for after that; empty octets: nothing any more. None: it has not answered."
    answered_by_end: bool = False
    "It ended the link instead of an answer."
    opened_after: float | None = None
    peer_mru: int = 1500
    ended: str | None = None
    "What its Terminate-Request said."
    round_trip: float | None = None
    "Seconds of the quickest echo."


@dataclass(slots=True)
class LoginSeen:
    """What became of a log-in."""

    proved: bool = False
    "We sent a proof of the password."
    let_in: bool = False
    failure: str = ""
    "The refusal, in words."
    offered: list[int] = field(default_factory=list)
    "Supported Bits of MPPE the server asked for or suggested (RFC 3078 section 2)."
    rejects_encryption: bool = False
    "It refused MPPE, or CCP altogether."
    up: InterfaceUp | None = None


@dataclass(slots=True)
class CallSeen:
    """One control connection and the call on it; seconds count from the open TCP connection if not said otherwise."""

    start_reply: StartControlConnectionReply | None = None
    start_after: float = 0.0
    said: bytes = b""
    "The first octets, where they are no PPTP."
    closed_after: float | None = None
    "When the server closed the TCP connection before we did."
    call_id: int | None = None
    "The one we chose."
    call_reply: OutgoingCallReply | None = None
    call_after: float = 0.0
    disconnect: CallDisconnectNotify | None = None
    disconnect_after: float | None = None
    "Seconds from the call's connection."
    hung_up: bool = False
    "We asked for the end before it came."
    gre: GreSeen = field(default_factory=GreSeen)
    lcp: LcpSeen = field(default_factory=LcpSeen)
    login: LoginSeen = field(default_factory=LoginSeen)
    ended: tuple[EndReason, str] | None = None
    "How our own machine saw the session end."

    @property
    def connected(self) -> bool:
        """Whether the server accepted the call."""
        return self.call_reply is not None and self.call_reply.result_code == 1

    @property
    def hung_up_by_server(self) -> bool:
        """Whether the server ended the call by itself."""
        return self.disconnect is not None and not self.hung_up

    @property
    def translated(self) -> bool | None:
        """Whether somebody on the way rewrites Call IDs; None: not known.

        A server ends a call with the ID it chose itself (RFC 2637 section 2.13). A translator, Linux' nf_nat_pptp for
        one, puts ours there.
        """
        if self.disconnect is None or self.call_reply is None or self.call_id == self.call_reply.call_id:
            return None
        found = {self.call_reply.call_id: False, self.call_id: True}.get(self.disconnect.call_id)
        return None if found and self.vendor.startswith("accel") else found  # accel-ppp writes ours itself

    @property
    def vendor(self) -> str:
        """The server's word for its maker."""
        return self.start_reply.vendor_name if self.start_reply is not None else ""


class Method(Enum):
    """Whether the server would take an authentication method."""

    TAKEN = "takes"
    REFUSED = "refuses"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class PathSeen:
    """What lengths of packets the way carries, in octets of a whole IPv4 packet."""

    needed: int
    "What a client sends the server at most."
    device: int
    "What this host's own device carries."
    largest: int
    "The longest that came back in one piece; 0: none."
    lost: int | None = None
    "The shortest that did not come back; None: all did."
    told: tuple[int, IPv4Address] | None = None
    "What an ICMP message said the way carries, and who sent it."
    in_pieces: bool | None = None
    "Whether what is too long comes back when it may be cut; None: not tried."


@dataclass(frozen=True, slots=True)
class FirewallSeen:
    """What drops arriving GRE on this very host."""

    sentence: str
    remedy: str
    sure: bool


@dataclass(slots=True)
class Seen:
    """All that was seen; what was not tried is None."""

    host: str
    port: int = 1723
    addresses: tuple[IPv4Address, ...] = ()
    name_problem: str = ""
    way: Way | None = None
    way_problem: str = ""
    tcp: Sequence[TcpSeen] = ()
    banner: bytes = b""
    "What answered a question of the web on the same port, where nothing answered ours."
    privilege: str = ""
    "Why GRE cannot be seen; empty when it can."
    call: CallSeen | None = None
    foreign: Counter[int] = field(default_factory=Counter)
    "Call IDs nobody agreed on, in GRE from the server."
    firewall: FirewallSeen | None = None
    second: CallSeen | None = None
    "A second call while the first one stood."
    first_still: bool | None = None
    "Whether the first call still got answers while the second stood."
    methods: dict[bytes, Method] = field(default_factory=dict)
    path: PathSeen | None = None
    account: str = ""
    "The user name of the log-in; empty: none was asked for."
    login: CallSeen | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    "How long each step took."

    @property
    def server(self) -> IPv4Address | None:
        """The address all the rest is about: the first that opened a TCP connection."""
        return next((each.address for each in self.tcp if each.outcome is TcpOutcome.OPEN), None)

    @property
    def nat(self) -> bool | None:
        """Whether an address translator is between; None: not known."""
        if any(call is not None and call.translated for call in self.calls):
            return True
        source, server = self.way.source if self.way is not None else None, self.server
        if source is None or server is None:
            return None
        if not is_private(source):
            return False
        return None if is_private(server) else True

    @property
    def helper(self) -> bool | None:
        """Whether Call IDs are rewritten on the way; None: not known."""
        found = [call.translated for call in self.calls if call is not None and call.translated is not None]
        return found[0] if found else None

    @property
    def calls(self) -> tuple[CallSeen | None, ...]:
        """The calls that were tried."""
        return self.call, self.second, self.login


def is_private(address: IPv4Address) -> bool:
    """Tell whether an address is of those that never cross the internet."""
    return any(address in network for network in PRIVATE)

"""What one end of a PPP link is told before it starts."""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address

from openpptp.credentials import AuthMethod

OTHER_END = {"server": "the client", "client": "the server"}
"The word for the peer in sentences, by the word for this end."


class Caller(Enum):
    """Who placed the call the link runs on."""

    PEER = "peer"
    WE = "we"


@dataclass(frozen=True, slots=True)
class EncryptionPolicy:
    """What MPPE this end offers and demands (RFC 3078 section 2)."""

    enabled: bool = True
    required: bool = True
    key_bits: frozenset[int] = frozenset({128})
    "Any of 40, 56, 128."
    stateful: bool = False
    "Stateful mode is agreed to when the peer insists, and asked for when prefer_stateful is set as well."
    prefer_stateful: bool = False


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How this end of the link negotiates; the authenticator and the peer side may both be configured."""

    mru: int = 1400
    "What we ask to receive, in octets."
    echo_interval: float = 20.0
    "Seconds between our LCP Echo-Requests while Opened; 0 sends none. Also keeps NAT state for GRE alive."
    echo_failures: int = 4
    "Unanswered Echo-Requests in a row after which the peer counts as silent."

    authenticate_peer: tuple[AuthMethod, ...] = ()
    "Authenticator: what the peer must use, most wanted first. Empty: the peer is not asked."
    caller: Caller = Caller.PEER
    "When both ends prove themselves, the caller's credentials make the MPPE keys (RFC 3079 section 3)."
    our_name: str = "openpptp"
    "Authenticator: the name in our Challenges. Peer: the user name we present."
    our_password: str | None = field(default=None, repr=False)
    "Peer: what we answer a Challenge with. None: we refuse to authenticate."
    answer_with: tuple[AuthMethod, ...] = (AuthMethod.MSCHAP_V2,)
    "Peer: the methods we agree to when asked."
    suggest: bytes = b""
    "Peer: the Authentication-Protocol we suggest in place of one we do not agree to. Empty: the first of answer_with."
    demand_proof: bool = False
    "Peer: end a link on which we are not asked. Who does not ask proves nothing, as MS-CHAPv2 would."
    refusal_delay: float = 1.0
    "Seconds from a Response to our refusal, so that unknown user and wrong password take the same time."

    encryption: EncryptionPolicy = EncryptionPolicy()

    ipv4: bool = True
    our_ipv4: IPv4Address | None = None
    "Our own address when it does not come with the grant. None on a client: ask the peer for one."
    request_dns: bool = False
    "Client: ask the peer for DNS servers (RFC 1877)."
    request_wins: bool = False
    "Client: ask the peer for NBNS servers (RFC 1877); most servers have none, and the refusal costs a round trip."
    ipv6: bool = False
    "Negotiate IPv6CP; otherwise it is Protocol-Rejected."

"""What an authentication machine tells the link; CheckCredentials of ppp.outputs passes through as it is."""

from dataclasses import dataclass, field

from openpptp.credentials import Accepted, MppeStartKeys
from openpptp.errors import EndReason
from openpptp.machine import Output
from openpptp.wire.ppp import Packet


@dataclass(frozen=True, slots=True)
class SendPacket(Output):
    """A PAP or CHAP packet for the peer."""

    protocol: int
    packet: Packet


@dataclass(frozen=True, slots=True)
class PeerProved(Output):
    """Authenticator: the peer is who it says."""

    accepted: Accepted


@dataclass(frozen=True, slots=True)
class WeProved(Output):
    """Peer: we were let in; with MS-CHAPv2 the authenticator proved itself too."""

    keys: MppeStartKeys | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthenticationFailed(Output):
    """Either side: over. The refusal, where there is one, has been sent already."""

    reason: EndReason
    detail: str

"""What one end of a tunnel is told before it starts."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

from openpptp.ppp.settings import LinkSettings
from openpptp.wire.control import Bearer, Framing

VENDOR_NAME = "OpenPPTP"  # ours: what both ends of ours say of themselves
OVERHEAD = 40  # octets before a PPP information field: IPv4 20, GRE 16, address and control 2, protocol 2


class Role(Enum):
    """RFC 2637's two ends of a call; never "server" or "client"."""

    PNS = "PNS"
    PAC = "PAC"


class Side(Enum):
    """The two ends of a control connection (RFC 2637 sections 3.1.1 and 3.1.2); independent of PNS and PAC."""

    INITIATOR = "initiator"
    "Opened the TCP connection: a client, or an access concentrator."
    RESPONDER = "responder"
    "Listened on TCP port 1723."


class CallKind(Enum):
    """Who asks for a call (RFC 2637 section 3.2)."""

    OUTGOING = "outgoing"
    "The PNS asks with Outgoing-Call-Request."
    INCOMING = "incoming"
    "The PAC asks with Incoming-Call-Request."


@dataclass(frozen=True, slots=True)
class Dialling:
    """What Outgoing-Call-Request asks for (RFC 2637 section 2.7).

    The defaults are those of Windows. No server of a voluntary tunnel looks at any of it; some carrier modems do.
    """

    phone_number: str = ""
    subaddress: str = ""
    bearer: Bearer = Bearer.ANALOG | Bearer.DIGITAL
    framing: Framing = Framing.ASYNCHRONOUS | Framing.SYNCHRONOUS
    minimum_bps: int = 300
    maximum_bps: int = 100_000_000


@dataclass(frozen=True, slots=True)
class TunnelSettings:
    """How this end keeps its control connections and which calls it takes."""

    link: LinkSettings
    "For calls the peer places."
    host_name: str = "openpptp"
    vendor_name: str = VENDOR_NAME
    accepts: frozenset[CallKind] = frozenset({CallKind.OUTGOING, CallKind.INCOMING})
    "Calls the peer may place: OUTGOING makes us its PAC, INCOMING its PNS."
    maximum_calls: int = 1
    "Calls the peer may hold on one control connection."
    start_timeout: float = 10.0
    "Seconds from TCP accept or connect to an agreed Start-Control-Connection."
    call_timeout: float = 30.0
    "Seconds a call may stay in a transient state."
    session_timeout: float = 60.0
    "Seconds from the call's connection to open network protocols."
    gre_timeout: float = 10.0
    "Seconds after the call is connected without one GRE packet, until the session ends with GRE_BLOCKED."
    echo_interval: float = 60.0
    "Seconds without a message until Echo-Request, and again until the connection counts as dead."
    receive_window: int = 64
    "Packet Recv. Window Size we name; hardly a peer in the field obeys it (mpd may)."
    connect_speed_bps: int = 100_000_000
    path_mru: int = 1460
    "Longest PPP information field the way to the peer carries: 1500 less IP, GRE and PPP headers; 1452 behind PPPoE."
    dialling: Dialling = Dialling()
    "Calls we place as PNS."

    def on_path(self, mtu: int | None) -> Self:
        """Return the settings for a way to the peer that carries IPv4 packets of mtu octets; None: nobody knows.

        Where it is narrower than assumed, neither end shall send what is cut on the way.
        """
        if mtu is None or mtu - OVERHEAD >= self.path_mru:
            return self
        path_mru = mtu - OVERHEAD
        return replace(self, path_mru=path_mru, link=replace(self.link, mru=min(self.link.mru, path_mru)))

"""Writes down what passes on one control connection and its call; pure, and never asks for anything."""

from openpptp.daemon.doctor.probe.seen import CallSeen
from openpptp.errors import BadMessage
from openpptp.ppp.auth.mschap_error import failure_words
from openpptp.ppp.lcp import describe_termination
from openpptp.wire.auth import ChapCode
from openpptp.wire.control import (
    BadStream,
    CallDisconnectNotify,
    ControlMessage,
    ControlStream,
    OutgoingCallReply,
    StartControlConnectionReply,
)
from openpptp.wire.ppp import (
    DEFAULT_MRU,
    FIRST_CONTROL_PROTOCOL,
    CcpOption,
    Code,
    LcpOption,
    Packet,
    Protocol,
    decode_frame,
    decode_options,
)

REMEMBERED = 200  # ours: octets of what is no PPTP; a banner is shorter
NOTHING_RECEIVED = 0xFFFFFFFF  # what Cisco acknowledges before it has received anything


class Witness:
    """One call, from the open TCP connection on; times are monotonic seconds."""

    def __init__(self, seen: CallSeen, opened: float) -> None:
        """Begin: the TCP connection is open."""
        self.seen = seen
        self._opened = opened
        self._connected = opened
        self._stream = ControlStream()
        self._ours_acked = self._theirs_acked = False
        self._naked: int | None = None
        "Identifier of the server's request that our suggestion answered."

    # The control connection

    def stream_received(self, data: bytes, now: float) -> None:
        """See octets of the server."""
        seen = self.seen
        try:
            messages = self._stream.feed(data)
        except BadStream as bad:
            messages = bad.messages
            if seen.start_reply is None:
                seen.said = (seen.said + data)[:REMEMBERED]
        for message in messages:
            self._message(message, now)

    def stream_closed(self, now: float) -> None:
        """See the TCP connection go."""
        if not self.seen.hung_up and self.seen.closed_after is None:
            self.seen.closed_after = now - self._opened

    def _message(self, message: ControlMessage, now: float) -> None:
        seen = self.seen
        match message:
            case StartControlConnectionReply() if seen.start_reply is None:
                seen.start_reply, seen.start_after = message, now - self._opened
            case OutgoingCallReply() if seen.call_reply is None:
                seen.call_reply, seen.call_after = message, now - self._opened
                self._connected = now
            case CallDisconnectNotify() if seen.disconnect is None:
                seen.disconnect, seen.disconnect_after = message, now - self._connected

    # GRE

    def gre_sent(self, payload: bytes, now: float, *, taken: bool) -> None:
        """See a packet of ours."""
        gre = self.seen.gre
        if not taken:
            gre.not_sent += 1
            return
        gre.sent += 1
        packet = _packet(payload)
        if packet is not None:
            self._sent(*packet)
        self._look(now)

    def gre_received(self, acknowledgement: int | None, payload: bytes, time_to_live: int, now: float) -> None:
        """See a packet of the server."""
        gre = self.seen.gre
        heard = acknowledgement not in (None, NOTHING_RECEIVED)
        if not gre.received:
            gre.first_after = max(0.0, now - self._connected)
            gre.spoke_unheard = not heard
            gre.time_to_live = time_to_live
        gre.received += 1
        gre.heard |= heard
        packet = _packet(payload)
        if packet is not None:
            self._received(*packet)
        self._look(now)

    def _look(self, now: float) -> None:
        """See whether LCP has opened."""
        if self._ours_acked and self._theirs_acked and self.seen.lcp.opened_after is None:
            self.seen.lcp.opened_after = now - self._connected

    # PPP

    def _sent(self, protocol: int, packet: Packet) -> None:
        match protocol, packet.code:
            case Protocol.LCP, Code.CONFIGURE_REQUEST:
                self._ours_acked = False
            case Protocol.LCP, Code.CONFIGURE_ACK:
                self._theirs_acked = True
            case Protocol.LCP, Code.CONFIGURE_NAK:
                suggestion = _option(packet, LcpOption.AUTHENTICATION_PROTOCOL)
                if suggestion is not None:
                    self.seen.lcp.suggested, self._naked = suggestion, packet.identifier
            case Protocol.CHAP, ChapCode.RESPONSE:
                self.seen.login.proved = True

    def _received(self, protocol: int, packet: Packet) -> None:
        match protocol, packet.code:
            case Protocol.LCP, _:
                self._lcp(packet)
            case Protocol.CHAP, ChapCode.SUCCESS:
                self.seen.login.let_in = True
            case Protocol.CHAP, ChapCode.FAILURE:
                self.seen.login.failure = self.seen.login.failure or failure_words(packet.data)
            case Protocol.CCP, _:
                self._encryption(packet)

    def _lcp(self, packet: Packet) -> None:
        lcp, gre = self.seen.lcp, self.seen.gre
        match packet.code:
            case Code.CONFIGURE_REQUEST:
                lcp.requests += 1
                self._theirs_acked = False
                self._demand(packet)
            case Code.CONFIGURE_ACK:
                self._ours_acked = gre.heard = True
            case Code.CONFIGURE_NAK | Code.CONFIGURE_REJECT | Code.ECHO_REPLY:
                gre.heard = True
            case Code.TERMINATE_REQUEST if lcp.ended is None:
                _, lcp.ended = describe_termination(packet.data)
                lcp.answered_by_end = bool(lcp.suggested) and lcp.answer is None
            case Code.PROTOCOL_REJECT if packet.data[:2] == Protocol.CCP.to_bytes(2, "big"):
                self.seen.login.rejects_encryption = True

    def _demand(self, request: Packet) -> None:
        lcp = self.seen.lcp
        demand = _option(request, LcpOption.AUTHENTICATION_PROTOCOL) or b""
        if not lcp.demanded or lcp.demanded[-1] != demand:
            lcp.demanded.append(demand)
        if lcp.suggested and lcp.answer is None and request.identifier != self._naked:
            lcp.answer = demand
        mru = _option(request, LcpOption.MAXIMUM_RECEIVE_UNIT)
        lcp.peer_mru = int.from_bytes(mru, "big") if mru is not None and len(mru) == 2 else DEFAULT_MRU

    def _encryption(self, packet: Packet) -> None:
        login = self.seen.login
        bits = _option(packet, CcpOption.MPPE)
        if packet.code in {Code.CONFIGURE_REQUEST, Code.CONFIGURE_NAK} and bits is not None and len(bits) == 4:
            login.offered.append(int.from_bytes(bits, "big"))
        elif packet.code == Code.CONFIGURE_REJECT and bits is not None:
            login.rejects_encryption = True


def _option(packet: Packet, number: int) -> bytes | None:
    """Return the value of an option of a Configure packet; None when it is not there, or nothing of it can be read."""
    try:
        return next((each.value for each in decode_options(packet.data) if each.type == number), None)
    except BadMessage:
        return None


def _packet(payload: bytes) -> tuple[int, Packet] | None:
    """Return the control packet in a payload of GRE with its protocol; None when there is none that can be read."""
    try:
        protocol, information = decode_frame(payload)
        return (protocol, Packet.decode(information)) if protocol >= FIRST_CONTROL_PROTOCOL else None
    except BadMessage:
        return None

"""Link Control Protocol (RFC 1661 sections 5 and 6; RFC 1570 sections 1.1 and 1.2).

The options are in lcp_options; here are the codes that only LCP has, and the echo that finds a dead peer.
"""

from dataclasses import dataclass

from openpptp.errors import EndReason, PeerViolation
from openpptp.machine import Allowance, Deadline, Level, Note, Output, Random
from openpptp.ppp.automaton import Automaton, RestartTimer, Send
from openpptp.ppp.fsm import Event, State
from openpptp.ppp.lcp_options import (
    LOOP_LIMIT,
    Authentication,
    Compression,
    ControlCharacterMap,
    MagicNumber,
    MaximumReceiveUnit,
)
from openpptp.ppp.options import PACKET_LIMIT, NegotiableOption
from openpptp.ppp.outputs import LinkOpened
from openpptp.ppp.settings import LinkSettings
from openpptp.wire.notation import RAS_ERRORS, RAS_MARK
from openpptp.wire.ppp import Code, LcpOption, Packet, Protocol

ECHO_RATE = 10.0  # ours: Echo-Requests answered per second; peers send one in some seconds
ECHO_BURST = 20.0  # ours: and at once
PROTOCOL_REJECT_INTERVAL = 10.0  # ours: seconds until the same protocol is rejected once more
MAX_PROTOCOL_REJECTS = 32  # ours: different protocols rejected in a session's life

_RAS_REASONS = {
    691: EndReason.AUTHENTICATION_REFUSED,
    718: EndReason.PEER_SILENT,
    720: EndReason.NEGOTIATION_FAILED,
    741: EndReason.ENCRYPTION_UNSUITABLE,
    742: EndReason.ENCRYPTION_UNSUITABLE,
    919: EndReason.AUTHENTICATION_UNSUITABLE,
}


def describe_termination(data: bytes) -> tuple[EndReason, str]:
    """Return why the peer sent a Terminate-Request with this data: text, or Windows' error behind its mark."""
    reason, said = EndReason.PEER_REQUEST, ""
    if len(data) >= 12 and data[4:8] == RAS_MARK:
        error = int.from_bytes(data[8:12], "big")
        reason = _RAS_REASONS.get(error, reason)
        if error:
            said = f"Windows error {error}" + (f", {RAS_ERRORS[error]}" if error in RAS_ERRORS else "")
    else:
        text = data[:200].decode("utf-8", "replace").strip("\0 \r\n")
        said = "".join(c if c.isprintable() else "?" for c in text)
    sentence = EndReason.PEER_REQUEST.value.sentence
    return reason, f"{sentence}: {said}" if said else sentence


@dataclass(frozen=True, slots=True)
class ProtocolRejected(Output):
    """The peer does not know a protocol of ours."""

    protocol: int


class Lcp(Automaton):
    """LCP of one end."""

    protocol = Protocol.LCP

    def __init__(self, settings: LinkSettings, random: Random, end: str) -> None:
        """Negotiate by settings; `end` is the word for this end in sentences, "server" or "client"."""
        self._settings = settings
        self._random = random
        self._end = end
        self.echo_deadline: Deadline | None = None
        "When the next Echo-Request is due."
        self._unanswered = 0
        self._echoes_of_ours = 0
        self._echoes = Allowance(ECHO_RATE, ECHO_BURST)
        self._protocol_rejects: dict[int, float] = {}
        super().__init__(RestartTimer())

    def new_options(self) -> tuple[NegotiableOption, ...]:
        """Return LCP's options in the order Windows sends them."""
        self._mru = MaximumReceiveUnit(self._settings.mru)
        self.authentication = Authentication(self._settings, self._end)
        self._magic = MagicNumber(self._random)
        self._pfc = Compression(LcpOption.PROTOCOL_FIELD_COMPRESSION)
        self._acfc = Compression(LcpOption.ADDRESS_CONTROL_FIELD_COMPRESSION)
        return (self._mru, ControlCharacterMap(), self.authentication, self._magic, self._pfc, self._acfc)

    def agreed(self) -> LinkOpened:
        """Return how the peer wants data written."""
        return LinkOpened(self._mru.peer_mru, self._acfc.theirs is not None, self._pfc.theirs is not None)

    def tlu(self, now: float) -> list[Output]:
        """This-Layer-Up; start the echo."""
        self._unanswered = 0
        if self._settings.echo_interval > 0:
            self._arm_echo(now)
        return super().tlu(now)

    def tld(self, now: float) -> list[Output]:
        """This-Layer-Down; stop the echo."""
        self.echo_deadline = None
        return super().tld(now)

    def ser(self, now: float) -> list[Output]:
        """Send-Echo-Reply: the peer's data with our magic number, cut to the peer's MRU (section 5.8)."""
        packet = self._received
        if packet.code != Code.ECHO_REQUEST or len(packet.data) < 4:
            return []
        if packet.data[:4] == self._our_magic() and any(packet.data[:4]):
            self._echoes_of_ours += 1
            if self._echoes_of_ours >= LOOP_LIMIT:
                raise PeerViolation(EndReason.LOOPED, "our own Echo-Requests come back to us")
            return []
        if not self._echoes.take(now):
            return []
        return [Send(Packet(Code.ECHO_REPLY, packet.identifier, self._our_magic() + packet.data[4 : self._limit()]))]

    def tick(self, now: float) -> list[Output]:
        """Act on the Restart timer and the echo when they are due."""
        outputs = super().tick(now)
        if self.echo_deadline is None or now < self.echo_deadline.when:
            return outputs
        if Code.ECHO_REQUEST in self.peer_codes_rejected:
            self.echo_deadline = None
            return outputs
        if self._unanswered >= self._settings.echo_failures:
            raise PeerViolation(EndReason.PEER_SILENT, f"the peer left {self._unanswered} Echo-Requests unanswered")
        self._unanswered += 1
        self._arm_echo(now)
        return [*outputs, Send(Packet(Code.ECHO_REQUEST, self._next_identifier(), self._our_magic()))]

    def receive_other(self, packet: Packet, now: float) -> list[Output]:
        """Take the codes RFC 1661 sections 5.7 to 5.9 and RFC 1570 section 1 add."""
        match packet.code:
            case Code.PROTOCOL_REJECT:
                return self._protocol_reject(packet, now)
            case Code.ECHO_REPLY:
                if self.state is State.OPENED:
                    self._unanswered = 0
                return self.fire(Event.RXR, now)
            case Code.ECHO_REQUEST | Code.DISCARD_REQUEST:
                return self.fire(Event.RXR, now)
            case Code.IDENTIFICATION | Code.TIME_REMAINING:
                return [Note(f"LCP: {Code(packet.code).name.lower()} {packet.data[4:68]!r}", Level.DEBUG)]
            case _:
                return super().receive_other(packet, now)

    def _protocol_reject(self, packet: Packet, now: float) -> list[Output]:
        """Tell which protocol the peer does not know; only in Opened (section 5.7)."""
        if self.state is not State.OPENED or len(packet.data) < 2:
            return [self._note("Protocol-Reject dropped")]
        rejected = int.from_bytes(packet.data[:2], "big")
        if rejected == Protocol.LCP:
            return self.fire(Event.RXJ_MINUS, now)
        return [*self.fire(Event.RXJ_PLUS, now), ProtocolRejected(rejected)]

    def reject_protocol(self, protocol: int, information: bytes, now: float) -> list[Output]:
        """Send a Protocol-Reject (section 5.7) unless the peer was told a moment ago."""
        last = self._protocol_rejects.get(protocol)
        if self.state is not State.OPENED or (last is not None and now - last < PROTOCOL_REJECT_INTERVAL):
            return []
        if last is None and len(self._protocol_rejects) >= MAX_PROTOCOL_REJECTS:
            return []
        self._protocol_rejects[protocol] = now
        data = protocol.to_bytes(2, "big") + information
        return [Send(Packet(Code.PROTOCOL_REJECT, self._next_identifier(), data[: self._limit()]))]

    def _our_magic(self) -> bytes:
        """Return our magic number as negotiated, zero before (section 6.4)."""
        return self._magic.ours if self._magic.ours is not None and self.state is State.OPENED else bytes(4)

    def _limit(self) -> int:
        return max(0, min(self._mru.peer_mru - 4, PACKET_LIMIT))

    def _arm_echo(self, now: float) -> None:
        self.echo_deadline = Deadline(now + self._settings.echo_interval, "LCP echo")

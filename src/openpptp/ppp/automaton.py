"""The option negotiation automaton of LCP, CCP, IPCP and IPv6CP (RFC 1661 section 4).

fsm.py has its table; here are the actions, as methods with the RFC's names, the Restart timer and its counters. A
protocol subclasses Automaton, names its options and takes the codes beyond 7.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from openpptp.errors import BadMessage, EndReason, PeerViolation
from openpptp.machine import Deadline, Level, Note, Output
from openpptp.ppp.fsm import TABLE, TIMED, Event, State
from openpptp.ppp.options import PACKET_LIMIT, NegotiableOption, Negotiation
from openpptp.wire.ppp import Code, Packet, Protocol, decode_options

MAX_TERMINATE = 2  # RFC 1661 section 4.6
MAX_CONFIGURE = 10  # RFC 1661 section 4.6
MAX_ROUNDS = 40  # ours: requests in one direction until a negotiation counts as endless; honest ones take under 10
RENEGOTIATIONS = 10  # ours: per span; two ends that lose and overtake packets need up to 7 for one renegotiation
RENEGOTIATION_SPAN = 60.0
MAX_CODE_REJECTS = 20  # ours: who has not understood by then never will


@dataclass(frozen=True, slots=True)
class RestartTimer:
    """How long to wait for an answer (RFC 1661 section 4.6), in seconds."""

    first: float = 0.3
    "Until the first repetition of a Configure-Request. The RFC's 3 s cost its users 3 s whenever one end is late."
    longest: float = 3.0
    "The wait doubles up to this, the RFC's default."
    terminate: float = 1.0
    "After a Terminate-Request, ours or the peer's."


@dataclass(frozen=True, slots=True)
class Send(Output):
    """A packet of this protocol for the peer."""

    packet: Packet


@dataclass(frozen=True, slots=True)
class LayerUp(Output):
    """This-Layer-Up: the protocol is Opened."""


@dataclass(frozen=True, slots=True)
class LayerDown(Output):
    """This-Layer-Down: the protocol has left Opened."""


@dataclass(frozen=True, slots=True)
class LayerStarted(Output):
    """This-Layer-Started: the protocol needs its lower layer."""


@dataclass(frozen=True, slots=True)
class LayerFinished(Output):
    """This-Layer-Finished: the protocol has given up or was closed."""


class Automaton:
    """One protocol's automaton (RFC 1661 section 4): events in, outputs back.

    What the peer does against the rules so that the session must end is raised as PeerViolation; a packet that cannot
    be read leaves a Note.
    """

    protocol: ClassVar[Protocol]

    def __init__(self, timer: RestartTimer) -> None:
        self.state = State.INITIAL
        self.deadline: Deadline | None = None
        self.terminate_text = b""
        "What a Terminate-Request of ours says."
        self.peer_terminate_text: bytes | None = None
        "What the peer's Terminate-Request said; None before one came."
        self.peer_codes_rejected: set[int] = set()
        self.put_off = False
        "The peer answered our last Configure-Request with Terminate-Ack: it was not ready."
        self.heard_answer = False
        "The peer has answered any Configure-Request of ours."
        self._timer = timer
        self._restart_counter = 0
        self._repetitions = 0
        self._sent_at = 0.0
        self._identifier = 0
        self._request: Packet | None = None
        self._received = Packet(0, 0)
        self._answer = Packet(0, 0)
        self._answered: Packet | None = None
        self._event = Event.UP
        self._renegotiated: list[float] = []
        self._code_rejects = 0
        self._begin()

    def new_options(self) -> tuple[NegotiableOption, ...]:
        """Return fresh options for one negotiation, in the order they are asked."""
        raise NotImplementedError

    def receive_other(self, packet: Packet, now: float) -> list[Output]:
        """Take a packet whose code is none of the automaton's own seven."""
        self._received = packet
        return self.fire(Event.RUC, now)

    # Events

    def up(self, now: float) -> list[Output]:
        """Learn that the lower layer is ready."""
        self._begin()
        return self.fire(Event.UP, now)

    def down(self, now: float) -> list[Output]:
        """Learn that the lower layer is gone."""
        return self.fire(Event.DOWN, now) if self.state not in {State.INITIAL, State.STARTING} else []

    def open(self, now: float) -> list[Output]:
        """Negotiate as soon as the lower layer allows."""
        if self.state is State.CLOSED:
            self._begin()
        return self.fire(Event.OPEN, now)

    def close(self, now: float) -> list[Output]:
        """End the protocol in an orderly way."""
        return self.fire(Event.CLOSE, now)

    def protocol_rejected(self, now: float) -> list[Output]:
        """Learn that the peer does not speak this protocol."""
        return self.fire(Event.RXJ_MINUS, now)

    def tick(self, now: float) -> list[Output]:
        """Act on the Restart timer when it is due."""
        if self.deadline is None or now < self.deadline.when:
            return []
        return self.fire(Event.TO_PLUS if self._restart_counter > 0 else Event.TO_MINUS, now)

    def ask_again(self, now: float) -> list[Output]:
        """Repeat at once a Configure-Request that was put off with Terminate-Ack.

        pppd answers network protocols so until its CCP is open; waiting for the timer costs the user seconds.
        """
        if not self.put_off or self.state not in {State.REQ_SENT, State.ACK_SENT}:
            return []
        outputs = self.fire(Event.TO_PLUS, now)
        self._repetitions = 0
        self._arm(self._timer.first, now)
        return outputs

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a packet from the peer."""
        if self.state in {State.INITIAL, State.STARTING}:
            return [self._note(f"code {packet.code} in {self.state} dropped")]
        self._received = packet
        try:
            return self._dispatch(packet, now)
        except BadMessage as error:
            return [self._note(f"code {packet.code} dropped: {error}")]

    def _dispatch(self, packet: Packet, now: float) -> list[Output]:
        code = packet.code
        if code == Code.CONFIGURE_REQUEST:
            return self._receive_request(packet, now)
        if code in {Code.CONFIGURE_ACK, Code.CONFIGURE_NAK, Code.CONFIGURE_REJECT}:
            return self._receive_answer(packet, now)
        if code == Code.TERMINATE_REQUEST:
            self.peer_terminate_text = packet.data
            return self.fire(Event.RTR, now)
        if code == Code.TERMINATE_ACK:
            if self.state is State.OPENED:
                self._begin_again(now)
            self.put_off = self.state in {State.REQ_SENT, State.ACK_RCVD, State.ACK_SENT}
            return self.fire(Event.RTA, now)
        if code == Code.CODE_REJECT:
            rejected = packet.data[0] if packet.data else 0
            if Code.CONFIGURE_REQUEST <= rejected <= Code.CODE_REJECT:
                return self.fire(Event.RXJ_MINUS, now)
            self.peer_codes_rejected.add(rejected)
            return self.fire(Event.RXJ_PLUS, now)
        return self.receive_other(packet, now)

    def _receive_request(self, packet: Packet, now: float) -> list[Output]:
        if self.state in {State.CLOSED, State.CLOSING, State.STOPPING}:
            return self.fire(Event.RCR_PLUS, now)
        decode_options(packet.data)  # before anything is given up for a packet that cannot be read
        if self.state is State.OPENED:
            # A repetition (same Identifier, same options) means our Ack is late or lost: section 5.1 makes any new
            # request of a peer that got it carry another Identifier. Repeating the Ack once spares data and keys;
            # a peer that goes on did lose its state.
            if self._answered == packet:
                self._answered = None
                return [Send(self._answer)]
            self._begin_again(now)
        elif self.state is State.STOPPED:
            self._begin()
        self._requests_received += 1
        if self._requests_received > MAX_ROUNDS:
            self._negotiation.give_up()
            raise PeerViolation(EndReason.NEGOTIATION_FAILED, self._endless())
        self._answer, notes = self._negotiation.judge(packet)
        self._answered = packet
        acked = self._answer.code == Code.CONFIGURE_ACK
        outputs = self.fire(Event.RCR_PLUS if acked else Event.RCR_MINUS, now)
        return [*notes, *outputs, *self._peer_woke(now)]

    def _peer_woke(self, now: float) -> list[Output]:
        """Start the back-off over at the peer's first request: what we sent before, it may not have been there to hear.

        Windows is not listening when the first request of a prompt server arrives, and pays with the whole timer.
        """
        if self._requests_received != 1 or self._repetitions == 0 or self.deadline is None:
            return []
        self._repetitions = 0
        self._arm(max(0.0, self._sent_at + self._timer.first - now), now)
        return self.tick(now)

    def _receive_answer(self, packet: Packet, now: float) -> list[Output]:
        event = Event.RCA if packet.code == Code.CONFIGURE_ACK else Event.RCN
        if self.state < State.REQ_SENT:
            return self.fire(event, now)
        if self._request is None or packet.identifier != self._request.identifier:
            return [self._note(f"code {packet.code} with Identifier {packet.identifier} answers nothing we asked")]
        take: dict[int, Callable[[bytes], bool]] = {
            Code.CONFIGURE_ACK: self._negotiation.acked,
            Code.CONFIGURE_NAK: self._negotiation.nakked,
            Code.CONFIGURE_REJECT: self._negotiation.rejected,
        }
        if not take[packet.code](packet.data):
            return [self._note(f"code {packet.code} does not match our request")]
        self.heard_answer = True
        self._request = None
        return self.fire(event, now)

    def fire(self, event: Event, now: float) -> list[Output]:
        """Do what the table says for this event in this state."""
        actions, new = TABLE[event, self.state]
        self._event = event
        if actions == ("note",):
            return self.note(now)
        self.state = new
        if new not in TIMED:
            self.deadline = None
        outputs: list[Output] = []
        for action in actions:
            outputs += getattr(self, action)(now)
        return outputs

    # Actions (section 4.4), under the RFC's names

    def tlu(self, now: float) -> list[Output]:
        """This-Layer-Up."""
        self._requests_sent = self._requests_received = 0
        self.put_off = False
        return [LayerUp()]

    def tld(self, now: float) -> list[Output]:
        """This-Layer-Down."""
        return [LayerDown()]

    def tls(self, now: float) -> list[Output]:
        """This-Layer-Started."""
        return [LayerStarted()]

    def tlf(self, now: float) -> list[Output]:
        """This-Layer-Finished."""
        return [LayerFinished()]

    def irc(self, now: float) -> list[Output]:
        """Initialize-Restart-Count: Max-Terminate when a Terminate-Request follows, else Max-Configure."""
        ending = self.state in {State.CLOSING, State.STOPPING}
        self._restart_counter = MAX_TERMINATE if ending else MAX_CONFIGURE
        return []

    def zrc(self, now: float) -> list[Output]:
        """Zero-Restart-Count: give the peer one timer's time to receive our Terminate-Ack (section 3.7)."""
        self._restart_counter = 0
        self._arm(self._timer.terminate, now)
        return []

    def scr(self, now: float) -> list[Output]:
        """Send-Configure-Request; a repetition keeps its Identifier, so that a late Ack still counts (section 5.1)."""
        data = self._negotiation.ask()
        if self._request is None or self._request.data != data:
            self._request = Packet(Code.CONFIGURE_REQUEST, self._next_identifier(), data)
        self._requests_sent += 1
        if self._requests_sent > MAX_ROUNDS:
            raise PeerViolation(EndReason.NEGOTIATION_FAILED, self._endless())
        self._repetitions = self._repetitions + 1 if self._event is Event.TO_PLUS else 0
        self._restart_counter -= 1
        self.put_off = False
        self._arm(min(self._timer.first * 2**self._repetitions, self._timer.longest), now)
        self._sent_at = now
        return [Send(self._request)]

    def sca(self, now: float) -> list[Output]:
        """Send-Configure-Ack."""
        return [Send(self._answer)]

    def scn(self, now: float) -> list[Output]:
        """Send-Configure-Nak or Send-Configure-Reject."""
        return [Send(self._answer)]

    def str_(self, now: float) -> list[Output]:
        """Send-Terminate-Request; the underscore keeps Python's own str."""
        self._restart_counter -= 1
        self._arm(self._timer.terminate, now)
        text = self.terminate_text[:PACKET_LIMIT]
        return [Send(Packet(Code.TERMINATE_REQUEST, self._next_identifier(), text))]

    def sta(self, now: float) -> list[Output]:
        """Send-Terminate-Ack."""
        return [Send(Packet(Code.TERMINATE_ACK, self._received.identifier))]

    def scj(self, now: float) -> list[Output]:
        """Send-Code-Reject of the packet received, cut to what the peer surely takes (section 5.6)."""
        self._code_rejects += 1
        if self._code_rejects > MAX_CODE_REJECTS:
            return []
        return [Send(Packet(Code.CODE_REJECT, self._next_identifier(), self._received.encode()[: self._limit()]))]

    def ser(self, now: float) -> list[Output]:
        """Send-Echo-Reply; LCP alone has one."""
        return []

    def note(self, now: float) -> list[Output]:
        """Note an event the RFC's table has no transition for."""
        return [self._note(f"{self._event} in {self.state} has no meaning")]

    # What they share

    def _note(self, text: str) -> Note:
        return Note(f"{self.protocol.name}: {text}", Level.DEBUG)

    def _limit(self) -> int:
        """Return how much data one packet to the peer may hold."""
        return PACKET_LIMIT

    def _next_identifier(self) -> int:
        self._identifier = self._identifier % 255 + 1
        return self._identifier

    def _arm(self, delay: float, now: float) -> None:
        self.deadline = Deadline(now + delay, f"the peer's {self.protocol.name} packet")

    def _endless(self) -> str:
        return f"{self.protocol.name} negotiation does not converge: {MAX_ROUNDS} requests, and no agreement"

    def _begin(self) -> None:
        self._negotiation = Negotiation(self.new_options())
        self._request = None
        self._answered = None
        self._requests_sent = self._requests_received = 0

    def _begin_again(self, now: float) -> None:
        """Negotiate anew from Opened, unless the peer makes a habit of it."""
        self._renegotiated = [when for when in self._renegotiated if now - when < RENEGOTIATION_SPAN]
        self._renegotiated.append(now)
        if len(self._renegotiated) > RENEGOTIATIONS:
            raise PeerViolation(EndReason.FLOODED, f"the peer negotiates {self.protocol.name} anew again and again")
        self._begin()
        self._restart_counter = MAX_CONFIGURE

"""One end of a PPP link: its phases, and which layer a frame belongs to (RFC 1661 section 3.2).

Dead, Establish (LCP), Authenticate (authentication.py), Network (network.py), Terminate. A frame that does not belong
to the phase is dropped without a word; control packets that crossed the last authentication packet on the way wait.
"""

from collections.abc import Callable
from enum import Enum
from functools import partial

from openpptp.credentials import Answer
from openpptp.errors import BadMessage, EndReason, PeerViolation
from openpptp.machine import Deadline, Level, Note, Output, Random, earliest
from openpptp.ppp import authentication, network
from openpptp.ppp.auth.outputs import AuthenticationFailed, SendPacket
from openpptp.ppp.authentication import Authentication
from openpptp.ppp.automaton import LayerDown, LayerFinished, LayerStarted, LayerUp, Send
from openpptp.ppp.ccp import not_encrypted
from openpptp.ppp.fsm import State
from openpptp.ppp.lcp import Lcp, ProtocolRejected, describe_termination
from openpptp.ppp.network import Network
from openpptp.ppp.outputs import LinkEnded, SendFrame
from openpptp.ppp.settings import LinkSettings
from openpptp.wire.ppp import FIRST_CONTROL_PROTOCOL, Code, Packet, Protocol, decode_frame, encode_frame

PATIENCE = 0.1  # ours: seconds an authenticator lets the peer ask first; Windows drops what comes before it listens
MAX_EARLY = 4  # ours: CCP, IPCP and IPv6CP of a peer that counts itself admitted, and one to spare


class Phase(Enum):
    """RFC 1661 section 3.2."""

    DEAD = "dead"
    ESTABLISH = "establish"
    AUTHENTICATE = "authenticate"
    NETWORK = "network"
    TERMINATE = "terminate"


class Link:
    """A PPP link of one end, from the lower layer's coming up to LinkEnded."""

    def __init__(self, settings: LinkSettings, random: Random) -> None:
        self.phase = Phase.DEAD
        self._settings = settings
        self._random = random
        self._end_name = "server" if settings.authenticate_peer else "client"
        self._lcp = Lcp(settings, random, self._end_name)
        self._authentication: Authentication | None = None
        self._network: Network | None = None
        self._waiting: Deadline | None = None
        self._early: list[tuple[int, Packet]] = []
        self._ending: LinkEnded | None = None
        self._over = False

    @property
    def deadline(self) -> Deadline | None:
        """The next moment this link must be ticked."""
        if self._over:
            return None
        return earliest(
            self._waiting,
            self._lcp.deadline,
            self._lcp.echo_deadline,
            self._authentication.deadline if self._authentication is not None else None,
            self._network.deadline if self._network is not None else None,
        )

    # Inputs

    def start(self, now: float) -> list[Output]:
        """Begin to negotiate: the lower layer is up.

        An authenticator lets the peer speak first for a moment, so that its own request finds a listener.
        """
        self.phase = Phase.ESTABLISH
        outputs = self._translate(self._lcp.open(now), now)
        if self._settings.authenticate_peer:
            self._waiting = Deadline(now + PATIENCE, "the peer's first LCP request")
            return outputs
        return outputs + self._lower_up(now)

    def receive(self, frame: bytes, now: float) -> list[Output]:
        """Take one frame from the peer."""
        if self._over or self.phase is Phase.DEAD:
            return []
        try:
            protocol, information = decode_frame(frame)
            if protocol == Protocol.LCP:
                packet = Packet.decode(information)
                return self._lower_up(now) + self._guard(lambda: self._receive_lcp(packet, now), now)
            return self._guard(lambda: self._route(protocol, information, now), now)
        except BadMessage as error:
            return [Note(f"PPP frame dropped: {error}", Level.DEBUG)]

    def credentials_checked(self, answer: Answer, now: float) -> list[Output]:
        """Take the answer to CheckCredentials; ignored when the link has moved on meanwhile."""
        running = self._authentication
        if running is None:
            return []
        return self._guard(lambda: self._translate(running.credentials_checked(answer, now), now), now)

    def close(self, reason: EndReason, now: float) -> list[Output]:
        """End in an orderly way: Terminate-Request, its Ack or two timers, LinkEnded."""
        return self._end(LinkEnded(reason, reason.value.sentence), now)

    def lower_down(self, now: float) -> list[Output]:
        """End at once: nothing can be sent any more."""
        if self._over:
            return []
        if self._ending is None:
            self._ending = LinkEnded(EndReason.CONNECTION_LOST, EndReason.CONNECTION_LOST.value.sentence)
        return self._leave_phase() + self._finish()

    def request_encryption_reset(self, now: float) -> list[Output]:
        """Ask the peer to flush: stateful MPPE has lost step."""
        running = self._network
        return [] if running is None else self._translate(running.request_encryption_reset(now), now)

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        outputs: list[Output] = []
        if self._over:
            return outputs
        if self._waiting is not None and self._waiting.when <= now:
            outputs += self._lower_up(now)
        outputs += self._guard(lambda: self._translate(self._lcp.tick(now), now), now)
        if (proving := self._authentication) is not None:
            outputs += self._guard(lambda: self._translate(proving.tick(now), now), now)
        if (running := self._network) is not None:
            outputs += self._guard(lambda: self._translate(running.tick(now), now), now)
        return outputs

    # Frames

    def _receive_lcp(self, packet: Packet, now: float) -> list[Output]:
        before = self._lcp.state
        outputs = self._lcp.receive(packet, now)
        if packet.code == Code.TERMINATE_REQUEST and self._ending is None:
            self._ending = LinkEnded(*describe_termination(packet.data))
            if State.REQ_SENT <= before <= State.ACK_SENT:
                # The automaton would go on asking a peer that has just said that it will not.
                outputs += self._lcp.close(now)
        return self._translate(outputs, now)

    def _route(self, protocol: int, information: bytes, now: float) -> list[Output]:
        """Hand a frame to the layer its protocol number names, where the phase allows it."""
        dropped: list[Output] = [
            Note(f"PPP protocol 0x{protocol:04x} in phase {self.phase.value} dropped", Level.DEBUG)
        ]
        if self.phase not in {Phase.AUTHENTICATE, Phase.NETWORK} or protocol < FIRST_CONTROL_PROTOCOL:
            return dropped
        if protocol in authentication.PROTOCOLS:
            assert self._authentication is not None
            return self._translate(self._authentication.receive(protocol, Packet.decode(information), now), now)
        if self._authentication is not None and protocol in network.PROTOCOLS:
            self._authentication.peer_moved_on()
        if self._network is None:
            if protocol not in network.PROTOCOLS or len(self._early) >= MAX_EARLY:
                return dropped
            self._early.append((protocol, Packet.decode(information)))
            return []
        if self._network.speaks(protocol):
            return self._translate(self._network.receive(protocol, Packet.decode(information), now), now)
        return self._translate(self._lcp.reject_protocol(protocol, information, now), now)

    # What the layers say

    def _guard(self, step: Callable[[], list[Output]], now: float) -> list[Output]:
        """Take a step; end the link, saying why to both sides, when the peer went too far."""
        try:
            return step()
        except PeerViolation as violation:
            ending = LinkEnded(violation.reason, str(violation), violation.offered)
            return self._end(ending, now, text=ending.detail)

    def _translate(self, outputs: list[Output], now: float) -> list[Output]:
        translated: list[Output] = []
        for output in outputs:
            match output:
                case Send(packet):
                    translated.append(_frame(Protocol.LCP, packet))
                case SendPacket(protocol, packet):
                    translated.append(_frame(protocol, packet))
                case LayerUp():
                    translated += self._lcp_opened(now)
                case LayerDown():
                    translated += self._leave_phase()
                case LayerFinished():
                    translated += self._finish()
                case LayerStarted():
                    pass
                case ProtocolRejected(protocol):
                    translated += self._guard(partial(self._protocol_rejected, protocol, now), now)
                case AuthenticationFailed(reason, detail):
                    translated += self._end(LinkEnded(reason, detail), now)
                case _:
                    translated.append(output)
        if self.phase is Phase.AUTHENTICATE and self._authentication is not None and self._authentication.done:
            translated += self._guard(lambda: self._start_network(now), now)
        return translated

    def _lower_up(self, now: float) -> list[Output]:
        self._waiting = None
        return self._translate(self._lcp.up(now), now) if self._lcp.state is State.STARTING else []

    def _lcp_opened(self, now: float) -> list[Output]:
        agreed = self._lcp.authentication
        self.phase = Phase.AUTHENTICATE
        self._authentication = Authentication(self._settings, agreed.of_peer, agreed.of_us, self._random)
        return [self._lcp.agreed(), *self._translate(self._authentication.start(now), now)]

    def _start_network(self, now: float) -> list[Output]:
        proved = self._authentication
        assert proved is not None
        if self._settings.demand_proof and not proved.proves_us:
            self._lcp.authentication.unasked()
        unaddressed = proved.accepted is not None and proved.accepted.network is None and not proved.proves_us
        if unaddressed and self._settings.ipv4:
            raise PeerViolation(
                EndReason.NO_ADDRESS, "no address is free for the peer, or there are as many sessions as may be"
            )
        policy = self._settings.encryption
        if policy.enabled and policy.required and proved.keys is None:
            if self._lcp.authentication.withdrawn:
                self._lcp.authentication.insisted()
            methods = " and ".join(method.value for method in proved.methods)
            what = f"{methods} makes no encryption keys" if methods else "without authentication there are no keys"
            raise not_encrypted(what, self._end_name, policy)
        if policy.enabled and policy.required and proved.keys and not proved.keys.lengths(policy.key_bits):
            raise not_encrypted("what is kept of the password makes keys of 128 bit only", self._end_name, policy)
        self.phase = Phase.NETWORK
        grant = proved.accepted.network if proved.accepted is not None else None
        running = self._network = Network(
            self._settings, grant, proved.keys, self._end_name, self._random, peer_mru=self._lcp.agreed().peer_mru
        )
        outputs = self._translate(running.start(now), now)
        early, self._early = self._early, []
        for protocol, packet in early:
            if running is not self._network:
                break
            if running.speaks(protocol):
                outputs += self._guard(partial(self._network_receive, protocol, packet, now), now)
            else:
                outputs += self._translate(self._lcp.reject_protocol(protocol, packet.encode(), now), now)
        return outputs

    def _network_receive(self, protocol: int, packet: Packet, now: float) -> list[Output]:
        assert self._network is not None
        return self._translate(self._network.receive(protocol, packet, now), now)

    def _protocol_rejected(self, protocol: int, now: float) -> list[Output]:
        if protocol in authentication.PROTOCOLS and self.phase is Phase.AUTHENTICATE:
            raise PeerViolation(
                EndReason.AUTHENTICATION_UNSUITABLE, "the peer refuses the authentication protocol it agreed to"
            )
        if self._network is None:
            return []
        return self._translate(self._network.protocol_rejected(protocol, now), now)

    # Endings

    def _leave_phase(self) -> list[Output]:
        """Stop data, encryption and authentication; LCP starts again or ends."""
        outputs = self._network.down() if self._network is not None else []
        self._network = None
        self._authentication = None
        self._early.clear()
        self.phase = Phase.ESTABLISH if self._ending is None else Phase.TERMINATE
        return outputs

    def _end(self, ending: LinkEnded, now: float, text: str | None = None) -> list[Output]:
        """Close LCP; the peer reads text, or the reason's sentence where the detail is for our log only."""
        if self._over or self._ending is not None:
            return []
        self._ending = ending
        self._waiting = None
        self._lcp.terminate_text = (ending.reason.value.sentence if text is None else text).encode()
        outputs = self._leave_phase() + self._translate(self._lcp.close(now), now)
        idle = self._lcp.state <= State.STOPPED
        return outputs + (self._finish() if idle else [])

    def _finish(self) -> list[Output]:
        if self._over:
            return []
        self._over = True
        outputs = self._leave_phase()
        self.phase = Phase.DEAD
        if self._ending is None:
            self._ending = (
                LinkEnded(EndReason.PROTOCOL_ERROR, "the peer rejects LCP")
                if self._lcp.heard_answer
                else LinkEnded(EndReason.PEER_SILENT, "the peer answers no LCP Configure-Request")
            )
        return [*outputs, self._ending]


def _frame(protocol: int, packet: Packet) -> SendFrame:
    return SendFrame(encode_frame(protocol, packet.encode()))

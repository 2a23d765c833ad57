"""The network phase of a link: CCP, IPCP and IPv6CP side by side (RFC 1661 section 3.6).

All start at once; only data waits for encryption, and that gate is the data path's. Waiting with IPCP until CCP is
open, as pppd does, costs a Windows client two seconds.
"""

from openpptp.credentials import MppeStartKeys, NetworkGrant
from openpptp.errors import EndReason, PeerViolation
from openpptp.machine import Deadline, Note, Output, Random, earliest
from openpptp.ppp.auth.outputs import SendPacket
from openpptp.ppp.automaton import Automaton, LayerDown, LayerFinished, LayerStarted, LayerUp, Send
from openpptp.ppp.ccp import Ccp, not_encrypted
from openpptp.ppp.fsm import State
from openpptp.ppp.ipcp import Ipcp
from openpptp.ppp.ipv6cp import Ipv6cp
from openpptp.ppp.outputs import EncryptionDeclined, EncryptionDown, EncryptionUp, Ipv4Down, Ipv6Declined, Ipv6Down
from openpptp.ppp.settings import OTHER_END, LinkSettings
from openpptp.wire.ppp import DEFAULT_MRU, MPPE_OVERHEAD, Code, Packet, Protocol

PROTOCOLS = frozenset({Protocol.CCP, Protocol.IPCP, Protocol.IPV6CP})

MIN_IPV6_MTU = 1280  # RFC 5072 section 2

_IDLE = frozenset({State.INITIAL, State.STARTING, State.CLOSED, State.STOPPED})
_DOWN: dict[Protocol, type[EncryptionDown | Ipv4Down | Ipv6Down]] = {
    Protocol.CCP: EncryptionDown,
    Protocol.IPCP: Ipv4Down,
    Protocol.IPV6CP: Ipv6Down,
}
_CARRIES = {
    Protocol.CCP: ("CCP", "encryption"),
    Protocol.IPCP: ("IPCP", "IPv4"),
    Protocol.IPV6CP: ("IPv6CP", "IPv6"),
}
_DATA = {Protocol.MPPE: Protocol.CCP, Protocol.IPV4: Protocol.IPCP, Protocol.IPV6: Protocol.IPV6CP}


class Network:
    """The layers of one network phase; what must end the link is raised as PeerViolation."""

    def __init__(
        self,
        settings: LinkSettings,
        grant: NetworkGrant | None,
        keys: MppeStartKeys | None,
        end: str,
        random: Random,
        *,
        peer_mru: int = DEFAULT_MRU,
    ) -> None:
        self._policy = settings.encryption
        self._end = end
        self._layers: dict[int, Automaton] = {}
        if self._policy.enabled and keys is not None and keys.lengths(self._policy.key_bits):
            self._layers[Protocol.CCP] = Ccp(self._policy, keys, end)
        if settings.ipv4:
            self._layers[Protocol.IPCP] = Ipcp(
                grant, settings.our_ipv4, dns=settings.request_dns, wins=settings.request_wins
            )
        if settings.ipv6 and peer_mru >= MIN_IPV6_MTU + MPPE_OVERHEAD:
            self._layers[Protocol.IPV6CP] = Ipv6cp(random)
        self._up: set[Protocol] = set()
        self._refused: set[Protocol] = set()
        self._may_ask_again: set[Protocol] = set()

    @property
    def deadline(self) -> Deadline | None:
        """The next moment this must be ticked."""
        return earliest(*(layer.deadline for layer in self._layers.values()))

    def speaks(self, protocol: int) -> bool:
        """Tell whether a control protocol is negotiated here."""
        return protocol in self._layers

    def start(self, now: float) -> list[Output]:
        """Begin with all layers at once."""
        outputs: list[Output] = []
        for layer in self._layers.values():
            outputs += self._run(layer, [*layer.open(now), *layer.up(now)], now)
        return outputs

    def receive(self, protocol: int, packet: Packet, now: float) -> list[Output]:
        """Take a packet of a protocol that is negotiated here."""
        layer = self._layers[protocol]
        try:
            outputs = self._run(layer, layer.receive(packet, now), now)
        except PeerViolation as violation:
            return self._violated(layer, violation, now)
        if packet.code == Code.TERMINATE_ACK and layer.protocol in self._may_ask_again:
            # The Terminate-Ack left the peer before its CCP was open and reached us after ours was.
            self._may_ask_again.discard(layer.protocol)
            outputs += self._run(layer, layer.ask_again(now), now)
        return outputs

    def protocol_rejected(self, protocol: int, now: float) -> list[Output]:
        """Stop a protocol, named by its control or its data number, that the peer does not know."""
        layer = self._layers.get(_DATA.get(Protocol(protocol), protocol) if protocol in _DATA else protocol)
        if layer is None or layer.state in _IDLE:
            return []
        self._refused.add(layer.protocol)
        return self._run(layer, layer.protocol_rejected(now), now)

    def request_encryption_reset(self, now: float) -> list[Output]:
        """Ask the peer for a flushed packet (RFC 3078 section 8.2)."""
        layer = self._layers.get(Protocol.CCP)
        return self._run(layer, layer.request_reset(now), now) if isinstance(layer, Ccp) else []

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        outputs: list[Output] = []
        for layer in self._layers.values():
            if layer.deadline is not None and layer.deadline.when <= now:
                try:
                    outputs += self._run(layer, layer.tick(now), now)
                except PeerViolation as violation:
                    outputs += self._violated(layer, violation, now)
        return outputs

    def down(self) -> list[Output]:
        """Leave the phase: every layer that was up goes down; encryption last, it protects the others."""
        return [
            _DOWN[protocol]() for protocol in (Protocol.IPV6CP, Protocol.IPCP, Protocol.CCP) if self._drop(protocol)
        ]

    def _drop(self, protocol: Protocol) -> bool:
        was_up = protocol in self._up
        self._up.discard(protocol)
        return was_up

    def _run(self, layer: Automaton, outputs: list[Output], now: float) -> list[Output]:
        """Translate what a layer said."""
        translated: list[Output] = []
        for output in outputs:
            match output:
                case Send(packet):
                    translated.append(SendPacket(layer.protocol, packet))
                case LayerUp():
                    translated += self._opened(layer, now)
                case LayerDown():
                    if self._drop(layer.protocol):
                        translated.append(_DOWN[layer.protocol]())
                case LayerFinished():
                    translated += self._finished(layer, now)
                case LayerStarted():
                    pass
                case _:
                    translated.append(output)
        return translated

    def _opened(self, layer: Automaton, now: float) -> list[Output]:
        if isinstance(layer, Ccp):
            agreed = layer.agreed()
            if agreed is None:  # never where encryption is required: the option has ended the session by now
                note = Note("CCP opened without MPPE: data goes in clear")
                return [note, EncryptionDeclined(), *self._ask_again(now)]
            self._up.add(layer.protocol)
            return [EncryptionUp(*agreed), *self._ask_again(now)]
        if isinstance(layer, Ipcp):
            self._up.add(layer.protocol)
            return [layer.agreed()]
        identifiers = layer.agreed() if isinstance(layer, Ipv6cp) else None
        if identifiers is None:
            return self._run(layer, layer.close(now), now)
        self._up.add(layer.protocol)
        return [identifiers]

    def _ask_again(self, now: float) -> list[Output]:
        """Repeat the requests the peer put off while it negotiated CCP; once more each if they still are."""
        self._may_ask_again = {Protocol.IPCP, Protocol.IPV6CP}
        outputs: list[Output] = []
        for layer in self._layers.values():
            if not isinstance(layer, Ccp):
                outputs += self._run(layer, layer.ask_again(now), now)
        return outputs

    def _finished(self, layer: Automaton, now: float) -> list[Output]:
        """Go on without a layer where that is possible."""
        if isinstance(layer, Ccp):
            if self._policy.required:
                raise not_encrypted(self._why(layer), self._end, self._policy)
            return [Note("the peer does without CCP: data goes in clear"), EncryptionDeclined(), *self._ask_again(now)]
        others = [other for other in self._layers.values() if other is not layer and not isinstance(other, Ccp)]
        if all(other.state in _IDLE for other in others):
            raise PeerViolation(EndReason.NEGOTIATION_FAILED, self._why(layer))
        note = Note(self._why(layer))
        return [note, Ipv6Declined()] if isinstance(layer, Ipv6cp) else [note]

    def _violated(self, layer: Automaton, violation: PeerViolation, now: float) -> list[Output]:
        """Close only the layer where the link can live without it."""
        if violation.reason is not EndReason.NEGOTIATION_FAILED:
            raise violation
        if isinstance(layer, Ccp) and self._policy.required:
            raise PeerViolation(EndReason.ENCRYPTION_UNSUITABLE, str(violation))
        if isinstance(layer, Ipcp):
            raise violation
        return [Note(str(violation)), *self._run(layer, layer.close(now), now)]

    def _why(self, layer: Automaton) -> str:
        refused = layer.heard_answer or layer.protocol in self._refused
        does = "ended" if layer.peer_terminate_text is not None else "refuses" if refused else "does not answer"
        protocol, carries = _CARRIES[layer.protocol]
        return f"{OTHER_END[self._end]} {does} {protocol}, without which there is no {carries}"

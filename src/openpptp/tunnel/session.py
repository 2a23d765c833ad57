"""One call's whole life: the call, the PPP link on it, and what both together ask of the driver."""

from collections import deque

from openpptp.credentials import Answer, AuthMethod
from openpptp.errors import EndReason
from openpptp.machine import Deadline, Note, Output, earliest
from openpptp.ppp import outputs as ppp
from openpptp.ppp.link import Link, Phase
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call import Call, CallCleared, CallConnected, CallOffered, State
from openpptp.tunnel.settings import TunnelSettings
from openpptp.wire.control import ControlMessage

EARLY_FRAMES = 8  # ours: frames kept that overtook the message which connects the call (finding 18, B-056)
EARLY_SECONDS = 1.0
ENCRYPTION_GRACE = 3.0  # ours: seconds optional encryption may take after IPCP; CCP repeats after 1, 2, 3 seconds
NETWORK_GRACE = 0.3  # ours: seconds the second of IPCP and IPv6CP may take before the first goes up alone
MAKES_KEYS = frozenset({AuthMethod.MSCHAP_V1, AuthMethod.MSCHAP_V2})  # RFC 3079: without keys CCP is not even tried
MPPE_OVERHEAD = 4  # octets: RFC 3078 section 3 header, and the protocol number inside


class Session:
    """A call and its link; every way it can end leads through _end."""

    def __init__(self, call: Call, link: Link, link_settings: LinkSettings, settings: TunnelSettings) -> None:
        """Begin with a call in idle and a link that has not been started."""
        self.call = call
        self.call_id = call.call_id
        self.user: str | None = None
        self.interface: tell.InterfaceUp | None = None
        "What InterfaceUp said; None while no data flows."
        self._link = link
        self._link_settings = link_settings
        self._settings = settings
        self._path_open = False
        self._link_over = False
        self._ended = False
        self._early: deque[tuple[float, bytes]] = deque(maxlen=EARLY_FRAMES)
        self._gre_by: Deadline | None = None
        self._setup_by: Deadline | None = None
        self._settle_by: Deadline | None = None
        self._opened: ppp.LinkOpened | None = None
        self._ipv4: ppp.Ipv4Up | None = None
        self._ipv6: ppp.Ipv6Up | None = None
        self._network_since: float | None = None
        self._encrypted = False
        self._encryption_possible = False
        "Whether there are keys, and CCP has not come to an end."

    # What the tunnel and the status look at

    @property
    def ended(self) -> bool:
        """Whether SessionEnded has been said; the call may still wait for Call-Disconnect-Notify."""
        return self._ended

    @property
    def over(self) -> bool:
        """Whether nothing of this session is left and its Call ID may go back."""
        return self._ended and self.call.state is State.ENDED

    @property
    def deadline(self) -> Deadline | None:
        """The next moment this session must be ticked."""
        if self._ended or self.call.state is not State.ESTABLISHED:
            return self.call.deadline
        return earliest(self._link.deadline, self._gre_by, self._setup_by, self._settle_by)

    def waits_for(self) -> str | None:
        """Return what the session waits for, for a person; None when data flows."""
        if self.interface is not None:
            return None
        if self.call.state is not State.ESTABLISHED:
            return self.call.deadline.reason if self.call.deadline is not None else None
        if self._settle_by is not None:
            return self._settle_by.reason
        if self._link.phase is not Phase.NETWORK:
            what = _PHASES[self._link.phase]
        elif self._link_settings.encryption.required and not self._encrypted:
            what = "encryption (CCP)"
        else:
            what = "addresses (IPCP)"
        return f"{what}: {self._link.deadline.reason}" if self._link.deadline is not None else what

    def describe(self) -> str:
        """Return the session's state in one line."""
        call = self.call
        peer = "-" if call.peer_call_id is None else str(call.peer_call_id)
        parts = [f"call {call.call_id}/{peer} {call.kind.value} {call.role.value} {call.state.value}"]
        if self.user is not None:
            parts.append(f"user {self.user}")
        waits_for = self.waits_for()
        parts.append("up" if self.interface is not None else f"waits for {waits_for}" if waits_for else "down")
        return ", ".join(parts)

    # Inputs

    def place(self, now: float) -> list[Output]:
        """Ask the peer for the call."""
        self._path_open = True
        return [tell.OpenPath(self.call_id), *self._take_call(self.call.place(now), now)]

    def accept(self, request: ControlMessage, now: float) -> list[Output]:
        """Take the request of a call the peer places; its acceptability has been judged."""
        self._path_open = True
        return [tell.OpenPath(self.call_id), *self.receive(request, now)]

    def receive(self, message: ControlMessage, now: float) -> list[Output]:
        """Take a message that names this call."""
        return self._take_call(self.call.receive(message, now), now)

    def frame_received(self, frame: bytes, now: float) -> list[Output]:
        """Take a control-protocol frame; one that overtook the call's connection is kept for a moment."""
        if self._ended:
            return []
        if self.call.state is not State.ESTABLISHED:
            self._early.append((now, frame))
            return []
        self._gre_by = None
        return self._take_link(self._link.receive(frame, now), now)

    def credentials_checked(self, answer: Answer, now: float) -> list[Output]:
        """Take the answer to CheckCredentials."""
        return [] if self._ended else self._take_link(self._link.credentials_checked(answer, now), now)

    def encryption_lost(self, gave_up: bool, now: float) -> list[Output]:
        """Take the path's word that MPPE lost step: ask for a reset, or end when it gave up."""
        if self._ended:
            return []
        if gave_up:
            return self._end(EndReason.ENCRYPTION_LOST, "", now)
        return self._take_link(self._link.request_encryption_reset(now), now)

    def disconnect(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        """End from our side, in good order."""
        return self._end(reason, detail, now)

    def abandon(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        """End without a word to the peer: the control connection is gone."""
        self.call.abandon()
        return self._end(reason, detail, now)

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        outputs = self._take_call(self.call.tick(now), now)
        if self._ended or self.call.state is not State.ESTABLISHED:
            return outputs
        if _due(self._gre_by, now):
            return outputs + self._end(EndReason.GRE_BLOCKED, "", now)
        if _due(self._setup_by, now):
            sentence = EndReason.SETUP_TIMEOUT.value.sentence
            return outputs + self._end(EndReason.SETUP_TIMEOUT, f"{sentence}; it waited for {self.waits_for()}", now)
        if _due(self._link.deadline, now):
            outputs += self._take_link(self._link.tick(now), now)
        if not self._ended and _due(self._settle_by, now):
            outputs += self._settle(now)
        return outputs

    # The call's and the link's outputs

    def _take_call(self, outputs: list[Output], now: float) -> list[Output]:
        """Translate what the call tells; messages for the peer and OutOfStep are the tunnel's to take."""
        result: list[Output] = []
        for output in outputs:
            match output:
                case CallOffered():
                    result += self._take_call(self.call.answer(now), now)
                case CallConnected(peer_call_id):
                    result += self._connected(peer_call_id, now)
                case CallCleared(reason, detail):
                    if self._gre_by is not None and now > self._gre_by.when - self._settings.gre_timeout / 2:
                        # The peer waited for our GRE as we for its own, and lost patience a moment earlier.
                        reason, detail = EndReason.GRE_BLOCKED, f"{EndReason.GRE_BLOCKED.value.sentence}; {detail}"
                    result += self._end(reason, detail, now)
                case _:
                    result.append(output)
        return result

    def _connected(self, peer_call_id: int, now: float) -> list[Output]:
        self._gre_by = Deadline(now + self._settings.gre_timeout, "the first GRE packet")
        self._setup_by = Deadline(now + self._settings.session_timeout, "the session's set-up")
        result: list[Output] = [tell.ConnectPath(self.call_id, peer_call_id)]
        result += self._take_link(self._link.start(now), now)
        early = [frame for when, frame in self._early if when >= now - EARLY_SECONDS]
        self._early.clear()
        for frame in early:
            result += self.frame_received(frame, now)
        return result

    def _take_link(self, outputs: list[Output], now: float) -> list[Output]:
        result: list[Output] = []
        for output in outputs:
            if self._ended:
                break
            result += self._take_link_output(output, now)
        return result

    def _take_link_output(self, output: Output, now: float) -> list[Output]:
        match output:
            case ppp.SendFrame(frame):
                return [tell.SendFrame(self.call_id, frame)]
            case ppp.CheckCredentials(presented):
                return [tell.CheckCredentials(self.call_id, presented)]
            case ppp.EncryptionFlush():
                return [tell.EncryptionFlush(self.call_id)]
            case ppp.EncryptionUp(send, receive):
                self._encrypted = True
                return [tell.EncryptionUp(self.call_id, send, receive), *self._settle(now)]
            case ppp.EncryptionDown():
                self._encrypted = self._encryption_possible = False
                return [*self._settle(now), tell.EncryptionDown(self.call_id)]
            case ppp.LinkEnded(reason, detail):
                self._link_over = True
                if reason is EndReason.PEER_SILENT and self._gre_by is not None:
                    return self._end(EndReason.GRE_BLOCKED, "", now)
                return self._end(reason, detail, now)
            case Note(text, level):
                return [Note(f"call {self.call_id}: {text}", level)]
        self._remember(output)
        return self._settle(now)

    def _remember(self, output: Output) -> None:
        match output:
            case ppp.LinkOpened():
                self._opened = output
                self._encryption_possible = False
            case ppp.PeerAuthenticated(user, method):
                self.user = user
                self._encryption_possible |= method in MAKES_KEYS
            case ppp.WeAuthenticated(method):
                self.user = self.user or self._link_settings.our_name
                self._encryption_possible |= method in MAKES_KEYS
            case ppp.EncryptionDeclined():
                self._encryption_possible = False
            case ppp.Ipv4Up():
                self._ipv4 = output
            case ppp.Ipv4Down():
                self._ipv4 = None
            case ppp.Ipv6Up():
                self._ipv6 = output
            case ppp.Ipv6Down():
                self._ipv6 = None

    # Data may flow, or may not

    def _settle(self, now: float) -> list[Output]:
        """Say InterfaceUp and InterfaceDown as the layers demand."""
        wanted = self._wanted(now)
        if wanted == self.interface:
            return []
        result: list[Output] = []
        if self.interface is not None:
            result.append(tell.InterfaceDown(self.call_id))
            self._setup_by = Deadline(now + self._settings.session_timeout, "the session's set-up")
        if wanted is not None:
            result.append(wanted)
            self._setup_by = None
        self.interface = wanted
        return result

    def _wanted(self, now: float) -> tell.InterfaceUp | None:
        """Return the interface that the layers allow now."""
        self._settle_by = None
        if self._ipv4 is None and self._ipv6 is None:
            self._network_since = None
            return None
        if self._network_since is None:
            self._network_since = now
        opened, policy = self._opened, self._link_settings.encryption
        if opened is None or (policy.required and not self._encrypted):
            return None
        if self.interface is None:
            self._settle_by = self._grace(self._network_since, now)
            if self._settle_by is not None:
                return None
        return self._interface(opened)

    def _grace(self, since: float, now: float) -> Deadline | None:
        """Return until when a layer that is still on its way is waited for; None when nothing is.

        Optional encryption that opens a moment after IPCP must not find data sent in clear before it; a peer that
        answers nothing to CCP costs ENCRYPTION_GRACE. One that refuses it costs nothing.
        """
        policy, settings = self._link_settings.encryption, self._link_settings
        waiting: list[Deadline] = []
        if policy.enabled and self._encryption_possible and not self._encrypted:
            waiting.append(Deadline(since + ENCRYPTION_GRACE, "optional encryption (CCP)"))
        if settings.ipv4 and settings.ipv6 and (self._ipv4 is None or self._ipv6 is None):
            waiting.append(Deadline(since + NETWORK_GRACE, "the other network protocol"))
        return max((d for d in waiting if d.when > now), default=None)

    def _interface(self, opened: ppp.LinkOpened) -> tell.InterfaceUp:
        ipv4, ipv6 = self._ipv4, self._ipv6
        mtu = min(opened.peer_mru, self._settings.path_mru)
        if self._encrypted:
            mtu -= MPPE_OVERHEAD  # README.MPPE: the MRU counts what MPPE adds
        return tell.InterfaceUp(
            call_id=self.call_id,
            user=self.user or "",
            our_address=ipv4.our_address if ipv4 is not None else None,
            peer_address=ipv4.peer_address if ipv4 is not None else None,
            dns=ipv4.dns if ipv4 is not None else (),
            wins=ipv4.wins if ipv4 is not None else (),
            our_identifier=ipv6.our_identifier if ipv6 is not None else None,
            peer_identifier=ipv6.peer_identifier if ipv6 is not None else None,
            mtu=mtu,
            # Once MPPE is up nothing passes in clear any more, however optional it was (RFC 3078 section 2, B-111).
            encryption_required=self._link_settings.encryption.required or self._encrypted,
            compress_address_control=opened.compress_address_control,
            compress_protocol=opened.compress_protocol,
        )

    # The end

    def _end(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        """End the session in the one order there is; what is over already is left out.

        The peer's Terminate-Ack is not waited for: the call goes with the link (Q-50).
        """
        if self._ended:
            return []
        self._ended = True
        result: list[Output] = []
        if self.call.state is State.ESTABLISHED and not self._link_over:
            farewell = self._link.close(reason, now)
            result += [tell.SendFrame(self.call_id, o.frame) for o in farewell if isinstance(o, ppp.SendFrame)]
        reason, detail = self._told_by_link(reason, detail or reason.value.sentence, now)
        result += self.call.hang_up(reason, now)
        if self.interface is not None:
            self.interface = None
            result.append(tell.InterfaceDown(self.call_id))
        if self._path_open:
            self._path_open = False
            result.append(tell.ClosePath(self.call_id))
        result.append(tell.SessionEnded(self.call_id, self.user, reason, detail))
        return result

    def _told_by_link(self, reason: EndReason, detail: str, now: float) -> tuple[EndReason, str]:
        """Return why the link was ending already, since that came first; else what is given.

        A peer whose password was refused clears the call before it acknowledges our Terminate-Request.
        """
        ours = {ppp.LinkEnded(r, r.value.sentence) for r in (reason, EndReason.CONNECTION_LOST)}
        for output in self._link.lower_down(now):
            if isinstance(output, ppp.LinkEnded) and output not in ours:
                return output.reason, output.detail
        return reason, detail


_PHASES = {
    Phase.DEAD: "the link",
    Phase.ESTABLISH: "LCP",
    Phase.AUTHENTICATE: "authentication",
    Phase.TERMINATE: "the end of the link",
}


def _due(deadline: Deadline | None, now: float) -> bool:
    return deadline is not None and deadline.when <= now

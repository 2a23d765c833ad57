"""One call's whole life: the call, the PPP link on it, and what both together ask of the driver."""

from collections import deque

from openpptp.credentials import Answer
from openpptp.errors import EndReason
from openpptp.machine import Deadline, Note, Output, earliest
from openpptp.ppp import outputs as ppp
from openpptp.ppp.link import Link, Phase
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call import Call, CallCleared, CallConnected, CallOffered
from openpptp.tunnel.call_tables import State
from openpptp.tunnel.layers import Layers
from openpptp.tunnel.settings import TunnelSettings
from openpptp.wire.control import ControlMessage

EARLY_FRAMES = 8  # ours: frames kept that overtook the message which connects the call, as under load most log-ins' do
EARLY_SECONDS = 1.0
FAREWELL = 0.5  # ours: seconds for Terminate-Ack when we hang up; pppd dies with its call before it has read why


class Session:
    """A call and its link; every way it can end leads through _end."""

    def __init__(self, call: Call, link: Link, link_settings: LinkSettings, settings: TunnelSettings) -> None:
        """Begin with a call in idle and a link that has not been started."""
        self.call = call
        self.call_id = call.call_id
        self.interface: tell.InterfaceUp | None = None
        "What InterfaceUp said; None while no data flows."
        self._link = link
        self._link_settings = link_settings
        self._settings = settings
        self._link_over = False
        self._ended = False
        self._early: deque[tuple[float, bytes]] = deque(maxlen=EARLY_FRAMES)
        self._leaving: tuple[EndReason, str] | None = None
        self._leave_by: Deadline | None = None
        self._gre_by: Deadline | None = None
        self._setup_by: Deadline | None = None
        self._layers = Layers(call.call_id, link_settings, settings.path_mru)

    # What the tunnel and the status look at

    @property
    def user(self) -> str | None:
        """Who the peer proved to be, or as whom it let us in; None before that."""
        return self._layers.user

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
        return earliest(*self.deadlines)

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        """Everything an open call waits for, each with its reason."""
        waits = (self._leave_by, self._link.deadline, self._gre_by, self._setup_by, self._layers.deadline)
        return tuple(deadline for deadline in waits if deadline is not None)

    def waits_for(self) -> str | None:
        """Return what the session waits for, for a person; None when data flows."""
        if self.interface is not None:
            return None
        if self.call.state is not State.ESTABLISHED:
            return self.call.deadline.reason if self.call.deadline is not None else None
        if self._layers.deadline is not None:
            return self._layers.deadline.reason
        if self._gre_by is not None:
            return f"LCP: {self._gre_by.reason}; none has come"
        return f"{self.stage}: {self._link.deadline.reason}" if self._link.deadline is not None else self.stage

    @property
    def stage(self) -> str:
        """How far the session is, in a word for a person."""
        if self.interface is not None:
            return "up"
        if self.call.state is not State.ESTABLISHED:
            return "call"
        if self._link.phase is not Phase.NETWORK:
            return _PHASES[self._link.phase]
        if self._link_settings.encryption.required and not self._layers.encrypted:
            return "encryption (CCP)"
        return "addresses (IPCP)"

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
        return [tell.OpenPath(self.call_id), *self._take_call(self.call.place(now), now)]

    def accept(self, request: ControlMessage, now: float) -> list[Output]:
        """Take the request of a call the peer places; its acceptability has been judged."""
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
        """End from our side, in good order: the link first, and the call when the peer has acknowledged that."""
        if self._ended or self._leaving is not None:
            return []
        if self.call.state is not State.ESTABLISHED or self._link_over or self._gre_by is not None:
            return self._end(reason, detail, now)
        return self._leave(reason, detail, now)

    def _leave(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        self._leaving = reason, detail
        self._leave_by = Deadline(now + FAREWELL, "Terminate-Ack")
        return self._take_link(self._link.close(reason, now), now)

    def abandon(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        """End without a word to the peer: the control connection is gone."""
        self.call.abandon()
        return self._end(reason, detail, now)

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        outputs = self._take_call(self.call.tick(now), now)
        if self._ended or self.call.state is not State.ESTABLISHED:
            return outputs
        if self._leaving is not None and _due(self._leave_by, now):
            return outputs + self._end(*self._leaving, now)
        if _due(self._gre_by, now):
            # What we send may well arrive, and says why in the peer's log if it comes before the call is cleared.
            self._gre_by = None
            return outputs + self._leave(EndReason.GRE_BLOCKED, EndReason.GRE_BLOCKED.value.sentence, now)
        if _due(self._setup_by, now):
            sentence = EndReason.SETUP_TIMEOUT.value.sentence
            return outputs + self._end(EndReason.SETUP_TIMEOUT, f"{sentence}; it waited for {self.waits_for()}", now)
        if _due(self._link.deadline, now):
            outputs += self._take_link(self._link.tick(now), now)
        if not self._ended and _due(self._layers.deadline, now):
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
        self._layers.take(output)
        match output:
            case ppp.SendFrame(frame):
                return [tell.SendFrame(self.call_id, frame)]
            case ppp.CheckCredentials(presented):
                return [tell.CheckCredentials(self.call_id, presented)]
            case ppp.EncryptionFlush():
                return [tell.EncryptionFlush(self.call_id)]
            case ppp.EncryptionUp(send, receive):
                return [tell.EncryptionUp(self.call_id, send, receive), *self._settle(now)]
            case ppp.EncryptionDown():
                return [*self._settle(now), tell.EncryptionDown(self.call_id)]
            case ppp.LinkEnded(reason, detail, offered):
                self._link_over = True
                if self._leaving is not None:
                    return self._end(*self._leaving, now)
                if reason is EndReason.PEER_SILENT and self._gre_by is not None:
                    return self._end(EndReason.GRE_BLOCKED, "", now)
                return self._end(reason, detail, now, offered)
            case Note(text, level):
                return [Note(f"call {self.call_id}: {text}", level)]
        return self._settle(now)

    def _settle(self, now: float) -> list[Output]:
        """Say InterfaceDown and InterfaceUp as the layers demand."""
        wanted = self._layers.interface(now, up=self.interface is not None)
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

    # The end

    def _end(self, reason: EndReason, detail: str, now: float, offered: tuple[str, ...] = ()) -> list[Output]:
        """End the session in the one order there is; what is over already is left out."""
        if self._ended:
            return []
        self._ended = True
        result: list[Output] = []
        if self.call.state is State.ESTABLISHED and not self._link_over:
            farewell = self._link.close(reason, now)
            result += [tell.SendFrame(self.call_id, o.frame) for o in farewell if isinstance(o, ppp.SendFrame)]
        told = self._told_by_link(ppp.LinkEnded(reason, detail or reason.value.sentence, offered), now)
        result += self.call.hang_up(told.reason, now)
        if self.interface is not None:
            self.interface = None
            result.append(tell.InterfaceDown(self.call_id))
        result.append(tell.ClosePath(self.call_id))
        result.append(tell.SessionEnded(self.call_id, self.user, told.reason, told.detail, told.offered))
        return result

    def _told_by_link(self, ending: ppp.LinkEnded, now: float) -> ppp.LinkEnded:
        """Return why the link was ending already, since that came first; else what is given.

        A peer whose password was refused clears the call before it acknowledges our Terminate-Request.
        """
        ours = {ppp.LinkEnded(r, r.value.sentence) for r in (ending.reason, EndReason.CONNECTION_LOST)}
        for output in self._link.lower_down(now):
            if isinstance(output, ppp.LinkEnded) and output not in ours:
                return output
        return ending


_PHASES = {
    Phase.DEAD: "the link",
    Phase.ESTABLISH: "LCP",
    Phase.AUTHENTICATE: "authentication",
    Phase.TERMINATE: "the end of the link",
}


def _due(deadline: Deadline | None, now: float) -> bool:
    return deadline is not None and deadline.when <= now

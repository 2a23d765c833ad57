"""The four call automata: outgoing and incoming, PNS and PAC (RFC 2637 section 3.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from openpptp.errors import EndReason
from openpptp.machine import Deadline, Level, Note, Output
from openpptp.tunnel.call_tables import AWAITED, TABLES, Action, Event, State
from openpptp.tunnel.control import SendMessage
from openpptp.tunnel.refusals import and_error, why_refused
from openpptp.tunnel.settings import CallKind, Role, TunnelSettings
from openpptp.wire.control import (
    CallClearRequest,
    CallDisconnectNotify,
    ControlMessage,
    DisconnectResult,
    GeneralError,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    IncomingCallResult,
    OutgoingCallReply,
    OutgoingCallRequest,
    OutgoingCallResult,
    name_of,
)


@dataclass(frozen=True, slots=True)
class CallOffered(Output):
    """The peer asks the PAC for an outgoing call; go on with answer() or hang_up()."""


@dataclass(frozen=True, slots=True)
class CallConnected(Output):
    """The call stands: PPP may begin."""

    peer_call_id: int


@dataclass(frozen=True, slots=True)
class CallCleared(Output):
    """The call is over and hang_up() did not ask for it."""

    reason: EndReason
    detail: str


@dataclass(frozen=True, slots=True)
class OutOfStep(Output):
    """The peer answered nothing: the whole control connection should be closed (RFC 2637 section 3.2.1)."""

    detail: str


class Call:
    """One call, from its request to its end."""

    def __init__(
        self, role: Role, kind: CallKind, call_id: int, settings: TunnelSettings, *, serial_number: int = 0
    ) -> None:
        """Begin in idle with the Call ID we assigned."""
        self.role = role
        self.kind = kind
        self.call_id = call_id
        self.peer_call_id: int | None = None
        self.state = State.IDLE
        self.deadline: Deadline | None = None
        self._serial_number = serial_number
        self._settings = settings
        self._table = TABLES[role, kind]
        self._reason = EndReason.USER_REQUEST

    @property
    def placed_by_us(self) -> bool:
        """Whether we asked for this call."""
        return (self.role is Role.PNS) == (self.kind is CallKind.OUTGOING)

    # Inputs

    def place(self, now: float) -> list[Output]:
        """Ask the peer for the call: as PNS for an outgoing, as PAC for an incoming one."""
        return self._fire(Event.PLACE, now)

    def receive(self, message: ControlMessage, now: float) -> list[Output]:
        """Take a message that names this call."""
        event = classify(message)
        if event is None:
            return []  # Set-Link-Info speaks of HDLC, WAN-Error-Notify of a wire: neither is there
        return self._fire(event, now, message)

    def answer(self, now: float) -> list[Output]:
        """Connect a call that CallOffered announced."""
        return self._fire(Event.ANSWER, now)

    def hang_up(self, reason: EndReason, now: float) -> list[Output]:
        """End the call from our side; nothing when it is over already."""
        self._reason = reason
        return self._fire(Event.HANG_UP, now)

    def abandon(self) -> None:
        """End without a word: the control connection is gone."""
        self.state = State.ENDED
        self.deadline = None

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        if self.deadline is None or now < self.deadline.when:
            return []
        return self._fire(Event.TIMEOUT, now)

    def _fire(self, event: Event, now: float, message: ControlMessage | None = None) -> list[Output]:
        row = self._table[self.state, event]
        if row.action is Action.IGNORE:
            return [Note(f"ignored in {self.state.value}: {message}", Level.DEBUG)] if message is not None else []
        waited_for = self.deadline.reason if self.deadline is not None else ""
        self.state = row.new_state
        awaited = AWAITED.get((self.kind, self.state))
        self.deadline = Deadline(now + self._settings.call_timeout, awaited) if awaited is not None else None
        return self._ACTIONS[row.action](self, message, waited_for)

    # Actions, in the order of Action

    def _send_outgoing_call_request(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        dialling = self._settings.dialling
        request = OutgoingCallRequest(
            self.call_id,
            self._serial_number,
            dialling.minimum_bps,
            dialling.maximum_bps,
            dialling.bearer,
            dialling.framing,
            packet_receive_window_size=self._settings.receive_window,
            phone_number=dialling.phone_number,
            subaddress=dialling.subaddress.encode("latin-1", "replace"),
        )
        return [SendMessage(request)]

    def _send_incoming_call_request(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        return [SendMessage(IncomingCallRequest(self.call_id, self._serial_number))]

    def _dial(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        assert isinstance(message, OutgoingCallRequest)
        self.peer_call_id = message.call_id
        return [CallOffered()]

    def _send_outgoing_call_reply(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        assert self.peer_call_id is not None
        reply = OutgoingCallReply(
            self.call_id,
            self.peer_call_id,
            OutgoingCallResult.CONNECTED,
            connect_speed=self._settings.connect_speed_bps,
            packet_receive_window_size=self._settings.receive_window,
        )
        return [SendMessage(reply), CallConnected(self.peer_call_id)]

    def _send_outgoing_call_reply_error(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        assert self.peer_call_id is not None
        result, error = OutgoingCallResult.GENERAL_ERROR, GeneralError.PAC_ERROR
        return [SendMessage(OutgoingCallReply(0, self.peer_call_id, result, error))]

    def _timed_out_send_outgoing_call_reply_error(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        assert self.peer_call_id is not None
        reply = OutgoingCallReply(0, self.peer_call_id, OutgoingCallResult.TIME_OUT)
        return [SendMessage(reply), CallCleared(EndReason.SETUP_TIMEOUT, f"no {waited_for} came in time")]

    def _send_incoming_call_reply(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        assert isinstance(message, IncomingCallRequest)
        self.peer_call_id = message.call_id
        window = self._settings.receive_window
        reply = IncomingCallReply(
            self.call_id, message.call_id, IncomingCallResult.CONNECT, packet_receive_window_size=window
        )
        return [SendMessage(reply)]

    def _send_incoming_call_connected(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        assert isinstance(message, IncomingCallReply)
        connected = IncomingCallConnected(
            message.call_id, self._settings.connect_speed_bps, self._settings.receive_window
        )
        return [SendMessage(connected), *self._connect(message, waited_for)]

    def _connect(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        if isinstance(message, OutgoingCallReply | IncomingCallReply):
            self.peer_call_id = message.call_id
        assert self.peer_call_id is not None
        return [CallConnected(self.peer_call_id)]

    def _refused(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        assert isinstance(message, OutgoingCallReply | IncomingCallReply)
        return [CallCleared(EndReason.CALL_REFUSED, f"the peer refused the call: {why_refused(message)}")]

    def _cleared(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        detail = "the peer ended the call"
        if isinstance(message, CallDisconnectNotify) and message.result_code != 0:
            detail += f": {name_of(DisconnectResult, message.result_code)}{and_error(message.error_code)}"
        return [CallCleared(EndReason.PEER_REQUEST, detail)]

    def _cleared_send_disconnect(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        self._reason = EndReason.PEER_REQUEST
        return [*self._send_disconnect(message, waited_for), *self._cleared(message, waited_for)]

    def _send_clear(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        return [SendMessage(CallClearRequest(self.call_id))]

    def _send_disconnect(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        result, error = self._reason.value.call_result, GeneralError.NONE
        if result == DisconnectResult.GENERAL_ERROR:
            error = GeneralError.NO_RESOURCE if self._reason is EndReason.NO_ADDRESS else GeneralError.PAC_ERROR
        return [SendMessage(CallDisconnectNotify(self.call_id, result, error))]

    def _timed_out_send_clear(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        cleared = CallCleared(EndReason.SETUP_TIMEOUT, f"no {waited_for} came in time")
        return [*self._send_clear(message, waited_for), cleared]

    def _timed_out_send_disconnect(self, message: ControlMessage | None, waited_for: str) -> list[Output]:
        self._reason = EndReason.SETUP_TIMEOUT
        cleared = CallCleared(EndReason.SETUP_TIMEOUT, f"no {waited_for} came in time")
        return [*self._send_disconnect(message, waited_for), cleared]

    def _finish(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        return []

    def _out_of_step(self, _: ControlMessage | None, waited_for: str) -> list[Output]:
        return [OutOfStep(f"no {waited_for} came in time")]

    _ACTIONS: ClassVar[dict[Action, Callable[["Call", ControlMessage | None, str], list[Output]]]] = {
        Action.SEND_OUTGOING_CALL_REQUEST: _send_outgoing_call_request,
        Action.SEND_INCOMING_CALL_REQUEST: _send_incoming_call_request,
        Action.DIAL: _dial,
        Action.SEND_OUTGOING_CALL_REPLY: _send_outgoing_call_reply,
        Action.SEND_OUTGOING_CALL_REPLY_ERROR: _send_outgoing_call_reply_error,
        Action.TIMED_OUT_SEND_OUTGOING_CALL_REPLY_ERROR: _timed_out_send_outgoing_call_reply_error,
        Action.SEND_INCOMING_CALL_REPLY: _send_incoming_call_reply,
        Action.SEND_INCOMING_CALL_CONNECTED: _send_incoming_call_connected,
        Action.CONNECT: _connect,
        Action.REFUSED: _refused,
        Action.CLEARED: _cleared,
        Action.CLEARED_SEND_DISCONNECT: _cleared_send_disconnect,
        Action.SEND_CLEAR: _send_clear,
        Action.SEND_DISCONNECT: _send_disconnect,
        Action.TIMED_OUT_SEND_CLEAR: _timed_out_send_clear,
        Action.TIMED_OUT_SEND_DISCONNECT: _timed_out_send_disconnect,
        Action.FINISH: _finish,
        Action.OUT_OF_STEP: _out_of_step,
    }


def classify(message: ControlMessage) -> Event | None:
    """Return the event a message is for a call; None when it changes none."""
    match message:
        case OutgoingCallRequest():
            return Event.OUTGOING_CALL_REQUEST
        case OutgoingCallReply():
            connected = message.result_code == OutgoingCallResult.CONNECTED
            return Event.OUTGOING_CALL_REPLY if connected else Event.OUTGOING_CALL_REPLY_REFUSED
        case IncomingCallRequest():
            return Event.INCOMING_CALL_REQUEST
        case IncomingCallReply():
            connected = message.result_code == IncomingCallResult.CONNECT
            return Event.INCOMING_CALL_REPLY if connected else Event.INCOMING_CALL_REPLY_REFUSED
        case IncomingCallConnected():
            return Event.INCOMING_CALL_CONNECTED
        case CallClearRequest():
            return Event.CALL_CLEAR_REQUEST
        case CallDisconnectNotify():
            return Event.CALL_DISCONNECT_NOTIFY
        case _:
            return None

"""The control connection's automaton, for the end that dialled and the end that listened (RFC 2637 section 3.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from openpptp.errors import EndReason
from openpptp.machine import Allowance, Deadline, Level, Note, Output
from openpptp.tunnel.control_tables import INITIATOR, RESPONDER, Action, Event, State
from openpptp.tunnel.refusals import and_error
from openpptp.tunnel.settings import Side, TunnelSettings
from openpptp.wire.control import (
    VERSION_1_0,
    ControlMessage,
    EchoReply,
    EchoRequest,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StartResult,
    StopControlConnectionReply,
    StopControlConnectionRequest,
    StopReason,
    StopResult,
    escape,
    name_of,
)

STOP_WAIT = 2.0  # ours: seconds for Stop-Control-Connection-Reply; nothing is left to lose by then
ECHO_RATE = 10.0  # ours: Echo-Requests answered per second; peers send one a minute
ECHO_BURST = 20.0  # ours: and at once


@dataclass(frozen=True, slots=True)
class SendMessage(Output):
    """A message for the peer."""

    message: ControlMessage


@dataclass(frozen=True, slots=True)
class Established(Output):
    """Calls may be placed from now on."""

    peer_host_name: str
    peer_vendor_name: str


@dataclass(frozen=True, slots=True)
class CallMessage(Output):
    """A message that belongs to a call."""

    message: ControlMessage


@dataclass(frozen=True, slots=True)
class CallsEnd(Output):
    """Every call is over; said before the peer is told that its stop is granted (RFC 2637 section 2.3)."""

    reason: EndReason
    detail: str


@dataclass(frozen=True, slots=True)
class Ended(Output):
    """Close the TCP connection; nothing follows."""

    reason: EndReason
    detail: str


class ControlConnection:
    """One control connection, from the open TCP connection to its close."""

    def __init__(self, settings: TunnelSettings, side: Side, *, our_address: int = 0, peer_address: int = 0) -> None:
        """Begin in idle; the addresses, as integers, decide a collision and nothing else."""
        self._settings = settings
        self._table = INITIATOR if side is Side.INITIATOR else RESPONDER
        self._we_are_higher = our_address > peer_address
        self.state = State.IDLE
        self.deadline: Deadline | None = None
        self._ending = EndReason.USER_REQUEST, ""
        self._echo_identifier = 0
        self._echo_pending: int | None = None
        self._echoes = Allowance(ECHO_RATE, ECHO_BURST)

    # Inputs

    def connected(self, now: float) -> list[Output]:
        """Begin: the TCP connection is open."""
        return self._fire(Event.TCP_OPEN, now)

    def receive(self, message: ControlMessage, now: float) -> list[Output]:
        """Take one message from the peer."""
        event = classify(message)
        if self.state is State.ESTABLISHED and event is not Event.ECHO_REPLY:
            self._heard(now)
        return self._fire(event, now, message)

    def fault(self, detail: str, now: float) -> list[Output]:
        """End at once: the octets of the stream are no messages (RFC 2637 section 1.4)."""
        return self._over(EndReason.PROTOCOL_ERROR, detail)

    def stream_closed(self, now: float) -> list[Output]:
        """Take notice that the TCP connection is gone."""
        return self._fire(Event.TCP_CLOSED, now)

    def collide(self, now: float) -> list[Output]:
        """Settle a collision: the other end and we dialled each other (RFC 2637 section 3.1.3).

        The loser closes what it dialled, the winner what the loser dialled, neither says a word there.
        """
        return self._fire(Event.COLLISION_WON if self._we_are_higher else Event.COLLISION_LOST, now)

    def stop(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        """Close in good order; the calls have been ended before."""
        if self.state is not State.WAIT_STOP_REPLY:
            self._ending = reason, detail
        return self._fire(Event.LOCAL_STOP, now)

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        if self.deadline is None or now < self.deadline.when:
            return []
        echo_due = self.state is State.ESTABLISHED and self._echo_pending is None
        return self._fire(Event.ECHO_DUE if echo_due else Event.TIMEOUT, now)

    def _fire(self, event: Event, now: float, message: ControlMessage | None = None) -> list[Output]:
        row = self._table[self.state, event]
        if row.action is Action.IGNORE:
            if self.state is State.CLOSED or message is None:
                return []
            return [Note(f"ignored in {self.state.value}: {message}", Level.DEBUG)]
        self.state = row.new_state
        return self._ACTIONS[row.action](self, message, now)

    # Actions, in the order of Action

    def _wait_for_start(self, _: ControlMessage | None, now: float) -> list[Output]:
        # One deadline for the whole exchange, whatever trickles in (B-019).
        self.deadline = Deadline(now + self._settings.start_timeout, "Start-Control-Connection-Request")
        return []

    def _send_start_request(self, _: ControlMessage | None, now: float) -> list[Output]:
        self.deadline = Deadline(now + self._settings.start_timeout, "Start-Control-Connection-Reply")
        settings = self._settings
        return [
            SendMessage(StartControlConnectionRequest(host_name=settings.host_name, vendor_name=settings.vendor_name))
        ]

    def _send_start_reply(self, message: ControlMessage | None, now: float) -> list[Output]:
        return [self._start_reply(StartResult.SUCCESSFUL), *self._establish(message, now)]

    def _send_start_reply_bad_version(self, message: ControlMessage | None, now: float) -> list[Output]:
        assert isinstance(message, StartControlConnectionRequest)
        ended = self._over(EndReason.PROTOCOL_ERROR, _other_version(message))
        return [self._start_reply(StartResult.VERSION_NOT_SUPPORTED), *ended]

    def _send_start_reply_exists(self, _: ControlMessage | None, now: float) -> list[Output]:
        return [self._start_reply(StartResult.CHANNEL_EXISTS)]

    def _establish(self, message: ControlMessage | None, now: float) -> list[Output]:
        assert isinstance(message, StartControlConnectionRequest | StartControlConnectionReply)
        self._heard(now)
        return [Established(escape(message.host_name), escape(message.vendor_name))]

    def _refused(self, message: ControlMessage | None, now: float) -> list[Output]:
        assert isinstance(message, StartControlConnectionReply)
        why = name_of(StartResult, message.result_code) + and_error(message.error_code)
        return self._over(EndReason.CALL_REFUSED, f"the peer refused the control connection: {why}")

    def _send_stop_request(self, message: ControlMessage | None, now: float) -> list[Output]:
        if isinstance(message, StartControlConnectionReply):
            self._ending = EndReason.PROTOCOL_ERROR, _other_version(message)
        self.deadline = Deadline(now + STOP_WAIT, "Stop-Control-Connection-Reply")
        match self._ending[0]:
            case EndReason.SHUTDOWN:
                reason = StopReason.STOP_LOCAL_SHUTDOWN
            case EndReason.PROTOCOL_ERROR:
                reason = StopReason.STOP_PROTOCOL
            case _:
                reason = StopReason.NONE
        return [SendMessage(StopControlConnectionRequest(reason))]

    def _send_stop_reply(self, message: ControlMessage | None, now: float) -> list[Output]:
        assert isinstance(message, StopControlConnectionRequest)
        reason, detail = self._ending
        if not detail:
            reason = EndReason.PEER_REQUEST
            detail = f"the peer closed the control connection, reason {name_of(StopReason, message.reason)}"
        return [
            CallsEnd(reason, detail),
            SendMessage(StopControlConnectionReply(StopResult.OK)),
            *self._over(reason, detail),
        ]

    def _send_echo_request(self, _: ControlMessage | None, now: float) -> list[Output]:
        self._echo_identifier += 1
        self._echo_pending = self._echo_identifier
        self.deadline = Deadline(now + self._settings.echo_interval, "Echo-Reply")
        return [SendMessage(EchoRequest(self._echo_identifier))]

    def _send_echo_reply(self, message: ControlMessage | None, now: float) -> list[Output]:
        assert isinstance(message, EchoRequest)
        return [SendMessage(EchoReply(message.identifier))] if self._echoes.take(now) else []

    def _take_echo_reply(self, message: ControlMessage | None, now: float) -> list[Output]:
        assert isinstance(message, EchoReply)
        if message.identifier == self._echo_pending:
            self._heard(now)
        return []  # one never asked for proves nothing (B-029)

    def _deliver(self, message: ControlMessage | None, now: float) -> list[Output]:
        assert message is not None
        return [CallMessage(message)]

    def _close(self, _: ControlMessage | None, now: float) -> list[Output]:
        return self._over(*self._ending)

    def _collided(self, _: ControlMessage | None, now: float) -> list[Output]:
        return self._over(EndReason.CONNECTION_LOST, "both ends dialled each other; the other connection is kept")

    def _timed_out(self, _: ControlMessage | None, now: float) -> list[Output]:
        assert self.deadline is not None
        if self._echo_pending is not None:
            return self._over(EndReason.PEER_SILENT, "the peer did not answer the Echo-Request")
        return self._over(EndReason.SETUP_TIMEOUT, f"no {self.deadline.reason} came in time")

    def _violated(self, message: ControlMessage | None, now: float) -> list[Output]:
        return self._over(EndReason.PROTOCOL_ERROR, f"before the control connection was agreed on: {message}")

    def _lost(self, _: ControlMessage | None, now: float) -> list[Output]:
        return self._over(EndReason.CONNECTION_LOST, EndReason.CONNECTION_LOST.value.sentence)

    _ACTIONS: ClassVar[dict[Action, Callable[["ControlConnection", ControlMessage | None, float], list[Output]]]] = {
        Action.WAIT_FOR_START: _wait_for_start,
        Action.SEND_START_REQUEST: _send_start_request,
        Action.SEND_START_REPLY: _send_start_reply,
        Action.SEND_START_REPLY_BAD_VERSION: _send_start_reply_bad_version,
        Action.SEND_START_REPLY_EXISTS: _send_start_reply_exists,
        Action.ESTABLISH: _establish,
        Action.REFUSED: _refused,
        Action.SEND_STOP_REQUEST: _send_stop_request,
        Action.SEND_STOP_REPLY: _send_stop_reply,
        Action.SEND_ECHO_REQUEST: _send_echo_request,
        Action.SEND_ECHO_REPLY: _send_echo_reply,
        Action.TAKE_ECHO_REPLY: _take_echo_reply,
        Action.DELIVER: _deliver,
        Action.CLOSE: _close,
        Action.COLLIDED: _collided,
        Action.TIMED_OUT: _timed_out,
        Action.VIOLATED: _violated,
        Action.LOST: _lost,
    }

    def _heard(self, now: float) -> None:
        self._echo_pending = None
        self.deadline = Deadline(now + self._settings.echo_interval, "a message, or an Echo-Request is due")

    def _start_reply(self, result: StartResult) -> SendMessage:
        settings = self._settings
        return SendMessage(
            StartControlConnectionReply(
                VERSION_1_0,
                result,
                maximum_channels=settings.maximum_calls,
                host_name=settings.host_name,
                vendor_name=settings.vendor_name,
            )
        )

    def _over(self, reason: EndReason, detail: str) -> list[Output]:
        self.state = State.CLOSED
        self.deadline = None
        return [Ended(reason, detail or reason.value.sentence)]


def classify(message: ControlMessage) -> Event:
    """Return the event a message is, by what section 3.1 makes depend on it."""
    match message:
        case StartControlConnectionRequest():
            # Newer revisions are answered with ours; the peer decides whether that will do (section 3.1.2).
            good = message.protocol_version >= VERSION_1_0
            return Event.START_REQUEST if good else Event.START_REQUEST_BAD_VERSION
        case StartControlConnectionReply(result_code=StartResult.VERSION_NOT_SUPPORTED):
            return Event.START_REPLY_REFUSED
        case StartControlConnectionReply() if message.protocol_version < VERSION_1_0:
            return Event.START_REPLY_BAD_VERSION
        case StartControlConnectionReply(result_code=StartResult.SUCCESSFUL):
            return Event.START_REPLY
        case StartControlConnectionReply():
            return Event.START_REPLY_REFUSED
        case StopControlConnectionRequest():
            return Event.STOP_REQUEST
        case StopControlConnectionReply():
            return Event.STOP_REPLY
        case EchoRequest():
            return Event.ECHO_REQUEST
        case EchoReply():
            return Event.ECHO_REPLY
        case _:
            return Event.CALL_MESSAGE


def _other_version(message: StartControlConnectionRequest | StartControlConnectionReply) -> str:
    return f"the peer speaks PPTP version 0x{message.protocol_version:04x}, this system 0x{VERSION_1_0:04x}"

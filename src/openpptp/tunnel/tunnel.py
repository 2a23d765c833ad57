"""A control connection with all its calls, as one pure machine (RFC 2637 section 3)."""

from collections import deque
from itertools import chain

from openpptp.credentials import Answer
from openpptp.errors import EndReason
from openpptp.machine import Deadline, Level, Note, Output, Random, earliest
from openpptp.ppp.link import Link
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call import Call, OutOfStep
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.control import CallMessage, CallsEnd, ControlConnection, Ended, Established, SendMessage
from openpptp.tunnel.refusals import refuse
from openpptp.tunnel.session import Session
from openpptp.tunnel.settings import CallKind, Role, Side, TunnelSettings
from openpptp.wire.control import (
    BadStream,
    CallClearRequest,
    CallDisconnectNotify,
    ControlMessage,
    ControlStream,
    GeneralError,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    OutgoingCallReply,
    OutgoingCallRequest,
    OutgoingCallResult,
)

HANG_UP_WAIT = 2.0  # ours: seconds for Call-Disconnect-Notify before the control connection is stopped
REFUSALS_LOGGED = 10  # ours: a flood of requests must not become a flood of log lines


class Tunnel:
    """One control connection, its calls and their PPP links: octets, frames, time and answers in, outputs out."""

    def __init__(
        self,
        settings: TunnelSettings,
        call_ids: CallIds,
        random: Random,
        *,
        side: Side = Side.RESPONDER,
        local: int = 0,
        peer: int = 0,
    ) -> None:
        """Begin before the TCP connection is open; local and peer are IPv4 addresses as integers."""
        self._settings = settings
        self._call_ids = call_ids
        self._random = random
        self._stream = ControlStream()
        self._connection = ControlConnection(settings, side, our_address=local, peer_address=peer)
        self._established = False
        self._sessions: dict[int, Session] = {}
        self._waiting: deque[tuple[CallKind, LinkSettings]] = deque()
        self._serial_number = int.from_bytes(random(2), "big")
        self._refusals = 0
        self._stopping: tuple[EndReason, str] | None = None
        self._stop_by: Deadline | None = None
        self._ended = False

    # What the driver and the status look at

    @property
    def deadline(self) -> Deadline | None:
        """The next moment this tunnel must be ticked."""
        sessions = (session.deadline for session in self._sessions.values())
        return earliest(self._connection.deadline, self._stop_by, *sessions)

    @property
    def state(self) -> str:
        """The control connection's state, in the RFC's word."""
        return self._connection.state.value

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The calls that are not over; look, do not touch."""
        return tuple(self._sessions.values())

    def describe(self) -> list[str]:
        """Return the state in lines for a person: the connection, then each call."""
        deadline = self._connection.deadline
        waits_for = f", waits for {deadline.reason}" if deadline is not None else ""
        return [f"control connection {self.state}{waits_for}", *(s.describe() for s in self._sessions.values())]

    # Inputs of the control connection

    def connected(self, now: float) -> list[Output]:
        """Begin: the TCP connection is open."""
        return self._take(self._connection.connected(now), now)

    def receive(self, data: bytes, now: float) -> list[Output]:
        """Take octets of the TCP stream, cut anywhere."""
        if self._ended:
            return []
        fault = None
        try:
            messages = self._stream.feed(data)
        except BadStream as bad:
            messages, fault = bad.messages, str(bad)
        result: list[Output] = []
        for message in messages:
            result += self._take(self._connection.receive(message, now), now)
        if fault is not None:
            result += self._take(self._connection.fault(f"the peer sent what is no PPTP message: {fault}", now), now)
        return result

    def stream_closed(self, now: float) -> list[Output]:
        """Take notice that the TCP connection is gone, for whatever reason."""
        return self._take(self._connection.stream_closed(now), now)

    def collide(self, now: float) -> list[Output]:
        """Settle that the peer and we dialled each other (RFC 2637 section 3.1.3); tell both connections."""
        return self._take(self._connection.collide(now), now)

    def stop(self, reason: EndReason, now: float) -> list[Output]:
        """End every call, then the connection, in good order."""
        return self._stop(reason, reason.value.sentence, now)

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        result = self._take(self._connection.tick(now), now)
        for session in self.sessions:
            result += self._take_session(session, session.tick(now), now)
        if self._stop_by is not None and self._stop_by.when <= now and not self._ended:
            result += self._stop_connection(now)
        return result

    # Inputs of calls

    def place_call(self, kind: CallKind, link: LinkSettings, now: float) -> list[Output]:
        """Ask for a call: as PNS for an outgoing, as PAC for an incoming one; queued until calls may be placed."""
        if self._ended or self._stopping is not None:
            return []
        if not self._established:
            self._waiting.append((kind, link))
            return []
        call_id = self._call_ids.lease(now)
        if call_id is None:
            return self._stop(EndReason.RESOURCES, "all Call IDs are taken", now)
        role = Role.PNS if kind is CallKind.OUTGOING else Role.PAC
        session = self._session(role, kind, call_id, link)
        return self._take_session(session, session.place(now), now)

    def frame_received(self, call_id: int, frame: bytes, now: float) -> list[Output]:
        """Take a control-protocol PPP frame of a call."""
        session = self._sessions.get(call_id)
        return self._take_session(session, session.frame_received(frame, now), now) if session is not None else []

    def encryption_lost(self, call_id: int, gave_up: bool, now: float) -> list[Output]:
        """Take the path's word that stateful MPPE lost step, or gave up."""
        session = self._sessions.get(call_id)
        return self._take_session(session, session.encryption_lost(gave_up, now), now) if session is not None else []

    def credentials_checked(self, call_id: int, answer: Answer, now: float) -> list[Output]:
        """Take the answer to CheckCredentials; the session may be over by now."""
        session = self._sessions.get(call_id)
        return self._take_session(session, session.credentials_checked(answer, now), now) if session is not None else []

    def disconnect(self, call_id: int, reason: EndReason, now: float) -> list[Output]:
        """End one call in good order."""
        session = self._sessions.get(call_id)
        return self._take_session(session, session.disconnect(reason, "", now), now) if session is not None else []

    def forget(self, now: float) -> None:
        """Give every Call ID back and take nothing more: after a defect, in whatever state that left this."""
        self._ended = True
        for call_id in self._sessions:
            self._call_ids.release(call_id, now)
        self._sessions.clear()

    # Outputs of the control connection

    def _take(self, outputs: list[Output], now: float) -> list[Output]:
        return list(chain.from_iterable(self._take_one(output, now) for output in outputs))

    def _take_one(self, output: Output, now: float) -> list[Output]:
        match output:
            case SendMessage(message):
                return [tell.SendStream(message.encode())]
            case Established(host_name, vendor_name):
                self._established = True
                result: list[Output] = [tell.Connected(host_name, vendor_name)]
                while self._waiting:
                    result += self.place_call(*self._waiting.popleft(), now)
                return result
            case CallMessage(message):
                return self._route(message, now)
            case CallsEnd(reason, detail):
                return self._abandon(reason, detail, now)
            case Ended(reason, detail):
                self._ended = True
                self._stop_by = None
                self._waiting.clear()
                reason, detail = self._stopping or (reason, detail)
                sessions = self._abandon(reason, detail, now)
                return [*sessions, tell.CloseStream(), tell.TunnelEnded(reason, detail)]
            case OutOfStep(detail):
                return self._stop(EndReason.PEER_SILENT, detail, now)
        return [output]

    def _abandon(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        """End all calls without a word: the control connection is gone, or the peer says so."""
        result: list[Output] = []
        for session in self.sessions:
            result += self._take_session(session, session.abandon(reason, detail, now), now)
        return result

    # Calls

    def _route(self, message: ControlMessage, now: float) -> list[Output]:
        """Bring a message to its call; Call IDs of other control connections mean nothing here (B-031)."""
        session: Session | None
        match message:
            case OutgoingCallRequest():
                return self._offered(CallKind.OUTGOING, message, now)
            case IncomingCallRequest():
                return self._offered(CallKind.INCOMING, message, now)
            case OutgoingCallReply() | IncomingCallReply() | IncomingCallConnected():
                session = self._sessions.get(message.peer_call_id)
            case CallClearRequest() | CallDisconnectNotify():
                session = self._named(message.call_id)
            case _:
                return []  # Set-Link-Info, WAN-Error-Notify: from either side, nothing to do (B-030)
        if session is None:  # mostly one that has just ended, while the peer's own word for it was on the way
            return [Note(f"names no call of this connection: {message}", Level.DEBUG)]
        return self._take_session(session, session.receive(message, now), now)

    def _named(self, call_id: int) -> Session | None:
        """Find the call that a Call-Clear-Request or Call-Disconnect-Notify means.

        The RFC has the sender's own ID there; accel-ppp and some address translators write ours, and with one call
        only there is no doubt.
        """
        for session in self._sessions.values():
            if session.call.peer_call_id == call_id:
                return session
        if call_id in self._sessions:
            return self._sessions[call_id]
        return next(iter(self._sessions.values())) if len(self._sessions) == 1 else None

    def _offered(self, kind: CallKind, request: OutgoingCallRequest | IncomingCallRequest, now: float) -> list[Output]:
        """Accept or refuse a call the peer places; nothing is kept of one that is refused (B-024)."""
        refusal = self._judge(kind, request)
        call_id = self._call_ids.lease(now) if refusal is None else None
        if call_id is None:
            return self._refuse(request, refusal or (OutgoingCallResult.GENERAL_ERROR, GeneralError.NO_RESOURCE))
        role = Role.PAC if kind is CallKind.OUTGOING else Role.PNS
        session = self._session(role, kind, call_id, self._settings.link)
        return self._take_session(session, session.accept(request, now), now)

    def _judge(
        self, kind: CallKind, request: OutgoingCallRequest | IncomingCallRequest
    ) -> tuple[OutgoingCallResult, GeneralError] | None:
        """Return why a call is refused; None when it is not."""
        if kind not in self._settings.accepts or self._stopping is not None:
            return OutgoingCallResult.DO_NOT_ACCEPT, GeneralError.NONE
        if any(session.call.peer_call_id == request.call_id for session in self._sessions.values()):
            return OutgoingCallResult.GENERAL_ERROR, GeneralError.BAD_CALL_ID
        if sum(not session.call.placed_by_us for session in self._sessions.values()) >= self._settings.maximum_calls:
            return OutgoingCallResult.BUSY, GeneralError.NONE
        return None

    def _refuse(
        self, request: OutgoingCallRequest | IncomingCallRequest, refusal: tuple[OutgoingCallResult, GeneralError]
    ) -> list[Output]:
        reply = refuse(request, *refusal)
        outputs: list[Output] = [tell.SendStream(reply.encode())]
        if self._logged():
            outputs.append(Note(f"call refused: {request}; {reply}"))
        return outputs

    def _logged(self) -> bool:
        self._refusals += 1
        return self._refusals <= REFUSALS_LOGGED

    def _session(self, role: Role, kind: CallKind, call_id: int, link: LinkSettings) -> Session:
        self._serial_number = (self._serial_number + 1) & 0xFFFF
        call = Call(role, kind, call_id, self._settings, serial_number=self._serial_number)
        session = Session(call, Link(link, self._random), link, self._settings)
        self._sessions[call_id] = session
        return session

    def _take_session(self, session: Session, outputs: list[Output], now: float) -> list[Output]:
        """Translate a session's outputs, and let it go when nothing of it is left."""
        result = self._take(outputs, now)
        if session.over and self._sessions.pop(session.call_id, None) is not None:
            self._call_ids.release(session.call_id, now)
            if self._stopping is not None and not self._sessions and not self._ended:
                result += self._stop_connection(now)
        return result

    # The end

    def _stop(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        """End the calls first; the connection follows when they are gone, or do not go (B-033)."""
        if self._ended or self._stopping is not None:
            return []
        self._stopping = reason, detail
        self._waiting.clear()
        self._stop_by = Deadline(now + HANG_UP_WAIT, "Call-Disconnect-Notify")
        result: list[Output] = []
        for session in self.sessions:
            result += self._take_session(session, session.disconnect(reason, detail, now), now)
        if not self._sessions:
            result += self._stop_connection(now)
        return result

    def _stop_connection(self, now: float) -> list[Output]:
        """Stop the connection now; once only."""
        if self._stop_by is None:
            return []
        self._stop_by = None
        assert self._stopping is not None
        return self._take(self._connection.stop(*self._stopping, now), now)

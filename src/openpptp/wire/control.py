"""The PPTP control connection as octets: one message, and a TCP stream of them (RFC 2637 sections 1.4 and 2).

The messages stand in control_messages.py, their numbers in control_codes.py; import all of them from here.
"""

from openpptp.errors import BadMessage
from openpptp.wire.control_codes import (
    CONTROL_MESSAGE,
    HEADER_SIZE,
    MAGIC_COOKIE,
    VERSION_1_0,
    Bearer,
    ControlMessageType,
    DisconnectResult,
    EchoResult,
    Framing,
    GeneralError,
    IncomingCallResult,
    OutgoingCallResult,
    StartResult,
    StopReason,
    StopResult,
    name_of,
)
from openpptp.wire.control_messages import (
    HEADER,
    CallClearRequest,
    CallDisconnectNotify,
    EchoReply,
    EchoRequest,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
    WanErrorNotify,
)
from openpptp.wire.notation_text import escape

__all__ = [
    "MESSAGES",
    "VERSION_1_0",
    "BadStream",
    "Bearer",
    "CallClearRequest",
    "CallDisconnectNotify",
    "ControlMessage",
    "ControlMessageType",
    "ControlStream",
    "DisconnectResult",
    "EchoReply",
    "EchoRequest",
    "EchoResult",
    "Framing",
    "GeneralError",
    "IncomingCallConnected",
    "IncomingCallReply",
    "IncomingCallRequest",
    "IncomingCallResult",
    "OutgoingCallReply",
    "OutgoingCallRequest",
    "OutgoingCallResult",
    "SetLinkInfo",
    "StartControlConnectionReply",
    "StartControlConnectionRequest",
    "StartResult",
    "StopControlConnectionReply",
    "StopControlConnectionRequest",
    "StopReason",
    "StopResult",
    "WanErrorNotify",
    "decode",
    "escape",
    "name_of",
]

ControlMessage = (
    StartControlConnectionRequest
    | StartControlConnectionReply
    | StopControlConnectionRequest
    | StopControlConnectionReply
    | EchoRequest
    | EchoReply
    | OutgoingCallRequest
    | OutgoingCallReply
    | IncomingCallRequest
    | IncomingCallReply
    | IncomingCallConnected
    | CallClearRequest
    | CallDisconnectNotify
    | WanErrorNotify
    | SetLinkInfo
)

MESSAGES: dict[int, type[ControlMessage]] = {
    m.TYPE: m
    for m in (
        StartControlConnectionRequest,
        StartControlConnectionReply,
        StopControlConnectionRequest,
        StopControlConnectionReply,
        EchoRequest,
        EchoReply,
        OutgoingCallRequest,
        OutgoingCallReply,
        IncomingCallRequest,
        IncomingCallReply,
        IncomingCallConnected,
        CallClearRequest,
        CallDisconnectNotify,
        WanErrorNotify,
        SetLinkInfo,
    )
}
"Control Message Type -> class."


class BadStream(BadMessage):
    """The control connection lost step and must be closed; messages holds what came whole before that."""

    def __init__(self, detail: str, messages: list[ControlMessage]) -> None:
        super().__init__(detail)
        self.messages = messages


def decode(message: bytes) -> ControlMessage:
    """Read exactly one message, header included; raise BadMessage otherwise."""
    kind = _check_header(message)
    if len(message) != kind.size():
        raise BadMessage(f"{kind.__name__} of {len(message)} octets instead of {kind.size()}")
    return kind.from_body(message[HEADER_SIZE:])


def _check_header(data: bytes | bytearray) -> type[ControlMessage]:
    """Return which message starts here; raise BadMessage unless its Length is the fixed one of its type."""
    if len(data) < HEADER_SIZE:
        raise BadMessage(f"control message of {len(data)} octets has no header")
    length, message_type, cookie, control_type, _ = HEADER.unpack_from(data)
    if cookie != MAGIC_COOKIE or message_type != CONTROL_MESSAGE:
        raise BadMessage(f"PPTP message type {message_type} with cookie 0x{cookie:08x}")
    kind = MESSAGES.get(control_type)
    if kind is None:
        raise BadMessage(f"unknown control message type {control_type}")
    if length != kind.size():
        raise BadMessage(f"{kind.__name__} with Length {length} instead of {kind.size()}")
    return kind


class ControlStream:
    """Cuts one direction of the TCP stream into messages; keeps less than one message between calls."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._fault: str | None = None

    def feed(self, data: bytes) -> list[ControlMessage]:
        """Return the messages that data completes.

        Raise BadStream at the first octets that are no message, with the messages before them: RFC 2637 section 1.4
        has the connection closed then, and so there is no search for the next cookie; every later call raises again.
        """
        if self._fault is not None:
            raise BadStream(self._fault, [])
        self._pending += data
        messages: list[ControlMessage] = []
        start = 0
        try:
            while len(self._pending) - start >= HEADER_SIZE:
                kind = _check_header(self._pending[start : start + HEADER_SIZE])
                end = start + kind.size()
                if len(self._pending) < end:
                    break
                messages.append(kind.from_body(bytes(self._pending[start + HEADER_SIZE : end])))
                start = end
        except BadMessage as fault:
            self._fault = str(fault)
            self._pending.clear()
            raise BadStream(self._fault, messages) from fault
        del self._pending[:start]
        return messages

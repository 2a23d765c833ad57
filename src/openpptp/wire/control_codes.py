"""The numbers of the PPTP control connection and their names (RFC 2637 section 2).

Messages carry plain integers: a number nobody assigned is kept and printed, not refused.
"""

from enum import IntEnum, IntFlag

MAGIC_COOKIE = 0x1A2B3C4D  # RFC 2637 section 1.4
CONTROL_MESSAGE = 1  # PPTP Message Type; 2 (management) was never defined
VERSION_1_0 = 0x0100  # RFC 2637 section 2.1
HEADER_SIZE = 12


class ControlMessageType(IntEnum):
    """Control Message Type (RFC 2637 section 1.4)."""

    START_CONTROL_CONNECTION_REQUEST = 1
    START_CONTROL_CONNECTION_REPLY = 2
    STOP_CONTROL_CONNECTION_REQUEST = 3
    STOP_CONTROL_CONNECTION_REPLY = 4
    ECHO_REQUEST = 5
    ECHO_REPLY = 6
    OUTGOING_CALL_REQUEST = 7
    OUTGOING_CALL_REPLY = 8
    INCOMING_CALL_REQUEST = 9
    INCOMING_CALL_REPLY = 10
    INCOMING_CALL_CONNECTED = 11
    CALL_CLEAR_REQUEST = 12
    CALL_DISCONNECT_NOTIFY = 13
    WAN_ERROR_NOTIFY = 14
    SET_LINK_INFO = 15


class Framing(IntFlag):
    """Framing Capabilities (section 2.1) and Framing Type (sections 2.7 and 2.11)."""

    ASYNCHRONOUS = 1
    SYNCHRONOUS = 2


class Bearer(IntFlag):
    """Bearer Capabilities (section 2.1) and Bearer Type (sections 2.7 and 2.9)."""

    ANALOG = 1
    DIGITAL = 2


class StartResult(IntEnum):
    """Result Code of Start-Control-Connection-Reply (section 2.2)."""

    SUCCESSFUL = 1
    GENERAL_ERROR = 2
    CHANNEL_EXISTS = 3
    NOT_AUTHORIZED = 4
    VERSION_NOT_SUPPORTED = 5


class StopReason(IntEnum):
    """Reason of Stop-Control-Connection-Request (section 2.3)."""

    NONE = 1
    STOP_PROTOCOL = 2
    STOP_LOCAL_SHUTDOWN = 3


class StopResult(IntEnum):
    """Result Code of Stop-Control-Connection-Reply (section 2.4)."""

    OK = 1
    GENERAL_ERROR = 2


class EchoResult(IntEnum):
    """Result Code of Echo-Reply (section 2.6)."""

    OK = 1
    GENERAL_ERROR = 2


class OutgoingCallResult(IntEnum):
    """Result Code of Outgoing-Call-Reply (section 2.8)."""

    CONNECTED = 1
    GENERAL_ERROR = 2
    NO_CARRIER = 3
    BUSY = 4
    NO_DIAL_TONE = 5
    TIME_OUT = 6
    DO_NOT_ACCEPT = 7


class IncomingCallResult(IntEnum):
    """Result Code of Incoming-Call-Reply (section 2.10)."""

    CONNECT = 1
    GENERAL_ERROR = 2
    DO_NOT_ACCEPT = 3


class DisconnectResult(IntEnum):
    """Result Code of Call-Disconnect-Notify (section 2.13)."""

    LOST_CARRIER = 1
    GENERAL_ERROR = 2
    ADMIN_SHUTDOWN = 3
    REQUEST = 4


class GeneralError(IntEnum):
    """Error Code wherever the Result Code says General Error (section 2.16)."""

    NONE = 0
    NOT_CONNECTED = 1
    BAD_FORMAT = 2
    BAD_VALUE = 3
    NO_RESOURCE = 4
    BAD_CALL_ID = 5
    PAC_ERROR = 6


def name_of(codes: type[IntEnum], number: int) -> str:
    """Return the number with its name, as `4(busy)`; a number without one stands alone."""
    try:
        return f"{number:d}({codes(number).name.lower().replace('_', '-')})"
    except ValueError:
        return f"{number:d}"

"""The fifteen control messages (RFC 2637 sections 2.1 to 2.15), one value each, fields in the RFC's order.

Reserved fields are sent as zero and not looked at when read. Text is one character per octet (Latin-1): peers send
anything, up to uninitialised memory; __str__ escapes what a log must not see.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from struct import Struct, error
from typing import Any, ClassVar, Self

from openpptp.errors import Misuse
from openpptp.wire.control_codes import (
    CONTROL_MESSAGE,
    HEADER_SIZE,
    MAGIC_COOKIE,
    VERSION_1_0,
    ControlMessageType,
    DisconnectResult,
    EchoResult,
    GeneralError,
    IncomingCallResult,
    OutgoingCallResult,
    StartResult,
    StopReason,
    StopResult,
    name_of,
)
from openpptp.wire.notation_text import escape

HEADER = Struct("!HHIHH")  # Length, PPTP Message Type, Magic Cookie, Control Message Type, Reserved0
NUMBER_SIZE = 64  # RFC 2637 sections 2.7 and 2.9: octets for a phone number or subaddress

_ALWAYS_SHOWN = frozenset({"call_id", "peer_call_id", "identifier", "result_code", "reason"})
_IN_HEXADECIMAL = frozenset({"call_id", "peer_call_id", "protocol_version", "identifier", "send_accm", "receive_accm"})


class Message:
    """What all control messages share: header, reserved fields as padding, and the line for the log."""

    __slots__ = ()
    TYPE: ClassVar[ControlMessageType]
    LAYOUT: ClassVar[Struct]
    "The body after the common header; x stands for reserved octets."
    CODES: ClassVar[Mapping[str, type[IntEnum]]] = {}
    "How to name the numbers of a field."

    @classmethod
    def size(cls) -> int:
        """Return the one length this message may have, header included."""
        return HEADER_SIZE + cls.LAYOUT.size

    def encode(self) -> bytes:
        """Return the whole message; text is cut at the size of its field."""
        values = self._to_wire([getattr(self, f.name) for f in fields(self)])  # type: ignore[arg-type]
        octets = (v.encode("latin-1", "replace") if isinstance(v, str) else v for v in values)
        try:
            body = self.LAYOUT.pack(*octets)
        except error as e:
            raise Misuse(f"{type(self).__name__}: {e}") from e
        return HEADER.pack(self.size(), CONTROL_MESSAGE, MAGIC_COOKIE, self.TYPE, 0) + body

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """Read what follows the header; the caller has checked the length (control.decode does)."""
        return cls(*cls._from_wire(list(cls.LAYOUT.unpack(body))))

    @staticmethod
    def _to_wire(values: list[Any]) -> list[Any]:
        return values

    @staticmethod
    def _from_wire(values: list[Any]) -> list[Any]:
        return [_until_nul(v) if isinstance(v, bytes) else v for v in values]

    def __str__(self) -> str:
        shown = [re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(self).__name__).replace("Wan-", "WAN-")]
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if f.name in self.CODES:
                text = name_of(self.CODES[f.name], value)
            elif isinstance(value, int):
                text = f"0x{value:x}" if f.name in _IN_HEXADECIMAL else str(int(value))
            else:
                text = value.hex() if isinstance(value, bytes) else f'"{escape(value)}"'
            if value or f.name in _ALWAYS_SHOWN:
                shown.append(f"{f.name.replace('_', '-')}={text}")
        return " ".join(shown)


def _until_nul(octets: bytes) -> str:
    return octets.partition(b"\0")[0].decode("latin-1")


def _number(octets: bytes, length: int) -> str:
    """Return the first length octets as text; up to NUL when the length is more than the field holds."""
    return octets[:length].decode("latin-1") if length <= NUMBER_SIZE else _until_nul(octets)


@dataclass(frozen=True, slots=True)
class StartControlConnectionRequest(Message):
    """Ask for a control connection (section 2.1)."""

    protocol_version: int = VERSION_1_0
    framing_capabilities: int = 3
    bearer_capabilities: int = 3
    maximum_channels: int = 0
    "Sessions a PAC can support; a PNS sends 0."
    firmware_revision: int = 0
    host_name: str = ""
    vendor_name: str = ""

    TYPE: ClassVar = ControlMessageType.START_CONTROL_CONNECTION_REQUEST
    LAYOUT: ClassVar = Struct("!HxxIIHH64s64s")


@dataclass(frozen=True, slots=True)
class StartControlConnectionReply(Message):
    """Answer Start-Control-Connection-Request (section 2.2)."""

    protocol_version: int
    result_code: int
    error_code: int = 0
    framing_capabilities: int = 3
    bearer_capabilities: int = 3
    maximum_channels: int = 0
    firmware_revision: int = 0
    host_name: str = ""
    vendor_name: str = ""

    TYPE: ClassVar = ControlMessageType.START_CONTROL_CONNECTION_REPLY
    LAYOUT: ClassVar = Struct("!HBBIIHH64s64s")
    CODES: ClassVar = {"result_code": StartResult, "error_code": GeneralError}


@dataclass(frozen=True, slots=True)
class StopControlConnectionRequest(Message):
    """Say that the control connection is to be closed (section 2.3)."""

    reason: int

    TYPE: ClassVar = ControlMessageType.STOP_CONTROL_CONNECTION_REQUEST
    LAYOUT: ClassVar = Struct("!Bxxx")
    CODES: ClassVar = {"reason": StopReason}


@dataclass(frozen=True, slots=True)
class StopControlConnectionReply(Message):
    """Answer Stop-Control-Connection-Request (section 2.4)."""

    result_code: int
    error_code: int = 0

    TYPE: ClassVar = ControlMessageType.STOP_CONTROL_CONNECTION_REPLY
    LAYOUT: ClassVar = Struct("!BBxx")
    CODES: ClassVar = {"result_code": StopResult, "error_code": GeneralError}


@dataclass(frozen=True, slots=True)
class EchoRequest(Message):
    """Ask for a sign of life (section 2.5)."""

    identifier: int

    TYPE: ClassVar = ControlMessageType.ECHO_REQUEST
    LAYOUT: ClassVar = Struct("!I")


@dataclass(frozen=True, slots=True)
class EchoReply(Message):
    """Answer Echo-Request with its identifier (section 2.6)."""

    identifier: int
    result_code: int = EchoResult.OK
    error_code: int = 0

    TYPE: ClassVar = ControlMessageType.ECHO_REPLY
    LAYOUT: ClassVar = Struct("!IBBxx")
    CODES: ClassVar = {"result_code": EchoResult, "error_code": GeneralError}


@dataclass(frozen=True, slots=True)
class OutgoingCallRequest(Message):
    """PNS asks the PAC for an outgoing call (section 2.7); what every VPN client sends."""

    call_id: int
    call_serial_number: int
    minimum_bps: int
    maximum_bps: int
    bearer_type: int = 3
    framing_type: int = 3
    packet_receive_window_size: int = 64
    packet_processing_delay: int = 0
    "In tenths of a second."
    phone_number: str = ""
    "As long as Phone Number Length says; up to NUL where that is beyond 64."
    subaddress: bytes = b""
    "Without trailing NULs. Windows puts a GUID here that comes again in an LCP Identification."

    TYPE: ClassVar = ControlMessageType.OUTGOING_CALL_REQUEST
    LAYOUT: ClassVar = Struct("!HHIIIIHHHxx64s64s")

    @staticmethod
    def _to_wire(values: list[Any]) -> list[Any]:
        return [*values[:8], min(len(values[8]), NUMBER_SIZE), *values[8:]]

    @staticmethod
    def _from_wire(values: list[Any]) -> list[Any]:
        *numbers, length, phone_number, subaddress = values
        return [*numbers, _number(phone_number, length), subaddress.rstrip(b"\0")]


@dataclass(frozen=True, slots=True)
class OutgoingCallReply(Message):
    """PAC answers Outgoing-Call-Request (section 2.8)."""

    call_id: int
    "Assigned by the PAC; 0 when the call was not connected."
    peer_call_id: int
    result_code: int
    error_code: int = 0
    cause_code: int = 0
    connect_speed: int = 0
    "In bits per second."
    packet_receive_window_size: int = 0
    packet_processing_delay: int = 0
    physical_channel_id: int = 0

    TYPE: ClassVar = ControlMessageType.OUTGOING_CALL_REPLY
    LAYOUT: ClassVar = Struct("!HHBBHIHHI")
    CODES: ClassVar = {"result_code": OutgoingCallResult, "error_code": GeneralError}


@dataclass(frozen=True, slots=True)
class IncomingCallRequest(Message):
    """PAC tells the PNS of an incoming call (section 2.9)."""

    call_id: int
    call_serial_number: int
    call_bearer_type: int = 2
    physical_channel_id: int = 0
    dialed_number: str = ""
    dialing_number: str = ""
    subaddress: bytes = b""
    "Without trailing NULs."

    TYPE: ClassVar = ControlMessageType.INCOMING_CALL_REQUEST
    LAYOUT: ClassVar = Struct("!HHIIHH64s64s64s")

    @staticmethod
    def _to_wire(values: list[Any]) -> list[Any]:
        lengths = (min(len(number), NUMBER_SIZE) for number in values[4:6])
        return [*values[:4], *lengths, *values[4:]]

    @staticmethod
    def _from_wire(values: list[Any]) -> list[Any]:
        *numbers, dialed_length, dialing_length, dialed, dialing, subaddress = values
        dialed_number, dialing_number = _number(dialed, dialed_length), _number(dialing, dialing_length)
        return [*numbers, dialed_number, dialing_number, subaddress.rstrip(b"\0")]


@dataclass(frozen=True, slots=True)
class IncomingCallReply(Message):
    """PNS says whether the PAC should answer the call (section 2.10)."""

    call_id: int
    "Assigned by the PNS."
    peer_call_id: int
    result_code: int
    error_code: int = 0
    packet_receive_window_size: int = 0
    packet_transmit_delay: int = 0
    "In tenths of a second."

    TYPE: ClassVar = ControlMessageType.INCOMING_CALL_REPLY
    LAYOUT: ClassVar = Struct("!HHBBHHxx")
    CODES: ClassVar = {"result_code": IncomingCallResult, "error_code": GeneralError}


@dataclass(frozen=True, slots=True)
class IncomingCallConnected(Message):
    """PAC completes an incoming call (section 2.11)."""

    peer_call_id: int
    connect_speed: int
    "In bits per second."
    packet_receive_window_size: int
    packet_transmit_delay: int = 0
    framing_type: int = 1

    TYPE: ClassVar = ControlMessageType.INCOMING_CALL_CONNECTED
    LAYOUT: ClassVar = Struct("!HxxIHHI")


@dataclass(frozen=True, slots=True)
class CallClearRequest(Message):
    """PNS asks the PAC to end a call (section 2.12)."""

    call_id: int
    "The one the PNS assigned, since the PAC's may not be known yet."

    TYPE: ClassVar = ControlMessageType.CALL_CLEAR_REQUEST
    LAYOUT: ClassVar = Struct("!Hxx")


@dataclass(frozen=True, slots=True)
class CallDisconnectNotify(Message):
    """PAC says that a call is over (section 2.13)."""

    call_id: int
    "The one the PAC assigned; others send either, and address translators rewrite it."
    result_code: int
    error_code: int = 0
    cause_code: int = 0
    call_statistics: str = ""

    TYPE: ClassVar = ControlMessageType.CALL_DISCONNECT_NOTIFY
    LAYOUT: ClassVar = Struct("!HBBHxx128s")
    CODES: ClassVar = {"result_code": DisconnectResult, "error_code": GeneralError}


@dataclass(frozen=True, slots=True)
class WanErrorNotify(Message):
    """PAC counts errors on the wire behind it (section 2.14)."""

    peer_call_id: int
    crc_errors: int = 0
    framing_errors: int = 0
    hardware_overruns: int = 0
    buffer_overruns: int = 0
    time_out_errors: int = 0
    alignment_errors: int = 0

    TYPE: ClassVar = ControlMessageType.WAN_ERROR_NOTIFY
    LAYOUT: ClassVar = Struct("!Hxx6I")


@dataclass(frozen=True, slots=True)
class SetLinkInfo(Message):
    """PNS tells the PAC what PPP negotiated (section 2.15)."""

    peer_call_id: int
    send_accm: int = 0xFFFFFFFF
    receive_accm: int = 0xFFFFFFFF

    TYPE: ClassVar = ControlMessageType.SET_LINK_INFO
    LAYOUT: ClassVar = Struct("!HxxII")

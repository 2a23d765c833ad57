"""PAP, CHAP and EAP packets in pppd's notation. What proves a password is shown as `<hidden>` unless asked for."""

import re

from openpptp.errors import BadMessage
from openpptp.wire.auth import ChapCode, ChapValue, PapCode, PapRequest
from openpptp.wire.notation_text import number, quote, tail

PAP_CODES = {1: "AuthReq", 2: "AuthAck", 3: "AuthNak"}
CHAP_CODES = {1: "Challenge", 2: "Response", 3: "Success", 4: "Failure", 7: "ChangePassword"}
EAP_CODES = {1: "Request", 2: "Response", 3: "Success", 4: "Failure"}
EAP_TYPES = {
    1: "Identity",
    2: "Notification",
    3: "Nak",
    4: "MD5-Challenge",
    5: "OTP",
    6: "Generic-Token",
    13: "TLS",
    21: "TTLS",
    25: "PEAP",
    26: "MSCHAPv2",
}

_PROOF = re.compile(rb"S=[0-9A-Fa-f]{40}")
"The authenticator response of a Success (RFC 2759 section 5); passwords can be tried out on it as on a Response."


def describe_pap(code: int, data: bytes, *, secrets: bool) -> str:
    """Return what follows the Identifier of a PAP packet (RFC 1334 section 2.2)."""
    if code == PapCode.AUTHENTICATE_REQUEST:
        try:
            request = PapRequest.decode(data)
        except BadMessage:
            return hidden_tail(data, secrets=secrets)
        password = quote(request.password) if secrets else "<hidden>"
        used = 2 + len(request.peer_id) + len(request.password)
        return f" user={quote(request.peer_id)} password={password}{hidden_tail(data[used:], secrets=secrets)}"
    if code not in (PapCode.AUTHENTICATE_ACK, PapCode.AUTHENTICATE_NAK):
        return hidden_tail(data, secrets=secrets)
    if data and data[0] < len(data):
        return f" {quote(data[1 : 1 + data[0]])}{tail(data[1 + data[0] :])}"
    return tail(data)


def describe_chap(code: int, data: bytes, *, secrets: bool) -> str:
    """Return what follows the Identifier of a CHAP packet (RFC 1994 section 4)."""
    if code in (ChapCode.CHALLENGE, ChapCode.RESPONSE):
        hidden = code == ChapCode.RESPONSE and not secrets
        try:
            value = ChapValue.decode(data)
        except BadMessage:
            return hidden_tail(data, secrets=not hidden)
        return f" <{'hidden' if hidden else value.value.hex()}>, name = {quote(value.name)}"
    if code in (ChapCode.SUCCESS, ChapCode.FAILURE):
        return f" {quote(_without_proof(data, secrets=secrets))}" if data else ""
    return hidden_tail(data, secrets=secrets)


def describe_eap(code: int, data: bytes, *, secrets: bool) -> str:
    """Return what follows the Identifier of an EAP packet (RFC 3748 section 4)."""
    shown = f" len={len(data) + 4}"
    if code not in (1, 2) or not data:
        return shown + tail(data)
    kind, rest = data[0], data[1:]
    shown += f" {EAP_TYPES.get(kind, f'type=0x{kind:x}')}"
    hidden = code == 2 and not secrets
    if kind in (1, 2):
        return f"{shown} <{'Message' if code == 1 else 'Name'} {quote(rest)}>" if rest else shown
    if kind == 3 and rest:
        names = ", ".join(EAP_TYPES.get(wanted, f"0x{wanted:x}") for wanted in rest[:8])
        return f"{shown} <Suggested-type {names}>"
    if kind == 4 and rest and 0 < rest[0] < len(rest):
        value, name = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        return f"{shown} <Value{' hidden' if hidden else tail(value)}> <Name {quote(name)}>"
    if kind == 26 and len(rest) >= 4:
        return shown + _describe_eap_mschap(rest, hidden=hidden, secrets=secrets)
    return shown + hidden_tail(rest, secrets=not hidden)


def _describe_eap_mschap(data: bytes, *, hidden: bool, secrets: bool) -> str:
    opcode, rest = data[0], data[4:]
    shown = f" {CHAP_CODES.get(opcode, f'opcode=0x{opcode:x}')} msid={data[1]} mslen={number(data[2:4])}"
    if opcode in (1, 2) and rest and 0 < rest[0] < len(rest):
        value, name = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        return f"{shown} <{'hidden' if hidden else value.hex()}>, <Name {quote(name)}>"
    if opcode in (3, 4):
        return f"{shown} <Message {quote(_without_proof(rest, secrets=secrets))}>"
    return shown + hidden_tail(rest, secrets=not hidden)


def _without_proof(message: bytes, *, secrets: bool) -> bytes:
    return message if secrets else _PROOF.sub(b"S=<hidden>", message)


def hidden_tail(octets: bytes, *, secrets: bool) -> str:
    """Return octets that may hold a secret although their form is broken."""
    if secrets or not octets:
        return tail(octets)
    return f" <hidden, {len(octets)} octets>"

"""Every PPP frame as pppd prints it: `[LCP ConfReq id=0x1 <mru 1400> <magic 0x1a2b3c4d>]`.

Log, inspection, tests and bug reports show the same text. Nothing here raises, whatever the octets are, and nothing
is shown with which a password could be tried out unless secrets is set.
"""

from openpptp.errors import BadMessage
from openpptp.wire.notation_auth import (
    CHAP_CODES,
    EAP_CODES,
    PAP_CODES,
    describe_chap,
    describe_eap,
    describe_pap,
    hidden_tail,
)
from openpptp.wire.notation_options import describe_options
from openpptp.wire.notation_text import number, quote, tail
from openpptp.wire.ppp import Code, Packet, Protocol, decode_frame

CONTROL_PROTOCOLS: dict[int, str] = {
    Protocol.LCP: "LCP",
    Protocol.CCP: "CCP",
    Protocol.IPCP: "IPCP",
    Protocol.IPV6CP: "IPV6CP",
    Protocol.PAP: "PAP",
    Protocol.CHAP: "CHAP",
    Protocol.EAP: "EAP",
}
DATA_PROTOCOLS: dict[int, str] = {Protocol.IPV4: "IP", Protocol.IPV6: "IPV6", Protocol.MPPE: "Compressed"}
CONFIGURE_CODES: dict[int, str] = {
    Code.CONFIGURE_REQUEST: "ConfReq",
    Code.CONFIGURE_ACK: "ConfAck",
    Code.CONFIGURE_NAK: "ConfNak",
    Code.CONFIGURE_REJECT: "ConfRej",
}
COMMON_CODES: dict[int, str] = {
    **CONFIGURE_CODES,
    Code.TERMINATE_REQUEST: "TermReq",
    Code.TERMINATE_ACK: "TermAck",
    Code.CODE_REJECT: "CodeRej",
}
LCP_CODES: dict[int, str] = {
    **COMMON_CODES,
    Code.PROTOCOL_REJECT: "ProtRej",
    Code.ECHO_REQUEST: "EchoReq",
    Code.ECHO_REPLY: "EchoRep",
    Code.DISCARD_REQUEST: "DiscReq",
    Code.IDENTIFICATION: "Ident",
    Code.TIME_REMAINING: "TimeRem",
}
CODES: dict[int, dict[int, str]] = {
    Protocol.LCP: LCP_CODES,
    Protocol.IPCP: COMMON_CODES,
    Protocol.IPV6CP: COMMON_CODES,
    Protocol.CCP: {
        **COMMON_CODES,
        Code.RESET_REQUEST: "ResetReq",
        Code.RESET_ACK: "ResetAck",
    },
    Protocol.PAP: PAP_CODES,
    Protocol.CHAP: CHAP_CODES,
    Protocol.EAP: EAP_CODES,
}
"Protocol -> Code -> pppd's word."
PROVING = frozenset({Protocol.PAP, Protocol.CHAP, Protocol.EAP})
"Protocols whose octets can hold a password or its proof."

RAS_MARK = bytes.fromhex("003ccd74")  # between magic number and error code in what Windows puts in a TermReq
RAS_ERRORS = {
    0: "hung up by the user",
    629: "the connection was closed by the remote computer",
    691: "user name or password not accepted",
    718: "the remote computer did not answer in time",
    720: "no PPP control protocols in common",
    734: "the link control protocol was terminated",
    741: "this side does not support the encryption required",
    742: "the other side does not support the encryption required",
    919: "the other side refused to be authenticated",
}


def describe_frame(frame: bytes, *, secrets: bool = False) -> str:
    """Return one line for a PPP frame with or without Address and Control."""
    try:
        protocol, information = decode_frame(frame)
    except BadMessage:
        return f"[bad frame]{tail(frame)}"
    return describe(protocol, information, secrets=secrets)


def describe(protocol: int, information: bytes, *, secrets: bool = False) -> str:
    """Return one line for the information field of a protocol; padding follows the bracket in hexadecimal."""
    name = CONTROL_PROTOCOLS.get(protocol)
    if name is None:
        data_name = DATA_PROTOCOLS.get(protocol)
        return f"[{f'{data_name} data' if data_name else f'proto=0x{protocol:x}'}]{tail(information)}"
    try:
        packet = Packet.decode(information)
    except BadMessage:
        return f"[{name}]{hidden_tail(information, secrets=secrets or protocol not in PROVING)}"
    code = CODES[protocol].get(packet.code, f"code=0x{packet.code:x}")
    body = _describe_body(protocol, packet, secrets=secrets)
    padding = hidden_tail(information[4 + len(packet.data) :], secrets=secrets or protocol not in PROVING)
    return f"[{name} {code} id=0x{packet.identifier:x}{body}]{padding}"


def _describe_body(protocol: int, packet: Packet, *, secrets: bool) -> str:
    """Return what follows the Identifier, with a blank before each part."""
    match protocol:
        case Protocol.PAP:
            return describe_pap(packet.code, packet.data, secrets=secrets)
        case Protocol.CHAP:
            return describe_chap(packet.code, packet.data, secrets=secrets)
        case Protocol.EAP:
            return describe_eap(packet.code, packet.data, secrets=secrets)
    if packet.code in CONFIGURE_CODES:
        return describe_options(protocol, packet.data)
    if packet.code in (Code.TERMINATE_REQUEST, Code.TERMINATE_ACK):
        return _describe_reason(packet.data)
    if protocol == Protocol.LCP and packet.code == Code.PROTOCOL_REJECT and len(packet.data) >= 2:
        rejected = number(packet.data[:2])
        return tail(packet.data[:2]) + hidden_tail(packet.data[2:], secrets=secrets or rejected not in PROVING)
    if protocol == Protocol.LCP and len(packet.data) >= 4:
        return _describe_magic(packet.code, packet.data)
    return tail(packet.data)


def _describe_reason(data: bytes) -> str:
    """Return the data of a Terminate packet: text, what Windows puts there, or hexadecimal."""
    if len(data) == 12 and data[4:8] == RAS_MARK:
        error = number(data[8:])
        words = RAS_ERRORS.get(error, "unknown to us")
        return f" magic=0x{number(data[:4]):x} ras-error={error} ({words})"
    if data[:1] and 0x20 <= data[0] <= 0x7E:
        return f" {quote(data)}"
    return tail(data)


def _describe_magic(code: int, data: bytes) -> str:
    """Return the data of the LCP packets that begin with a Magic-Number (RFC 1661 section 5.8, RFC 1570)."""
    magic, rest = f" magic=0x{number(data[:4]):x}", data[4:]
    match code:
        case Code.ECHO_REQUEST | Code.ECHO_REPLY | Code.DISCARD_REQUEST:
            return magic + tail(rest)
        case Code.IDENTIFICATION:
            return f"{magic} {quote(rest)}"
        case Code.TIME_REMAINING if len(rest) >= 4:
            return f"{magic} seconds={number(rest[:4])}{f' {quote(rest[4:])}' if rest[4:] else ''}"
        case _:
            return tail(data)

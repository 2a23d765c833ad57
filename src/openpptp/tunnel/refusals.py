"""Calls that are refused: how we say it, and what the peer's refusal says (RFC 2637 sections 2.8 and 2.10)."""

from openpptp.wire.control import (
    GeneralError,
    IncomingCallReply,
    IncomingCallRequest,
    IncomingCallResult,
    OutgoingCallReply,
    OutgoingCallRequest,
    OutgoingCallResult,
    name_of,
)

REFUSALS: dict[int, str] = {
    OutgoingCallResult.GENERAL_ERROR: "general error",
    OutgoingCallResult.NO_CARRIER: "it got no carrier",
    OutgoingCallResult.BUSY: "it is busy: all its lines or sessions are taken",
    OutgoingCallResult.NO_DIAL_TONE: "it got no dial tone",
    OutgoingCallResult.TIME_OUT: "its own call was not answered in time",
    OutgoingCallResult.DO_NOT_ACCEPT: "it does not accept calls from here",
}


def refuse(
    request: OutgoingCallRequest | IncomingCallRequest, result: OutgoingCallResult, error: GeneralError
) -> OutgoingCallReply | IncomingCallReply:
    """Return the reply that refuses a request; no Call ID is assigned.

    Incoming-Call-Reply knows three results only (section 2.10): a full house is general error 4 there.
    """
    if isinstance(request, OutgoingCallRequest):
        return OutgoingCallReply(0, request.call_id, result, error)
    match result:
        case OutgoingCallResult.BUSY:
            return IncomingCallReply(0, request.call_id, IncomingCallResult.GENERAL_ERROR, GeneralError.NO_RESOURCE)
        case OutgoingCallResult.GENERAL_ERROR:
            return IncomingCallReply(0, request.call_id, IncomingCallResult.GENERAL_ERROR, error)
        case _:
            return IncomingCallReply(0, request.call_id, IncomingCallResult.DO_NOT_ACCEPT)


def why_refused(message: OutgoingCallReply | IncomingCallReply) -> str:
    """Return for a person what a reply says that connects no call."""
    codes = OutgoingCallResult if isinstance(message, OutgoingCallReply) else IncomingCallResult
    result = name_of(codes, message.result_code) + and_error(message.error_code)
    if codes is IncomingCallResult:
        return result
    words = REFUSALS.get(message.result_code)
    return f"{words} (result {result})" if words is not None else f"result {result}"


def and_error(error_code: int) -> str:
    """Return the end of a sentence about a result: its General Error Code (section 2.16), if there is one."""
    return f", error {name_of(GeneralError, error_code)}" if error_code else ""

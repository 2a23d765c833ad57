"""The authentication methods a server is asked about (RFC 1661 section 6.2), and what it said."""

from collections.abc import Iterable

from openpptp.daemon.doctor.probe.seen import CallSeen, Method, Seen
from openpptp.ppp.lcp_options import method_name
from openpptp.wire.ppp import CHAP_MD5, MS_CHAP_V1, MS_CHAP_V2, Protocol

_CHAP = Protocol.CHAP.to_bytes(2, "big")
OUR_METHOD = _CHAP + bytes((MS_CHAP_V2,))
"The one our client agrees to by itself."
METHODS = (
    OUR_METHOD,
    _CHAP + bytes((MS_CHAP_V1,)),
    _CHAP + bytes((CHAP_MD5,)),
    Protocol.PAP.to_bytes(2, "big"),
    Protocol.EAP.to_bytes(2, "big"),
)
"Values of the Authentication-Protocol option."


def answer_of(call: CallSeen, method: bytes) -> Method:
    """Return whether the server takes a method, by what it said when that was suggested."""
    lcp = call.lcp
    if method in lcp.demanded:
        return Method.TAKEN
    refused = lcp.answer is not None or lcp.answered_by_end
    return Method.REFUSED if refused else Method.UNKNOWN


def taken(seen: Seen) -> list[bytes]:
    """Return the methods the server takes, the one it asks for first in front."""
    first = seen.call.lcp.demanded[:1] if seen.call is not None else []
    found = [each for each, answer in seen.methods.items() if answer is Method.TAKEN]
    return sorted(found, key=lambda each: each not in first)


def names(values: Iterable[bytes]) -> str:
    """Return the names of methods for a person."""
    return ", ".join(map(method_name, values))

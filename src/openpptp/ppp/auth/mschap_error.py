"""What an MS-CHAP Failure says (RFC 2433 section 8, RFC 2759 section 6), in words for a person."""

from openpptp.errors import BadMessage
from openpptp.ppp.auth.machine import printable_text
from openpptp.wire.auth import MsChapError, MsChapFailure

WORDS: dict[int, str] = {
    MsChapError.RESTRICTED_LOGON_HOURS: "this account may not log in at this hour",
    MsChapError.ACCOUNT_DISABLED: "this account is disabled",
    MsChapError.PASSWORD_EXPIRED: (
        "the password has expired; change it on the server or with a Windows client, this client cannot"
    ),
    MsChapError.NO_DIALIN_PERMISSION: "this account has no permission to dial in",
    MsChapError.AUTHENTICATION_FAILURE: "wrong user name or password",
    MsChapError.CHANGING_PASSWORD: "the server could not change the password",
}


def failure_words(data: bytes) -> str:
    """Return the sentence for a Failure; one without a readable error code is quoted."""
    try:
        failure = MsChapFailure.decode(data)
    except BadMessage:
        words = printable_text(data.decode("utf-8", "replace"))
        return "the server refused us" + (f": {words}" if words else " without a reason")
    words = WORDS.get(failure.error_code, "refused for a reason this client does not know")
    message = printable_text(failure.message)
    return f"{words} (error {failure.error_code}{f', {message}' if message else ''})"

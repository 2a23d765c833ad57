"""CHAP with MD5 (RFC 1994): authenticates, makes no keys."""

from openpptp.credentials import Accepted, AuthMethod, ChapMd5Presented, MppeStartKeys, Presented, Refused
from openpptp.crypto import chap_md5_response
from openpptp.errors import BadMessage
from openpptp.machine import Random
from openpptp.ppp.auth.chap import Attempt
from openpptp.ppp.auth.machine import printable_text
from openpptp.wire.auth import CHAP_MD5_VALUE


class ChapMd5Algorithm:
    """The authenticator's part."""

    method = AuthMethod.CHAP_MD5
    challenge_length = None

    def presented(self, attempt: Attempt, name: bytes) -> Presented:
        """Return the question about a Response of 16 octets."""
        if len(attempt.response) != CHAP_MD5_VALUE:
            raise BadMessage(f"CHAP-MD5 Response of {len(attempt.response)} octets")
        return ChapMd5Presented(name, attempt.identifier, attempt.challenge, attempt.response)

    def success(self, attempt: Attempt, accepted: Accepted) -> bytes | Refused:
        """Return words; RFC 1994 section 4.2 gives them no meaning."""
        return b"Access granted"

    def failure(self, refused: Refused, random: Random) -> bytes:
        """Return words that are the same for every refusal."""
        return refused.message.encode()


class ChapMd5Responder:
    """The peer's part."""

    method = AuthMethod.CHAP_MD5
    challenge_length = None

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def respond(self, identifier: int, challenge: bytes) -> bytes:
        """Return the digest of identifier, secret and Challenge (RFC 1994 section 4.1)."""
        return chap_md5_response(identifier, self._secret, challenge)

    def is_genuine(self, attempt: Attempt, message: bytes) -> bool:
        """Return True: CHAP-MD5 proves one direction only."""
        return True

    def keys(self, attempt: Attempt) -> MppeStartKeys | None:
        """Return None: CHAP-MD5 makes no keys."""
        return None

    def refusal(self, message: bytes) -> str:
        """Return the server's words."""
        words = printable_text(message.decode("utf-8", "replace"))
        return "the server refused our user name or password" + (f": {words}" if words else "")

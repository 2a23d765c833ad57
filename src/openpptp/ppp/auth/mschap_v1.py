"""MS-CHAPv1 (RFC 2433) with the NT response; keys of RFC 3079 section 2."""

from openpptp import crypto
from openpptp.credentials import Accepted, AuthMethod, MppeStartKeys, MsChapV1Presented, Presented, Refused
from openpptp.machine import Random
from openpptp.ppp.auth.chap import Attempt
from openpptp.ppp.auth.mschap_error import failure_words
from openpptp.wire.auth import MS_CHAP_V1_CHALLENGE, MsChapFailure, MsChapV1Response

_LM_UNUSED = bytes(24)  # RFC 2433 section 6: peers should not make the LAN Manager response


class MsChapV1Algorithm:
    """The authenticator's part."""

    method = AuthMethod.MSCHAP_V1
    challenge_length = MS_CHAP_V1_CHALLENGE

    def presented(self, attempt: Attempt, name: bytes) -> Presented:
        """Return the question about a Response of 49 octets."""
        response = MsChapV1Response.decode(attempt.response)
        return MsChapV1Presented(
            name, attempt.challenge, response.lm_response, response.nt_response, response.use_nt_response
        )

    def success(self, attempt: Attempt, accepted: Accepted) -> bytes | Refused:
        """Return words; RFC 2433 section 7 gives them no meaning."""
        return b"Access granted"

    def failure(self, refused: Refused, random: Random) -> bytes:
        """Return E=, R=0 and a Challenge nobody will use (RFC 2433 section 8)."""
        return MsChapFailure(refused.error_code, challenge=random(MS_CHAP_V1_CHALLENGE), version=2).encode()


class MsChapV1Responder:
    """The peer's part."""

    method = AuthMethod.MSCHAP_V1
    challenge_length = MS_CHAP_V1_CHALLENGE

    def __init__(self, password: str) -> None:
        self._password_hash = crypto.nt_password_hash(password)
        self._lm_hash = crypto.lm_password_hash(password)

    def respond(self, identifier: int, challenge: bytes) -> bytes:
        """Return the NT response, the LAN Manager response left zero."""
        return MsChapV1Response(_LM_UNUSED, crypto.nt_challenge_response(challenge, self._password_hash)).encode()

    def is_genuine(self, attempt: Attempt, message: bytes) -> bool:
        """Return True: MS-CHAPv1 proves one direction only."""
        return True

    def keys(self, attempt: Attempt) -> MppeStartKeys | None:
        """Return the one key for both directions."""
        password_hash_hash = crypto.hash_nt_password_hash(self._password_hash)
        return crypto.mschap_v1_start_keys(password_hash_hash, self._lm_hash, attempt.challenge)

    def refusal(self, message: bytes) -> str:
        """Return the words of the error code."""
        return failure_words(message)

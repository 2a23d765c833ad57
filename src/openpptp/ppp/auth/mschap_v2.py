"""MS-CHAPv2 (RFC 2759): both ends prove the password; keys of RFC 3079 section 3."""

from openpptp import crypto
from openpptp.credentials import Accepted, AuthMethod, MppeStartKeys, MsChapV2Presented, Presented, Refused
from openpptp.errors import BadMessage
from openpptp.machine import Random
from openpptp.ppp.auth.chap import Attempt
from openpptp.ppp.auth.mschap_error import failure_words
from openpptp.wire.auth import MS_CHAP_V2_CHALLENGE, MsChapFailure, MsChapV2Response, MsChapV2Success

WINDOWS_98 = 0x04  # Flags of the client that refuses a Success with " M=" (told from its set bit by pppd as well)


class MsChapV2Algorithm:
    """The authenticator's part."""

    method = AuthMethod.MSCHAP_V2
    challenge_length = MS_CHAP_V2_CHALLENGE

    def presented(self, attempt: Attempt, name: bytes) -> Presented:
        """Return the question about a Response of 49 octets."""
        response = MsChapV2Response.decode(attempt.response)
        return MsChapV2Presented(name, attempt.challenge, response.peer_challenge, response.nt_response)

    def success(self, attempt: Attempt, accepted: Accepted) -> bytes | Refused:
        """Return S= and M=, which proves to the peer that we know the password (RFC 2759 section 5)."""
        if len(accepted.authenticator_response) != 20:
            return Refused("the check gave no authenticator response, which MS-CHAPv2 cannot do without")
        windows_98 = MsChapV2Response.decode(attempt.response).flags & WINDOWS_98
        return MsChapV2Success(accepted.authenticator_response, "" if windows_98 else "Access granted").encode()

    def failure(self, refused: Refused, random: Random) -> bytes:
        """Return E=, R=0, the Challenge that must be there, V=3 and M= (RFC 2759 section 6)."""
        challenge = random(MS_CHAP_V2_CHALLENGE)
        return MsChapFailure(refused.error_code, challenge=challenge, message=refused.message).encode()


class MsChapV2Responder:
    """The peer's part."""

    method = AuthMethod.MSCHAP_V2
    challenge_length = MS_CHAP_V2_CHALLENGE

    def __init__(self, name: str, password: str, random: Random) -> None:
        self._name = name.encode()
        self._password_hash = crypto.nt_password_hash(password)
        self._password_hash_hash = crypto.hash_nt_password_hash(self._password_hash)
        self._random = random

    def respond(self, identifier: int, challenge: bytes) -> bytes:
        """Return a Peer-Challenge of our own and the NT-Response (RFC 2759 section 4)."""
        peer_challenge = self._random(16)
        nt_response = crypto.generate_nt_response(challenge, peer_challenge, self._name, self._password_hash)
        return MsChapV2Response(peer_challenge, nt_response).encode()

    def is_genuine(self, attempt: Attempt, message: bytes) -> bool:
        """Tell whether S= is there and right (RFC 2759 section 8.8)."""
        try:
            success = MsChapV2Success.decode(message)
        except BadMessage:
            return False
        response = MsChapV2Response.decode(attempt.response)
        expected = crypto.generate_authenticator_response(
            self._password_hash_hash, response.nt_response, response.peer_challenge, attempt.challenge, self._name
        )
        return crypto.equal(expected, success.authenticator_response)

    def keys(self, attempt: Attempt) -> MppeStartKeys | None:
        """Return the keys as the peer sees them."""
        nt_response = MsChapV2Response.decode(attempt.response).nt_response
        return crypto.mschap_v2_start_keys(self._password_hash_hash, nt_response, authenticator=False)

    def refusal(self, message: bytes) -> str:
        """Return the words of the error code."""
        return failure_words(message)

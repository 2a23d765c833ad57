"""From an agreed method to its machine: the only place that knows them all."""

from openpptp.credentials import AuthMethod
from openpptp.crypto import MAX_PASSWORD
from openpptp.errors import Misuse
from openpptp.machine import Random
from openpptp.ppp.auth.chap import Algorithm, ChapAuthenticator, ChapPeer, IsOurChallenge, Responder
from openpptp.ppp.auth.chap_md5 import ChapMd5Algorithm, ChapMd5Responder
from openpptp.ppp.auth.machine import AuthenticationMachine
from openpptp.ppp.auth.mschap_v1 import MsChapV1Algorithm, MsChapV1Responder
from openpptp.ppp.auth.mschap_v2 import MsChapV2Algorithm, MsChapV2Responder
from openpptp.ppp.auth.pap import PapAuthenticator, PapPeer

MAX_NAME = 255  # octets: what PAP's length field holds, and pppd reads no longer CHAP name
_ALGORITHMS: dict[AuthMethod, type[Algorithm]] = {
    AuthMethod.MSCHAP_V2: MsChapV2Algorithm,
    AuthMethod.MSCHAP_V1: MsChapV1Algorithm,
    AuthMethod.CHAP_MD5: ChapMd5Algorithm,
}


def authenticator(method: AuthMethod, *, name: str, refusal_delay: float, random: Random) -> AuthenticationMachine:
    """Return the machine that makes the other end prove itself; name goes into our Challenges."""
    _check_name(name)
    if method is AuthMethod.PAP:
        return PapAuthenticator(refusal_delay)
    return ChapAuthenticator(_ALGORITHMS[method](), name, refusal_delay, random)


def peer(
    method: AuthMethod,
    *,
    name: str,
    password: str,
    random: Random,
    is_our_challenge: IsOurChallenge = lambda _: False,
) -> AuthenticationMachine:
    """Return the machine that proves us to the other end.

    is_our_challenge is issued_challenge of our own authenticator where this link has one: a Challenge that comes back
    is not answered (RFC 1994 section 2.3). Raise Misuse when name or password does not fit the method.
    """
    _check_name(name)
    if len(password) > MAX_PASSWORD:
        raise Misuse(f"a password has at most {MAX_PASSWORD} characters")
    if method is AuthMethod.PAP:
        return PapPeer(name, password, random)
    return ChapPeer(_responder(method, name, password, random), name, is_our_challenge)


def _responder(method: AuthMethod, name: str, password: str, random: Random) -> Responder:
    match method:
        case AuthMethod.MSCHAP_V2:
            return MsChapV2Responder(name, password, random)
        case AuthMethod.MSCHAP_V1:
            return MsChapV1Responder(password)
        case _:
            return ChapMd5Responder(password.encode("utf-8", "surrogatepass"))


def _check_name(name: str) -> None:
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME:
        raise Misuse(f"a name has at most {MAX_NAME} octets")

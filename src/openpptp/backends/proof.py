"""Compares what a peer presented with what is kept of a password: the password itself, or no more than its NT hash."""

from dataclasses import dataclass, field
from hashlib import sha256

from openpptp import crypto
from openpptp.credentials import (
    ChapMd5Presented,
    MppeStartKeys,
    MsChapV1Presented,
    MsChapV2Presented,
    PapPresented,
    Presented,
    Refused,
    UnreadablePresented,
)


@dataclass(frozen=True, slots=True)
class Secret:
    """What a password is checked by; at least one of the two."""

    password: str | None = field(default=None, repr=False)
    "CHAP-MD5 and the 40 and 56 bit keys of MS-CHAPv1 cannot do without."
    nt_hash: bytes | None = field(default=None, repr=False)
    "16 octets (RFC 2759 section 8.3): for MS-CHAP as good as the password."

    def password_hash(self) -> bytes:
        """Return the NT hash."""
        return crypto.nt_password_hash(self.password or "") if self.nt_hash is None else self.nt_hash


@dataclass(frozen=True, slots=True)
class Proof:
    """What a right password gives besides the way in."""

    authenticator_response: bytes = field(default=b"", repr=False)
    keys: MppeStartKeys | None = field(default=None, repr=False)


def prove(presented: Presented, secret: Secret) -> Proof | Refused:
    """Tell whether the peer knows the password; Refused.detail says it for our log, the user's name left out."""
    match presented:
        case PapPresented():
            return _prove_pap(presented, secret)
        case ChapMd5Presented():
            return _prove_md5(presented, secret)
        case MsChapV1Presented():
            return _prove_v1(presented, secret)
        case MsChapV2Presented():
            return _prove_v2(presented, secret)
        case UnreadablePresented(detail=detail):
            return Refused(detail)


def _prove_pap(presented: PapPresented, secret: Secret) -> Proof | Refused:
    if secret.password is not None:
        ours, theirs = sha256(secret.password.encode()).digest(), sha256(presented.password).digest()
        return Proof() if crypto.equal(ours, theirs) else Refused("wrong password")
    given = crypto.nt_password_hash(presented.password.decode("utf-8", "surrogateescape"))
    return Proof() if crypto.equal(given, secret.password_hash()) else Refused("wrong password")


def _prove_md5(presented: ChapMd5Presented, secret: Secret) -> Proof | Refused:
    expected = crypto.chap_md5_response(presented.identifier, (secret.password or "").encode(), presented.challenge)
    right = crypto.equal(expected, presented.response)
    if secret.password is None:
        return Refused("CHAP-MD5 needs the password itself, and only its NT hash is kept (user passwd --clear-text)")
    return Proof() if right else Refused("wrong password")


def _prove_v1(presented: MsChapV1Presented, secret: Secret) -> Proof | Refused:
    password_hash = secret.password_hash()
    expected = crypto.nt_challenge_response(presented.challenge, password_hash)
    right = crypto.equal(expected, presented.nt_response)
    if not presented.use_nt_response:
        # RFC 2433 section 6 deprecates the LAN Manager response, which a desk computer breaks in minutes.
        return Refused("only a LAN Manager response was given, which is not accepted,")
    if not right:
        return Refused("wrong password")
    password_hash_hash = crypto.hash_nt_password_hash(password_hash)
    # Without the password there is no LAN Manager hash, and so no start key for 40 and 56 bit (RFC 3079 section 2.1).
    lm_hash = b"" if secret.password is None else crypto.lm_password_hash(secret.password)
    return Proof(keys=crypto.mschap_v1_start_keys(password_hash_hash, lm_hash, presented.challenge))


def _prove_v2(presented: MsChapV2Presented, secret: Secret) -> Proof | Refused:
    challenge, peer_challenge = presented.authenticator_challenge, presented.peer_challenge
    password_hash = secret.password_hash()
    expected = crypto.generate_nt_response(challenge, peer_challenge, presented.user, password_hash)
    if not crypto.equal(expected, presented.nt_response):
        return Refused("wrong password")
    password_hash_hash = crypto.hash_nt_password_hash(password_hash)
    return Proof(
        crypto.generate_authenticator_response(
            password_hash_hash, presented.nt_response, peer_challenge, challenge, presented.user
        ),
        crypto.mschap_v2_start_keys(password_hash_hash, presented.nt_response, authenticator=True),
    )

"""The functions of RFC 2433, 2759 and 3079 under their RFC names, for MS-CHAP and MPPE.

Pure. Where an RFC passes a password, these take its hash, so that a store which keeps hashes only can use them.
MD4, DES and RC4 come from pycryptodome because OpenSSL 3 does not offer them.
"""

# ruff: noqa: S303, S304 - the protocol names these algorithms; SECURITY.md says what they are worth

import hashlib
import hmac

from Crypto.Cipher import ARC4, DES
from Crypto.Hash import MD4

from openpptp.credentials import MppeStartKeys
from openpptp.errors import Misuse

MAX_PASSWORD = 256
"Longest password, in UTF-16 code units (RFC 2759 section 8.3: 0-to-256-unicode-char)."

_MAGIC_1_AUTHENTICATOR = b"Magic server to client signing constant"  # RFC 2759 section 8.7
_MAGIC_2_AUTHENTICATOR = b"Pad to make it do more than one iteration"
_MAGIC_1 = b"This is the MPPE Master Key"  # RFC 3079 section 3.4
_MAGIC_2 = b"On the client side, this is the send key; on the server side, it is the receive key."
_MAGIC_3 = b"On the client side, this is the receive key; on the server side, it is the send key."
_SHA_PAD_1 = bytes(40)
_SHA_PAD_2 = b"\xf2" * 40
_LM_PLAINTEXT = b"KGS!@#$%"  # RFC 2433 appendix A.3
_LM_LENGTH = 14
_ODD_PARITY = bytes(seven << 1 | (seven.bit_count() + 1) & 1 for seven in range(128))
_KEY_PREFIX = {40: b"\xd1\x26\x9e", 56: b"\xd1", 128: b""}  # RFC 3079 sections 2.1, 2.2


def user_name_without_domain(user_name: bytes) -> bytes:
    """Return the part after the last backslash (RFC 2759 section 4)."""
    return user_name.rpartition(b"\\")[2]


def equal(left: bytes, right: bytes) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(left, right)


# --- RFC 2759 section 8 and RFC 2433 appendix A: passwords and responses


def nt_password_hash(password: str) -> bytes:
    """Return the 16 octets of NtPasswordHash (RFC 2759 section 8.3).

    The password is hashed as UTF-16-LE, surrogate pairs included; an empty one gives MD4 of nothing. A lone
    surrogate, as Windows allows in a password, is kept. Raise Misuse beyond MAX_PASSWORD code units.
    """
    unicode_password = password.encode("utf-16-le", "surrogatepass")
    if len(unicode_password) > 2 * MAX_PASSWORD:
        raise Misuse(f"a password has at most {MAX_PASSWORD} characters")
    return MD4.new(unicode_password).digest()


def hash_nt_password_hash(password_hash: bytes) -> bytes:
    """Return the 16 octets of HashNtPasswordHash (RFC 2759 section 8.4)."""
    return MD4.new(password_hash).digest()


def challenge_hash(peer_challenge: bytes, authenticator_challenge: bytes, user_name: bytes) -> bytes:
    """Return the 8 octets of ChallengeHash (RFC 2759 section 8.2); a domain before the user name is left out."""
    name = user_name_without_domain(user_name)
    return hashlib.sha1(peer_challenge + authenticator_challenge + name, usedforsecurity=False).digest()[:8]


def des_key(raw: bytes) -> bytes:
    """Return 7 octets spread over 8 with odd parity (RFC 2759 section 9.3)."""
    number = int.from_bytes(raw, "big")
    return bytes(_ODD_PARITY[number >> shift & 0x7F] for shift in (49, 42, 35, 28, 21, 14, 7, 0))


def des_encrypt(clear: bytes, key: bytes) -> bytes:
    """Return the 8 octets of DesEncrypt with a key of 7 octets (RFC 2759 section 8.6)."""
    return DES.new(des_key(key), DES.MODE_ECB).encrypt(clear)


def challenge_response(challenge: bytes, password_hash: bytes) -> bytes:
    """Return the 24 octets of ChallengeResponse: three DES keys from 16 octets and zeros (RFC 2759 section 8.5)."""
    padded = password_hash + bytes(5)
    return b"".join(des_encrypt(challenge, padded[start : start + 7]) for start in (0, 7, 14))


def generate_nt_response(
    authenticator_challenge: bytes, peer_challenge: bytes, user_name: bytes, password_hash: bytes
) -> bytes:
    """Return the 24 octets of GenerateNTResponse for MS-CHAPv2 (RFC 2759 section 8.1)."""
    return challenge_response(challenge_hash(peer_challenge, authenticator_challenge, user_name), password_hash)


def generate_authenticator_response(
    password_hash_hash: bytes,
    nt_response: bytes,
    peer_challenge: bytes,
    authenticator_challenge: bytes,
    user_name: bytes,
) -> bytes:
    """Return the 20 octets of GenerateAuthenticatorResponse, which S= carries in hex (RFC 2759 section 8.7)."""
    digest = hashlib.sha1(password_hash_hash + nt_response + _MAGIC_1_AUTHENTICATOR, usedforsecurity=False).digest()
    challenge = challenge_hash(peer_challenge, authenticator_challenge, user_name)
    return hashlib.sha1(digest + challenge + _MAGIC_2_AUTHENTICATOR, usedforsecurity=False).digest()


def lm_password_hash(password: str) -> bytes:
    """Return the 16 octets of LmPasswordHash (RFC 2433 appendix A.2).

    LAN Manager knows 14 upper-case characters of the OEM set: more are cut off, characters outside become "?".
    """
    oem = password.upper().encode("cp437", "replace")[:_LM_LENGTH].ljust(_LM_LENGTH, b"\0")
    return des_encrypt(_LM_PLAINTEXT, oem[:7]) + des_encrypt(_LM_PLAINTEXT, oem[7:])


def nt_challenge_response(challenge: bytes, password_hash: bytes) -> bytes:
    """Return the 24 octets of NtChallengeResponse for MS-CHAPv1 (RFC 2433 appendix A.5)."""
    return challenge_response(challenge, password_hash)


def lm_challenge_response(challenge: bytes, lm_hash: bytes) -> bytes:
    """Return the 24 octets of LmChallengeResponse for MS-CHAPv1 (RFC 2433 appendix A.1)."""
    return challenge_response(challenge, lm_hash)


def chap_md5_response(identifier: int, secret: bytes, challenge: bytes) -> bytes:
    """Return the 16 octets of a CHAP-MD5 Response (RFC 1994 section 4.1)."""
    return hashlib.md5(bytes((identifier,)) + secret + challenge, usedforsecurity=False).digest()


# --- RFC 3079: keys for MPPE


def get_new_key_from_sha(start_key: bytes, session_key: bytes, length: int) -> bytes:
    """Return the first length octets of GetNewKeyFromSHA (RFC 3079 section 3.4, RFC 3078 section 7.3)."""
    digest = hashlib.sha1(
        start_key[:length] + _SHA_PAD_1 + session_key[:length] + _SHA_PAD_2, usedforsecurity=False
    ).digest()
    return digest[:length]


def get_key(initial_session_key: bytes, current_session_key: bytes, length: int) -> bytes:
    """Return the first length octets of Get_Key, MS-CHAPv1's name for the same (RFC 3079 section 2.4)."""
    return get_new_key_from_sha(initial_session_key, current_session_key, length)


def get_start_key(challenge: bytes, password_hash_hash: bytes) -> bytes:
    """Return the 16 octets of Get_Start_Key for MS-CHAPv1 (RFC 3079 section 2.4)."""
    return hashlib.sha1(password_hash_hash + password_hash_hash + challenge, usedforsecurity=False).digest()[:16]


def get_master_key(password_hash_hash: bytes, nt_response: bytes) -> bytes:
    """Return the 16 octets of GetMasterKey for MS-CHAPv2 (RFC 3079 section 3.4)."""
    return hashlib.sha1(password_hash_hash + nt_response + _MAGIC_1, usedforsecurity=False).digest()[:16]


def get_asymmetric_start_key(master_key: bytes, length: int, *, is_send: bool, is_server: bool) -> bytes:
    """Return the first length octets of GetAsymmetricStartKey (RFC 3079 section 3.4).

    The RFC's server is the end that authenticated the other, whoever placed the call.
    """
    magic = _MAGIC_3 if is_send == is_server else _MAGIC_2
    digest = hashlib.sha1(master_key + _SHA_PAD_1 + magic + _SHA_PAD_2, usedforsecurity=False).digest()
    return digest[:length]


def reduce_key(session_key: bytes, key_bits: int) -> bytes:
    """Return the key with its first octets fixed, so that 40 or 56 bits stay secret (RFC 3079 sections 2.1, 2.2)."""
    prefix = _KEY_PREFIX[key_bits]
    return prefix + session_key[len(prefix) :]


def rc4_encrypt(key: bytes, clear: bytes) -> bytes:
    """Return clear encrypted, or the other way round, with a fresh RC4 state (RFC 2759 section 8.11)."""
    return ARC4.new(key).encrypt(clear)


def mschap_v2_start_keys(password_hash_hash: bytes, nt_response: bytes, *, authenticator: bool) -> MppeStartKeys:
    """Return the start keys MS-CHAPv2 gives (RFC 3079 section 3), as the authenticator or as its peer sees them."""
    master_key = get_master_key(password_hash_hash, nt_response)
    send = get_asymmetric_start_key(master_key, 16, is_send=True, is_server=authenticator)
    receive = get_asymmetric_start_key(master_key, 16, is_send=False, is_server=authenticator)
    return MppeStartKeys(send=send, receive=receive, send_short=send[:8], receive_short=receive[:8])


def mschap_v1_start_keys(password_hash_hash: bytes, lm_hash: bytes, challenge: bytes) -> MppeStartKeys:
    """Return the start keys MS-CHAPv1 gives (RFC 3079 section 2): one for both directions, the same at both ends."""
    key = get_start_key(challenge, password_hash_hash)
    short = lm_hash[:8]
    return MppeStartKeys(send=key, receive=key, send_short=short, receive_short=short)

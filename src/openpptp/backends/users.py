"""Answers to CheckCredentials from a secrets file, without a network and quickly enough to be asked in line.

Only reading a changed file takes long, when it is large: whoever must not wait asks changed() and gives refresh() to a
thread before judge().
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from openpptp import crypto
from openpptp.backends.file_access import Look, look
from openpptp.backends.secrets_file import AddressRules, Entry, Secrets, read
from openpptp.credentials import (
    ChapMd5Presented,
    MppeStartKeys,
    MsChapV1Presented,
    MsChapV2Presented,
    PapPresented,
    Presented,
    Refused,
)
from openpptp.errors import SetupError

Signature = tuple[Look | None, ...]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The credentials are right; which address the user gets is still to be decided."""

    user: str
    addresses: AddressRules
    authenticator_response: bytes = field(default=b"", repr=False)
    keys: MppeStartKeys | None = field(default=None, repr=False)

    def allowed_address(self, address: IPv4Address) -> bool:
        """Tell whether the file allows the user this address."""
        return self.addresses.allows(address)

    @property
    def fixed_address(self) -> IPv4Address | None:
        """The address the file suggests for this user."""
        return self.addresses.suggested

    @property
    def numbered_network(self) -> IPv4Network | None:
        """The network of whose addresses the file gives this user the lowest free one."""
        return self.addresses.numbered


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a right password gives besides the way in."""

    authenticator_response: bytes = field(default=b"", repr=False)
    keys: MppeStartKeys | None = field(default=None, repr=False)


class SecretsUsers:
    """Checks users against a secrets file that may change at any time."""

    def __init__(self, path: Path, server: str, report: Callable[[str], None] = lambda _: None) -> None:
        """Read the file; raise SetupError when that fails. report takes the problems of this and later readings."""
        self._path = path
        self._server = server
        self._report = report
        self._decoy = os.urandom(16).hex()
        self._signature = _signature((path,))
        self._complaint = ""
        self._secrets = read(path)
        self._adopt(self._secrets)

    def check(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented by the file as it is now."""
        self.refresh()
        return self.judge(presented)

    def judge(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented by what was read last.

        An unknown user costs the same work as a wrong password; Refused.detail, for the log, tells them apart.
        """
        name = presented.user.decode("utf-8", "backslashreplace")
        entry = self._find(presented.user)
        proof = _prove(presented, self._decoy if entry is None else entry.secret)
        if entry is None:
            return Refused(f"unknown user {name!r}")
        if isinstance(proof, Refused):
            return Refused(f"{proof.detail} for user {name!r}")
        if entry.addresses.allows_none:
            detail = f"the secrets file (line {entry.line}) allows user {name!r} no address; write * as the fourth word"
            return Refused(detail, 649)
        user = name if entry.client == "*" else entry.client
        return Admitted(user, entry.addresses, proof.authenticator_response, proof.keys)

    def _find(self, user: bytes) -> Entry | None:
        """Look for the name as it is, then without its domain, then for a line that takes anybody."""
        try:
            name = user.decode()
        except UnicodeDecodeError:
            return None
        short = name.rpartition("\\")[2]
        return (
            self._secrets.find_named(name, self._server)
            or self._secrets.find_named(short, self._server)
            or self._secrets.find_wildcard(self._server)
        )

    def changed(self) -> bool:
        """Tell whether the file, or a file it names, has changed since it was read."""
        return _signature(self._secrets.files) != self._signature

    def refresh(self) -> None:
        """Read the file again when it has changed; keep the old contents, until the next time, if that fails."""
        signature = _signature(self._secrets.files)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            secrets = read(self._path)
        except SetupError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._report(f"{error}; the users read before stay")
            self._signature = ()  # tried again next time: it may be passing, as a lack of descriptors is
            return
        if secrets.problems and not secrets.entries:
            self._report(f"{secrets.problems[0]}; no line of the file is usable; the users read before stay")
            return
        self._adopt(secrets)

    def _adopt(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._complaint = ""
        if len(secrets.files) > 1:
            self._signature = (*self._signature[:1], *_signature(secrets.files[1:]))
        for problem in secrets.problems:
            self._report(str(problem))


class SecretsUsersWithPap(SecretsUsers):
    """Checks PAP log-ins against a file of their own, as pppd does with pap-secrets."""

    def __init__(self, path: Path, pap_path: Path, server: str, report: Callable[[str], None] = lambda _: None) -> None:
        """Read both files; raise SetupError when that fails."""
        super().__init__(path, server, report)
        self._pap = SecretsUsers(pap_path, server, report)

    def judge(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented by what was read last of the file for its method."""
        if isinstance(presented, PapPresented):
            return self._pap.judge(presented)
        return super().judge(presented)

    def changed(self) -> bool:
        """Tell whether one of the files has changed since it was read."""
        return super().changed() or self._pap.changed()

    def refresh(self) -> None:
        """Read again what has changed."""
        super().refresh()
        self._pap.refresh()


def open_users(
    path: Path, pap_path: Path | None, server: str, report: Callable[[str], None] = lambda _: None
) -> SecretsUsers:
    """Return the users of the secrets file, or of both; raise SetupError when one cannot be read."""
    if pap_path is None or pap_path == path:
        return SecretsUsers(path, server, report)
    return SecretsUsersWithPap(path, pap_path, server, report)


def _signature(files: tuple[Path, ...]) -> Signature:
    """Return what changes when one of the files does."""
    return tuple(map(_file_signature, files))


def _file_signature(file: Path) -> Look | None:
    try:
        return look(file)
    except OSError:
        return None


def _prove(presented: Presented, secret: str) -> _Proof | Refused:
    match presented:
        case PapPresented():
            ours, theirs = sha256(secret.encode()).digest(), sha256(presented.password).digest()
            return _Proof() if crypto.equal(ours, theirs) else Refused("wrong password")
        case ChapMd5Presented():
            expected = crypto.chap_md5_response(presented.identifier, secret.encode(), presented.challenge)
            return _Proof() if crypto.equal(expected, presented.response) else Refused("wrong password")
        case MsChapV1Presented():
            return _prove_v1(presented, secret)
        case MsChapV2Presented():
            return _prove_v2(presented, secret)


def _prove_v1(presented: MsChapV1Presented, secret: str) -> _Proof | Refused:
    password_hash = crypto.nt_password_hash(secret)
    expected = crypto.nt_challenge_response(presented.challenge, password_hash)
    right = crypto.equal(expected, presented.nt_response)
    if not presented.use_nt_response:
        # RFC 2433 section 6 deprecates the LAN Manager response, which a desk computer breaks in minutes.
        return Refused("only a LAN Manager response was given, which is not accepted,")
    if not right:
        return Refused("wrong password")
    password_hash_hash = crypto.hash_nt_password_hash(password_hash)
    lm_hash = crypto.lm_password_hash(secret)
    return _Proof(keys=crypto.mschap_v1_start_keys(password_hash_hash, lm_hash, presented.challenge))


def _prove_v2(presented: MsChapV2Presented, secret: str) -> _Proof | Refused:
    challenge, peer_challenge = presented.authenticator_challenge, presented.peer_challenge
    password_hash = crypto.nt_password_hash(secret)
    expected = crypto.generate_nt_response(challenge, peer_challenge, presented.user, password_hash)
    if not crypto.equal(expected, presented.nt_response):
        return Refused("wrong password")
    password_hash_hash = crypto.hash_nt_password_hash(password_hash)
    return _Proof(
        crypto.generate_authenticator_response(
            password_hash_hash, presented.nt_response, peer_challenge, challenge, presented.user
        ),
        crypto.mschap_v2_start_keys(password_hash_hash, presented.nt_response, authenticator=True),
    )

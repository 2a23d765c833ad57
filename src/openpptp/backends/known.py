"""A user as his source knows him, and the judgement on what a peer presents; what every source of users shares."""

import os
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from openpptp.backends.policy import NOTHING, Policy
from openpptp.backends.proof import Secret, prove
from openpptp.backends.secrets_file import AddressRules
from openpptp.credentials import MppeStartKeys, Presented, Refused


@dataclass(frozen=True, slots=True)
class Admitted:
    """The credentials are right; which address the user gets, and whether he may come now, is still to be decided."""

    user: str
    addresses: AddressRules
    authenticator_response: bytes = field(default=b"", repr=False)
    keys: MppeStartKeys | None = field(default=None, repr=False)
    policy: Policy = NOTHING

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
class Known:
    """A user as one source knows him."""

    name: str
    secret: Secret = field(repr=False)
    addresses: AddressRules
    policy: Policy
    line: int = 0
    "Of the secrets file."


class UserSource(Protocol):
    """Where users come from: store and secrets file (users.py), or a program (given_users.py)."""

    def judge(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented by what was read last; must answer at once."""

    def policy_of(self, user: str) -> Policy | None:
        """Return what is said of a user who is in; None when he is not known any more."""

    def changed(self) -> bool:
        """Tell whether there is something new to read."""

    def refresh(self) -> None:
        """Read it; called in a thread."""


def judge(presented: Presented, known: Known | None, stand_in: Secret) -> Admitted | Refused:
    """Judge what a peer presented; stand_in is compared with where nobody is known."""
    name = presented.user.decode("utf-8", "backslashreplace")
    proof = prove(presented, stand_in if known is None else known.secret)
    if known is None:
        return Refused(f"unknown user {name!r}")
    if isinstance(proof, Refused):
        return Refused(f"{proof.detail} for user {name!r}")
    if known.addresses.allows_none:
        detail = f"the secrets file (line {known.line}) allows user {name!r} no address; write * as the fourth word"
        return Refused(detail, 649)
    return Admitted(known.name, known.addresses, proof.authenticator_response, proof.keys, known.policy)


def names_of(presented: Presented) -> tuple[str, ...]:
    """Return the name a peer gave and what it is without a domain; nothing when it is no UTF-8."""
    try:
        name = presented.user.decode()
    except UnicodeDecodeError:
        return ()
    return tuple(dict.fromkeys((name, name.rpartition("\\")[2])))


def decoy() -> Secret:
    """Return a secret nobody knows."""
    return Secret(os.urandom(16).hex())

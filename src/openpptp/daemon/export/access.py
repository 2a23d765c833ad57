"""What a client must know to reach this server, and what it and the server have in common."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

from openpptp.credentials import AuthMethod
from openpptp.daemon.config import Settings
from openpptp.errors import SetupError

PORT = 1723  # RFC 2637 section 3; all clients but our own know no other
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
PLACEHOLDER = "PASSWORD"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a kind of client can do."""

    client: str
    "Its name at the beginning of a sentence."
    methods: frozenset[AuthMethod]
    key_bits: frozenset[int]
    any_port: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a client shall agree to: the best that both ends have, and nothing beside it."""

    method: AuthMethod
    key_bits: int | None
    "None: no encryption."


@dataclass(frozen=True, slots=True)
class Access:
    """One user's way to one server."""

    address: str
    "Name or IPv4 address, letters, digits, dots and hyphens only: clients hand it to a shell."
    user: str
    methods: tuple[AuthMethod, ...] = (AuthMethod.MSCHAP_V2,)
    "Those the server allows."
    encryption: Literal["required", "optional", "off"] = "required"
    key_bits: frozenset[int] = frozenset({128})
    port: int = PORT
    name: str = "openpptp"
    "What the connection is called on the client; a file's name there."
    routes: tuple[IPv4Network, ...] = ()
    "Networks to reach through the tunnel, and nothing else; none: what the client does by itself."
    default_route: bool = False
    "Reach everything through the tunnel."
    password: str | None = field(default=None, repr=False)
    "To be written into the settings; None: the client asks, or the person puts it where PLACEHOLDER stands."

    def terms(self, can: Abilities) -> Terms:
        """Return the strongest method and keys; raise SetupError when the client cannot come in at all."""
        if self.port != PORT and not can.any_port:
            raise SetupError(
                f"{can.client} reaches TCP port {PORT} only, and this server listens on {self.port}; "
                f"set server.port = {PORT}, or use openpptp connect there"
            )
        methods = [method for method in AuthMethod if method in self.methods and method in can.methods]
        if not methods:
            raise SetupError(
                f"{can.client} logs in with {_names(can.methods)}, and this server allows {_names(self.methods)} only "
                f"(auth.methods); add MS-CHAPv2 there"
            )
        bits = max(self.key_bits & can.key_bits, default=None)
        if self.encryption != "off" and methods[0].makes_keys and bits is not None:
            return Terms(methods[0], bits)
        if self.encryption != "required":
            return Terms(methods[0], None)
        if bits is None:
            raise SetupError(
                f"{can.client} encrypts with {_bits(can.key_bits)}, and this server with {_bits(self.key_bits)} only "
                "(auth.key_bits); add 128 there"
            )
        raise SetupError(
            f"{can.client} logs in with {_names(methods)}, which makes no keys, and this server requires encryption; "
            "add MS-CHAPv2 to auth.methods"
        )


def access_to(settings: Settings, address: str, user: str, **wishes: object) -> Access:
    """Return the way to a server with these settings; raise SetupError for names no client can be given.

    wishes are further fields of Access.
    """
    access = Access(
        address,
        user,
        methods=settings.auth.methods,
        encryption=settings.auth.encryption,
        key_bits=frozenset(settings.auth.key_bits),
        port=settings.server.port,
        **wishes,  # type: ignore[arg-type]  # the caller's keywords are Access's own
    )
    check_address(address)
    if not NAME.fullmatch(access.name):
        raise SetupError(
            f'"{access.name}" is not a name for a connection; use 1 to 32 letters, digits, "-", "_" or "."', exit_code=2
        )
    if not user or not user.isprintable():
        raise SetupError("the user name is empty or has a control character; no client takes it", exit_code=2)
    return access


def check_address(address: str) -> None:
    """Raise SetupError unless a client's shell can be handed this address."""
    if not HOST.fullmatch(address):
        raise SetupError(
            f'"{address}" is no name or IPv4 address of a server; write it as vpn.example.org or 203.0.113.1',
            exit_code=2,
        )


def _names(methods: Collection[AuthMethod]) -> str:
    return ", ".join(method.value for method in AuthMethod if method in methods)


def _bits(key_bits: frozenset[int]) -> str:
    return f"{' or '.join(str(bits) for bits in sorted(key_bits))} bit"

"""What the client is asked to do: one value from the command line to the daemon."""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal

from openpptp.credentials import AuthMethod
from openpptp.daemon.wishes import DataPathWishes
from openpptp.ppp.settings import EncryptionPolicy, LinkSettings
from openpptp.tunnel.settings import CallKind, TunnelSettings

INTERFACE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,14}")
"IFNAMSIZ leaves 15 characters; the kernel forbids slashes and blanks, we also what a shell or nft would misread."
INTERFACE_NAME_REMEDY = 'use 1 to 15 letters, digits, "-", "_" or ".", as "pptp0"'
EncryptionWord = Literal["required", "optional", "off"]


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """One tunnel to one server; the defaults are the safe choice."""

    host: str
    "Name or IPv4 address."
    user: str
    password: str = field(repr=False)
    port: int = 1723
    interface: str = "pptp-client"
    routes: tuple[IPv4Network, ...] = ()
    "Networks to reach through the tunnel."
    default_route: bool = False
    "Reach everything through the tunnel."
    request_dns: bool = False
    methods: tuple[AuthMethod, ...] = (AuthMethod.MSCHAP_V2,)
    "Methods we agree to when the server asks."
    encryption: EncryptionWord = "required"
    key_bits: frozenset[int] = frozenset({128})
    stateful: bool = False
    "Ask for stateful MPPE."
    mru: int = 1400
    echo_interval: float = 20.0
    echo_failures: int = 4
    ipv6: bool = False
    phone_number: str = ""
    runtime_directory: Path = Path("/run/openpptp")
    log_level: str = "info"
    log_format: str = "text"
    data_path: DataPathWishes = field(default_factory=DataPathWishes)

    def link(self) -> LinkSettings:
        """Return how we negotiate PPP with the server."""
        return LinkSettings(
            mru=self.mru,
            echo_interval=self.echo_interval,
            echo_failures=self.echo_failures,
            our_name=self.user,
            our_password=self.password,
            answer_with=self.methods,
            encryption=EncryptionPolicy(
                enabled=self.encryption != "off",
                required=self.encryption == "required",
                key_bits=self.key_bits,
                stateful=self.stateful,
                prefer_stateful=self.stateful,
            ),
            request_dns=self.request_dns,
            ipv6=self.ipv6,
        )

    def tunnel(self) -> TunnelSettings:
        """Return how we keep the control connection; the server may place no call to us."""
        accepts: frozenset[CallKind] = frozenset()
        return TunnelSettings(link=self.link(), accepts=accepts, phone_number=self.phone_number)

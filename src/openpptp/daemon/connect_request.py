"""What the client is asked to do: one value from command line and profile to the daemon."""

import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Literal

from openpptp.credentials import AuthMethod
from openpptp.daemon.wishes import DataPathWishes
from openpptp.ppp.settings import EncryptionPolicy, LinkSettings
from openpptp.tunnel.settings import CallKind, Dialling, TunnelSettings

INTERFACE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,14}")
"IFNAMSIZ leaves 15 characters; the kernel forbids slashes and blanks, we also what a shell or nft would misread."
INTERFACE_NAME_REMEDY = 'use 1 to 15 letters, digits, "-", "_" or ".", as "pptp0"'
CARRIER_OVERHEAD = 40  # octets around the PPP information field: IP 20, GRE 16, address, control and protocol 4
LONGEST_MRU = 1460  # ours: of Ethernet; what a wider first hop carries says little about the rest of the way
SERVERS_DNS = "server"
"The word, in place of addresses, for the DNS servers that the server names."
EncryptionWord = Literal["required", "optional", "off"]
WhileDown = Literal["hold", "block", "pass"]
KillSwitchWord = Literal["off", "on", "lan"]
ReconnectWord = Literal["never", "after-success", "always"]


@dataclass(frozen=True, slots=True)
class Dns:
    """Which DNS servers this host asks while the tunnel is up."""

    of_server: bool = True
    "Those the server names."
    servers: tuple[IPv4Address, ...] = ()
    "And these, before them."
    search: tuple[str, ...] = ()
    "Domains: their names are asked for there; they complete short names."


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Whether and how a tunnel that is down is brought up again."""

    when: ReconnectWord = "after-success"
    longest_wait: float = 60.0
    "Seconds between two log-ins that fail."


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """One tunnel to one server; the defaults are the safe choice."""

    hosts: tuple[str, ...]
    "Names or IPv4 addresses, tried in turn."
    user: str
    "With its domain, if it has one, as DOMAIN\\user."
    password: str = field(repr=False)
    profile: str | None = None
    "Name of the profile this comes from."
    port: int = 1723
    timeout: float = 10.0
    "Seconds each address has to answer on TCP."
    local: IPv4Address | None = None
    "Address of ours to call from."
    interface: str = "pptp-client"
    routes: tuple[IPv4Network, ...] = ()
    "Networks to reach through the tunnel."
    default_route: bool = False
    "Reach everything through the tunnel."
    dns: Dns | None = None
    "None: this host's DNS stays as it is."
    mark: int | None = None
    "Firewall mark of what carries the tunnel; the tunnel's routes are in a table of that number then."
    while_down: WhileDown = "hold"
    kill_switch: KillSwitchWord = "off"
    "Whether anything but the tunnel and its carrier may leave this host; lan: to local networks it may."
    reconnect: Reconnect = Reconnect()
    methods: tuple[AuthMethod, ...] = (AuthMethod.MSCHAP_V2,)
    "Methods we agree to when the server asks."
    encryption: EncryptionWord = "required"
    key_bits: frozenset[int] = frozenset({128})
    stateful: bool = False
    "Ask for stateful MPPE."
    mru: int = 1400
    echo_interval: float = 20.0
    echo_failures: int = 4
    control_echo_interval: float = 60.0
    ipv6: bool = False
    dialling: Dialling = field(default_factory=Dialling)
    program: str | None = None
    "Name of the only program that uses the tunnel."
    runtime_directory: Path = Path("/run/openpptp-client")
    resolv_conf: Path = Path("/etc/resolv.conf")
    data_path: DataPathWishes = field(default_factory=DataPathWishes)

    def link(self, path_mru: int) -> LinkSettings:
        """Return how we negotiate PPP with the server, on a way that carries so many octets."""
        return LinkSettings(
            mru=min(self.mru, path_mru),
            echo_interval=self.echo_interval,
            echo_failures=self.echo_failures,
            our_name=self.user,
            our_password=self.password,
            answer_with=self.methods,
            demand_proof=all(method.proves_both for method in self.methods),
            encryption=EncryptionPolicy(
                enabled=self.encryption != "off",
                required=self.encryption == "required",
                key_bits=self.key_bits,
                stateful=self.stateful,
                prefer_stateful=self.stateful,
            ),
            request_dns=self.dns is not None and self.dns.of_server,
            ipv6=self.ipv6,
        )

    def tunnel(self, path_mru: int) -> TunnelSettings:
        """Return how we keep the control connection; the server may place no call to us."""
        accepts: frozenset[CallKind] = frozenset()
        return TunnelSettings(
            link=self.link(path_mru),
            accepts=accepts,
            receive_window=self.data_path.receive_window,
            dialling=self.dialling,
            path_mru=path_mru,
            echo_interval=self.control_echo_interval,
        )

    def silence(self) -> float:
        """Return after how many seconds without an answer the server counts as gone."""
        return self.echo_interval * (self.echo_failures + 1) if self.echo_interval else self.control_echo_interval * 2

    def with_password(self, password: str) -> "ConnectRequest":
        """Return the same with a password."""
        return replace(self, password=password)


def path_mru(path_mtu: int) -> int:
    """Return the longest PPP information field, in octets, that a way of this MTU carries in one piece (Q-48)."""
    return min(path_mtu - CARRIER_OVERHEAD, LONGEST_MRU)

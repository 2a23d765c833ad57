"""The sections of the settings file; each field's description is the comment users read, here and in docs."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from openpptp.backends import users_store
from openpptp.backends.file_access import missing
from openpptp.backends.ranges import AddressRange
from openpptp.credentials import AuthMethod
from openpptp.daemon.hook_programs import HookEvent
from openpptp.daemon.values import (
    Address,
    Flag,
    InterfaceName,
    PoolName,
    Port,
    Range,
    Seconds,
    Text,
    Whole,
    WholePath,
)
from openpptp.daemon.wishes import MOST_THREADS, CarrierWord, DataPathWord


class Section(BaseModel):
    """What all sections share: they are values, and a key nobody knows is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class ServerSection(Section):
    """Where the server listens and what it is called."""

    listen: Address = Field(
        default=IPv4Address("0.0.0.0"),  # noqa: S104 - a server for the world is the purpose
        description="Address to take connections on; 0.0.0.0 means every address of this machine.",
    )
    port: Port = Field(default=1723, description="TCP port of the control connection; clients expect 1723.")
    name: Text = Field(
        default="openpptp",
        description="Name shown to clients; also the server column of the secrets file is compared with it.",
    )
    user: Text = Field(
        default="openpptp",
        description="User of this machine the server runs as, once it has opened what only root may; where there is no "
        "such user it stays root, with the same few capabilities.",
    )
    interface: InterfaceName = Field(
        default="pptp0", description="Name of the one tunnel interface that serves all sessions."
    )
    runtime_directory: Path = Field(
        default=Path("/run/openpptp"),
        description="Directory for the lock and for what is needed to clean up after a crash.",
    )
    control_echo_interval: Seconds = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="Seconds of silence on a control connection until we ask whether the peer is alive; "
        "after as long again without an answer it is closed.",
    )
    data_path: DataPathWord = Field(
        default="auto",
        description='What carries data packets: "engine" is the native one, "reference" the slow one in Python; '
        '"auto" is the engine where it is built.',
    )
    carrier: CarrierWord = Field(
        default="auto",
        description='How the engine exchanges GRE with the network: "raw" through the raw socket only, '
        '"ring" beside the IP stack where the device allows it, with a warning where not; "auto" the same in silence.',
    )
    threads: Whole = Field(
        default=0,
        ge=0,
        le=MOST_THREADS,
        description="Threads of the engine in each direction; 0 chooses by the number of processors.",
    )


class NetworkSection(Section):
    """The addresses clients get and how they reach the world."""

    pool: tuple[Range, ...] = Field(
        min_length=1,
        description='Addresses for clients: a list of "a-b", networks as "10.0.0.0/24" (their host addresses) '
        "or single addresses. Required.",
        examples=[["10.0.0.0/24"]],
    )
    local_address: Address | None = Field(
        default=None,
        description="Our own address inside the tunnels. When left out: the first address of the pool's first entry. "
        "Clients never get it.",
        examples=["10.0.0.1"],
    )
    dns: tuple[Address, ...] = Field(
        default=(), max_length=2, description="DNS servers for clients, at most two.", examples=[["9.9.9.9", "1.1.1.1"]]
    )
    wins: tuple[Address, ...] = Field(
        default=(), max_length=2, description="WINS servers for clients, at most two.", examples=[["10.0.0.5"]]
    )
    nat: Flag = Field(
        default=True,
        description="Hide clients behind this machine's address when their packets leave by another interface.",
    )
    forward: Flag = Field(
        default=True,
        description="Pass packets between clients and the networks behind this machine (sets net.ipv4.ip_forward).",
    )
    proxy_arp: Flag = Field(
        default=True,
        description="Answer ARP for clients whose address lies in a network of this machine, so that its hosts reach "
        "them. Without forward it is not done.",
    )
    mss_clamp: Flag = Field(
        default=True,
        description="Lower the segment size of passing TCP connections to what a tunnel carries; else some sites hang.",
    )
    pools: dict[PoolName, tuple[Range, ...]] = Field(
        default={},
        description="Further pools by name, for users whose policy names one (docs/users.md); written as pool is.",
        examples=[{"office": ["10.0.1.0/24"]}],
    )

    def our_address(self) -> IPv4Address:
        """Return our own address inside the tunnels."""
        return self.local_address if self.local_address is not None else self.pool[0].first

    def ranges(self) -> tuple[AddressRange, ...]:
        """Return the ranges of all pools."""
        return (*self.pool, *(entry for pool in self.pools.values() for entry in pool))

    def leases(self) -> tuple[AddressRange, ...]:
        """Return the ranges clients get addresses from: all pools without our own address."""
        return tuple(part for entry in self.ranges() for part in entry.without(self.our_address()))


class PppSection(Section):
    """The PPP link to each client."""

    mru: Whole = Field(
        default=1400,
        ge=576,
        le=1500,
        description="Longest packet we ask to receive, in octets; 1400 passes everywhere.",
    )
    echo_interval: Seconds = Field(
        default=20.0,
        ge=0,
        le=3600,
        description="Seconds between our LCP Echo-Requests, which also keep NAT boxes on the way awake; 0 sends none.",
    )
    echo_failures: Whole = Field(
        default=4, ge=1, le=100, description="Unanswered Echo-Requests in a row after which the client counts as gone."
    )
    ipv6: Flag = Field(default=False, description="Negotiate IPv6 (link-local addresses) as well.")


class AuthSection(Section):
    """Who may come in, and how the traffic is encrypted."""

    methods: tuple[AuthMethod, ...] = Field(
        default=(AuthMethod.MSCHAP_V2,),
        min_length=1,
        description="Authentication methods clients may use, most wanted first: MS-CHAPv2, MS-CHAPv1, CHAP-MD5, PAP. "
        "All but the first are weaker still; CHAP-MD5 and PAP allow no encryption.",
    )
    encryption: Literal["required", "optional", "off"] = Field(
        default="required",
        description='MPPE: "required" refuses clients without it, "optional" lets them in in clear text, "off" never '
        "encrypts.",
    )
    key_bits: tuple[Literal[40, 56, 128], ...] = Field(
        default=(128,), min_length=1, description="Key lengths allowed: 40, 56, 128. Only 128 is worth the name."
    )
    stateful: Flag = Field(
        default=False,
        description="Agree to stateful MPPE when the client insists; one lost packet then costs a reset each time.",
    )
    refusal_delay: Seconds = Field(
        default=1.0,
        ge=0,
        le=30,
        description="Seconds until a refused log-in is answered, be the user unknown or the password wrong.",
    )


class LimitsSection(Section):
    """How much one peer, and all of them, may take."""

    sessions: Whole = Field(
        default=1000, ge=1, le=65535, description="Sessions at the same time; the pool may allow fewer."
    )
    calls_per_connection: Whole = Field(
        default=1,
        ge=1,
        le=65535,
        description="Calls on one control connection; more than 1 is for access concentrators.",
    )
    unauthenticated: Whole = Field(
        default=100,
        ge=1,
        le=65535,
        description="Control connections that have not logged in yet, from all sources together.",
    )
    per_source: Whole = Field(
        default=10, ge=1, le=65535, description="Control connections that have not logged in yet, from one address."
    )
    failures_per_source: Whole = Field(
        default=10,
        ge=1,
        le=65535,
        description="Log-ins that may fail from one address; then its passwords are looked at no more, until one "
        "failure is forgiven.",
    )
    source_forgiven_after: Seconds = Field(
        default=30.0, ge=1, le=3600, description="Seconds until a failed log-in of an address is forgiven."
    )
    failures_per_user: Whole = Field(
        default=5, ge=1, le=65535, description="Log-ins that may fail for one user name from one address; as above."
    )
    user_forgiven_after: Seconds = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="Seconds until a failed log-in of a user name from one address is forgiven.",
    )
    sources: tuple[Range, ...] = Field(
        default=(),
        max_length=1000,
        description="Addresses clients may come from, written as in network.pool; an empty list lets them come from"
        " anywhere.",
        examples=[["192.0.2.0/24"]],
    )
    start_timeout: Seconds = Field(
        default=10.0, ge=1, le=300, description="Seconds from TCP accept until the control connection is agreed on."
    )
    call_timeout: Seconds = Field(
        default=30.0, ge=1, le=300, description="Seconds a call may take to be set up or torn down."
    )
    session_timeout: Seconds = Field(
        default=60.0, ge=1, le=600, description="Seconds from the call until it is logged in and carries data."
    )
    gre_timeout: Seconds = Field(
        default=10.0,
        ge=1,
        le=300,
        description="Seconds after a call without one GRE packet until the session ends, reported as GRE blocked.",
    )


class UsersSection(Section):
    """Where user names and passwords are kept."""

    store: WholePath = Field(
        default=Path("/var/lib/openpptp/users.sqlite"),
        description="SQLite database of users, beside the secrets file; looked at at each log-in when it exists. A name"
        " that is in both is the store's.",
    )
    file: Path = Field(
        default=Path("/etc/openpptp/chap-secrets"),
        description="Secrets file in the syntax of pppd's chap-secrets; read at each log-in. Mode 0600.",
    )
    pap_file: Path | None = Field(
        default=None,
        description="Secrets file for PAP log-ins, as pppd's pap-secrets; when left out, the one for the rest.",
        examples=["/etc/ppp/pap-secrets"],
    )

    def places(self) -> list[Path]:
        """Return those of store and file that there are."""
        store = [self.store] if users_store.exists(self.store) else []
        return [*store, *([] if missing(self.file) else [self.file])]


class AccountingSection(Section):
    """Who was connected, when and how much passed; shown by `openpptp sessions`."""

    on: Flag = Field(default=True, description="Write down each session's start, progress and end.")
    file: WholePath = Field(
        default=Path("/var/lib/openpptp/accounting.sqlite"),
        description="SQLite database to write to; made when missing, for its owner only.",
    )
    interim: Seconds = Field(
        default=60.0,
        ge=1,
        le=86400,
        description="Seconds between notes of what each open session has carried; so much at most is lost to a crash.",
    )
    keep_days: Whole = Field(
        default=365, ge=0, le=36500, description="Days after its end until a session is removed; 0 keeps all."
    )


class HooksSection(Section):
    """Programs of yours that run when sessions come and go, with pppd's names, arguments and environment."""

    directory: WholePath | None = Field(
        default=None,
        description="Directory with pppd's names: ip-up or, where that is missing, the programs in ip-up.d; ip-down, "
        "auth-up, auth-down alike. When left out, none are run.",
        examples=["/etc/ppp"],
    )
    ip_up: WholePath | None = Field(
        default=None,
        description="Program to run, in place of the directory's, when data of a session may flow.",
        examples=["/usr/local/sbin/pptp-up"],
    )
    ip_down: WholePath | None = Field(
        default=None,
        description="Program to run when it may no longer.",
        examples=["/usr/local/sbin/pptp-down"],
    )
    auth_up: WholePath | None = Field(
        default=None,
        description="Program to run when a user has logged in, before data flows.",
        examples=["/usr/local/sbin/pptp-login"],
    )
    auth_down: WholePath | None = Field(
        default=None,
        description="Program to run when a session is over.",
        examples=["/usr/local/sbin/pptp-logout"],
    )
    timeout: Seconds = Field(
        default=30.0, ge=0.1, le=3600, description="Seconds a program may run until it is ended, with all it started."
    )
    at_once: Whole = Field(
        default=8, ge=1, le=64, description="Programs that run at the same time; further sessions' wait."
    )

    def commands(self) -> dict[HookEvent, Path]:
        """Return the programs named one by one."""
        named = {
            HookEvent.AUTH_UP: self.auth_up,
            HookEvent.IP_UP: self.ip_up,
            HookEvent.IP_DOWN: self.ip_down,
            HookEvent.AUTH_DOWN: self.auth_down,
        }
        return {event: path for event, path in named.items() if path is not None}

    @property
    def wanted(self) -> bool:
        """Whether there is anything to run."""
        return self.directory is not None or bool(self.commands())


class AdminSection(Section):
    """Who may ask and steer the running server: openpptp status, sessions, disconnect, reload."""

    group: Text | None = Field(
        default=None,
        description="Group of this machine whose members may, besides root; they can end any session.",
        examples=["openpptp"],
    )


class LogSection(Section):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    format: Literal["text", "json"] = Field(
        default="text", description='"text" for people, "json" for machines: one object per line.'
    )

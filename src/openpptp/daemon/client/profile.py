"""A profile: all that one tunnel is told, as `openpptp connect NAME` reads it from a TOML file.

The options of the command line are the same keys under other names: they are laid over a profile's, or stand alone.
"""

import shlex
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from openpptp.credentials import AuthMethod
from openpptp.daemon.client.profile_call import CallSection
from openpptp.daemon.connect_request import (
    SERVERS_DNS,
    ConnectRequest,
    Dns,
    EncryptionWord,
    KillSwitchWord,
    Reconnect,
    ReconnectWord,
    WhileDown,
)
from openpptp.daemon.sections import Section
from openpptp.daemon.values import Address, Flag, InterfaceName, Port, Seconds, Text, Whole, WholePath, mistake
from openpptp.daemon.wishes import CarrierWord, DataPathWishes, DataPathWord

LONGEST_MARK = (1 << 32) - 1
RESERVED_TABLES = range(253, 256)  # default, main, local


def read_network(text: object) -> IPv4Network:
    """Read an IPv4 network; raise a mistake otherwise."""
    if isinstance(text, IPv4Network):
        return text
    if not isinstance(text, str):
        raise mistake("must be text in quotes", 'write it as "10.0.0.0/24"')
    try:
        return IPv4Network(text)
    except ValueError as error:
        try:
            remedy = f'did you mean "{IPv4Network(text, strict=False)}"?'
        except ValueError:
            remedy = 'write it as "10.0.0.0/24"'
        raise mistake(str(error), remedy) from None


def read_host(text: object) -> str:
    """Return a name or address to connect to; raise a mistake for what can be neither."""
    if isinstance(text, str) and text and text.isprintable() and not set(text) & set(" /\\:@\"'") and text[0] != "-":
        return text
    raise mistake("is no name or IPv4 address of a server", 'write it as "vpn.example.org" or "203.0.113.1"')


def read_dns(text: object) -> IPv4Address | Literal["server"]:
    """Return the address of a DNS server, or the word for those of the server; raise a mistake otherwise."""
    if text == SERVERS_DNS:
        return "server"
    try:
        if isinstance(text, (str, IPv4Address)):
            return IPv4Address(text)
    except ValueError:
        pass
    raise mistake("is not an IPv4 address", f'write it in quotes, as "192.0.2.1", or "{SERVERS_DNS}"')


def read_mark(text: object) -> int:
    """Return a firewall mark that can also number a routing table; raise a mistake otherwise."""
    if isinstance(text, int) and not isinstance(text, bool):
        if 0 < text <= LONGEST_MARK and text not in RESERVED_TABLES:
            return text
        raise mistake("is no mark", "use a number from 1 to 4294967295 that is not 253, 254 or 255, as 1723")
    raise mistake("must be a whole number", "write for example: mark = 1723")


def check_command(text: object) -> str:
    """Return a command line that can be split into words; raise a mistake otherwise."""
    if not isinstance(text, str) or not text.strip():
        raise mistake("must be text in quotes", 'write it as "secret-tool lookup service vpn"')
    try:
        shlex.split(text)
    except ValueError as error:
        raise mistake(f"cannot be split into words: {error}", "close the quotes") from None
    return text


Network = Annotated[IPv4Network, BeforeValidator(read_network), PlainSerializer(str)]
Host = Annotated[str, BeforeValidator(read_host)]
DnsServer = Annotated[IPv4Address | Literal["server"], BeforeValidator(read_dns), PlainSerializer(str)]
Mark = Annotated[int, BeforeValidator(read_mark)]
Command = Annotated[str, BeforeValidator(check_command)]


class ServerSection(Section):
    """Which server to connect to."""

    hosts: tuple[Host, ...] = Field(
        min_length=1,
        max_length=32,
        description="Names or IPv4 addresses of the server; all addresses of all names are tried in turn. Required.",
        examples=[["vpn.example.org"]],
    )
    port: Port = Field(default=1723, description="TCP port of the control connection.")
    timeout: Seconds = Field(
        default=10.0, ge=1, le=120, description="Seconds each address has to answer until the next one is tried."
    )
    local_address: Address | None = Field(
        default=None,
        description="Address of this machine to connect from; when left out, the system chooses.",
        examples=["192.0.2.7"],
    )


class AuthSection(Section):
    """Who we are, and how weak a protection is still good enough."""

    user: Text = Field(description="User name. Required.", examples=["alice"])
    domain: Text | None = Field(
        default=None,
        description='Windows domain of the user; the same as user = "DOMAIN\\\\alice".',
        examples=["EXAMPLE"],
    )
    password: Text | None = Field(
        default=None,
        description="The password itself; only its owner may be able to read this file then.",
        examples=["PASSWORD"],
    )
    password_file: WholePath | None = Field(
        default=None,
        description="File whose first line is the password.",
        examples=["/etc/openpptp/office.password"],
    )
    password_command: Command | None = Field(
        default=None,
        description="Command that prints the password as its first line, as a keyring's; run without a shell.",
        examples=["secret-tool lookup service office"],
    )
    password_shell: Flag = Field(default=False, description="Run password_command through the shell, with /bin/sh -c.")
    methods: tuple[AuthMethod, ...] = Field(
        default=(AuthMethod.MSCHAP_V2,),
        min_length=1,
        description="Authentication methods we agree to: MS-CHAPv2, MS-CHAPv1, CHAP-MD5, PAP. All but the first are "
        "weaker still; CHAP-MD5 and PAP allow no encryption.",
    )
    encryption: EncryptionWord = Field(
        default="required",
        description='Whether the traffic must be encrypted ("required"), may be ("optional") or never is ("off").',
    )
    key_bits: tuple[Literal[40, 56, 128], ...] = Field(
        default=(128,), min_length=1, description="Key lengths we agree to: 40, 56, 128. Only 128 is worth the name."
    )
    stateful: Flag = Field(default=False, description="Ask for stateful encryption.")

    @model_validator(mode="after")
    def _one_source(self) -> "AuthSection":
        named = [name for name in ("password", "password_file", "password_command") if getattr(self, name) is not None]
        if len(named) > 1:
            raise mistake(f"{' and '.join(named)} exclude each other", "leave one of them")
        if self.encryption == "required" and not any(method.makes_keys for method in self.methods):
            names = " and ".join(method.value for method in self.methods)
            verb = "makes" if len(self.methods) == 1 else "make"
            raise mistake(
                f"encryption is required, but {names} {verb} no keys for it",
                'allow MS-CHAPv2 too, or give encryption up with encryption = "off" (--encryption off)',
            )
        return self

    def whole_name(self) -> str:
        """Return the user name as the server gets it."""
        return f"{self.domain}\\{self.user}" if self.domain else self.user


class NetworkSection(Section):
    """What goes through the tunnel, and what this machine is told."""

    interface: InterfaceName | None = Field(
        default=None,
        description="Name of the tunnel interface. When left out: pptp-client, with a profile pptp- and its name.",
        examples=["pptp-office"],
    )
    routes: tuple[Network, ...] = Field(
        default=(),
        max_length=1000,
        description="Networks to reach through the tunnel.",
        examples=[["10.0.0.0/8", "192.168.7.0/24"]],
    )
    default_route: Flag = Field(default=False, description="Reach everything through the tunnel.")
    dns: tuple[DnsServer, ...] = Field(
        default=(),
        max_length=4,
        description='DNS servers to ask while the tunnel is up, through it: addresses, or "server" for those that the '
        "server names. An empty list leaves DNS as it is.",
        examples=[["server"]],
    )
    search: tuple[Text, ...] = Field(
        default=(),
        max_length=6,
        description="Domains that these DNS servers know; they also complete short names.",
        examples=[["corp.example"]],
    )
    while_down: WhileDown = Field(
        default="hold",
        description='What becomes of traffic for the tunnel while it is down: "hold" drops it, so that connections '
        'survive a short break; "block" refuses it at once; "pass" lets it go the way it went without the tunnel.',
    )
    kill_switch: KillSwitchWord = Field(
        default="off",
        description='"on" lets nothing out of this machine but the tunnel and what carries it, even if the client is '
        'killed; "lan" lets out what goes to local networks as well.',
    )
    mark: Mark | None = Field(
        default=None,
        description="Firewall mark of the packets that carry the tunnel, for policy routing. The tunnel's own routes "
        "are then in a table of that number, which everything without the mark looks into.",
        examples=[1723],
    )
    data_path: DataPathWord = Field(
        default="auto",
        description='What carries data packets: "engine" is the native one, "reference" the slow one in Python.',
    )
    carrier: CarrierWord = Field(
        default="auto", description='How the engine exchanges GRE with the network: "raw", "ring" or "auto".'
    )


class PppSection(Section):
    """The PPP link to the server."""

    mru: Whole = Field(
        default=1400,
        ge=576,
        le=1500,
        description="Longest packet we ask to receive, in octets; less where the way to the server carries less.",
    )
    echo_interval: Seconds = Field(
        default=20.0,
        ge=0,
        le=3600,
        description="Seconds between our LCP Echo-Requests, which also keep NAT boxes on the way awake; 0 sends none.",
    )
    echo_failures: Whole = Field(
        default=4, ge=1, le=100, description="Unanswered Echo-Requests in a row after which the server counts as gone."
    )
    control_echo_interval: Seconds = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="Seconds of silence on the control connection until we ask whether the server is alive; after as "
        "long again without an answer it counts as gone.",
    )
    ipv6: Flag = Field(default=False, description="Negotiate IPv6 (link-local addresses) as well.")


class ReconnectSection(Section):
    """Whether the tunnel is brought up again."""

    when: ReconnectWord = Field(
        default="after-success",
        description='"after-success": once it was up, until you end it. "always": from the first attempt on. "never": '
        "the first end is the end. A refused password ends it in any case.",
    )
    longest_wait: Seconds = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="Most seconds between two log-ins that fail; it begins with 1 and doubles.",
    )


class Profile(Section):
    """All keys of a profile."""

    server: ServerSection = Field(description="Which server to connect to.")
    auth: AuthSection = Field(description="Who we are, and how weak a protection is still good enough.")
    network: NetworkSection = Field(default=NetworkSection(), description="What goes through the tunnel.")
    call: CallSection = Field(
        default=CallSection(), description="What the call is asked for with; hardly a server looks at it."
    )
    ppp: PppSection = Field(default=PppSection(), description="The PPP link to the server.")
    reconnect: ReconnectSection = Field(
        default=ReconnectSection(), description="Whether the tunnel is brought up again."
    )

    def request(self, name: str | None = None) -> ConnectRequest:
        """Return what the client is to do, without the password; name is the profile's."""
        server, auth, network, call, ppp = self.server, self.auth, self.network, self.call, self.ppp
        return ConnectRequest(
            hosts=server.hosts,
            user=auth.whole_name(),
            password="",
            profile=name,
            port=server.port,
            timeout=server.timeout,
            local=server.local_address,
            interface=network.interface or interface_of(name),
            routes=network.routes,
            default_route=network.default_route,
            dns=self._dns(),
            mark=network.mark,
            while_down=network.while_down,
            kill_switch=network.kill_switch,
            reconnect=Reconnect(self.reconnect.when, self.reconnect.longest_wait),
            methods=auth.methods,
            encryption=auth.encryption,
            key_bits=frozenset(auth.key_bits),
            stateful=auth.stateful,
            mru=ppp.mru,
            echo_interval=ppp.echo_interval,
            echo_failures=ppp.echo_failures,
            control_echo_interval=ppp.control_echo_interval,
            ipv6=ppp.ipv6,
            dialling=call.dialling(),
            data_path=DataPathWishes(network.data_path, network.carrier, receive_window=call.receive_window),
        )

    def _dns(self) -> Dns | None:
        network = self.network
        if not network.dns and not network.search:
            return None
        addresses = tuple(each for each in network.dns if isinstance(each, IPv4Address))
        return Dns("server" in network.dns or not network.dns, addresses, network.search)


def interface_of(profile: str | None) -> str:
    """Return the interface's name where none is given."""
    if profile is None:
        return "pptp-client"
    return "pptp-" + "".join(char if char.isascii() and char.isalnum() else "-" for char in profile)[:10]

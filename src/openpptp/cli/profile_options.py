"""The options that `openpptp connect` and `openpptp profile add` share: each is a key of a profile."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar, get_args

import click

from openpptp.cli.options import carrier_option, data_path_option, password_file_option
from openpptp.credentials import AuthMethod
from openpptp.daemon.connect_request import SERVERS_DNS, WhileDown

Command = TypeVar("Command", bound=Callable[..., Any])


class Network(click.ParamType[IPv4Network, str]):
    """An IPv4 network, as 10.0.0.0/24."""

    name = "CIDR"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> IPv4Network:
        """Read a network; complain when it is none, or names a host in it."""
        try:
            return IPv4Network(value)
        except ValueError as error:
            try:
                remedy = f"did you mean {IPv4Network(value, strict=False)}?"
            except ValueError:
                remedy = "write it as 10.0.0.0/24"
            self.fail(f"{error}; {remedy}", param, ctx)


class Nameserver(click.ParamType[str, str]):
    """The address of a DNS server, or the word for the server's own."""

    name = "ADDRESS"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read an address; complain when it is none."""
        if value == SERVERS_DNS:
            return value
        try:
            return str(IPv4Address(value))
        except ValueError:
            self.fail(
                f"{value!r} is not an IPv4 address; write one, or --dns alone behind the server's name", param, ctx
            )


def _flag(name: str, text: str) -> Callable[[Command], Command]:
    """Make an option that can also take back what a profile says."""
    return click.option(f"--{name}/--no-{name}", default=None, help=text)


OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--user", metavar="NAME", help=r"User name, with a Windows domain as DOMAIN\NAME."),
    password_file_option,
    click.option(
        "--password-command", metavar="COMMAND", help="Command that prints the password, as a keyring's; no shell."
    ),
    _flag("password-shell", "Run the password command through the shell."),
    click.option(
        "--route", "routes", type=Network(), multiple=True, help="Network to reach through the tunnel; may repeat."
    ),
    _flag("default-route", "Reach everything through the tunnel."),
    click.option(
        "--dns",
        type=Nameserver(),
        multiple=True,
        is_flag=False,
        flag_value=SERVERS_DNS,
        help="DNS server to ask through the tunnel, without ADDRESS those the server names; may repeat.",
    ),
    click.option("--search", multiple=True, metavar="DOMAIN", help="Domain that these DNS servers know; may repeat."),
    click.option(
        "--while-down",
        type=click.Choice(get_args(WhileDown)),
        help="What becomes of traffic for the tunnel while it is down.  [default: hold]",
    ),
    *(
        click.option(name, "kill_switch", flag_value=word, default=None, help=text)
        for name, word, text in (
            ("--kill-switch", "on", "Let nothing out but the tunnel, until Ctrl-C or --release."),
            ("--kill-switch-lan", "lan", "The same, but for local networks."),
            ("--no-kill-switch", "off", "Not so, whatever the profile says."),
        )
    ),
    click.option("--mark", type=click.IntRange(1, (1 << 32) - 1), help="Firewall mark of what carries the tunnel."),
    click.option("--port", type=click.IntRange(1, 65535), help="TCP port of the server.  [default: 1723]"),
    click.option("--timeout", type=click.FloatRange(1, 120), help="Seconds each address has to answer.  [default: 10]"),
    click.option("--local-address", metavar="ADDRESS", help="Address of this machine to connect from."),
    click.option(
        "--interface",
        metavar="NAME",
        help="Name of the tunnel interface.  [default: pptp-client; of a profile: pptp- and its name]",
    ),
    click.option(
        "--allow-method",
        "methods",
        type=click.Choice([method.value for method in AuthMethod], case_sensitive=False),
        multiple=True,
        help="Authentication method we agree to; may repeat.  [default: MS-CHAPv2]",
    ),
    click.option(
        "--encryption",
        type=click.Choice(["required", "optional", "off"]),
        help="Whether the traffic must be, may be or is never encrypted.  [default: required]",
    ),
    click.option(
        "--key-bits",
        type=click.Choice(["40", "56", "128"]),
        multiple=True,
        help="Key length we agree to; may repeat.  [default: 128]",
    ),
    _flag("stateful", "Ask for stateful encryption."),
    click.option("--mru", type=click.IntRange(576, 1500), help="Longest packet we ask to receive.  [default: 1400]"),
    click.option(
        "--echo-interval", type=click.FloatRange(0, 3600), help="Seconds between our echo requests.  [default: 20]"
    ),
    click.option(
        "--echo-failures",
        type=click.IntRange(1, 100),
        help="Echo requests without an answer after which the server counts as gone.  [default: 4]",
    ),
    _flag("ipv6", "Negotiate IPv6 (link-local addresses) as well."),
    click.option("--phone-number", metavar="NUMBER", help="Number to dial; some carrier modems demand one."),
    data_path_option,
    carrier_option,
)
KEYS = {
    "user": "auth",
    "password_command": "auth",
    "password_shell": "auth",
    "methods": "auth",
    "encryption": "auth",
    "stateful": "auth",
    "routes": "network",
    "default_route": "network",
    "dns": "network",
    "search": "network",
    "while_down": "network",
    "kill_switch": "network",
    "mark": "network",
    "interface": "network",
    "data_path": "network",
    "carrier": "network",
    "port": "server",
    "timeout": "server",
    "local_address": "server",
    "phone_number": "call",
    "mru": "ppp",
    "echo_interval": "ppp",
    "echo_failures": "ppp",
    "ipv6": "ppp",
}
"Each option's section of a profile; its key is its name."


def profile_options(command: Command) -> Command:
    """Give a command all of them; what it gets goes to sections()."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def sections(hosts: tuple[str, ...], options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what was given on the command line as the sections of a profile; what was not is left out."""
    found: dict[str, dict[str, Any]] = {}
    if hosts:
        found["server"] = {"hosts": list(hosts)}
    for name, section in KEYS.items():
        value = options.get(name)
        if value is not None and value != ():
            plain = [str(each) for each in value] if isinstance(value, tuple) else value
            found.setdefault(section, {})[name] = plain
    file = options.get("password_file")
    if file is not None:  # under a name that means the same wherever the profile is used
        found.setdefault("auth", {})["password_file"] = "/dev/stdin" if str(file) == "-" else str(file.absolute())
    if options.get("key_bits"):
        found.setdefault("auth", {})["key_bits"] = [int(bits) for bits in options["key_bits"]]
    return found

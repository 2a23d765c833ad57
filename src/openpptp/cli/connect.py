"""`openpptp connect`: the client in the foreground."""

from ipaddress import IPv4Network
from pathlib import Path

import click

from openpptp.cli import OWN_PROCESS
from openpptp.cli.options import carrier_option, data_path_option, password_file_option, read_password
from openpptp.credentials import AuthMethod
from openpptp.daemon.connect_request import INTERFACE_NAME, INTERFACE_NAME_REMEDY, ConnectRequest, EncryptionWord
from openpptp.daemon.wishes import CarrierWord, DataPathWishes, DataPathWord
from openpptp.errors import SetupError


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


@click.command(epilog="Example: sudo openpptp connect vpn.example.org --user alice --route 10.0.0.0/8")
@click.argument("host")
@click.option("--user", required=True, metavar="NAME", help="User name.")
@password_file_option
@click.option(
    "--route", "routes", type=Network(), multiple=True, help="Network to reach through the tunnel; may repeat."
)
@click.option("--default-route", is_flag=True, help="Reach everything through the tunnel.")
@click.option("--port", type=click.IntRange(1, 65535), default=1723, show_default=True, help="TCP port of the server.")
@click.option(
    "--interface", default="pptp-client", show_default=True, metavar="NAME", help="Name of the tunnel interface."
)
@click.option(
    "--allow-method",
    "methods",
    type=click.Choice([method.value for method in AuthMethod], case_sensitive=False),
    multiple=True,
    help="Authentication method we agree to; may repeat.  [default: MS-CHAPv2]",
)
@click.option(
    "--encryption",
    type=click.Choice(["required", "optional", "off"]),
    default="required",
    show_default=True,
    help="Whether the traffic must be, may be or is never encrypted.",
)
@click.option(
    "--key-bits",
    type=click.Choice(["40", "56", "128"]),
    multiple=True,
    help="Key length we agree to; may repeat.  [default: 128]",
)
@click.option("--stateful", is_flag=True, help="Ask for stateful encryption.")
@click.option("--phone-number", default="", metavar="NUMBER", help="Number to dial; some carrier modems demand one.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least level that is logged, to standard error.",
)
@data_path_option
@carrier_option
@click.pass_context
def connect(  # noqa: PLR0917 - click passes them by name
    ctx: click.Context,
    host: str,
    user: str,
    password_file: Path | None,
    routes: tuple[IPv4Network, ...],
    default_route: bool,
    port: int,
    interface: str,
    methods: tuple[str, ...],
    encryption: EncryptionWord,
    key_bits: tuple[str, ...],
    stateful: bool,
    phone_number: str,
    log_level: str,
    data_path: DataPathWord | None,
    carrier: CarrierWord | None,
) -> None:
    """Connect to the PPTP server HOST and stay connected until Ctrl-C.

    The password comes from --password-file, from the environment variable OPENPPTP_PASSWORD, or is asked for.
    All that was changed in this system is undone at the end.
    """
    allowed = tuple(AuthMethod(method) for method in methods) or (AuthMethod.MSCHAP_V2,)
    _check(interface, encryption, allowed)
    request = ConnectRequest(
        host=host,
        user=user,
        password=read_password(password_file, f"Password of {user}"),
        port=port,
        interface=interface,
        routes=routes,
        default_route=default_route,
        methods=allowed,
        encryption=encryption,
        key_bits=frozenset(int(bits) for bits in key_bits) or frozenset({128}),
        stateful=stateful,
        phone_number=phone_number,
        log_level=log_level,
        data_path=DataPathWishes(data_path or "auto", carrier or "auto"),
    )
    from openpptp.daemon.client import connect as run  # noqa: PLC0415
    from openpptp.daemon.confined import confine_client  # noqa: PLC0415

    if ctx.obj is OWN_PROCESS:
        confine_client()

    ctx.exit(run(request))


def _check(interface: str, encryption: EncryptionWord, methods: tuple[AuthMethod, ...]) -> None:
    """Refuse what cannot work before anybody types a password."""
    if encryption == "required" and not any(method.makes_keys for method in methods):
        names = " and ".join(method.value for method in methods)
        verb = "makes" if len(methods) == 1 else "make"
        raise SetupError(
            f"encryption is required, but {names} {verb} no keys for it; allow MS-CHAPv2 too, or add --encryption off",
            exit_code=2,
        )
    if not INTERFACE_NAME.fullmatch(interface):
        raise SetupError(f'"{interface}" is not a name for an interface; {INTERFACE_NAME_REMEDY}', exit_code=2)

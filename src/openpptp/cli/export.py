"""`openpptp export`: ready-made settings for clients."""

import json
import os
from ipaddress import IPv4Network
from pathlib import Path

import click
from click.core import ParameterSource

from openpptp.cli.options import config_option, password_file_option, read_password
from openpptp.cli.profile_options import Network
from openpptp.errors import SetupError

CLIENTS = ("windows", "networkmanager", "mikrotik", "pptp-linux", "openpptp")


@click.command(epilog="Example: openpptp export --for windows --user anna --address vpn.example.org")
@click.option("--for", "client", type=click.Choice(CLIENTS), required=True, help="The kind of client.")
@click.option("--user", metavar="NAME", help="User name.  [default: the only user there is]")
@click.option("--address", metavar="ADDRESS", help="Name or address clients reach this server at.")
@click.option("--name", default="openpptp", show_default=True, metavar="NAME", help="Name of the connection.")
@click.option("--route", "routes", type=Network(), multiple=True, help="Send only this through the tunnel; may repeat.")
@click.option("--default-route", is_flag=True, help="Send everything through the tunnel.")
@password_file_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to a new file, readable by its owner only.",
)
@click.option(
    "--pptpd-conf",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The server runs from this file of pptpd's.",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def export(  # noqa: PLR0917 - click passes them by name
    ctx: click.Context,
    client: str,
    user: str | None,
    address: str | None,
    name: str,
    routes: tuple[IPv4Network, ...],
    default_route: bool,
    password_file: Path | None,
    output: Path | None,
    pptpd_conf: Path | None,
    config: Path,
    as_json: bool,
) -> None:
    """Print ready-made settings for a client.

    They are what the server's own settings demand. The password is put in only when --password-file names it;
    otherwise the client asks for it, or PASSWORD stands in its place.
    """
    from openpptp.daemon.config import load  # noqa: PLC0415
    from openpptp.daemon.export.access import access_to  # noqa: PLC0415
    from openpptp.daemon.export.clients import Client, recipe  # noqa: PLC0415
    from openpptp.daemon.importing import load_pptpd  # noqa: PLC0415

    if pptpd_conf is not None and ctx.get_parameter_source("config") is not ParameterSource.DEFAULT:
        raise SetupError("--config and --pptpd-conf exclude each other; leave one out", exit_code=2)
    if routes and default_route:
        raise SetupError("--route and --default-route exclude each other; leave one out", exit_code=2)
    settings = load(config, need_users=False) if pptpd_conf is None else load_pptpd(pptpd_conf.absolute())[0]
    access = access_to(
        settings,
        address or _own_address(None if settings.server.listen.is_unspecified else str(settings.server.listen)),
        user if user is not None else _only_user(settings.users.file),
        name=name,
        routes=routes,
        default_route=default_route,
        password=read_password(password_file, "") if password_file is not None else None,
    )
    made = recipe(access, Client(client))
    if output is not None:
        _write(output, made.file, "utf-8-sig" if client == "windows" and not made.file.isascii() else "utf-8")
    if as_json:
        facts = {"for": client, "name": name, "address": access.address, "user": access.user}
        files = {"path": made.path or None, "file": made.file, "paste": list(made.paste)}
        click.echo(json.dumps(facts | files | {"output": str(output) if output else None}, ensure_ascii=False))
    elif output is None:
        click.echo(made.file, nl=False)
    else:
        click.echo(f"made {output}{f'; it belongs at {made.path}' if made.path else ''}")


def _own_address(listens: str | None) -> str:
    """Return the address the server listens on, or else the one the world most likely reaches first."""
    from openpptp.daemon.first_run import look_at_host  # noqa: PLC0415

    found = [listens] if listens is not None else look_at_host().addresses
    if not found:
        raise SetupError("this machine has no address clients could reach; name it with --address", exit_code=2)
    return found[0]


def _only_user(secrets: Path) -> str:
    from openpptp.backends.secrets_edit import users  # noqa: PLC0415
    from openpptp.backends.secrets_file import WILDCARD  # noqa: PLC0415

    names = list(dict.fromkeys(entry.client for entry in users(secrets) if entry.client != WILDCARD))
    if len(names) == 1:
        return names[0]
    some = ", ".join(names[:10]) + (" and more" if len(names) > 10 else "")
    known = f"{secrets} has {some}" if names else f"{secrets} has none"
    raise SetupError(f"name the user with --user; {known}", exit_code=2)


def _write(path: Path, text: str, encoding: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding=encoding) as file:
            file.write(text)
    except FileExistsError:
        raise SetupError(f"{path} exists already; name another file, or remove it") from None
    except OSError as error:
        raise SetupError(f"{path}: cannot be made: {error.strerror}") from None

"""`openpptp setup`: settings, a first user, and how to connect."""

import json
from pathlib import Path

import click

from openpptp.cli.options import DEFAULT_CONFIG, config_option


@click.command(epilog="Example: sudo openpptp setup")
@config_option
@click.option("--user", default="user", show_default=True, metavar="NAME", help="Name of the first user.")
@click.option(
    "--address", metavar="ADDRESS", help="Name or address clients reach this server at, for the instructions."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def setup(config: Path, user: str, address: str | None, as_json: bool) -> None:
    """Make settings and a first user with a random password, and say how to connect.

    What exists already is left as it is.
    """
    from openpptp.daemon.config import load  # noqa: PLC0415
    from openpptp.daemon.export.access import access_to, check_address  # noqa: PLC0415
    from openpptp.daemon.export.clients import all_ways  # noqa: PLC0415
    from openpptp.daemon.first_run import look_at_host, prepare  # noqa: PLC0415

    if address is not None:
        check_address(address)
    host = look_at_host()
    result = prepare(host.networks, settings_path=config, user=user)
    server_user, problem = _server_user(config)
    if problem is not None:
        click.echo(problem, err=True)
    addresses = [address] if address else host.addresses or ["ADDRESS"]
    if as_json:
        report = {
            "settings": str(result.settings_path),
            "secrets": str(result.secrets_path),
            "made": [str(path) for path in result.made],
            "addresses": addresses,
            "user": result.user,
            "password": result.password,
            "server_user": server_user,
        }
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    for path in result.made:
        click.echo(f"made {path}")
    if server_user is not None:
        click.echo(f"made the user {server_user}, which the server runs as")
    if result.user is None:
        click.echo(f"{result.secrets_path} has the users already; show them with: sudo openpptp user list")
    else:
        click.echo(f"\naddress   {', '.join(addresses)}\nuser      {result.user}\npassword  {result.password}")
        access = access_to(load(result.settings_path), addresses[0], result.user)
        click.echo(f"\n{all_ways(access)}\n")


def _server_user(config: Path) -> tuple[str | None, str | None]:
    """Make the user the server runs as, where it is missing; return its name when it was made, and what went wrong.

    Settings elsewhere than in their usual place are to try things out: then nothing is made in this machine's /etc.
    """
    from openpptp.daemon.config import load  # noqa: PLC0415
    from openpptp.daemon.server_user import find_user, make_user  # noqa: PLC0415

    if config != DEFAULT_CONFIG:
        return None, None
    name = load(config, need_users=False).server.user
    if find_user(name) is not None:
        return None, None
    problem = make_user(name)
    return (name if problem is None else None), problem

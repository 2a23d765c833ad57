"""`openpptp setup`: settings, a first user, and how to connect."""

import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openpptp.cli.options import config_option
from openpptp.errors import SetupError

if TYPE_CHECKING:
    from openpptp.net.links import Links

OUTSIDE = IPv4Address("192.0.2.1")
"TEST-NET-1: nothing is sent to it; the way to it shows which of our addresses the world sees first."


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
    from openpptp.daemon.export import all_ways  # noqa: PLC0415
    from openpptp.daemon.first_run import prepare  # noqa: PLC0415
    from openpptp.net.links import Links  # noqa: PLC0415

    links = Links()
    try:
        result = prepare([entry.network for entry in links.networks()], settings_path=config, user=user)
        addresses = [address] if address else _addresses(links)
    finally:
        links.close()
    if as_json:
        report = {
            "settings": str(result.settings_path),
            "secrets": str(result.secrets_path),
            "made": [str(path) for path in result.made],
            "addresses": addresses,
            "user": result.user,
            "password": result.password,
        }
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    for path in result.made:
        click.echo(f"made {path}")
    if result.user is None:
        click.echo(f"{result.secrets_path} has the users already; show them with: openpptp user list")
    else:
        click.echo(f"\naddress   {', '.join(addresses)}\nuser      {result.user}\npassword  {result.password}")
        click.echo(f"\n{all_ways(addresses[0], result.user)}\n")


def _addresses(links: "Links") -> list[str]:
    """Return this host's addresses, the one the world most likely reaches first."""
    found = [str(address.ip) for address, _ in links.addresses() if not address.ip.is_loopback]
    try:
        first = str(links.route_to(OUTSIDE).source)
    except SetupError:  # no way to the world: any address is as good
        first = ""
    return sorted(dict.fromkeys(found), key=lambda address: address != first) or ["ADDRESS"]

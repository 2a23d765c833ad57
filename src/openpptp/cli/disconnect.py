"""`openpptp disconnect`: end sessions of the running server in good order."""

from pathlib import Path

import click

from openpptp.cli.asking import client, echo_json, json_option
from openpptp.cli.options import config_option
from openpptp.errors import SetupError


@click.command(epilog="Example: sudo openpptp disconnect --user anna")
@click.argument("session", required=False)
@click.option("--user", metavar="NAME", help="All sessions of this user.")
@click.option("--all", "everyone", is_flag=True, help="All sessions, and connections that have not logged in.")
@config_option
@json_option
@click.pass_context
def disconnect(  # noqa: PLR0917 - click passes them by name
    ctx: click.Context, session: str | None, user: str | None, everyone: bool, config: Path, as_json: bool
) -> None:
    """End the session SESSION, all of a user, or all.

    The peers are told why. They may connect again: remove the user first where that is not wanted.
    """
    if (session is not None) + (user is not None) + everyone != 1:
        raise SetupError("say whom: one of SESSION, --user NAME and --all", exit_code=2)
    result = client(config).disconnect(session=session, user=user)
    if as_json:
        echo_json(result)
    else:
        for name in result["disconnected"]:
            click.echo(f"{name} is over")
        for name in result["ending"]:
            click.echo(f"{name} has been told, but is not over yet; look again with: openpptp show {name}", err=True)
        if not result["disconnected"] and not result["ending"]:
            click.echo("there was no session")
    ctx.exit(1 if result["ending"] else 0)

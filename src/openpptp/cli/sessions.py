"""`openpptp sessions`: who is connected; and who was, when, and how much passed, from the accounting file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from openpptp.cli.asking import client
from openpptp.cli.live_sessions import SORTS, show_live
from openpptp.cli.options import config_option
from openpptp.errors import SetupError

NEWEST = 1000  # ours: sessions shown unless told otherwise; a file may hold millions

Form = Literal["text", "json", "csv"]


@click.command(epilog="Example: sudo openpptp sessions --past --user anna --since 7d --csv")
@config_option
@click.option("--sort", type=click.Choice(list(SORTS)), help="In which order.  [default: since]")
@click.option("--watch", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Show them again and again.")
@click.option("--past", is_flag=True, help="Show the sessions of the accounting file, those that go on included.")
@click.option("--totals", is_flag=True, help="Show what each user's sessions come to.")
@click.option("--user", metavar="NAME", help="Only of this user.")
@click.option(
    "--since", metavar="WHEN", help="Only sessions begun since: 2026-11-20, '2026-11-20 18:30', 30m, 12h, 7d."
)
@click.option(
    "--newest", type=click.IntRange(min=0), default=NEWEST, show_default=True, help="At most so many; 0: all."
)
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Accounting file.")
@click.option("--json", "form", flag_value="json", help="Print as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print as CSV, for a spreadsheet.")
def sessions(  # noqa: PLR0917 - click passes them by name
    config: Path,
    sort: str | None,
    watch: float | None,
    past: bool,
    totals: bool,
    user: str | None,
    since: str | None,
    newest: int,
    file: Path | None,
    form: Form | None,
) -> None:
    """Show the sessions of the running server, past ones, or what each user's come to."""
    if not past and not totals:
        only_past = {"--since": since, "--file": file, "--csv": True if form == "csv" else None}
        _refuse(only_past, "is for past sessions; add --past or --totals")
        show_live(client(config), user=user, sort=sort or "since", watch=watch, as_json=form == "json")
        return
    only_live = {"--sort": sort, "--watch": watch}
    _refuse(only_live, "is for the sessions of the running server; leave out --past and --totals")
    if past == totals:
        raise SetupError("name one of --past and --totals", exit_code=2)
    from openpptp.backends import accounting_store  # noqa: PLC0415
    from openpptp.cli import past_sessions  # noqa: PLC0415

    path, begun = file if file is not None else _accounting_file(config), past_sessions.parse_since(since)
    if totals:
        click.echo(past_sessions.show_totals(accounting_store.totals(path, since=begun, user=user), form), nl=False)
        return
    rows = accounting_store.sessions(path, since=begun, user=user, newest=newest + 1 if newest else None)
    left_out = bool(newest) and len(rows) > newest
    click.echo(past_sessions.show_sessions(rows[-newest:] if newest else rows, form), nl=False)
    if left_out:
        click.echo(f"only the newest {newest} are shown; --newest 0 shows all", err=True)


def _refuse(options: Mapping[str, object], why: str) -> None:
    for option, value in options.items():
        if value is not None:
            raise SetupError(f"{option} {why}", exit_code=2)


def _accounting_file(config: Path) -> Path:
    from openpptp.daemon.config import load  # noqa: PLC0415

    return load(config, need_users=False).accounting.file

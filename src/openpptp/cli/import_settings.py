"""`openpptp import`: somebody else's settings become ours, with a report on every line."""

import json
import os
from pathlib import Path

import click

from openpptp.errors import SetupError


@click.command("import", epilog="Example: sudo openpptp import /etc/pptpd.conf --write /etc/openpptp")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE...")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["pptpd", "options", "secrets", "accel-ppp"]),
    help="Kind of the files.  [default: told by name and contents]",
)
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write DIR/openpptp.toml, which must not exist yet, in place of printing it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print settings and report as JSON.")
@click.pass_context
def import_(ctx: click.Context, files: tuple[Path, ...], kind: str | None, folder: Path | None, as_json: bool) -> None:
    """Turn settings of pptpd, pppd or accel-ppp into ours.

    FILE is a pptpd.conf (its option file and secrets are read too), an option file of pppd, a chap-secrets or an
    accel-ppp.conf. The settings go to standard output, the report on each line to standard error. Exit code 0: all is
    honoured or ignored; 1: something is dangerous; 2: something is unreadable or missing.
    """
    from openpptp.daemon import importing  # noqa: PLC0415
    from openpptp.daemon.import_report import Draft  # noqa: PLC0415

    draft = Draft()
    for file in files:
        importing.read_foreign(file.absolute(), draft, next((word for word in importing.KINDS if word == kind), None))
    settings = importing.settings_of(draft)
    target = None if folder is None or settings is None else folder / "openpptp.toml"
    if target is not None:
        _write(target, importing.toml(draft))
    if as_json:
        written = {"written": None if target is None else str(target)}
        click.echo(json.dumps(importing.as_json(draft, settings) | written, ensure_ascii=True))
    else:
        if target is None:
            click.echo(importing.toml(draft), nl=False)
        for line in draft.lines():
            click.echo(line, err=True)
        if target is not None:
            click.echo(f"made {target}; check it with: sudo openpptp serve --check --config {target}")
        elif settings is None:
            click.echo("these settings are not complete: mend what is unreadable first", err=True)
    ctx.exit(draft.exit_code())


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SetupError(f"{path}: exists already and is not overwritten; move it away first", exit_code=2) from None
    except PermissionError:
        raise SetupError(f"{path}: may not be made by this user; run as root (sudo)", exit_code=3) from None
    except OSError as error:
        raise SetupError(f"{path}: cannot be made: {error.strerror}") from None

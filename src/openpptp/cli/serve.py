"""`openpptp serve`: the server in the foreground."""

import json
from pathlib import Path

import click

from openpptp.cli.options import carrier_option, config_option, data_path_option
from openpptp.daemon.wishes import CarrierWord, DataPathWord
from openpptp.errors import SetupError


@click.command(epilog="Example: sudo openpptp serve --config /etc/openpptp/openpptp.toml")
@config_option
@click.option("--check", is_flag=True, help="Read everything and report; start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Report, or log, as JSON.")
@data_path_option
@carrier_option
@click.pass_context
def serve(  # noqa: PLR0917 - click passes them by name
    ctx: click.Context,
    config: Path,
    check: bool,
    as_json: bool,
    data_path: DataPathWord | None,
    carrier: CarrierWord | None,
) -> None:
    """Run the server in the foreground.

    It ends with Ctrl-C or SIGTERM, after it has taken leave of every client and undone what it changed.
    """
    if check:
        ctx.exit(_check(config, as_json=as_json))
    from openpptp.daemon.config import load  # noqa: PLC0415
    from openpptp.daemon.serve import serve as run  # noqa: PLC0415

    settings = load(config)
    chosen = {"data_path": data_path, "carrier": carrier}
    update = {
        "server": settings.server.model_copy(update={key: word for key, word in chosen.items() if word is not None}),
        "log": settings.log.model_copy(update={"format": "json"} if as_json else {}),
    }
    ctx.exit(run(settings.model_copy(update=update)))


def _check(config: Path, *, as_json: bool) -> int:
    """Report what is wrong or weak in the settings; return the exit code."""
    from openpptp.daemon.config import load  # noqa: PLC0415

    try:
        settings = load(config)
    except SetupError as error:
        if not as_json:
            raise
        report = {"file": str(config), "valid": False, "mistakes": str(error).splitlines(), "warnings": []}
        click.echo(json.dumps(report, ensure_ascii=False))
        return error.exit_code
    warnings = settings.warnings()
    if as_json:
        report = {"file": str(config), "valid": True, "mistakes": [], "warnings": warnings}
        click.echo(json.dumps(report, ensure_ascii=False))
        return 0
    for warning in warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"{config}: the settings are complete and fit together")
    return 0

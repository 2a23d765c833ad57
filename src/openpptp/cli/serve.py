"""`openpptp serve`: the server in the foreground."""

import json
from pathlib import Path

import click

from openpptp.cli.options import config_option
from openpptp.errors import SetupError


@click.command(epilog="Example: sudo openpptp serve --config /etc/openpptp/openpptp.toml")
@config_option
@click.option("--check", is_flag=True, help="Read everything and report; start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Report, or log, as JSON.")
@click.pass_context
def serve(ctx: click.Context, config: Path, check: bool, as_json: bool) -> None:
    """Run the server in the foreground.

    It ends with Ctrl-C or SIGTERM, after it has taken leave of every client and undone what it changed.
    """
    if check:
        ctx.exit(_check(config, as_json=as_json))
    from openpptp.daemon.config import load  # noqa: PLC0415
    from openpptp.daemon.serve import serve as run  # noqa: PLC0415

    settings = load(config)
    if as_json:
        settings = settings.model_copy(update={"log": settings.log.model_copy(update={"format": "json"})})
    ctx.exit(run(settings))


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

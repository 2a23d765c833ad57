"""`openpptp doctor`: whether the server of this machine is whole."""

from pathlib import Path

import click
from click.core import ParameterSource

from openpptp.cli.asking import echo_json, json_option
from openpptp.cli.options import config_option, pptpd_conf_option


@click.command(epilog="Example: sudo openpptp doctor")
@config_option
@pptpd_conf_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, config: Path, pptpd_conf: Path | None, as_json: bool) -> None:
    """Check this machine's own server, piece by piece, and say what to do.

    Nothing is changed. The exit code is 0 when all is well and 1 when something is missing or overridden. Without
    --config or --pptpd-conf, the settings are those the service was installed with.
    """
    from openpptp.daemon.doctor.facts import gather  # noqa: PLC0415
    from openpptp.daemon.doctor.server import examine  # noqa: PLC0415
    from openpptp.daemon.service.machine import Machine  # noqa: PLC0415
    from openpptp.daemon.service.source import chosen  # noqa: PLC0415

    default = ctx.get_parameter_source("config") is ParameterSource.DEFAULT
    machine = Machine()
    installed = machine.record().source if default and pptpd_conf is None else None
    source = installed or chosen(config, pptpd_conf, config_is_default=default)
    report = examine(gather(source, machine))
    if as_json:
        echo_json(report.facts())
    else:
        click.echo("\n".join(report.lines()))
    ctx.exit(report.exit_code)

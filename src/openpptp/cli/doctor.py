"""`openpptp doctor`: whether this machine's own set-up is whole, why a server does not connect, what an error means."""

from pathlib import Path

import click
from click.core import ParameterSource

from openpptp.cli.asking import echo_json, json_option
from openpptp.cli.options import config_option, password_file_option, pptpd_conf_option, read_password
from openpptp.daemon.doctor.report import Report, ok
from openpptp.errors import SetupError


@click.command(epilog="Example: sudo openpptp doctor vpn.example.org --user alice")
@click.argument("host", required=False)
@click.option("--port", type=click.IntRange(1, 65535), default=1723, show_default=True, help="TCP port of HOST.")
@click.option("--user", default="", metavar="NAME", help="Log in to HOST as well, and say what becomes of it.")
@password_file_option
@click.option("--error", type=int, metavar="NUMBER", help="Explain an error number that Windows shows, and stop.")
@config_option
@pptpd_conf_option
@json_option
@click.option("--debug", is_flag=True, help="Show what is said to HOST and what it answers, to standard error.")
@click.pass_context
def doctor(  # noqa: PLR0917 - click passes them by name
    ctx: click.Context,
    host: str | None,
    port: int,
    user: str,
    password_file: Path | None,
    error: int | None,
    config: Path,
    pptpd_conf: Path | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Say why a PPTP server does not connect, or whether this machine's own set-up is whole, and what to do.

    With HOST it looks at that server as a client would, without it at this machine's own server and clients. Nothing is
    changed, here or there. HOST is looked at step by step, from its name to the log-in; as root, since
    others may not send GRE. Nobody logs in without --user; the password comes from --password-file, from the
    environment variable OPENPPTP_PASSWORD, or is asked for.

    The exit code is 0 when all is well and 1 when it is not. Without --config or --pptpd-conf, the settings of the own
    server are those the service was installed with.
    """
    if error is not None:
        _explain(error, as_json=as_json)
        return
    if host is None:
        _own_machine(ctx, config, pptpd_conf, as_json=as_json)
        return
    from openpptp.daemon.doctor.probe.examination import Question  # noqa: PLC0415
    from openpptp.daemon.doctor.probe.run import examine  # noqa: PLC0415

    password = read_password(password_file, f"Password of {user}") if user else ""
    report = examine(Question(host, port, user, password), debug=debug)
    _show(ctx, report, as_json=as_json)


def _own_machine(ctx: click.Context, config: Path, pptpd_conf: Path | None, *, as_json: bool) -> None:
    from openpptp.daemon.doctor import client, server  # noqa: PLC0415
    from openpptp.daemon.doctor.facts import gather  # noqa: PLC0415
    from openpptp.daemon.service.machine import Machine  # noqa: PLC0415
    from openpptp.daemon.service.source import Source, chosen  # noqa: PLC0415

    default = ctx.get_parameter_source("config") is ParameterSource.DEFAULT
    machine = Machine()
    installed = machine.record().source if default and pptpd_conf is None else None
    source = installed or chosen(config, pptpd_conf, config_is_default=default)
    clients = client.gather()
    found = client.examine(clients) if clients.any else []
    if clients.any and source == Source() and not source.path.exists():
        report = Report("this client", [*found, ok("server", "none is set up on this machine")])
    else:
        report = server.examine(gather(source, machine))
        report = Report("this machine" if found else report.patient, [*report.results, *found])
    _show(ctx, report, as_json=as_json)


def _show(ctx: click.Context, report: Report, *, as_json: bool) -> None:
    if as_json:
        echo_json(report.facts())
    else:
        click.echo("\n".join(report.lines()))
    ctx.exit(report.exit_code)


def _explain(number: int, *, as_json: bool) -> None:
    from openpptp.daemon.doctor.ras_errors import explain  # noqa: PLC0415
    from openpptp.daemon.doctor.ras_table import ERRORS  # noqa: PLC0415

    found = ERRORS.get(number)
    if found is None:
        known = ", ".join(map(str, sorted(ERRORS)))
        raise SetupError(f"error {number} is none that PPTP leads to, as far as is known here; known are {known}")
    if as_json:
        echo_json(found.facts(number))
    else:
        click.echo("\n".join(explain(number, found)))

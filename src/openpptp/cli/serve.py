"""`openpptp serve`: the server in the foreground."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from openpptp.cli import OWN_PROCESS
from openpptp.cli.options import carrier_option, config_option, data_path_option, pptpd_conf_option
from openpptp.daemon.monitor.link import monitor_beside
from openpptp.daemon.monitor.policy import Policy, policy_of
from openpptp.daemon.wishes import CarrierWord, DataPathWord
from openpptp.errors import SetupError

if TYPE_CHECKING:
    from openpptp.daemon.config import Settings
    from openpptp.daemon.import_report import Finding


@click.command(epilog="Example: sudo openpptp serve --config /etc/openpptp/openpptp.toml")
@config_option
@pptpd_conf_option
@click.option("--check", is_flag=True, help="Read everything and report; start nothing.")
@click.option("--debug", is_flag=True, help="Log each packet of the negotiations, in pppd's notation.")
@click.option("--json", "as_json", is_flag=True, help="Report, or log, as JSON.")
@data_path_option
@carrier_option
@click.pass_context
def serve(  # noqa: PLR0917 - click passes them by name
    ctx: click.Context,
    config: Path,
    pptpd_conf: Path | None,
    check: bool,
    debug: bool,
    as_json: bool,
    data_path: DataPathWord | None,
    carrier: CarrierWord | None,
) -> None:
    """Run the server in the foreground.

    It ends with Ctrl-C or SIGTERM, after it has taken leave of every client and undone what it changed. SIGHUP, or
    openpptp reload, makes it read its settings again.
    """
    if pptpd_conf is not None and ctx.get_parameter_source("config") is not ParameterSource.DEFAULT:
        raise SetupError("--config and --pptpd-conf exclude each other; leave one out", exit_code=2)
    if check:
        ctx.exit(_check(config, as_json=as_json) if pptpd_conf is None else _check_pptpd(pptpd_conf, as_json=as_json))
    chosen = {"data_path": data_path, "carrier": carrier}
    server = {key: word for key, word in chosen.items() if word is not None}
    log = ({"format": "json"} if as_json else {}) | ({"level": "debug"} if debug else {})
    findings: list[Finding] = []

    def read() -> "Settings":
        from openpptp.daemon.config import load  # noqa: PLC0415
        from openpptp.daemon.importing import load_pptpd  # noqa: PLC0415

        if pptpd_conf is None:
            settings = load(config)
        else:
            settings, draft = load_pptpd(pptpd_conf.absolute())
            findings[:] = draft.findings
        update = {"server": settings.server.model_copy(update=server), "log": settings.log.model_copy(update=log)}
        return settings.model_copy(update=update)

    # The monitor keeps what is loaded by now: the rest comes after it.
    beside = monitor_beside(partial(_reread, read)) if ctx.obj is OWN_PROCESS else nullcontext()
    with beside as monitor:
        from openpptp.daemon.serve import serve as run  # noqa: PLC0415

        ctx.exit(run(read(), read, findings, monitor))


def _reread(read: "Callable[[], Settings]", uid: int) -> tuple[dict[str, Any], Policy]:
    """Read the settings as root, in a child of the monitor."""
    from openpptp.daemon.reload import Reading  # noqa: PLC0415

    settings = read()
    return Reading.of(settings).encode(), policy_of(settings, uid)


def _check_pptpd(path: Path, *, as_json: bool) -> int:
    """Report what becomes of each line of pptpd's and pppd's files; return the exit code."""
    from openpptp.daemon.import_report import Draft  # noqa: PLC0415
    from openpptp.daemon.importing import as_json as in_json  # noqa: PLC0415
    from openpptp.daemon.importing import read_foreign, settings_of  # noqa: PLC0415

    draft = Draft()
    read_foreign(path.absolute(), draft, "pptpd")
    settings = settings_of(draft)
    if as_json:
        click.echo(json.dumps({"file": str(path)} | in_json(draft, settings)))
    else:
        for line in draft.lines():
            click.echo(line)
        if settings is not None:
            for warning in settings.warnings():
                click.echo(f"warning: {warning}")
            click.echo(f"{path}: the settings are complete and fit together")
    return 0 if settings is not None else 2


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

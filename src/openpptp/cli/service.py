"""`openpptp service`: the server as a service of this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from openpptp.cli.asking import echo_json, json_option, listed, visible
from openpptp.cli.options import config_option, pptpd_conf_option
from openpptp.errors import SetupError

if TYPE_CHECKING:
    from openpptp.daemon.service.machine import Machine
    from openpptp.daemon.service.source import Source

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")


@click.group(epilog="Example: sudo openpptp service install")
def service() -> None:
    """Make the server a service of this machine, look at it, and take it back."""


@service.command(epilog="Example: sudo openpptp service install")
@config_option
@pptpd_conf_option
@click.option("--now/--no-start", "start", default=True, help="Start it too, or only from the next boot on.")
@dry_run_option
@json_option
@click.pass_context
def install(  # noqa: PLR0917 - click passes them by name
    ctx: click.Context, config: Path, pptpd_conf: Path | None, start: bool, dry_run: bool, as_json: bool
) -> None:
    """Write a unit for systemd, enable it and start it.

    What fails half-way is taken back. Run it again after settings that concern the unit have changed.
    """
    from openpptp.daemon.service import install as installing  # noqa: PLC0415

    machine, source = _machine(), _source(ctx, config, pptpd_conf)
    if not machine.systemd.runs():
        raise SetupError(_no_systemd(source), exit_code=3)
    settings = source.load()
    if dry_run:
        lines = installing.describe(machine, source, settings, start=start)
        _say(lines, {"dry_run": True, "steps": lines}, as_json=as_json)
        return
    done: list[str] = []
    installing.install(machine, source, settings, start=start, report=done.append)
    lines = done or ["nothing to do: the service is installed as these settings want it"]
    hints = ["see it with: openpptp service status; take all of it back with: sudo openpptp service remove"]
    _say([*lines, *hints], {"dry_run": False, "done": done}, as_json=as_json)


@service.command(epilog="Example: sudo openpptp service remove --dry-run")
@config_option
@click.option("--purge", is_flag=True, help="Remove settings, users and accounting too, after asking.")
@click.option("--yes", is_flag=True, help="With --purge: do not ask.")
@dry_run_option
@json_option
@click.pass_context
def remove(  # noqa: PLR0917 - click passes them by name
    ctx: click.Context, config: Path, purge: bool, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Stop the service and undo all that install and the server did to this machine."""
    from openpptp.daemon.service import remove as removing  # noqa: PLC0415

    machine = _machine()
    source = machine.record().source or _source(ctx, config, None)
    files = removing.owned_files(machine, source, source.load(need_users=False)) if purge else []
    lines = [f"remove {file}" for file in files]
    if dry_run:
        steps = removing.describe_removal(machine) + lines
        _say(steps, {"dry_run": True, "steps": steps}, as_json=as_json)
        return
    if files and not yes:
        listing = "\n".join(f"  {file}" for file in files)
        click.confirm(f"{listing}\nremove these for good?", abort=True, err=True)
    done: list[str] = []
    problems = [*removing.remove(machine, source, report=done.append), *removing.purge(files)]
    done += [f"removed {file}" for file in files if not file.exists()]
    _say(done, {"done": done, "problems": problems}, as_json=as_json)
    for problem in problems:
        click.echo(problem, err=True)
    ctx.exit(1 if problems else 0)


@service.command(epilog="Example: openpptp service status")
@config_option
@json_option
@click.pass_context
def status(ctx: click.Context, config: Path, as_json: bool) -> None:
    """Say whether the service is installed, enabled and running, and what is missing.

    The exit code is 1 when something is.
    """
    from openpptp.daemon.service import status as looking  # noqa: PLC0415

    machine = _machine()
    source = machine.record().source or _source(ctx, config, None)
    if not machine.systemd.runs():
        raise SetupError(_no_systemd(source), exit_code=3)
    found = looking.status(machine, source)
    unit, server = found.unit, found.server
    if as_json:
        missing = [{"what": what, "remedy": remedy} for what, remedy in found.missing]
        echo_json({"unit": dict(unit.facts), "settings": str(source.path), "server": server, "missing": missing})
        ctx.exit(1 if missing else 0)
    sessions = "-" if server is None else f"{server['sessions']} logged in, {server['sessions_up']} up"
    facts = [
        ("state", unit.words if unit.installed else "not installed"),
        ("since", unit.facts.get("ActiveEnterTimestamp") or "-"),
        ("process", f"{unit.process or '-'}, restarted {unit.facts.get('NRestarts') or 0} times by systemd"),
        ("at boot", "starts" if unit.enabled else "does not start"),
        ("settings", str(source.path)),
        ("sessions", sessions),
        *(("missing", f"{visible(what)}; {remedy}") for what, remedy in found.missing),
    ]
    click.echo(listed(facts))
    ctx.exit(1 if found.missing else 0)


def _machine() -> "Machine":
    from openpptp.daemon.service.machine import Machine  # noqa: PLC0415

    return Machine()


def _source(ctx: click.Context, config: Path, pptpd_conf: Path | None) -> "Source":
    from openpptp.daemon.service.source import chosen  # noqa: PLC0415

    default = ctx.get_parameter_source("config") is ParameterSource.DEFAULT
    return chosen(config, pptpd_conf, config_is_default=default)


def _say(lines: list[str], facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        echo_json(facts)
    else:
        click.echo("\n".join(lines))


def _no_systemd(source: "Source") -> str:
    from openpptp.daemon.service.elsewhere import ways  # noqa: PLC0415
    from openpptp.daemon.service.machine import own_command  # noqa: PLC0415

    lines = [f"\n{name}:\n{text}" for name, text in ways(source, own_command())]
    first = "this machine was not started by systemd, so no service was installed; start the server otherwise, as root:"
    return "\n".join([first, *lines])

"""`openpptp connect`: the client in the foreground."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openpptp.cli import OWN_PROCESS
from openpptp.cli.one_program import WithProgram, enclosure_for, program_of, request_for_program
from openpptp.cli.options import PASSWORD_VARIABLE, check_password, read_password
from openpptp.cli.profile_options import profile_options, sections
from openpptp.errors import SetupError

if TYPE_CHECKING:
    from openpptp.daemon.client.profile_files import Found


@click.command(cls=WithProgram, epilog="Example: sudo openpptp connect vpn.example.org --user alice --route 10.0.0.0/8")
@click.argument("hosts", nargs=-1, metavar="HOST...")
@click.option("--profile", metavar="NAME", help="Profile to use; a HOST that names one does the same.")
@profile_options
@click.option("--once", is_flag=True, help="Do not connect again: the first end is the end.")
@click.option("--keep-trying", is_flag=True, help="Connect again even if it was never up; for services.")
@click.option("--exec", "execute", is_flag=True, help="Run the program after --; it alone uses the tunnel.")
@click.option("--release", is_flag=True, help="Lift the kill switch that holds, and do no more.")
@click.option("--json", "as_json", is_flag=True, help="Print each change as a JSON object of one line.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Least level that is logged, to standard error.  [default: info; warning with --json or at a terminal]",
)
def connect(  # noqa: PLR0917 - click passes them by name
    hosts: tuple[str, ...],
    profile: str | None,
    password_file: Path | None,
    once: bool,
    keep_trying: bool,
    execute: bool,
    release: bool,
    as_json: bool,
    log_level: str | None,
    **options: Any,
) -> None:
    """Connect to the PPTP server HOST, or as the profile HOST says, and stay connected until Ctrl-C.

    Several HOSTs are tried in turn. The password comes from --password-file, --password-command, the environment
    variable OPENPPTP_PASSWORD, or is asked for. All that was changed in this system is undone at the end.
    With --exec -- COMMAND the tunnel is for that program alone, and its exit code is the command's.
    """
    context = click.get_current_context()
    program = program_of(context, as_json=as_json) if execute else ()
    if release:
        click.echo(_release(profile, *hosts))
        return
    if once and keep_trying:
        raise SetupError("--once and --keep-trying exclude each other; leave one out", exit_code=2)
    given = sections((), {**options, "password_file": password_file})
    if once or keep_trying:
        given["reconnect"] = {"when": "never" if once else "always"}
    found = _found(hosts, profile, given)
    request = found.profile.request(found.name)
    enclosure = None
    if program:
        request = request_for_program(request, program)
        enclosure = enclosure_for(request, program)
    request = request.with_password(_password(found, password_file))

    os.environ.pop(PASSWORD_VARIABLE, None)  # or every program we start would be told

    from openpptp.cli.progress import shown  # noqa: PLC0415
    from openpptp.daemon.client.run import connect as run  # noqa: PLC0415
    from openpptp.daemon.confined import confine_client  # noqa: PLC0415

    if context.obj is OWN_PROCESS:
        confine_client()
    with shown(as_json=as_json, log_level=log_level, brief=enclosure is not None) as observers:
        if enclosure is not None:
            from openpptp.daemon.client.run_program import run_program  # noqa: PLC0415

            context.exit(run_program(request, enclosure, observers))
        context.exit(run(request, observers))


def _release(*names: str | None) -> str:
    """Lift the kill switch, if it is that of the profile or interface named; return what to say."""
    from openpptp.daemon.client.kill_switch import release  # noqa: PLC0415
    from openpptp.daemon.client.running import CLIENTS  # noqa: PLC0415

    given = [name for name in names if name is not None]
    if len(given) > 1:
        raise SetupError("name one profile at most: openpptp connect --release PROFILE", exit_code=2)
    return release(CLIENTS, given[0] if given else None)


def _found(hosts: tuple[str, ...], profile: str | None, given: dict[str, dict[str, Any]]) -> "Found":
    """Return the profile to use, with the options laid over it."""
    from openpptp.daemon.client import profile_files  # noqa: PLC0415

    if profile is None and len(hosts) == 1 and profile_files.find(hosts[0]) is not None:
        profile, hosts = hosts[0], ()
    if hosts:
        given.setdefault("server", {})["hosts"] = list(hosts)
    if profile is not None:
        return profile_files.load(profile, given)
    if not hosts:
        raise SetupError("name a server or a profile: openpptp connect HOST --user NAME", exit_code=2)
    if "user" not in given.get("auth", {}):
        if len(hosts) == 1 and "." not in hosts[0]:
            return profile_files.load(hosts[0], given)  # which says that there is none, and how to go on
        raise SetupError("name a user: --user NAME", exit_code=2)
    return profile_files.of_options(given)


def _password(found: "Found", password_file: Path | None) -> str:
    """Return the password, from what is nearest to the person who types."""
    auth = found.profile.auth
    prompt = f"Password of {auth.whole_name()}"
    if password_file is not None:
        return read_password(password_file, prompt)
    if auth.password_command is not None:
        from openpptp.daemon.client.password import from_command  # noqa: PLC0415
        from openpptp.daemon.client.profile_files import account  # noqa: PLC0415

        run_as = None if found.system else account()
        return check_password(from_command(auth.password_command, shell=auth.password_shell, run_as=run_as))
    if PASSWORD_VARIABLE in os.environ or (auth.password is None and auth.password_file is None):
        return read_password(None, prompt)
    if auth.password is not None:
        return check_password(auth.password)
    return read_password(auth.password_file, prompt)

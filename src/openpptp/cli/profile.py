"""`openpptp profile`: what `openpptp connect NAME` reads, without editing files."""

import sys
from pathlib import Path
from typing import Any

import click

from openpptp.cli.asking import echo_json, json_option, listed, table, visible
from openpptp.cli.options import read_password
from openpptp.cli.profile_options import profile_options, sections
from openpptp.daemon.client import profile_files
from openpptp.daemon.client.profile import Profile
from openpptp.daemon.mistakes import plain, toml_value
from openpptp.errors import SetupError

system_option = click.option("--system", is_flag=True, help="For this machine, in /etc/openpptp/profiles.")


@click.group(epilog="Example: openpptp profile add office vpn.example.org --user alice")
def profile() -> None:
    """Add, list, show and remove profiles for `openpptp connect NAME`."""


@profile.command(epilog="Example: openpptp profile add office vpn.example.org --user alice --route 10.0.0.0/8")
@click.argument("name")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@profile_options
@click.option("--store-password", is_flag=True, help="Ask for the password and keep it in the profile, mode 600.")
@system_option
@click.option("--force", is_flag=True, help="Replace a profile of that name.")
def add(name: str, hosts: tuple[str, ...], store_password: bool, system: bool, force: bool, **options: Any) -> None:
    """Write the profile NAME for the server HOST; several HOSTs are tried in turn."""
    given = sections(hosts, options)
    if options["user"] is None:
        raise SetupError("name a user: --user NAME", exit_code=2)
    profile_files.of_options(given)
    if store_password:
        given["auth"]["password"] = read_password(None, f"Password of {options['user']}", confirm=True)
    path = profile_files.save(name, given, system=system, force=force)
    click.echo(f"made {path}\nconnect with: sudo openpptp connect {name}")


@profile.command("list", epilog="Example: openpptp profile list")
@json_option
def list_(as_json: bool) -> None:
    """List the profiles of this user and of this machine."""
    rows: list[dict[str, Any]] = []
    problems = []
    for name, path in profile_files.every():
        try:
            read = profile_files.load(name).profile
        except SetupError as error:
            problems.append(str(error))
            continue
        rows.append({"name": name, "hosts": list(read.server.hosts), "user": read.auth.whole_name(), "file": str(path)})
    if as_json:
        echo_json(rows)
    elif rows:
        lines = [(row["name"], " ".join(row["hosts"]), visible(row["user"]), row["file"]) for row in rows]
        click.echo(table(("name", "hosts", "user", "file"), lines))
    elif not problems:
        click.echo("there are no profiles; make one with: openpptp profile add NAME HOST --user USER")
    for problem in problems:
        click.echo(problem, err=True)


@profile.command(epilog="Example: openpptp profile show office")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what the profile NAME says; a password is not shown."""
    found = profile_files.load(name)
    facts = _facts(found.profile)
    if as_json:
        echo_json({"name": name, "file": str(found.path)} | facts)
        return
    lines = [
        (f"{section}.{key}", visible(toml_value(value)))
        for section, keys in facts.items()
        for key, value in keys.items()
    ]
    click.echo(listed([("file", str(found.path)), *lines]))


@profile.command(epilog="Example: openpptp profile remove office")
@click.argument("name")
def remove(name: str) -> None:
    """Remove the profile NAME; a tunnel that is up stays up."""
    click.echo(f"removed {profile_files.remove(name)}")


@profile.command(epilog="Example: openpptp profile unit | sudo tee /etc/systemd/system/openpptp@.service")
def unit() -> None:
    """Print the unit of systemd that runs a profile of this machine: openpptp@office.service runs office."""
    from openpptp.daemon.client.unit import template_unit  # noqa: PLC0415

    called = Path(sys.argv[0]).absolute()
    named = called.name == "openpptp" and called.is_file()
    click.echo(template_unit((str(called),) if named else (sys.executable, "-m", "openpptp")), nl=False)


def _facts(read: Profile) -> dict[str, dict[str, Any]]:
    """Return what the file sets, section by section."""
    facts: dict[str, dict[str, Any]] = {}
    for section in read.model_fields_set:
        model = getattr(read, section)
        facts[section] = {
            key: "(not shown)" if key == "password" else _readable(getattr(model, key))
            for key in type(model).model_fields
            if key in model.model_fields_set
        }
    return {section: facts[section] for section in Profile.model_fields if section in facts}


def _readable(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, list):
        return [_readable(each) for each in value]
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)

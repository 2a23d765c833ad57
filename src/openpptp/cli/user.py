"""`openpptp user`: the users of the secrets file, without editing it; a running server sees each change at once."""

import json
from pathlib import Path
from typing import NamedTuple

import click

from openpptp.backends import secrets_edit, secrets_file
from openpptp.cli.options import config_option, password_file_option, read_password
from openpptp.errors import SetupError

EVERYTHING = "0.0.0.0/0"


class Store(NamedTuple):
    """Where users are kept, and the server name their lines are for."""

    path: Path
    server: str


file_option = click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Secrets file.  [default: the one the settings name]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
generate_option = click.option("--generate", is_flag=True, help="Make a random password and print it.")


@click.group(epilog="Example: sudo openpptp user add alice --generate")
def user() -> None:
    """Add, change, list and remove users."""


@user.command(epilog="Example: sudo openpptp user add alice --generate")
@click.argument("name")
@config_option
@file_option
@password_file_option
@generate_option
@json_option
def add(  # noqa: PLR0917 - click passes them by name
    name: str, config: Path, file: Path | None, password_file: Path | None, generate: bool, as_json: bool
) -> None:
    """Add the user NAME."""
    store = _store(config, file)
    password = _password(name, password_file, generate=generate)
    secrets_edit.add(store.path, name, password)
    _report(name, "added to", store, password if generate else None, as_json=as_json)


@user.command(epilog="Example: sudo openpptp user passwd alice --password-file new-password")
@click.argument("name")
@config_option
@file_option
@password_file_option
@generate_option
@json_option
def passwd(  # noqa: PLR0917 - click passes them by name
    name: str, config: Path, file: Path | None, password_file: Path | None, generate: bool, as_json: bool
) -> None:
    """Give the user NAME another password."""
    store = _store(config, file)
    password = _password(name, password_file, generate=generate)
    secrets_edit.set_secret(store.path, name, password, server=store.server)
    _report(name, "has a new password in", store, password if generate else None, as_json=as_json)


@user.command(epilog="Example: sudo openpptp user remove alice")
@click.argument("name")
@config_option
@file_option
@json_option
def remove(name: str, config: Path, file: Path | None, as_json: bool) -> None:
    """Remove the user NAME; a session that is up stays up."""
    store = _store(config, file)
    secrets_edit.remove(store.path, name, server=store.server)
    _report(name, "removed from", store, None, as_json=as_json)


@user.command("list", epilog="Example: sudo openpptp user list --json")
@config_option
@file_option
@json_option
def list_(config: Path, file: Path | None, as_json: bool) -> None:
    """List the users, without their passwords; say what is wrong with the file."""
    store = _store(config, file)
    content = secrets_file.read(store.path)
    rows = [{"user": e.client, "server": e.server, "addresses": _addresses(e.addresses)} for e in content.entries]
    if as_json:
        click.echo(json.dumps({"file": str(store.path), "users": rows}, ensure_ascii=False))
    else:
        width = max((len(row["user"]) for row in rows), default=0)
        for row in rows:
            server = "" if row["server"] in {"*", store.server} else f"  (not for this server: {row['server']})"
            click.echo(f"{row['user']:{width}}  {row['addresses']}{server}")
    for problem in content.problems:
        click.echo(str(problem), err=True)


def _store(config: Path, file: Path | None) -> Store:
    from openpptp.daemon.config import load  # noqa: PLC0415

    if file is not None and not config.exists():
        return Store(file, "openpptp")
    settings = load(config, need_users=False)
    return Store(file or settings.users.file, settings.server.name)


def _password(name: str, password_file: Path | None, *, generate: bool) -> str:
    if not generate:
        return read_password(password_file, f"Password of {name}", confirm=True)
    if password_file is not None:
        raise SetupError("--generate and --password-file exclude each other; leave one out", exit_code=2)
    from openpptp.daemon.first_run import random_password  # noqa: PLC0415

    return random_password()


def _report(name: str, done: str, store: Store, password: str | None, *, as_json: bool) -> None:
    if as_json:
        shown = {"password": password} if password is not None else {}
        click.echo(json.dumps({"user": name, "file": str(store.path)} | shown, ensure_ascii=False))
        return
    click.echo(f"user {name} {done} {store.path}")
    if password is not None:
        click.echo(f"password: {password}")


def _addresses(rules: secrets_file.AddressRules) -> str:
    """Say in words which addresses a user may have."""
    if rules.allows_none:
        return "no address: cannot connect"
    words = (("" if permit else "not ") + str(network).removesuffix("/32") for permit, network in rules.rules)
    return ", ".join(word.replace(EVERYTHING, "any address") for word in words)

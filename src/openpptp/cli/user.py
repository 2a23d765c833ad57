"""`openpptp user`: the users of the store and of the secrets file; a running server sees each change at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from openpptp.backends.policy import ITEMS
from openpptp.cli.asking import echo_json, json_option, listed, visible
from openpptp.cli.options import config_option, password_file_option, read_password
from openpptp.cli.user_places import find_places
from openpptp.errors import SetupError

file_option = click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Work on this secrets file, and not on the users store.",
)
generate_option = click.option("--generate", is_flag=True, help="Make a random password and print it.")
clear_text_option = click.option(
    "--clear-text",
    is_flag=True,
    help="Keep the password itself in the store: CHAP-MD5 needs it, and MS-CHAPv1 for 40 and 56 bit.",
)


def policy_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each item of a policy."""
    for name, item in reversed(ITEMS.items()):
        command = click.option(f"--{name}", name, metavar=item.metavar, help=item.help)(command)
    return command


@click.group(epilog="Example: sudo openpptp user add alice --generate")
def user() -> None:
    """Add, change, list and remove users, and say what each may.

    They are in the users store or in the secrets file; a name that is in both is the store's. Who may not write the
    store asks the running server to (admin.group in the settings).
    """


@user.command(epilog="Example: sudo openpptp user add alice --generate --rate 10mbit/2mbit")
@click.argument("name")
@config_option
@file_option
@click.option("--store", is_flag=True, help="Add to the users store, and make it when there is none.")
@password_file_option
@generate_option
@clear_text_option
@policy_options
@json_option
def add(  # noqa: PLR0917 - click passes them by name
    name: str,
    config: Path,
    file: Path | None,
    store: bool,
    password_file: Path | None,
    generate: bool,
    clear_text: bool,
    as_json: bool,
    **policy: str | None,
) -> None:
    """Add the user NAME: to the store where there is one, else to the secrets file."""
    if store and file is not None:
        raise SetupError("--store and --file exclude each other; leave one out", exit_code=2)
    places = find_places(config, file)
    place = places.for_new(store=store)
    password = _password(name, password_file, generate=generate)
    facts = place.add(name, password, _wishes(policy), clear_text=clear_text)
    _report(facts, "added to", password if generate else None, as_json=as_json)
    if "store" in facts and places.file_knows(name):
        click.echo(f"the secrets file knows {name} too; the store counts: {places.file_path}", err=True)


@user.command(epilog="Example: sudo openpptp user passwd alice --password-file new-password")
@click.argument("name")
@config_option
@file_option
@password_file_option
@generate_option
@clear_text_option
@json_option
def passwd(  # noqa: PLR0917 - click passes them by name
    name: str,
    config: Path,
    file: Path | None,
    password_file: Path | None,
    generate: bool,
    clear_text: bool,
    as_json: bool,
) -> None:
    """Give the user NAME another password."""
    place = find_places(config, file).of(name)
    password = _password(name, password_file, generate=generate)
    facts = place.passwd(name, password, clear_text=clear_text)
    _report(facts, "has a new password in", password if generate else None, as_json=as_json)


@user.command(epilog="Example: sudo openpptp user limit alice --rate 10mbit/2mbit --hours mon-fri/08:00-18:00")
@click.argument("name")
@config_option
@file_option
@policy_options
@click.option(
    "--clear", multiple=True, type=click.Choice(list(ITEMS)), help="Say nothing of this; may be given several times."
)
@json_option
def limit(
    name: str, config: Path, file: Path | None, clear: tuple[str, ...], as_json: bool, **policy: str | None
) -> None:
    """Say what the user NAME may.

    What is not named stays as it is. The word none lifts what [policy] of the settings says of everybody; --clear
    lets that count again. Who is connected is held to it within seconds, but for his addresses and routes.
    """
    if not clear and not any(policy.values()):
        raise SetupError("there is nothing to change; name a limit, as --idle 30m, or --clear one", exit_code=2)
    facts = find_places(config, file).of(name).limit(name, _wishes(policy, clear))
    if as_json:
        echo_json(facts)
        return
    click.echo(f"user {name} in {_place(facts)}: {_in_words(facts['policy'])}")


@user.command(epilog="Example: sudo openpptp user remove alice")
@click.argument("name")
@config_option
@file_option
@json_option
def remove(name: str, config: Path, file: Path | None, as_json: bool) -> None:
    """Remove the user NAME; a session that is up stays up."""
    places = find_places(config, file)
    facts = places.of(name).remove(name)
    _report(facts, "removed from", None, as_json=as_json)
    if "store" in facts and places.file_knows(name):
        click.echo(f"the secrets file knows {name} too, and counts from now on: {places.file_path}", err=True)


@user.command(epilog="Example: sudo openpptp user show alice")
@click.argument("name")
@config_option
@file_option
@json_option
def show(name: str, config: Path, file: Path | None, as_json: bool) -> None:
    """Say what is kept of the user NAME and what he may, never his password."""
    places = find_places(config, file)
    facts = places.show(name)
    if as_json:
        echo_json(facts)
        return
    kept = "the password itself" if facts["clear_text"] else "the NT hash of the password"
    lines = [("user", visible(name)), ("kept in", str(places.path_of(facts))), ("", kept)]
    lines += [("addresses", facts["addresses"])]
    lines += [(item, text) for item, text in facts["policy"].items()]
    lines += [(item, f"{text}, as everybody ([policy])") for item, text in facts["everybody"].items()]
    click.echo(listed(lines))


@user.command("list", epilog="Example: sudo openpptp user list --json")
@config_option
@file_option
@json_option
def list_(config: Path, file: Path | None, as_json: bool) -> None:
    """List the users and what each may, without their passwords; say what is wrong with store and file."""
    places = find_places(config, file)
    facts = places.users()
    if as_json:
        echo_json(facts)
    else:
        rows = [_row(user, places.server) for user in facts["users"]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            words = (word.ljust(width) for word, width in zip(row, widths, strict=True) if width)
            click.echo("  ".join(words).rstrip())
    for problem in facts["problems"]:
        click.echo(problem, err=True)


def _row(user: dict[str, Any], server: str) -> tuple[str, str, str, str]:
    notes = []
    if user["server"] not in {"*", server}:
        notes.append(f"not for this server: {user['server']}")
    if user["where"] == "store":
        notes.append("store")
    elif user["hidden"]:
        notes.append("not used: the store has the name too")
    note = f"({'; '.join(notes)})" if notes else ""
    return visible(user["user"]), user["addresses"], visible(note) if note else "", _in_words(user["policy"], "")


def _in_words(policy: dict[str, str], nothing: str = "nothing is said of what he may") -> str:
    return " ".join(f"{name} {text}" for name, text in policy.items()) or nothing


def _wishes(policy: dict[str, str | None], clear: tuple[str, ...] = ()) -> Any:
    from openpptp.daemon.user_admin import Wishes  # noqa: PLC0415

    return Wishes({name: text for name, text in policy.items() if text is not None}, clear)


def _password(name: str, password_file: Path | None, *, generate: bool) -> str:
    if not generate:
        return read_password(password_file, f"Password of {name}", confirm=True)
    if password_file is not None:
        raise SetupError("--generate and --password-file exclude each other; leave one out", exit_code=2)
    from openpptp.daemon.first_run import random_password  # noqa: PLC0415

    return random_password()


def _report(facts: dict[str, Any], done: str, password: str | None, *, as_json: bool) -> None:
    if as_json:
        echo_json(facts | ({"password": password} if password is not None else {}))
        return
    click.echo(f"user {facts['user']} {done} {_place(facts)}")
    if password is not None:
        click.echo(f"password: {password}")


def _place(facts: dict[str, Any]) -> str:
    return str(facts.get("store") or facts["file"])

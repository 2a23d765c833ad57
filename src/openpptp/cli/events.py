"""`openpptp events`: what happens on the running server, as it happens."""

import contextlib
import json
from pathlib import Path
from typing import Any

import click

from openpptp.cli.asking import client, echo_json, json_option, moment, visible
from openpptp.cli.options import config_option
from openpptp.errors import SetupError


@click.command(epilog="Example: sudo openpptp events --json")
@config_option
@json_option
def events(config: Path, as_json: bool) -> None:
    """Show connections, sessions and refused log-ins as they happen, until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        for event in client(config).events():
            if as_json:
                echo_json(event)
            else:
                click.echo(_line(event))
        raise SetupError("the server has ended")


def _line(event: dict[str, Any]) -> str:
    what = event.pop("event")
    when = moment(event.pop("time", None))
    if what == "lost":
        return f"{event['count']} events were lost: they came faster than they were read"
    facts = " ".join(f"{name}={_value(value)}" for name, value in event.items() if value is not None)
    return f"{when} {what} {facts}".rstrip()


def _value(value: Any) -> str:
    """Return a value that ends where it ends: with blanks in it, it stands in quotes."""
    text = value if isinstance(value, str) and " " not in value else json.dumps(value, ensure_ascii=False)
    return visible(text)

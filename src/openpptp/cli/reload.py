"""`openpptp reload`: the running server reads its settings again."""

import json
from pathlib import Path
from typing import Any

import click

from openpptp.cli.asking import client, echo_json, json_option, visible
from openpptp.cli.options import config_option
from openpptp.daemon.api_socket import path_for


@click.command(epilog="Example: sudo openpptp reload")
@config_option
@json_option
def reload(config: Path, as_json: bool) -> None:
    """Let the running server read its settings and users again.

    No session ends. What changes holds for whoever connects from then on; what only a restart can change is named.
    With a mistake in the file nothing changes.
    """
    report = client(config).reload()
    if as_json:
        echo_json(report)
        return
    for change in report["applied"]:
        click.echo(f"changed: {_words(change)}")
    for change in report["needs_restart"]:
        click.echo(f"needs a restart: {_words(change)}")
    for warning in report["warnings"]:
        click.echo(f"warning: {visible(warning)}")
    if not report["applied"] and not report["needs_restart"]:
        click.echo(f"no setting has changed; the users were read again (server at {path_for(config)})")


def _words(change: dict[str, Any]) -> str:
    if "before" not in change:
        return str(change["key"])
    before, after = (visible(json.dumps(change[side], ensure_ascii=False)) for side in ("before", "after"))
    return f"{change['key']} from {before} to {after}"

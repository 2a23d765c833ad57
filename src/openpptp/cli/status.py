"""`openpptp status`: what the running server is, carries and counts; and what the clients of this machine are at."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from openpptp.cli.asking import client, duration, echo_json, json_option, listed, moment, visible
from openpptp.cli.client_status import client_lines, kill_switch_lines
from openpptp.cli.options import config_option
from openpptp.daemon.client import kill_record
from openpptp.daemon.client.running import CLIENTS, running
from openpptp.errors import SetupError

OF_NO_CALL = ("unknown", "malformed", "unrouted")


@click.command(epilog="Example: sudo openpptp status")
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Say what the running server is, carries and counts, and what the clients of this machine are at."""
    clients, switch = list(running(CLIENTS)), kill_record.read(CLIENTS)
    try:
        facts = client(config).status()
    except SetupError:
        if not clients and switch is None:
            raise
        facts = {}
    if as_json:
        echo_json(facts | {"clients": clients, "kill_switch": asdict(switch) if switch is not None else None})
        return
    parts = [_lines(facts)] if facts else []
    parts += map(client_lines, clients)
    if switch is not None:
        parts.append(kill_switch_lines(switch, {each["interface"] for each in clients}))
    click.echo("\n\n".join(map(listed, parts)))


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    path, limits = facts["data_path"], facts["limits"]
    totals = dict(path["totals"])
    carrier = [path["kind"]]
    if path["kind"] == "engine":
        carrier += [path["processor"], f"{path['threads']} threads"]
    of_no_call = [f"{name} {totals.pop(name)}" for name in OF_NO_CALL if name in totals]
    others = [f"{name} {count}" for name, count in totals.items() if count and name != "calls"]
    sessions = f"{facts['sessions']} logged in, {facts['sessions_up']} up"
    return [
        ("version", f"openpptp {facts['version']}, process {facts['process']}"),
        ("since", f"{moment(facts['since'])} ({duration(facts['seconds'])})"),
        ("listens", f"{facts['listen']}, interface {facts['interface']}"),
        ("data path", visible(", ".join(carrier))),
        ("sessions", f"{sessions}; at most {limits['sessions']}, with {limits['addresses']} addresses"),
        (
            "connections",
            f"{facts['connections']}; {facts['waiting_to_log_in']} not logged in, of which at most "
            f"{limits['unauthenticated']}, from one address {limits['per_source']}",
        ),
        *([("longest turn", f"{1000 * turn:.1f} ms")] if (turn := facts["longest_turn"]) is not None else []),
        ("of no call", ", ".join(of_no_call)),
        *([("of all calls", ", ".join(others))] if others else []),
        *(("warning", visible(warning)) for warning in facts["warnings"]),
    ]

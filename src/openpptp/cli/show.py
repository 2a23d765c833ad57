"""`openpptp show`: everything the running server knows of one session."""

from pathlib import Path
from typing import Any

import click

from openpptp.cli.asking import client, duration, echo_json, json_option, listed, moment, octets, visible
from openpptp.cli.options import config_option


@click.command(epilog="Example: sudo openpptp show 5d0c")
@click.argument("session")
@config_option
@json_option
def show(session: str, config: Path, as_json: bool) -> None:
    """Say everything known of one session, and what it waits for.

    SESSION is its id as openpptp sessions shows it, or enough of its beginning.
    """
    facts = client(config).show(session)
    if as_json:
        echo_json(facts)
        return
    click.echo(listed(_lines(facts)))
    if facts.get("negotiation"):
        click.echo("\nlast packets of the negotiation")
        for line in facts["negotiation"]:
            click.echo(f"{moment(line['time'], 'milliseconds')}  {line['direction']} {visible(line['packet'])}")


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    up = facts["state"] == "up"
    state = f"up since {moment(facts['since'])}, idle {duration(facts['idle'])}, {facts['encryption']}"
    lines = [
        ("session", facts["id"]),
        ("user", visible(facts["user"])),
        ("peer", f"{facts['peer']}, host {visible(facts['host'])}, vendor {visible(facts['vendor'])}"),
        ("address", visible(facts["address"])),
        ("connected", f"{moment(facts['connected'])}, control connection {facts['control_connection']}"),
        ("state", state if up else f"waits for {visible(facts['waits_for'])}"),
        *(("next", f"{wait['reason']} in {max(0.0, wait['seconds']):.1f} s") for wait in facts["deadlines"]),
    ]
    if "call" in facts:
        lines += _call_lines(facts)
    return lines


def _call_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    counted = facts["counters"]
    drops = [f"{name.replace('_', ' ')} {count}" for name, count in facts["drops"].items() if count]
    round_trip = facts["round_trip"]
    return [
        ("call", visible(facts["call"])),
        *([("mtu", str(facts["mtu"]))] if facts["mtu"] is not None else []),
        ("in", f"{counted['packets_in']} packets, {octets(counted['octets_in'])}"),
        ("out", f"{counted['packets_out']} packets, {octets(counted['octets_out'])}"),
        ("policy", visible(facts["policy"] or "no limits")),
        ("acks sent", f"{counted['acks_sent']} on their own"),
        (
            "lost",
            f"{counted['lost']} packets from the peer, {facts['loss']:.2%}; {counted['late_recovered']} came late",
        ),
        ("dropped", ", ".join(drops) or "none"),
        ("round trip", f"{round_trip * 1000:.1f} ms" if round_trip is not None else "not known before an LCP echo"),
    ]

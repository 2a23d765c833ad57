"""How a client's state is written for a person: in `openpptp status`, and as the summary at its own terminal."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openpptp.cli.asking import duration, moment, octets, visible
from openpptp.daemon.client.kill_record import Record

STATISTICS = Path("/sys/class/net")


def client_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is known of one client, line by line; facts are those of a ClientState."""
    try:
        lines = _lines(facts)
    except (KeyError, TypeError):
        lines = [("client", f"{facts.get('interface')}, of another version of this program: restart it")]
    return [(name, visible(text)) for name, text in lines]


def _lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    profile = f" (profile {facts['profile']})" if facts["profile"] else ""
    lines = [
        ("client", f"{facts['interface']}{profile}, process {facts['process']}"),
        *([("program", f"{facts['program']} alone, in a network namespace")] if facts["program"] else []),
        ("user", f"{facts['user']} at {' '.join(facts['hosts'])}"),
        ("state", _state(facts)),
    ]
    if facts["detail"]:
        lines.append(("why", facts["detail"]))
    if facts["next_attempt"]:
        lines.append(("tries again", moment(facts["next_attempt"])))
    if facts["address"]:
        lines += summary(facts)
    if facts["address"] and not facts["program"]:
        lines.append(("carried", _carried(str(facts["interface"]))))
    return lines


def summary(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a session has brought."""
    carrier = facts["carrier"] or {}
    through = f" via {carrier['gateway']}" if carrier.get("gateway") else ""
    vendor = f", {facts['server_vendor']}" if facts["server_vendor"] else ""
    return [
        ("server", f"{facts['server']} ({facts['server_host'] or 'without a name'}{vendor})"),
        ("address", f"{_list([facts['address'], facts['ipv6']])}, peer {facts['peer'] or '-'}"),
        ("interface", f"{facts['interface']}, MTU {facts['mtu']}"),
        ("encryption", str(facts["encryption"])),
        ("routes", _list(facts["routes"]) or "none: name networks with --route, or --default-route"),
        ("dns", f"{_list(facts['dns'])} (by {facts['dns_by']})" if facts["dns"] else "as before"),
        ("carrier", f"{carrier.get('device')}{through}, MTU {carrier.get('mtu')}"),
    ]


def kill_switch_lines(record: Record, running: Collection[str]) -> list[tuple[str, str]]:
    """Return what is known of the kill switch that holds; running are the interfaces of the clients that live."""
    more = " and local networks" if record.lan else ""
    lines = [
        ("kill switch", f"of {record.interface}, since {moment(record.since)}"),
        ("lets out", f"the tunnel, what carries it to {', '.join(record.addresses())}{more}; nothing else"),
    ]
    if record.interface not in running:
        lines.append(("its client", "is gone; connect again, or lift it with: sudo openpptp connect --release"))
    return [(name, visible(text)) for name, text in lines]


def _state(facts: Mapping[str, Any]) -> str:
    stage = f" ({facts['stage']})" if facts["state"] in {"calling", "logging in"} and facts["stage"] else ""
    again = f", {facts['sessions']} times up" if facts["sessions"] > 1 else ""
    what = " since" if facts["state"] == "up" else "; no tunnel since"
    since = f"{moment(facts['since'])} ({duration(_seconds(facts['since']))})" if facts["since"] else "now"
    return f"{facts['state']}{stage}{what} {since}{again}"


def _seconds(utc: str) -> float:
    """Return how long ago a moment was."""
    return (datetime.now(UTC) - datetime.fromisoformat(utc)).total_seconds()


def _carried(interface: str) -> str:
    counts = []
    for name in ("rx_bytes", "tx_bytes"):
        try:
            counts.append(octets(int((STATISTICS / interface / "statistics" / name).read_text(encoding="ascii"))))
        except (OSError, ValueError):
            return "-"
    return f"{counts[0]} in, {counts[1]} out"


def _list(words: Sequence[str | None]) -> str:
    return ", ".join(word for word in words if word)

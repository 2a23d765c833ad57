"""`openpptp service status`: what systemd and the server itself say, and what is missing."""

from dataclasses import dataclass, field
from typing import Any

from openpptp.daemon.api_client import ApiClient
from openpptp.daemon.service.machine import Machine, own_command
from openpptp.daemon.service.source import Source
from openpptp.daemon.service.steps import read_unit
from openpptp.daemon.service.systemd import State
from openpptp.daemon.service.unit import NAME, is_ours, unit
from openpptp.errors import SetupError

INSTALL = "sudo openpptp service install"


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the service."""

    unit: State
    server: dict[str, Any] | None
    "What the API of the server says; None when it does not answer."
    missing: list[tuple[str, str]] = field(default_factory=list)
    "What is not as install leaves it, each with its remedy."


def status(machine: Machine, source: Source) -> Status:
    """Ask systemd and the server."""
    found = machine.systemd.state()
    missing = list(_missing(machine, found, source))
    server = None
    try:
        server = ApiClient(source.api()).status()
    except SetupError as error:
        if found.active:
            missing.append((f"the server does not answer: {error}", f"journalctl -u {NAME} -n 20"))
    return Status(found, server, missing)


def _missing(machine: Machine, found: State, source: Source) -> list[tuple[str, str]]:
    if not found.installed:
        return [("the service is not installed", INSTALL)]
    lacks: list[tuple[str, str]] = []
    if not found.enabled:
        lacks.append(("it does not start at the next boot", f"sudo systemctl enable {NAME}"))
    if not found.active:
        why = found.facts.get("StatusText")
        lacks.append((f"it does not run{f': {why}' if why else ''}", f"sudo systemctl start {NAME}"))
    if found.facts.get("NeedDaemonReload") == "yes":
        lacks.append(("the unit has changed since systemd read it", "sudo systemctl daemon-reload"))
    text = read_unit(machine.systemd.unit_file)
    if text is None or not is_ours(text):
        lacks.append((f"its unit was written by somebody else: {found.facts.get('FragmentPath')}", INSTALL))
    elif text != _wanted(machine, source):
        lacks.append(("the unit is not what the settings want now", f"{INSTALL}, then: sudo systemctl restart {NAME}"))
    return lacks


def _wanted(machine: Machine, source: Source) -> str | None:
    """Return the unit install would write now; None while the settings are broken."""
    try:
        return unit(source, source.load(), own_command(), systemd=machine.systemd.version())
    except SetupError:
        return None

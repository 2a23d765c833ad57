"""`openpptp service install`: what is done to this machine, step by step; what fails half-way is taken back."""

import contextlib
from collections.abc import Callable

from openpptp.daemon.config import Settings
from openpptp.daemon.host import examined
from openpptp.daemon.service.machine import Machine, own_command
from openpptp.daemon.service.record import Record
from openpptp.daemon.service.remove import undo_host
from openpptp.daemon.service.source import Source
from openpptp.daemon.service.steps import Step, UnitFile, all_steps, read_unit, words
from openpptp.daemon.service.unit import NAME, is_ours, unit
from openpptp.errors import SetupError
from openpptp.net.listeners import tcp_listeners


def plan(machine: Machine, source: Source, settings: Settings, *, start: bool) -> list[Step]:
    """Return the steps of an installation, those that are done already among them."""
    text = unit(source, settings, own_command(), systemd=machine.systemd.version())
    steps = all_steps(machine.systemd, text)
    return steps if start else steps[:-1]


def describe(machine: Machine, source: Source, settings: Settings, *, start: bool) -> list[str]:
    """Say what an installation would do, and what the server would then do at each start; nothing is changed."""
    lines = [
        line for step in plan(machine, source, settings, start=start) if not step.done() for line in step.describe()
    ]
    with examined(settings) as pieces:
        at_start = [line for piece in pieces for line in piece.describe()]
    return [
        *(lines or ["nothing: the service is installed as these settings want it"]),
        "at each start the server itself makes, and at its end takes back:",
        *(f"    {line}".rstrip() for line in at_start),
    ]


def install(
    machine: Machine, source: Source, settings: Settings, *, start: bool, report: Callable[[str], None]
) -> None:
    """Take the steps that are not taken yet; on a failure take those back and raise SetupError.

    report hears what was done.
    """
    systemd = machine.systemd
    steps = plan(machine, source, settings, start=start)
    if start and not systemd.state().active:
        check_port(settings)
    record, before = machine.record(), read_unit(systemd.unit_file)
    record_before = record.source
    record.begin(source)
    taken: list[Step] = []
    try:
        for step in steps:
            record.note(step.name)
            if not step.done():
                taken.append(step)
                step.apply()
                report(f"done: {words(step)}")
    except BaseException:
        _take_back(machine, source, record, taken, before)
        if record.steps and record_before is not None:
            with contextlib.suppress(SetupError):
                record.begin(record_before)
        raise
    if "started" not in [step.name for step in taken] and before not in {None, read_unit(systemd.unit_file)}:
        report(f"the unit has changed; it counts from the next start on: systemctl restart {NAME}")


def _take_back(machine: Machine, source: Source, record: Record, taken: list[Step], before: str | None) -> None:
    """Undo the steps of one failed run; a unit of an earlier installation stands again as it was."""
    for step in reversed(taken):
        # What failed is on its way to the user already; a second failure must not hide it. The record keeps the step.
        with contextlib.suppress(SetupError):
            if step.name == "unit" and before is not None:
                if is_ours(before):
                    UnitFile(machine.systemd, before).apply()
                    continue
            else:
                step.undo()
            record.strike([step.name])
            if step.name == "started":
                undo_host(source)
                machine.remove_empty()


def check_port(settings: Settings) -> None:
    """Raise SetupError when another program has the port, with its name and how to end it."""
    port = settings.server.port
    for listener in tcp_listeners(port):
        who = f"{listener.program} (process {listener.process})" if listener.process else listener.program
        remedy = "stop it"
        if listener.program == "pptpd":
            remedy = "stop it with: sudo systemctl disable --now pptpd.service"
        elif listener.program == "openpptp":
            remedy = "a server of ours runs already; end it with Ctrl-C, or: sudo kill " + str(listener.process)
        raise SetupError(f"TCP port {port} is taken by {who}; {remedy}, or install with --no-start")

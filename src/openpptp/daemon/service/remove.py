"""`openpptp service remove`: all that install and the server did to this machine, taken back; and --purge."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from openpptp.daemon.config import Settings
from openpptp.daemon.host import undo_left
from openpptp.daemon.service.machine import RECORD_DIRECTORY, Machine
from openpptp.daemon.service.source import Source
from openpptp.daemon.service.steps import all_steps, read_unit, words
from openpptp.daemon.service.unit import NAME, STATE_DIRECTORY, is_ours
from openpptp.errors import SetupError


def remove(machine: Machine, source: Source, *, report: Callable[[str], None]) -> list[str]:
    """Take back all that install did, and what a server that was killed left; return a sentence for what stays.

    Raises SetupError when the server does not stop; then nothing is removed.
    """
    problems: list[str] = []
    if is_installed(machine):
        record = machine.record()
        for step in reversed(all_steps(machine.systemd)):
            try:
                step.undo()
            except SetupError as error:
                if step.name == "started":
                    raise
                problems.append(str(error))
            else:
                record.strike([step.name])
                report(f"undone: {words(step)}")
    else:
        report("the service is not installed")
    problems += undo_host(source)
    machine.remove_empty()
    return problems


def describe_removal(machine: Machine) -> list[str]:
    """Say what a removal would do; nothing is changed."""
    if not is_installed(machine):
        return ["nothing: the service is not installed"]
    return [
        f"run systemctl stop {NAME}: the server takes back what it changed on the host",
        f"run systemctl disable {NAME}",
        f"remove {machine.systemd.unit_file}",
        f"remove the record of the installation in {RECORD_DIRECTORY}",
    ]


def is_installed(machine: Machine) -> bool:
    """Tell whether anything of an installation is there."""
    text = read_unit(machine.systemd.unit_file)
    return bool(machine.record().steps) or (text is not None and is_ours(text))


def undo_host(source: Source) -> list[str]:
    """Undo what a server that was killed left on the host, and remove its runtime directory."""
    try:
        settings = source.load(need_users=False)
    except SetupError as error:
        why = str(error).splitlines()[0]
        return [
            f"what a killed server may have left on the host was not looked for, since its settings are gone: {why}"
        ]
    run = settings.server.runtime_directory
    if not run.exists():
        return []
    try:
        problems = undo_left(settings)
    except SetupError as error:
        return [str(error)]
    if not problems:
        for name in ("lock", "undo.json", "api.sock"):
            (run / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else's files lie in it
            run.rmdir()
    return problems


def owned_files(machine: Machine, source: Source, settings: Settings) -> list[Path]:
    """Return the files of ours that --purge removes: settings, users and accounting, none of pppd's or pptpd's."""
    accounting = settings.accounting.file
    files = [accounting.with_name(accounting.name + suffix) for suffix in ("", "-wal", "-shm")]
    files += sorted((machine.root / STATE_DIRECTORY.relative_to("/")).glob("*"))
    if not source.pptpd:
        ours = source.path.parent
        users = [settings.users.file, settings.users.pap_file]
        files += [source.path, *(file for file in users if file is not None and file.parent == ours)]
    return [file for file in dict.fromkeys(files) if file.is_file()]


def purge(files: list[Path]) -> list[str]:
    """Remove files, and their directories when nothing else lies there; return a sentence for each that stays."""
    problems = []
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            problems.append(f"cannot remove {file}: {error.strerror}")
    for directory in dict.fromkeys(file.parent for file in files):
        if directory.name == "openpptp":
            with contextlib.suppress(OSError):  # not empty
                directory.rmdir()
    return problems

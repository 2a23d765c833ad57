"""The DNS servers this host asks while a tunnel is up: told to systemd-resolved, to resolvconf, or in resolv.conf.

All three are undone, also after kill -9: resolved forgets with the interface, the others are in the journal. The file
says in its first line that it is ours, so that one found after a power cut is put back as well.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from openpptp.errors import SetupError
from openpptp.net.journal import Journal
from openpptp.net.resolv_conf import ResolvConf

PATIENCE = 10.0  # ours: seconds for resolvectl or resolvconf, which take milliseconds
RESOLVED = Path("/run/systemd/resolve")
Find = Callable[[str], str | None]


class Nameservers(NamedTuple):
    """What is asked while the tunnel is up."""

    servers: tuple[IPv4Address, ...]
    search: tuple[str, ...] = ()
    everything: bool = True
    "Whether all names are asked for there, not only those of search; a file cannot tell them apart."


class Resolver:
    """The host's DNS; every method may run a program and take some 20 ms."""

    def __init__(
        self, journal: Journal, interface: str, *, file: Path, find: Find = shutil.which, resolved: Path = RESOLVED
    ) -> None:
        """Work with this journal; find and resolved tell what this host has."""
        self._journal = journal
        self._interface = interface
        self._file = ResolvConf(file)
        self._find = find
        self._resolved = resolved

    def apply(self, wanted: Nameservers) -> str:
        """Ask these from now on; return by what way, for the log. Raises SetupError in words."""
        if self._resolved.is_dir() and self._find("resolvectl") is not None:
            self._remember("resolved")
            domains = [*wanted.search, *(("~.",) if wanted.everything else ())]
            self._run("resolvectl", "dns", self._interface, *map(str, wanted.servers))
            self._run("resolvectl", "domain", self._interface, *(domains or ("",)))
            return "systemd-resolved"
        if self._find("resolvconf") is not None:
            self._remember("resolvconf")
            # -m and -x are openresolv's: before all others, and alone. Debian's own resolvconf passes them over.
            record = _record(self._interface)
            self._run("resolvconf", "-a", record, "-m", "0", "-x", told=_lines(wanted))
            return "resolvconf"
        self._remember("file")
        self._file.write(self._interface, _lines(wanted), keep_search=not wanted.search)
        return str(self._file.path)

    def undo(self) -> list[str]:
        """Ask again what was asked before; return a sentence per failure."""
        problems = []
        for entry in self._journal.entries("dns"):
            try:
                self._undo(str(entry["way"]), str(entry["interface"]))
                self._journal.forget(entry)
            except SetupError as error:
                problems.append(str(error))
        return problems

    def _undo(self, way: str, interface: str) -> None:
        if way == "file":
            self._file.restore(interface)
        elif way == "resolvconf":
            self._run("resolvconf", "-d", _record(interface), "-f")
        elif Path("/sys/class/net", interface).exists():  # else it is forgotten with the interface
            self._run("resolvectl", "revert", interface)

    def _remember(self, way: str) -> None:
        if not any(entry["way"] == way for entry in self._journal.entries("dns")):
            self._journal.remember("dns", way=way, interface=self._interface)

    def _run(self, program: str, *arguments: str, told: str = "") -> None:
        path = self._find(program)
        if path is None:
            raise SetupError(f"the program {program} is gone, so that DNS stays as it is")
        try:
            done = subprocess.run(  # noqa: S603 - arguments are ours, no shell
                [path, *arguments], input=told, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise SetupError(f"{program} does not answer, so that DNS stays as it is") from None
        except OSError as error:
            raise SetupError(f"cannot run {program}: {error.strerror}; DNS stays as it is") from None
        if done.returncode != 0:
            said = " ".join((done.stderr or done.stdout).split())[:200]
            raise SetupError(f"{program} refuses to change DNS: {said or done.returncode}")


def _record(interface: str) -> str:
    """Return the name of our record; Debian's list of interfaces puts tun.* before all others."""
    return f"tun.{interface}"


def _lines(wanted: Nameservers) -> str:
    search: Sequence[str] = (f"search {' '.join(wanted.search)}\n",) if wanted.search else ()
    return "".join([*(f"nameserver {server}\n" for server in wanted.servers), *search])

"""The checks of this machine's own clients: their profiles and tunnels, what a killed one left, the kill switch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpptp.daemon.client import kill_record, profile_files
from openpptp.daemon.client.kill_record import Record
from openpptp.daemon.client.running import CLIENTS, running
from openpptp.daemon.doctor.report import Result, failed, missing, ok, overridden
from openpptp.errors import SetupError
from openpptp.net import leftovers


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """One look at the clients of a machine."""

    profiles: Sequence[tuple[str, SetupError | None]]
    "Each by its name, with what is wrong with it."
    clients: Sequence[Mapping[str, Any]]
    "The state of each that lives."
    left: Sequence[tuple[str, int]]
    "Interfaces of those that were killed, with how many changes of the host each has noted."
    kill_switch: Record | None

    @property
    def any(self) -> bool:
        """Whether this machine is a client of anything."""
        return bool(self.profiles or self.clients or self.left or self.kill_switch)


def gather(directory: Path = CLIENTS) -> ClientFacts:
    """Look at this machine's clients."""
    profiles = [(name, _mistake(name)) for name, _ in profile_files.every()]
    places = sorted(path.parent for path in directory.glob("*/undo.json"))
    noted = [(place.name, leftovers.look(place)) for place in places]
    left = [(name, found.changes) for name, found in noted if found.holder is None and found.changes]
    return ClientFacts(profiles, list(running(directory)), left, kill_record.read(directory))


def _mistake(name: str) -> SetupError | None:
    try:
        profile_files.load(name)
    except SetupError as error:
        return error
    return None


def examine(facts: ClientFacts) -> list[Result]:
    """Make every check."""
    return [*_profiles(facts), *_clients(facts), *_left(facts), *_kill_switch(facts)]


def _profiles(facts: ClientFacts) -> Iterator[Result]:
    right = [name for name, mistake in facts.profiles if mistake is None]
    if right:
        yield ok("profiles", ", ".join(right))
    for name, mistake in facts.profiles:
        if mistake is not None:
            sentence, _, remedy = str(mistake).splitlines()[0].partition("; ")
            yield missing(f"profile {name}", sentence, remedy or f"correct it; openpptp profile show {name}")


def _clients(facts: ClientFacts) -> Iterator[Result]:
    for each in facts.clients:
        check = f"client {each['interface']}"
        if each["state"] == "up":
            yield ok(check, f"up, {each['address']} at {each['server']}")
        else:
            why = f"{each['state']}: {each['detail']}" if each["detail"] else str(each["state"])
            yield failed(check, why, f"see what is in the way: sudo openpptp doctor {each['hosts'][0]}")
    if not facts.clients:
        yield ok("clients", "none runs")


def _left(facts: ClientFacts) -> Iterator[Result]:
    for name, changes in facts.left:
        sentence = f"a client on {name} that was killed left {changes} changes of this host"
        yield missing("left over", sentence, "run openpptp connect, to whatever server: it takes them back first")


def _kill_switch(facts: ClientFacts) -> Iterator[Result]:
    switch = facts.kill_switch
    if switch is None:
        return
    out = f"nothing leaves this machine but for {switch.interface} and what carries it"
    if any(each["interface"] == switch.interface for each in facts.clients):
        yield ok("kill switch", out)
    else:
        remedy = "connect again, or lift it: sudo openpptp connect --release"
        yield overridden("kill switch", f"{out}, and its client is gone", remedy)

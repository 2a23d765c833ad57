"""The kill switch: nothing leaves this host but the tunnel and what carries it, until a person ends it.

It is put up as soon as the server's addresses are known, before the first call. Nobody's death takes it down: it
belongs to the kernel, and a file says whose it is. The next start of the same tunnel takes it over, with the addresses
it remembers, since no name is looked up while it holds.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.client import kill_record
from openpptp.daemon.client.attempt import Where
from openpptp.daemon.client.kill_record import Record
from openpptp.daemon.client.names import is_address, resolve
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.errors import SetupError
from openpptp.net.firewall import Firewall
from openpptp.net.kill_switch import TABLE, plan, rules_news

QUIET = 0.1  # ours: seconds in which changes of the rules are taken as one
LARGEST = 1 << 16  # ours: octets of one message about them
RELEASE = "sudo openpptp connect --release"


class KillSwitch:
    """That of one client; without the wish for one it only says when another's is in the way."""

    def __init__(self, request: ConnectRequest, log: FilteringBoundLogger, firewall: Firewall | None = None) -> None:
        """Change nothing yet."""
        self._request = request
        self._log = log
        self._firewall = firewall or Firewall(table=TABLE)
        self._directory = request.runtime_directory
        self._up = False
        "Whether this process has put it up, or taken it over."
        self._places: list[Where] = []
        self._changing = asyncio.Lock()

    def begin(self) -> None:
        """Look what stands there already; raise SetupError when it is another tunnel's, or there is no nft."""
        record = kill_record.read(self._directory)
        if record is None and not self._wanted:
            return
        if not self._firewall.is_there():
            if record is not None:
                self._log.warning(
                    f"the rules of the kill switch of {record.interface} are gone; somebody took them away"
                )
                kill_record.remove(self._directory)
        elif record is not None and record.interface != self._request.interface:
            sentence = f"the kill switch of the tunnel {record.interface} holds; lift it with: {RELEASE}"
            if self._wanted:
                raise SetupError(f"{sentence} (two would cut each other off)")
            self._log.warning(sentence)
        elif not self._wanted:
            self._log.warning(f"the kill switch of an earlier start holds, and stays; lift it with: {RELEASE}")

    async def look_up(self, hosts: Sequence[str]) -> list[Where]:
        """Return the servers' addresses, and let nothing but these and the tunnel out; raise SetupError in words."""
        if not self._wanted:
            return await resolve(hosts)
        async with self._changing:
            record = kill_record.read(self._directory)
            there = await asyncio.to_thread(self._firewall.is_there)
            if not there and self._released(record):
                return await resolve(hosts)
            places = _remembered(hosts, record) if there else self._places or await resolve(hosts)
            await asyncio.to_thread(self._put_up, places, record, there=there)
            return places

    async def keep(self) -> None:
        """Put the rules up again at once when somebody takes them away, as `nft flush ruleset` does."""
        if not self._wanted:
            return
        with closing(rules_news()) as news:
            while True:
                await _change(news)
                try:
                    await self._look_again()
                except SetupError as error:
                    self._log.error(str(error))

    async def _look_again(self) -> None:
        async with self._changing:
            record = kill_record.read(self._directory)
            if self._up and record is not None and not await asyncio.to_thread(self._firewall.is_there):
                self._log.warning("somebody has taken the kill switch's rules away; they are put up again")
                await asyncio.to_thread(self._put_up, self._places, record, there=False)

    async def lift(self) -> None:
        """Let everything out again: its user ends the tunnel."""
        async with self._changing:
            if self._up:
                self._up = False
                for problem in await asyncio.to_thread(_lift, self._directory, self._firewall):
                    self._log.warning(problem)

    def leave(self) -> None:
        """Say that it stays, if it does, and how to lift it."""
        if self._up and kill_record.read(self._directory) is not None:
            but = " but to local networks" if self._request.kill_switch == "lan" else ""
            self._log.warning(f"the kill switch stays: nothing leaves this machine{but}; lift it with: {RELEASE}")

    @property
    def _wanted(self) -> bool:
        return self._request.kill_switch != "off"

    def _released(self, record: Record | None) -> bool:
        """Tell whether a person has lifted meanwhile what this process put up."""
        return self._up and record is None

    def _put_up(self, places: Sequence[Where], before: Record | None, *, there: bool) -> None:
        request = self._request
        servers: dict[str, list[str]] = {}
        for place in places:
            servers.setdefault(place.name, []).append(str(place.address))
        since = before.since if before is not None else datetime.now(UTC).isoformat(timespec="milliseconds")
        lan = request.kill_switch == "lan"
        record = Record(request.interface, request.profile, since, request.port, servers, lan)
        if self._up and there and record == before:
            return
        kill_record.write(self._directory, record)
        try:
            self._firewall.apply(
                plan(
                    device=request.interface,
                    servers=list(dict.fromkeys(place.address for place in places)),
                    port=request.port,
                    lan=lan,
                    tunnelled=request.routes,
                )
            )
        except SetupError as error:
            if before is None:
                kill_record.remove(self._directory)
            raise SetupError(f"there is no kill switch, and so no tunnel: {error}", exit_code=3) from error
        if not self._up:
            self._log.info("kill switch on", servers=" ".join(record.addresses()), lan=lan)
        self._up, self._places = True, list(places)


def release(directory: Path, name: str | None = None, firewall: Firewall | None = None) -> str:
    """Lift the kill switch of this host; return what to say. name is the profile's or interface's it has to be of.

    Raises SetupError when it is another's, or cannot be lifted.
    """
    record = kill_record.read(directory)
    if name is not None and record is not None and name not in {record.profile, record.interface}:
        raise SetupError(f"the kill switch is that of {record.profile or record.interface}, not of {name}; it stays")
    firewall = firewall or Firewall(table=TABLE)
    was_there = firewall.is_there()
    problems = _lift(directory, firewall)
    if problems:
        raise SetupError("; ".join(problems))
    if not was_there:
        return "there is no kill switch"
    return "the kill switch is lifted" if record is None else f"the kill switch of {record.interface} is lifted"


def _lift(directory: Path, firewall: Firewall) -> list[str]:
    record = kill_record.read(directory)
    kill_record.remove(directory)  # first: as long as it is there, a client that lives puts the rules up again
    problems = firewall.undo()
    if not problems and firewall.is_there():
        problems = [f"the table {firewall.name} does not go away; try: nft delete table {firewall.name}"]
    if problems and record is not None:
        kill_record.write(directory, record)
    return problems


async def _change(news: socket.socket) -> None:
    """Wait for a change of the rules; those that come in one go are one."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):  # ENOBUFS: some was missed
        await loop.sock_recv(news, LARGEST)
    await asyncio.sleep(QUIET)
    with contextlib.suppress(OSError):
        while news.recv(LARGEST):
            pass


def _remembered(hosts: Sequence[str], record: Record | None) -> list[Where]:
    """Return what is known of the hosts without asking anybody."""
    known = record.servers if record is not None else {}
    places = [
        Where(host, IPv4Address(address))
        for host in hosts
        for address in known.get(host, [host] if is_address(host) else [])
    ]
    if not places:
        sentence = f"no name is looked up while the kill switch holds, and it does not know {' '.join(hosts)}"
        raise SetupError(f"{sentence}; lift it first, with: {RELEASE}")
    return places

"""A network namespace for one program, as the client sees it: a child process in it that does what it is asked."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, NoReturn, Self

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.client.enclosed import EVERYTHING, LONGEST, enclose
from openpptp.daemon.client.host import Configured, name_servers
from openpptp.daemon.client.profile_files import Account
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.errors import SetupError
from openpptp.net.client_links import Carrier, ClientLinks
from openpptp.net.journal import NAME as JOURNAL
from openpptp.tunnel.outputs import InterfaceUp

PATIENCE = 20.0  # ours: seconds for an answer, which takes milliseconds
PREFIX = "program-"


class Enclosure:
    """The child. Make it while this process has one thread and all that the caller may do."""

    def __init__(self, process: int, link: socket.socket, directory: Path) -> None:
        """Take over a child that was made; open makes one."""
        self.directory = directory
        "In /run; it goes with the child."
        self.ended = os.pidfd_open(process)
        "Readable when the child, and with it the program, has ended."
        self._process = process
        self._link = link
        self._lock = threading.Lock()

    @classmethod
    def open(cls, command: Sequence[str], account: Account, runtime_directory: Path) -> Self:
        """Make the namespace; raise SetupError when this system does not let us."""
        directory = runtime_directory / f"{PREFIX}{os.getpid()}"
        _sweep(runtime_directory)
        try:
            directory.mkdir(mode=0o755, parents=True)
        except OSError as error:
            exit_code = 3 if isinstance(error, PermissionError) else 1
            raise SetupError(f"cannot make {directory}: {error.strerror}; run as root", exit_code=exit_code) from error
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = os.fork()
        if process == 0:
            ours.close()
            _be_the_child(theirs, command, account, directory)
        theirs.close()
        ours.settimeout(PATIENCE)
        enclosure = cls(process, ours, directory)
        try:
            enclosure._take_answer()
        except BaseException:
            enclosure.close()
            raise
        return enclosure

    def ask(self, do: str, **facts: Any) -> dict[str, Any]:
        """Ask for something and return the answer; raise SetupError in the child's words."""
        with self._lock:
            self._send(do, facts)
            return self._take_answer()[0]

    def open_node(self) -> int:
        """Return a descriptor from which a TUN device is made in the namespace."""
        with self._lock:
            self._send("open node", {})
            return self._take_answer()[1][0]

    def exit_code(self) -> int:
        """Return the program's, waiting for its end; a child that is gone against all rules counts as killed."""
        try:
            _, status = os.waitpid(self._process, 0)
        except ChildProcessError:
            return 128 + signal.SIGKILL
        code = os.waitstatus_to_exitcode(status)
        return 128 - code if code < 0 else code

    def let_go(self) -> None:
        """Tell the child that the tunnel is over for good: it ends the program, and itself."""
        self._link.close()

    def close(self) -> None:
        """Leave nothing; the child has been let go, or is now."""
        self.let_go()
        os.close(self.ended)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _send(self, do: str, facts: dict[str, Any]) -> None:
        try:
            self._link.send(json.dumps({"do": do, **facts}).encode())
        except OSError as error:
            raise SetupError(f"the process in the network namespace is gone: {error.strerror}") from error

    def _take_answer(self) -> tuple[dict[str, Any], list[int]]:
        try:
            answer, files, _, _ = socket.recv_fds(self._link, LONGEST, 1)
        except OSError as error:
            raise SetupError(f"the process in the network namespace does not answer: {error}") from error
        if not answer:
            raise SetupError("the process in the network namespace is gone")
        facts: dict[str, Any] = json.loads(answer)
        if "error" in facts:
            raise SetupError(facts["error"], exit_code=facts["exit_code"])
        return facts, files


class EnclosureHost:
    """What the client changes for a tunnel that one program has to itself: nothing on the host."""

    def __init__(
        self, request: ConnectRequest, enclosure: Enclosure, links: ClientLinks, log: FilteringBoundLogger
    ) -> None:
        """Links are those of the host, which are only looked at."""
        self._request = request
        self._enclosure = enclosure
        self._links = links
        self._log = log
        self._server: IPv4Address | None = None
        self._carrier: Carrier | None = None

    async def carry(self, server: IPv4Address) -> Carrier:
        """Return the way to a server: the tunnel is none, so it needs no pinning."""
        self._server = server
        self._carrier = await self._links.later(self._links.way_to, server, mark=self._request.mark)
        return self._carrier

    async def carrier_gone(self, local: IPv4Address) -> str:
        """Say why what leaves from our address local reaches the server no more; empty when it may."""
        if not await self._links.later(self._links.has_address, local):
            return f"{local} is no longer an address of this machine"
        before, server = self._carrier, self._server
        if before is None or server is None:
            return ""
        try:
            now = await self.carry(server)
        except SetupError:
            return ""  # it may come back
        return "" if now.device == before.device else f"the way to {server} leads through {now.device} now"

    async def up(self, output: InterfaceUp) -> Configured:
        """Give the device in the namespace what the server granted, and lead everything there."""
        wanted = self._request.dns
        servers = name_servers(wanted, output.dns, self._log)
        peer = output.peer_address
        if peer is not None and peer.is_unspecified:
            peer = None
        identifier = output.our_identifier
        answer = await asyncio.to_thread(
            self._enclosure.ask,
            "up",
            device=self._request.interface,
            address=_text(output.our_address),
            peer=_text(peer),
            mtu=output.mtu,
            identifier=identifier.hex() if identifier is not None else None,
            dns=[str(server) for server in servers],
            search=list(wanted.search) if wanted is not None else [],
        )
        ipv6 = IPv6Address(answer["ipv6"]) if answer["ipv6"] else None
        dns_by = answer["dns_by"] if servers else ""
        if servers and not dns_by:
            self._log.warning("this machine has no /etc/resolv.conf, so that the program cannot look names up")
        return Configured(output.our_address, peer, ipv6, output.mtu, (EVERYTHING,), servers if dns_by else (), dns_by)

    async def down(self) -> None:
        """Nothing: what the program sends has no other way."""

    def undo(self) -> list[str]:
        """Nothing: all of it goes with the namespace."""
        return []


def _be_the_child(link: socket.socket, command: Sequence[str], account: Account, directory: Path) -> NoReturn:
    """Never return into the client's own code."""
    code = 1
    try:
        code = enclose(link, command, account, directory)
    except BaseException as error:
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        os.write(2, f"openpptp met an error it did not expect in the network namespace ({what}).\n".encode())
    finally:
        os._exit(code)


def _sweep(runtime_directory: Path) -> None:
    """Remove the directories of clients that were killed together with their children."""
    for path in runtime_directory.glob(f"{PREFIX}*"):
        with contextlib.suppress(ValueError):
            alive = Path("/proc", str(int(path.name.removeprefix(PREFIX)))).exists()
            if not alive and not (path / JOURNAL).exists():  # an interface may have such a name
                shutil.rmtree(path, ignore_errors=True)


def _text(address: IPv4Address | None) -> str | None:
    return None if address is None else str(address)

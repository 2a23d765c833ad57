"""The process in the network namespace: it gives the tunnel's device there what the client says, and runs the program.

It stays what the caller was, root as a rule, so that the program can become whoever it likes (sudo, ping): the client
itself has given that up. It lives as long as the client and the program; the namespace as long as its last process.
One datagram of JSON is asked, one is answered.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from openpptp.daemon.client.caller import environment, identity
from openpptp.daemon.client.profile_files import Account
from openpptp.errors import SetupError
from openpptp.net.client_links import ClientLinks
from openpptp.net.namespaces import leave_network, put_in_place, rewrite
from openpptp.net.tun import open_node

GRACE = 10.0  # ours: seconds the program has to end after the tunnel did for good
LONGEST = 1 << 16  # ours: octets of one question or answer
EVERYTHING = IPv4Network("0.0.0.0/0")
RESOLV_CONF, NSSWITCH = Path("/etc/resolv.conf"), Path("/etc/nsswitch.conf")
ASKED_BESIDE = (Path("/run/systemd/resolve"), Path("/run/nscd"), Path("/run/avahi-daemon"))
"Where services of the host answer names over the host's own network."
OWN_LOOK_UPS = ("files", "dns", "myhostname")
"Sources of names that the program's own process asks (nsswitch.conf(5))."
TO_THE_PROGRAM = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"What the client hears it passes on; a terminal sends them to the whole group, and here they are not for us."

Message = dict[str, Any]


class Enclosed:
    """Answers the client until the program or the client has ended."""

    def __init__(self, link: socket.socket, command: Sequence[str], account: Account, directory: Path) -> None:
        """Stand in for the host's files; directory is the client's in /run. Raises SetupError."""
        leave_network()
        texts = {RESOLV_CONF: _resolv_conf([], []), NSSWITCH: nsswitch(_read(NSSWITCH))}
        self._files = put_in_place(texts, ASKED_BESIDE, directory)
        self._link = link
        self._command = command
        self._account = account
        self._links = ClientLinks()
        self._address: IPv4Address | None = None
        self._program: subprocess.Popen[bytes] | None = None

    def serve(self) -> int:
        """Do what is asked; return the program's exit code."""
        ours, woken = socket.socketpair()
        for end in (ours, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        with selectors.DefaultSelector() as selector:
            selector.register(self._link, selectors.EVENT_READ)
            selector.register(ours, selectors.EVENT_READ)
            while self._program is None or self._program.poll() is None:
                for key, _ in selector.select():
                    if key.fileobj is ours:
                        with contextlib.suppress(BlockingIOError):
                            ours.recv(LONGEST)
                    elif not self._answer():
                        return self._end()
        return exit_code(self._program.returncode)

    def _answer(self) -> bool:
        """Answer one question; False when nobody asks any more."""
        question = self._link.recv(LONGEST)
        if not question:
            return False
        message = json.loads(question)
        files: list[int] = []
        try:
            match message["do"]:
                case "open node":
                    files, answer = [open_node()], {}
                case "up":
                    answer = self._up(message)
                case "start":
                    answer = self._start()
                case "signal":
                    answer = self._signal(message["number"])
                case _:
                    answer = {}
        except SetupError as error:
            answer = {"error": str(error), "exit_code": error.exit_code}
        try:
            socket.send_fds(self._link, [json.dumps(answer).encode()], files)
        except OSError:
            return False
        finally:
            for file in files:
                os.close(file)
        return True

    def _up(self, message: Mapping[str, Any]) -> Message:
        links, device = self._links, message["device"]
        address = IPv4Address(message["address"]) if message["address"] else None
        links.device_up(
            device,
            address=IPv4Interface(address) if address else None,
            peer=IPv4Address(message["peer"]) if message["peer"] else None,
            mtu=message["mtu"],
        )
        if self._address not in (None, address):
            links.leave_address(device, self._address)
        self._address = address
        identifier = message["identifier"]
        ipv6 = links.set_link_local(device, bytes.fromhex(identifier)) if identifier else None
        links.add_route(EVERYTHING, device)
        if RESOLV_CONF in self._files:
            rewrite(self._files[RESOLV_CONF], _resolv_conf(message["dns"], message["search"]))
        return {"ipv6": str(ipv6) if ipv6 else None, "dns_by": str(RESOLV_CONF) if RESOLV_CONF in self._files else ""}

    def _start(self) -> Message:
        name = self._command[0]
        try:
            self._program = subprocess.Popen(  # noqa: S603 - the caller's own command
                self._command,
                env=environment(self._account),
                close_fds=False,  # what the caller's shell opened for it is the program's; ours close by themselves
                **identity(self._account),
            )
        except FileNotFoundError:
            raise SetupError(f"there is no program {name}; check its name", exit_code=127) from None
        except OSError as error:
            raise SetupError(f"the program {name} cannot be run: {error.strerror}", exit_code=126) from None
        return {"process": self._program.pid}

    def _signal(self, number: int) -> Message:
        if self._program is not None:
            self._program.send_signal(number)
        return {}

    def _end(self) -> int:
        """End the program, since the tunnel has ended for good; what it still sends meanwhile has no way out.

        SIGHUP is for shells at a terminal, which take no SIGTERM.
        """
        if self._program is None:
            return 0
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._program.send_signal(number)
            self._program.send_signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return exit_code(self._program.wait(GRACE / 2))
        self._program.kill()
        return exit_code(self._program.wait())


def enclose(link: socket.socket, command: Sequence[str], account: Account, directory: Path) -> int:
    """Be the process in the namespace, from its first word to its end; return its exit code."""
    for number in TO_THE_PROGRAM:
        # A handler, since a program we start would inherit that a signal is ignored; one that is already, stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _do_nothing)
    try:
        enclosed = Enclosed(link, command, account, directory)
    except SetupError as error:
        link.send(json.dumps({"error": str(error), "exit_code": error.exit_code}).encode())
        return error.exit_code
    link.send(b"{}")
    try:
        return enclosed.serve()
    finally:
        shutil.rmtree(directory, ignore_errors=True)  # when the client was killed, nobody else does


def nsswitch(text: str) -> str:
    """Return nsswitch.conf(5) with those sources of host names only that do not ask a service of the host."""
    lines = []
    for line in text.splitlines():
        if line.split("#")[0].strip().startswith("hosts:"):
            continue
        lines.append(line)
    found = next((each for each in text.splitlines() if each.strip().startswith("hosts:")), "hosts: files dns")
    kept = [word for word in found.partition(":")[2].split() if word in OWN_LOOK_UPS]
    return "\n".join([*lines, f"hosts: {' '.join(kept if 'dns' in kept else [*kept, 'dns'])}", ""])


def exit_code(returned: int) -> int:
    """Return what a shell calls the end of a program: 128 and the number of the signal that ended it."""
    return 128 - returned if returned < 0 else returned


def _resolv_conf(servers: Sequence[str], search: Sequence[str]) -> str:
    lines = [f"nameserver {server}" for server in servers]
    if search:
        lines.append(f"search {' '.join(search)}")
    return "\n".join(["# of this program's tunnel alone, by openpptp", *lines, ""])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _do_nothing(number: int, frame: object) -> None:
    """Take a signal."""

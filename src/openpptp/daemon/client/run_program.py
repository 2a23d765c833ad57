"""`openpptp connect --exec`: a tunnel for one program, from its namespace to the program's exit code."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from contextlib import closing
from functools import partial

import structlog
from structlog.typing import FilteringBoundLogger

from openpptp.daemon.client.client import Client
from openpptp.daemon.client.enclosed import GRACE, TO_THE_PROGRAM
from openpptp.daemon.client.enclosure import Enclosure, EnclosureHost
from openpptp.daemon.client.host import take_back_left_overs
from openpptp.daemon.client.kill_switch import KillSwitch
from openpptp.daemon.client.state import ClientState, Observer, StateFile
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.daemon.log import report_defect
from openpptp.errors import EndReason, SetupError
from openpptp.net.client_links import ClientLinks
from openpptp.net.journal import Journal

KEYS = (signal.SIGINT, signal.SIGQUIT)
"What a terminal sends to all processes of the job: then the program has it already."


def run_program(request: ConnectRequest, enclosure: Enclosure, observers: Sequence[Observer] = ()) -> int:
    """Run the client and, as soon as the tunnel is up, the program; return the exit code. Raises SetupError.

    The log has been set up; observers are told each change.
    """
    with closing(enclosure):
        return asyncio.run(_run(request, enclosure, observers))


async def _run(request: ConnectRequest, enclosure: Enclosure, observers: Sequence[Observer]) -> int:
    log: FilteringBoundLogger = structlog.get_logger()
    asyncio.get_running_loop().set_exception_handler(report_defect)
    take_back_left_overs(request, log)
    KillSwitch(request, log).begin()
    program = _Program(enclosure, log)
    told = [StateFile(enclosure.directory), *observers, program]
    with closing(ClientLinks(Journal())) as links:
        host = EnclosureHost(request, enclosure, links, log)
        client = Client(request, log, host, told, open_node=enclosure.open_node)
        try:
            reason, detail = await client.run(program.stop)
        finally:
            await program.end()
    return program.exit_code(reason, detail)


class _Program:
    """The program: begun when the tunnel is up, told the signals we get; tunnel and program end with each other.

    It is the last of the observers, so that others have cleared the terminal before it begins.
    """

    def __init__(self, enclosure: Enclosure, log: FilteringBoundLogger) -> None:
        self.stop = asyncio.Event()
        "Set when the tunnel is to end."
        self._enclosure = enclosure
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        "The child has ended, and with it the program if it was begun."
        self._starting: asyncio.Future[None] | None = None
        self._failed: SetupError | None = None
        self._interrupted: int | None = None
        self._loop.add_reader(enclosure.ended, self._end_was_seen)
        for number in TO_THE_PROGRAM:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked for it
                self._loop.add_signal_handler(number, self._take, number)

    def told(self, event: str, state: ClientState) -> None:
        """Begin when the tunnel is up for the first time."""
        if event == "connected" and self._starting is None:
            self._starting = self._loop.run_in_executor(None, self._start)

    async def end(self) -> None:
        """Wait until program and child have ended; the tunnel has."""
        if self._starting is not None:
            await self._starting
            if self._failed is None and not self._ended.is_set():
                self._log.warning(f"the tunnel is over; the program has {GRACE:g} seconds to end")
        self._enclosure.let_go()
        await self._ended.wait()

    def exit_code(self, reason: EndReason, detail: str) -> int:
        """Return what the command ends with; raise SetupError when it was not the program's end that ended it."""
        code = self._enclosure.exit_code()
        if self._failed is not None:
            raise self._failed
        if reason is not EndReason.USER_REQUEST:
            raise SetupError(detail)
        return 128 + self._interrupted if self._interrupted is not None else code

    def _start(self) -> None:
        try:
            self._enclosure.ask("start")
        except SetupError as error:
            self._failed = error
            self._loop.call_soon_threadsafe(self.stop.set)

    def _end_was_seen(self) -> None:
        self._loop.remove_reader(self._enclosure.ended)
        self._ended.set()
        self.stop.set()

    def _take(self, number: int) -> None:
        """Pass a signal on, unless the program has it already; before there is one, end."""
        if self._starting is None:
            if number not in {signal.SIGUSR1, signal.SIGUSR2}:
                self._interrupted = number
                self.stop.set()
        elif number not in KEYS or not _has_keyboard():
            self._loop.run_in_executor(None, partial(_pass_on, self._enclosure, number))


def _pass_on(enclosure: Enclosure, number: int) -> None:
    with contextlib.suppress(SetupError):  # it has ended
        enclosure.ask("signal", number=number)


def _has_keyboard() -> bool:
    """Tell whether our group of processes, and so the program, is what a terminal sends Ctrl-C to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)

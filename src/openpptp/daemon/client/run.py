"""`openpptp connect`: the client in the foreground, from its lock to its exit code."""

import asyncio
from collections.abc import Sequence
from contextlib import closing

import structlog
from structlog.typing import FilteringBoundLogger

from openpptp.daemon.client.client import Client
from openpptp.daemon.client.host import HostSettings, take_back_left_overs
from openpptp.daemon.client.kill_switch import KillSwitch
from openpptp.daemon.client.state import Observer, StateFile
from openpptp.daemon.client.unit import ServiceManager
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.daemon.log import report_defect
from openpptp.daemon.signals import end_on_signals
from openpptp.errors import EndReason, SetupError
from openpptp.net.client_links import ClientLinks
from openpptp.net.journal import Journal
from openpptp.net.notify import Notifier
from openpptp.net.rules import Rules


def connect(request: ConnectRequest, observers: Sequence[Observer] = ()) -> int:
    """Run the client until it ends; return the command's exit code. Raises SetupError.

    The log has been set up; observers are told each change.
    """
    return asyncio.run(_connect(request, observers, structlog.get_logger()))


async def _connect(request: ConnectRequest, observers: Sequence[Observer], log: FilteringBoundLogger) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(report_defect)
    end_on_signals(stop)
    take_back_left_overs(request, log)
    directory = request.runtime_directory / request.interface
    with (
        closing(Journal(directory)) as journal,
        closing(ClientLinks(journal)) as links,
        closing(Rules(journal)) as rules,
    ):
        host = HostSettings(request, journal, links, rules, log)
        switch = KillSwitch(request, log)
        switch.begin()
        keeping = asyncio.get_running_loop().create_task(switch.keep())
        file = StateFile(directory)
        try:
            told: list[Observer] = [file, ServiceManager(Notifier()), *observers]
            reason, detail = await Client(request, log, host, told, look_up=switch.look_up).run(stop)
            if reason is EndReason.USER_REQUEST:
                await switch.lift()
        finally:
            file.remove()
            keeping.cancel()
            switch.leave()
    if reason is not EndReason.USER_REQUEST:
        raise SetupError(detail)
    log.info("disconnected", detail=detail)
    return 0

"""`openpptp connect`: the client in the foreground, from its lock to its exit code."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing

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
    async with client_of_host(request, log, [ServiceManager(Notifier()), *observers]) as client:
        reason, detail = await client.run(stop)
    if reason is not EndReason.USER_REQUEST:
        raise SetupError(detail)
    log.info("disconnected", detail=detail)
    return 0


@asynccontextmanager
async def client_of_host(
    request: ConnectRequest, log: FilteringBoundLogger, observers: Sequence[Observer] = ()
) -> AsyncIterator[Client]:
    """Give a client on this host's own devices, after what killed ones left is undone. Raises SetupError.

    At its user's request, and then only, it takes its kill switch with it. Nothing of the process is touched: neither
    its signals nor its log.
    """
    take_back_left_overs(request, log)
    directory = request.runtime_directory / request.interface
    with (
        closing(Journal(directory)) as journal,
        closing(ClientLinks(journal)) as links,
        closing(Rules(journal)) as rules,
        ExitStack() as undo,
    ):
        host = HostSettings(request, journal, links, rules, log)
        file, switch = StateFile(directory), KillSwitch(request, log)
        switch.begin()
        undo.callback(switch.leave)
        undo.callback(asyncio.get_running_loop().create_task(switch.keep()).cancel)
        undo.callback(file.remove)
        client = Client(request, log, host, [file, *observers], look_up=switch.look_up)
        try:
            yield client
        finally:
            if client.ended_by_user:
                await switch.lift()

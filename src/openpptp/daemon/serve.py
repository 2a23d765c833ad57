"""`openpptp serve`: prepare the host, serve, take everything back.

Each step of the preparation registers its own undoing, so that a failure half-way leaves nothing half done.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import structlog
from structlog.typing import FilteringBoundLogger

from openpptp.backends.users import open_users
from openpptp.daemon import log as logs
from openpptp.daemon import words
from openpptp.daemon.acceptor import Acceptor
from openpptp.daemon.api import Api
from openpptp.daemon.api_socket import give_to, path_in
from openpptp.daemon.config import Settings
from openpptp.daemon.import_report import Finding, Verdict
from openpptp.daemon.listening import BACKLOG, listen
from openpptp.daemon.manager import Manager
from openpptp.daemon.monitor.link import MonitorLink
from openpptp.daemon.privileges import give_up
from openpptp.daemon.reload import Reading, Reloader, Reread
from openpptp.daemon.server import Server
from openpptp.daemon.server_making import open_doors, server_of_host
from openpptp.daemon.signals import end_on_signals
from openpptp.daemon.turns import Loop, begin_to_serve
from openpptp.errors import SetupError
from openpptp.net.limits import raise_descriptor_limit
from openpptp.net.notify import Notifier

OWN_DESCRIPTORS = 64  # ours: listeners, GRE, TUN, engine, accounting, users of the API, hooks


def serve(
    settings: Settings,
    read: Callable[[], Settings],
    findings: Sequence[Finding] = (),
    monitor: MonitorLink | None = None,
) -> int:
    """Serve until SIGINT, SIGTERM or the terminal's end; return the command's exit code. Raises SetupError in words.

    read gives the settings anew, for a reload. findings: what became of each line of pptpd's files, for the log.
    monitor does, and reads, what we may not once we have given up being root.
    """
    logs.set_up(settings.log.level, settings.log.format)
    for finding in findings:
        severe = finding.verdict in {Verdict.DANGEROUS, Verdict.UNREADABLE}
        structlog.get_logger().log(logs.LEVELS["warning" if severe else "info"], str(finding))
    reread = (lambda: Reading.of(read())) if monitor is None else (lambda: Reading.decode(monitor.reread()))
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(_serve(settings, reread, structlog.get_logger(), monitor))
    return 0


async def _serve(settings: Settings, reread: Reread, log: FilteringBoundLogger, monitor: MonitorLink | None) -> None:
    stop = asyncio.Event()
    failures: list[str] = []

    def broken(why: str) -> None:
        failures.append(why)
        stop.set()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.report_defect)
    end_on_signals(stop)
    warning = few_descriptors(settings, raise_descriptor_limit())
    if warning:
        log.warning(warning)
    async with AsyncExitStack() as undo:
        notifier = undo.enter_context(Notifier())
        where = settings.users.file, settings.users.pap_file, settings.server.name, log.warning
        users = open_users(*where, store=settings.users.store)
        listener = listen(settings.server.listen, settings.server.port)
        undo.callback(listener.close)
        doors = open_doors(settings, log, undo, broken=broken)
        warnings = settings.warnings()
        give_up(settings, log, monitor, undo)
        server = server_of_host(settings, users, log, doors=doors, undo=undo, monitor=monitor)
        reloader = await _open_api(server, settings, reread, log, undo, monitor=monitor, warnings=warnings)
        manager = Manager(notifier, lambda: f"{len(server.sessions)} sessions")
        undo.push_async_callback(manager.close)
        reloader.meanwhile = manager.reloading
        end_on_signals(stop, reloader.hung_up)
        listener.listen(BACKLOG)
        undo.push_async_callback(server.stop)
        undo.callback(Acceptor(listener, server, logs.report_refusal).close)
        begin_to_serve()
        _say_serving(settings, warnings, log)
        manager.serving()
        await stop.wait()
        manager.stopping()
        log.info("stopping", sessions=len(server.sessions))
        server.events.publish("stopping", sessions=len(server.sessions))
    log.info("stopped; device, routes, forwarding and firewall are as they were before")
    if failures:
        raise SetupError(
            f"the server has ended, because its sessions carried no data any more: {failures[0]}; was the device "
            f"{settings.server.interface} deleted? Start it again, and it makes anew what it needs"
        )


def _say_serving(settings: Settings, warnings: Sequence[str], log: FilteringBoundLogger) -> None:
    log.info(
        "serving",
        listen=f"{settings.server.listen}:{settings.server.port}",
        interface=settings.server.interface,
        pool=", ".join(map(str, settings.network.pool)),
        users=", ".join(map(str, settings.users.places())),
    )
    for warning in (words.INSECURE, *warnings):
        log.warning(warning)


async def _open_api(
    server: Server,
    settings: Settings,
    reread: Reread,
    log: FilteringBoundLogger,
    undo: AsyncExitStack,
    *,
    monitor: MonitorLink | None,
    warnings: Sequence[str],
) -> Reloader:
    """Open the local API, for as long as there are sessions; return what reloads."""
    path = path_in(settings.server.runtime_directory)
    regroup = partial(give_to, path, as_root=monitor.regroup if monitor is not None else None)
    reloader = Reloader(server, settings, reread, log, regroup=regroup, warnings=warnings)
    api = Api(server, reloader, asyncio.get_running_loop().time())
    undo.push_async_callback(api.close)
    await api.open(path)
    return reloader


def few_descriptors(settings: Settings, most: int) -> str:
    """Return in words that this process may not open files enough for the sessions the settings allow, or nothing."""
    sessions = min(settings.limits.sessions, sum(entry.size for entry in settings.network.leases()))
    if sessions + OWN_DESCRIPTORS <= most:
        return ""
    return (
        f"this process may open {most} files, which is enough for about {max(0, most - OWN_DESCRIPTORS)} sessions of "
        f"the {sessions} that limits.sessions and network.pool allow; raise the limit (ulimit -Hn, or LimitNOFILE= in "
        "the unit)"
    )

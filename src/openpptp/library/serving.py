"""Runs a server, for as long as a block of the program lasts."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from openpptp.backends.given_users import LookUp, Users
from openpptp.backends.known import UserSource
from openpptp.daemon import words
from openpptp.daemon.acceptor import Acceptor
from openpptp.daemon.beside import beside
from openpptp.daemon.config import Settings
from openpptp.daemon.given_ports import Ports
from openpptp.daemon.listening import BACKLOG, listen
from openpptp.daemon.log import to_logging
from openpptp.daemon.server import Server as Policy
from openpptp.daemon.server_making import new_server, open_doors, server_of_host
from openpptp.errors import EndReason
from openpptp.library.events import Events, OnEvent
from openpptp.library.inside import with_inside
from openpptp.library.server import Server, settings_of, source_of, users_of


@asynccontextmanager
async def serve(
    settings: Settings | Path | None = None,
    *,
    users: Users | LookUp | UserSource | None = None,
    ports: Ports | None = None,
    listener: socket.socket | None = None,
    on_event: OnEvent | None = None,
    log: FilteringBoundLogger | None = None,
    **sections: dict[str, Any],
) -> AsyncIterator[Server]:
    """Serve PPTP while the block lasts; its end takes leave of every user and takes everything back.

    settings are a settings file or its contents; sections, laid over them, are named and filled as in the file
    (docs/settings.md): network={"pool": ["10.9.0.0/24"]}. Without settings no accounting is written. users are
    passwords by name, or a function that is asked for each name, in place of the settings' files. Without ports, the
    host is prepared as `openpptp serve` does it, which takes root. With ports, nothing of it is touched. listener is
    a TCP socket for the control connections, in place of the settings' address. Ports and listener are closed at the
    end. on_event is told what happens, log takes the log; without one it goes to logging's "openpptp".

    Raises SetupError, with one line per mistake, when settings or this system stand in the way.
    """
    log = to_logging(logging.getLogger("openpptp")) if log is None else log
    async with AsyncExitStack() as undo:
        inside = None
        if ports is not None:
            ports, inside = with_inside(ports)
            undo.callback(ports.close)
        if listener is not None:
            undo.callback(listener.close)
        if settings is None:
            sections.setdefault("accounting", {"on": False})
        whole = settings_of(settings, sections, need_users=users is None)
        source = await beside(users_of, whole, log) if users is None else source_of(users)
        if listener is None:
            listener = listen(whole.server.listen, whole.server.port)
            undo.callback(listener.close)
        policy = _policy(whole, source, ports, log, undo)
        events = Events(policy.events, log, on_event)
        undo.callback(events.close)
        if inside is not None:
            undo.callback(inside.close, EndReason.SHUTDOWN, EndReason.SHUTDOWN.value.sentence)
        listener.listen(BACKLOG)
        undo.push_async_callback(policy.stop)
        undo.callback(Acceptor(listener, policy, partial(_report, log)).close)
        host, port = listener.getsockname()
        log.info("serving", listen=f"{host}:{port}", pool=", ".join(map(str, whole.network.pool)))
        for warning in (words.INSECURE, *whole.warnings()):
            log.warning(warning)
        yield Server(
            policy,
            whole,
            address=(host, port),
            inside=inside,
            events=events,
            log=log,
            own_users=users is not None,
        )


def _policy(
    settings: Settings, users: UserSource, ports: Ports | None, log: FilteringBoundLogger, undo: AsyncExitStack
) -> Policy:
    """Return a server on this host, or on the ports, that tells among its events when its packets stop for good."""

    def broken(why: str) -> None:
        policy.events.publish("broken", why=why)

    if ports is None:
        doors = open_doors(settings, log, undo, broken=broken)
        policy = server_of_host(settings, users, log, doors=doors, undo=undo)
    else:
        data_path = partial(ports.open_data_path, log, broken=broken)
        policy = new_server(settings, users, log, open_data_path=data_path, undo=undo, device="memory")
    return policy


def _report(log: FilteringBoundLogger, error: OSError, what: str) -> None:
    log.error("the system refuses", what=what, why=error.strerror or str(error), seldom=1)

"""Makes a tunnel, for as long as a block of the program lasts."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Unpack

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.client.client import Client
from openpptp.daemon.client.no_host import NoHost
from openpptp.daemon.client.run import client_of_host
from openpptp.daemon.client.state import ClientState
from openpptp.daemon.events import EventStream
from openpptp.daemon.given_ports import Ports
from openpptp.daemon.log import to_logging
from openpptp.errors import EndReason, NoTunnel
from openpptp.library.events import Events, OnEvent
from openpptp.library.inside import with_inside
from openpptp.library.options import ConnectOptions, request_of
from openpptp.library.tunnel import Tunnel

Running = asyncio.Task[tuple[EndReason, str]]


@asynccontextmanager
async def connect(
    host: str | Sequence[str],
    user: str,
    password: str,
    *,
    ports: Ports | None = None,
    on_event: OnEvent | None = None,
    log: FilteringBoundLogger | None = None,
    **options: Unpack[ConnectOptions],
) -> AsyncIterator[Tunnel]:
    r"""Connect to a PPTP server; give the tunnel once it is up, and take everything back at the end of the block.

    host is a name or IPv4 address, or several to be tried in turn; user may be DOMAIN\user. Without ports the tunnel
    is a device of this host, with routes and DNS as the options say, which takes root. With ports, which are closed
    at the end, nothing of the host is touched. on_event is told each change from the first on. log takes the log;
    without one it goes to logging's "openpptp".

    Raises NoTunnel when it does not come up, and SetupError when an option or this system stands in the way. The end
    of the block takes leave of the server, at most 5 seconds long; a second cancellation drops it at once.
    """
    log = to_logging(logging.getLogger("openpptp")) if log is None else log
    async with AsyncExitStack() as undo:
        inside = None
        if ports is not None:
            ports, inside = with_inside(ports)
            undo.callback(ports.close)
        request = request_of(host, user, password, options, on_host=ports is None)
        told = _Told()
        events = Events(told.stream, log, on_event)
        undo.callback(events.close)
        if ports is None:
            interface: str | None = request.interface
            client = await undo.enter_async_context(client_of_host(request, log, [told]))
        else:
            interface = ports.tun.name if ports.tun is not None and inside is None else None
            client = Client(request, log, NoHost(), [told], ports=ports)
        running = await undo.enter_async_context(_running(client, told))
        if inside is not None:
            running.add_done_callback(lambda done: inside.close(*_why(done)))
        yield Tunnel(client, running, inside, events, interface=interface)


class _Told:
    """Hears of each change of a client."""

    def __init__(self) -> None:
        self.stream = EventStream()
        self.settled = asyncio.Event()
        "It has been up, or never will be."

    def told(self, event: str, state: ClientState) -> None:
        self.stream.publish(event, **asdict(state))
        if event == "connected":
            self.settled.set()


@asynccontextmanager
async def _running(client: Client, told: _Told) -> AsyncIterator[Running]:
    """Run a client, and give it once it is up; afterwards nothing of it is left."""
    stop = asyncio.Event()
    running = asyncio.create_task(client.run(stop))
    running.add_done_callback(lambda _: told.settled.set())
    try:
        await told.settled.wait()
        if running.done():
            raise NoTunnel(*running.result())
        yield running
    except BaseException:
        await _end(running, stop)
        raise
    await _end(running, stop)
    running.result()


async def _end(running: Running, stop: asyncio.Event) -> None:
    """Let it take leave; when even that is cancelled, drop it."""
    stop.set()
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        running.cancel()
        await asyncio.wait({running})
        raise


def _why(done: Running) -> tuple[EndReason, str]:
    """Return why a client has ended."""
    if done.cancelled():
        return EndReason.USER_REQUEST, EndReason.USER_REQUEST.value.sentence
    error = done.exception()
    return done.result() if error is None else (EndReason.RESOURCES, str(error))

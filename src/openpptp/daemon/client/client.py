"""The client: runs the supervisor, makes its attempts, changes the host; undoes everything at its end.

All that happens goes through one queue, so that the host is told of it in the order in which it happened.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from structlog.typing import FilteringBoundLogger

from openpptp.daemon import words
from openpptp.daemon.calls import Calls, inside
from openpptp.daemon.client.attempt import Attempt, Where
from openpptp.daemon.client.host import Host
from openpptp.daemon.client.names import resolve
from openpptp.daemon.client.state import Observer, new_state
from openpptp.daemon.client.supervisor import Call, Drop, End, HangUp, Resolve, State, Supervisor, TunnelDown, Waiting
from openpptp.daemon.client.watching import watch_network, watch_sleep
from openpptp.daemon.connect_request import ConnectRequest, path_mru
from openpptp.daemon.data_path import Doors
from openpptp.daemon.given_ports import Ports
from openpptp.datapath.seam import Counters, DataPath
from openpptp.errors import EndReason, SetupError
from openpptp.machine import Output
from openpptp.tunnel.outputs import InterfaceUp

Input = Callable[[], Awaitable[list[Output]]]
"Tells the supervisor something; returns what it answers."
LookUp = Callable[[Sequence[str]], Awaitable[list[Where]]]
"Returns the addresses of hosts, or raises SetupError."


class Client:
    """One tunnel, for as long as its user wants it."""

    def __init__(
        self,
        request: ConnectRequest,
        log: FilteringBoundLogger,
        host: Host,
        observers: Sequence[Observer] = (),
        *,
        look_up: LookUp | None = None,
        open_node: Callable[[], int] | None = None,
        ports: Ports | None = None,
    ) -> None:
        """Prepare; run does the rest.

        look_up stands in for this host's resolver; open_node gives what a TUN device is made of elsewhere; ports stand
        in for the host's own.
        """
        self.state = new_state(request)
        self._request = request
        self._log = log
        self._host = host
        self._ports = ports
        self._observers = observers
        self._look_up = look_up
        self._open_node = open_node
        self._loop = asyncio.get_running_loop()
        self._calls = Calls()
        self._supervisor = Supervisor(request.reconnect, os.urandom, timeout=request.timeout, silence=request.silence())
        self._inputs: asyncio.Queue[Input] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._names: dict[IPv4Address, str] = {}
        self._attempt: Attempt | None = None
        self._resolving: asyncio.Task[None] | None = None
        self._why_down = ""
        self._end: tuple[EndReason, str] | None = None
        self._data_path: DataPath

    async def run(self, stop: asyncio.Event) -> tuple[EndReason, str]:
        """Connect, stay up until it ends or stop is set, undo everything; return how it ended.

        Raises SetupError when this system lacks a part or a privilege.
        """
        async with AsyncExitStack() as undo:
            self._data_path = self._open_data_path(undo)
            undo.callback(self._data_path.close)
            undo.callback(self._undo_host)
            undo.push_async_callback(self._leave_nothing)
            self._start(watch_sleep(partial(self._post, self._supervisor.woke)))
            self._start(self._wait_for(stop))
            self._post(self._supervisor.start)
            while self._end is None:
                for output in await self._next():
                    await self._perform(output)
        return self._end

    @property
    def ended_by_user(self) -> bool:
        """Whether it has ended, and since its user said so."""
        return self._end is not None and self._end[0] is EndReason.USER_REQUEST

    def counters(self) -> Counters:
        """Return what the session there is, or the last one, has carried."""
        return replace(self._attempt.counters()) if self._attempt is not None else Counters()

    def _open_data_path(self, undo: AsyncExitStack) -> DataPath:
        told, lost = self._calls.frame_received, self._calls.encryption_lost
        if self._ports is not None:
            window = self._request.data_path.receive_window
            return self._ports.open_data_path(
                self._log, frame_received=told, encryption_lost=lost, receive_window=window
            )
        doors = Doors(self._request.data_path, self._log, undo)
        doors.open_gre(mark=self._request.mark)
        if self._open_node is not None:
            doors.open_nodes(self._open_node)
        tun = doors.open_tun(self._request.interface)
        watch_network(tun.name, partial(self._inputs.put_nowait, self._network_changed), undo)
        return doors.open_data_path(frame_received=told, encryption_lost=lost)

    # Inputs of the supervisor, one after another

    async def _next(self) -> list[Output]:
        """Return what follows from the next input, or from the time."""
        deadline = self._supervisor.deadline
        try:
            async with asyncio.timeout_at(deadline.when if deadline is not None else None):
                take = await self._inputs.get()
        except TimeoutError:
            return self._supervisor.tick(self._loop.time())
        return await take()

    def _post(self, step: Callable[..., list[Output]], *arguments: object) -> None:
        async def take() -> list[Output]:
            return step(*arguments, self._loop.time())

        self._inputs.put_nowait(take)

    async def _wait_for(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._post(self._supervisor.stop)

    async def _resolve(self) -> None:
        try:
            places = await (self._look_up or resolve)(self._request.hosts)
        except SetupError as error:
            lacks = error.exit_code == 3  # which no repetition betters
            self._post(self._supervisor.host_refused if lacks else self._supervisor.unresolved, str(error))
        else:
            self._names |= {place.address: place.name for place in reversed(places)}
            self._post(self._supervisor.resolved, [place.address for place in places])

    async def _network_changed(self) -> list[Output]:
        attempt, supervisor = self._attempt, self._supervisor
        if supervisor.state in {State.LOGGING_IN, State.UP} and attempt is not None and attempt.local is not None:
            why = await self._host.carrier_gone(attempt.local)
            return supervisor.carrier_gone(why, self._loop.time()) if why else []
        return supervisor.network_changed(self._loop.time())

    async def _session_up(self, attempt: Attempt, output: InterfaceUp) -> list[Output]:
        if attempt is not self._attempt or self._supervisor.state not in {State.LOGGING_IN, State.UP}:
            return []
        try:
            configured = await self._host.up(output)
        except SetupError as error:
            self._log.error(str(error))
            return self._supervisor.host_refused(str(error), self._loop.time())
        outputs = self._supervisor.session_up(self._loop.time())
        encryption = words.encryption(output.key_bits)
        self._log.info(
            "connected",
            interface=self._request.interface,
            address=str(output.our_address),
            server=str(output.peer_address),
            encryption=encryption,
            mtu=output.mtu,
        )
        self.state.connected(configured, encryption, *attempt.server_names)
        self._tell("connected")
        if self.state.sessions == 1:
            self._log.warning(words.INSECURE)
        self._why_down = ""
        return outputs

    # What an attempt tells (attempt.Listener)

    def reached(self, stage: str) -> None:
        """Tell the observers."""
        self.state.stage = stage
        self._tell("stage")

    def answered(self, attempt: Attempt) -> None:
        """Tell the supervisor."""
        if attempt is self._attempt:
            self._post(self._supervisor.answered)

    def up(self, attempt: Attempt, output: InterfaceUp) -> None:
        """Let data flow at once; address and routes come beside it."""
        self._data_path.interface_up(output.call_id, inside(output))
        self._inputs.put_nowait(partial(self._session_up, attempt, output))

    def over(self, attempt: Attempt, reason: EndReason, detail: str) -> None:
        """Tell the supervisor."""
        if attempt is self._attempt:
            self._post(self._supervisor.over, reason, detail)

    # What the supervisor asks

    async def _perform(self, output: Output) -> None:
        match output:
            case Resolve():
                if self._supervisor.state is State.RESOLVING:
                    self._enter("resolving")
                if self._resolving is None or self._resolving.done():
                    self._resolving = self._start(self._resolve())
            case Call(address, patience):
                await self._call(address, patience)
            case HangUp(reason) if self._attempt is not None:
                self._attempt.hang_up(reason)
            case Drop() if self._attempt is not None:
                self._attempt.drop()
            case TunnelDown(detail):
                self._log.warning("tunnel down", detail=detail, while_down=self._request.while_down)
                await self._host.down()
                self._enter("down", detail)
            case Waiting(seconds, detail):
                # Every two seconds the same reason is worth a line once.
                log = self._log.debug if detail == self._why_down else self._log.info
                log("next attempt", seconds=round(seconds, 1), detail=detail)
                self._why_down = detail
                self._enter("waiting", detail, wait=seconds)
            case End(reason, detail):
                self._end = reason, detail
                self._enter("ended", detail)

    async def _call(self, address: IPv4Address, patience: float) -> None:
        where = Where(self._names.get(address, str(address)), address)
        self.state.server = str(address)
        self._attempt = None
        try:
            carrier = await self._host.carry(address)
        except SetupError as error:
            if error.exit_code != 1:
                raise
            self._post(self._supervisor.over, EndReason.CONNECTION_LOST, str(error))
            return
        self.state.carrier = carrier.describe()
        mru = path_mru(carrier.mtu)
        self._attempt = Attempt(
            self._request, where, mru, self, data_path=self._data_path, calls=self._calls, log=self._log
        )
        self._enter("calling")
        self._attempt.start(patience)

    def _enter(self, event: str, detail: str = "", *, wait: float | None = None) -> None:
        self.state.enter(self._supervisor.state.value, detail, wait=wait)
        self._tell(event)

    def _tell(self, event: str) -> None:
        for observer in self._observers:
            observer.told(event, self.state)

    # The end

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _leave_nothing(self) -> None:
        if self._attempt is not None:
            self._attempt.drop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _undo_host(self) -> None:
        for problem in self._host.undo():
            self._log.warning(problem)

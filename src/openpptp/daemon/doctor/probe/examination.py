"""Looks at a server step by step: what is tried in which order, and for how long; steps and verdict judge it."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from structlog.typing import FilteringBoundLogger

from openpptp.credentials import AuthMethod
from openpptp.daemon.calls import Calls
from openpptp.daemon.client.names import addresses
from openpptp.daemon.doctor.probe import lookup
from openpptp.daemon.doctor.probe.call import Desk, ProbeCall
from openpptp.daemon.doctor.probe.measuring import Sounder
from openpptp.daemon.doctor.probe.methods import METHODS, answer_of
from openpptp.daemon.doctor.probe.seen import Method, Seen
from openpptp.daemon.doctor.probe.switchboard import Switchboard
from openpptp.daemon.doctor.probe.withholding import ProbingDataPath
from openpptp.datapath.null import NullDataPath
from openpptp.datapath.seam import DataPath
from openpptp.errors import SetupError
from openpptp.net.probing_gre import ProbingGrePort
from openpptp.ppp.settings import EncryptionPolicy, LinkSettings
from openpptp.tunnel.call_ids import CallIds

# Ours: seconds. A person waits for this, and twelve are what a missing NAT helper may take.
NAME = TCP = CONTROL = CALL = 4.0
GRE = 11.0
"From the call's connection: our own server, for one, hangs up after 10.5 s in which it heard nothing."
UNHEARD = 4.0
"Until a server that speaks and does not hear us counts as one that never will; it has repeated itself by then."
REPETITIONS = 3
"Configure-Requests after which a server is known to repeat itself."
IN_VAIN = 2.0
"Until nothing is expected any more where ours do not leave, or somebody says that he refuses them."
NEGOTIATION = 6.0
METHOD = 1.5
BANNER = 1.0
LOGIN = 8.0
ALL = 20.0
"After which nothing more is waited for or asked, but the log-in."
GLANCE = 0.5

NO_ENCRYPTION = EncryptionPolicy(enabled=False, required=False)
AGREEABLE = LinkSettings(echo_interval=0, our_password="", answer_with=tuple(AuthMethod), encryption=NO_ENCRYPTION)
"Agrees to whatever proof the server asks for, so that LCP opens; none is ever sent."


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to look at, and with which account; without a user nobody logs in."""

    host: str
    port: int = 1723
    user: str = ""
    password: str = field(default="", repr=False)


class Examination:
    """One look at one server; nothing of this host or of the server is changed."""

    def __init__(self, question: Question, log: FilteringBoundLogger) -> None:
        """Prepare."""
        self.seen = Seen(question.host, question.port, account=question.user)
        self._question = question
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + ALL
        self._switchboard = Switchboard(self.seen, self._loop.time)
        self._stream: socket.socket | None = None
        "The TCP connection with which the port was tried, for the first call: a client has only one."
        self._desk: Desk
        self._data_path: ProbingDataPath
        self._sounder: Sounder

    async def run(self) -> Seen:
        """Look as far as there is something to be seen."""
        async with AsyncExitStack() as undo:
            if await self._find() and self.seen.server is not None:
                self._open(undo)
                await self._examine(self.seen.server)
        return self.seen

    # The server

    async def _find(self) -> bool:
        seen = self.seen
        with self._timed("name"):
            try:
                seen.addresses = tuple(await addresses(seen.host, NAME))
            except SetupError as error:
                seen.name_problem = str(error).partition("; ")[0]  # the remedy is the doctor's own
                return False
        with self._timed("route"):
            try:
                seen.way = await lookup.way_to(seen.addresses[0])
            except SetupError as error:
                seen.way_problem = str(error)
                return False
        seen.tcp, self._stream = await lookup.open_ports(seen.addresses, seen.port, TCP)
        if seen.server is not None and seen.server != seen.addresses[0]:
            with suppress(SetupError):  # it went a moment after the connection opened
                seen.way = await lookup.way_to(seen.server)
        return True

    def _open(self, undo: AsyncExitStack) -> None:
        """Open what carries the calls; without a privilege that is nothing, and only the control connection is seen."""
        calls = Calls()
        carrying: DataPath = NullDataPath()
        try:
            gre = ProbingGrePort(self._switchboard)
        except SetupError as error:
            self.seen.privilege = str(error)
        else:
            undo.callback(gre.close)
            self._sounder = Sounder(gre, self._switchboard.echoes)
            carrying = self._data_path = ProbingDataPath(
                gre, None, frame_received=calls.frame_received, encryption_lost=calls.encryption_lost, loop=self._loop
            )
            undo.callback(carrying.close)
        self._desk = Desk(self._switchboard, carrying, calls, CallIds(os.urandom), self._log)

    # The calls

    async def _examine(self, server: IPv4Address) -> None:
        seen = self.seen
        async with self._call(AGREEABLE) as first:
            seen.call = first.seen
            if await self._set_up(first) and not seen.privilege:
                await self._examine_call(first, server)
        if first.seen.start_reply is None and not first.seen.said:
            seen.banner = await lookup.ask_who(server, seen.port, BANNER)
        if first.seen.gre.heard and self._question.user:
            with self._timed("login"):
                await self._log_in()

    async def _examine_call(self, first: ProbeCall, server: IPv4Address) -> None:
        seen = self.seen
        assert seen.way is not None
        with self._timed("listen"):
            await self._listen(first)
        if not first.seen.gre.received:
            seen.firewall = await asyncio.to_thread(lookup.own_firewall, server, seen.way)
        if first.seen.lcp.opened_after is not None:
            with self._timed("path"):
                seen.path = await self._sounder.measure(first, seen.way.mtu)
        if first.seen.gre.heard and first.seen.lcp.demanded not in ([], [b""]):
            with self._timed("methods"):
                await self._ask_methods(first)

    @asynccontextmanager
    async def _call(self, link: LinkSettings) -> AsyncIterator[ProbeCall]:
        """Place a call; it is hung up at the end."""
        assert self.seen.server is not None
        call = ProbeCall(self.seen.server, self.seen.port, link, desk=self._desk)
        try:
            stream, self._stream = self._stream, None
            await call.place(TCP, stream)
            yield call
        finally:
            await call.hang_up()

    async def _set_up(self, call: ProbeCall) -> bool:
        """Wait until the call is connected; return whether it is."""
        seen = call.seen
        if await call.until(lambda: seen.start_reply is not None or bool(seen.said), CONTROL):
            await call.until(lambda: seen.call_reply is not None, CALL)
        return seen.connected

    async def _listen(self, call: ProbeCall) -> None:
        """Wait for the server's GRE, and for LCP to open, as long as there is hope for either."""
        began = self._loop.time()
        patience = max(UNHEARD, min(GRE, self._ends - began))
        gre, lcp = call.seen.gre, call.seen.lcp
        while not call.over and (elapsed := self._loop.time() - began) < patience:
            if await call.until(lambda: lcp.opened_after is not None or lcp.ended is not None, GLANCE):
                return
            unheard = gre.received and not gre.heard and lcp.requests >= REPETITIONS
            in_vain = not gre.sent or (gre.errors and not gre.received)
            if (
                (gre.heard and elapsed >= NEGOTIATION)
                or (unheard and elapsed >= UNHEARD)
                or (in_vain and elapsed >= IN_VAIN)
            ):
                return

    async def _ask_methods(self, first: ProbeCall) -> None:
        """Find what proofs the server would take, a call for each: within one, a refused method narrows the rest."""
        found = self.seen.methods
        for method in METHODS:
            found[method] = Method.TAKEN if method in first.seen.lcp.demanded else Method.UNKNOWN
        while unknown := [each for each in METHODS if found[each] is Method.UNKNOWN]:
            if self._loop.time() + METHOD > self._ends:
                return
            method, alone = unknown[0], first.over
            async with self._call(LinkSettings(echo_interval=0, suggest=method, encryption=NO_ENCRYPTION)) as call:
                await self._ask(call, method)
                if self.seen.second is None:
                    self.seen.second = call.seen
                    self.seen.first_still = await self._still(first, call)
            found[method] = answer_of(call.seen, method)
            for other in call.seen.lcp.demanded:
                found.update({other: Method.TAKEN} if other in found else {})
            if found[method] is Method.UNKNOWN:
                if alone:
                    return
                await first.hang_up()  # it may take one call at a time only

    async def _ask(self, call: ProbeCall, method: bytes) -> None:
        lcp = call.seen.lcp
        if await self._set_up(call):
            await call.until(lambda: lcp.answer is not None or lcp.ended is not None or method in lcp.demanded, METHOD)

    async def _still(self, first: ProbeCall, second: ProbeCall) -> bool | None:
        """Tell whether the first call is answered while the second one stands; None: it was not tried."""
        if first.seen.lcp.opened_after is None or first.over or not second.seen.gre.received or second.over:
            return None
        return await self._sounder.still(first)

    # The account

    async def _log_in(self) -> None:
        """Log in as our client does by itself; nothing of this host is set up."""
        link = LinkSettings(our_name=self._question.user, our_password=self._question.password)
        async with self._call(link) as call:
            self.seen.login = call.seen
            await call.until(lambda: call.seen.call_id is not None, CONTROL)
            self._data_path.proving = call.seen.call_id
            await call.until(lambda: call.seen.login.up is not None, LOGIN)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = self._loop.time()
        try:
            yield
        finally:
            self.seen.seconds[step] = self._loop.time() - began

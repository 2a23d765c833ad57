"""The server's policy: who is let in, with which address, and what is remembered of each session.

It is given a data path and knows nothing of devices and rules; daemon/serve.py prepares those.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import Any

from structlog.typing import FilteringBoundLogger

from openpptp.backends.pools import AddressPool
from openpptp.backends.users import SecretsUsers
from openpptp.credentials import Accepted, Answer, NetworkGrant, Refused
from openpptp.daemon import words
from openpptp.daemon.admission import FAILURES_ALLOWED, Admission, AdmissionLimits, LoginGuard
from openpptp.daemon.calls import Calls, inside
from openpptp.daemon.config import Settings
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.session_record import SessionRecord, SessionWatcher
from openpptp.daemon.waiting_room import WaitingRoom
from openpptp.datapath.seam import Counters, DataPath
from openpptp.errors import EndReason
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import Side
from openpptp.tunnel.tunnel import Tunnel

OpenDataPath = Callable[..., DataPath]
"Opens a data path that reports to frame_received and encryption_lost (datapath/seam.py), both given by keyword."

RouteAddress = Callable[[IPv4Address, bool], None]
"Leads an address that lies outside the pool into the tunnel (True), or no longer (False)."

STOP_TIMEOUT = 5.0  # ours: seconds for all peers to take leave when the server stops (promise P-20)


class Server:
    """Owns every control connection, and answers what they ask."""

    def __init__(
        self,
        settings: Settings,
        users: SecretsUsers,
        pool: AddressPool,
        log: FilteringBoundLogger,
        open_data_path: OpenDataPath,
        *,
        route_address: RouteAddress = lambda _address, _leads: None,
        watchers: Sequence[SessionWatcher] = (),
    ) -> None:
        """Prepare; nothing listens yet."""
        self._route_address = route_address
        self._watchers = watchers
        self._users = users
        self._pool = pool
        self._log = log
        self.calls = Calls()
        self._data_path = open_data_path(
            frame_received=self.calls.frame_received, encryption_lost=self.calls.encryption_lost
        )
        self._maximum_sessions = settings.limits.sessions
        self._tunnel_settings = settings.tunnel()
        self._our_address = settings.network.our_address()
        self._dns, self._wins = settings.network.dns, settings.network.wins
        self._admission = Admission(AdmissionLimits(settings.limits.unauthenticated, settings.limits.per_source))
        login_timeout = settings.limits.start_timeout + settings.limits.session_timeout
        self._waiting_room = WaitingRoom(self._admission, login_timeout)
        self._guard = LoginGuard()
        self._asked: list[tuple[TunnelDriver, tell.CheckCredentials]] = []
        self._reading: asyncio.Task[None] | None = None
        self._call_ids = CallIds(os.urandom)
        self._loop = asyncio.get_running_loop()
        self._drivers: set[TunnelDriver] = set()
        self._empty = asyncio.Event()
        self._stopping = False
        self.sessions: dict[int, SessionRecord] = {}

    # The door

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of one accepted connection."""
        return _Door(self)

    def enter(self, transport: asyncio.Transport) -> TunnelDriver | None:
        """Start a driver on an accepted connection, or refuse it: it is closed without a word."""
        source = transport.get_extra_info("peername")
        if source is None:  # reset before we could look
            transport.abort()
            return None
        peer = IPv4Address(source[0])
        now = self._loop.time()
        refusal = "this server is stopping" if self._stopping else None
        if refusal is None and not self._guard.may_connect(peer, now):
            refusal = "too many failed log-ins from this address"
        if refusal is None:
            refusal = self._admission.enter(peer)
        if refusal is not None:
            self._log.warning("connection refused", peer=str(peer), why=refusal, seldom=1)
            transport.abort()
            return None
        driver = TunnelDriver(self._make_tunnel, self._data_path, self.calls, self, self._log)
        self._drivers.add(driver)
        driver.connection_made(transport)
        self._waiting_room.enter(driver)
        return driver

    def _make_tunnel(self, local: IPv4Address, peer: IPv4Address) -> Tunnel:
        return Tunnel(
            self._tunnel_settings, self._call_ids, os.urandom, side=Side.RESPONDER, local=int(local), peer=int(peer)
        )

    # What drivers ask (driver.Owner)

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None:
        """Log who came."""
        driver.log.info("control connection", host=output.peer_host_name, vendor=output.peer_vendor_name, seldom=1)

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None:
        """Look the user up, lease an address, answer; first read, beside the loop, who the users are now (B-148)."""
        if self._reading is None and not self._users.changed():
            self._answer(driver, output)
            return
        self._asked.append((driver, output))
        if self._reading is None:
            self._reading = self._loop.create_task(self._read_users())

    async def _read_users(self) -> None:
        try:
            await self._loop.run_in_executor(None, self._users.refresh)
        finally:
            self._reading = None
            asked, self._asked = self._asked, []
            for driver, output in asked:
                self._answer(driver, output)

    def _answer(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None:
        if self.calls.get(output.call_id) is not driver:
            return  # gone while the users were read
        answer = self._judge(driver, output)
        if isinstance(answer, Refused):
            # As many lines as the guard looks at passwords, so that whoever bans by the log sees each.
            driver.log.warning("log-in refused", call=output.call_id, why=answer.detail, seldom=FAILURES_ALLOWED)
        driver.credentials_checked(output.call_id, answer)

    def _judge(self, driver: TunnelDriver, output: tell.CheckCredentials) -> Answer:
        now = self._loop.time()
        user = output.presented.user
        if not self._guard.may_try(driver.peer, user, now):
            name = user.decode("utf-8", "backslashreplace")
            return Refused(
                f"too many failed log-ins of user {name!r} from this address; the password was not looked at"
            )
        verdict = self._users.judge(output.presented)
        if isinstance(verdict, Refused):
            self._guard.failed(driver.peer, user, now)
            return verdict
        # Who proves itself anew on the same call gives its own place back first.
        self._forget(output.call_id, EndReason.PEER_REQUEST, self.counters)
        if len(self.sessions) >= self._maximum_sessions:
            driver.log.warning("no room for another session", limit=self._maximum_sessions, seldom=1)
            return Accepted(verdict.user, None, verdict.authenticator_response, verdict.keys)
        address = self._pool.lease(verdict.user, allowed=verdict.allowed_address, wanted=verdict.fixed_address)
        if address is None:
            driver.log.warning("no free address for this user", user=verdict.user)
            return Accepted(verdict.user, None, verdict.authenticator_response, verdict.keys)
        grant = NetworkGrant(self._our_address, address, self._dns, self._wins)
        session = SessionRecord(output.call_id, verdict.user, grant, address, driver)
        self.sessions[output.call_id] = session
        if address not in self._pool:
            self._route_address(address, True)
        self._waiting_room.leave(driver)
        for watcher in self._watchers:
            watcher.logged_in(session, now)
        return Accepted(verdict.user, grant, verdict.authenticator_response, verdict.keys)

    def _forget(self, call_id: int, reason: EndReason, last: Callable[[int], Counters]) -> SessionRecord | None:
        """Give back what a session was given, and tell the watchers; last returns what it carried."""
        record = self.sessions.pop(call_id, None)
        if record is not None:
            self._pool.release(record.address)
            if record.address not in self._pool:
                self._route_address(record.address, False)
            if self._watchers:
                counters, now = last(call_id), self._loop.time()
                self._went_down(record, counters)  # not said before when a defect ended it
                for watcher in self._watchers:
                    watcher.ended(record, reason, counters, now)
        return record

    def counters(self, call_id: int) -> Counters:
        """Return what an open call has carried so far."""
        return self._data_path.counters(call_id)

    def interface_up(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        """Let data flow, from the leased address only."""
        record = self.sessions[output.call_id]
        self._data_path.interface_up(output.call_id, inside(output, record.address))
        record.up_at = now = self._loop.time()
        record.is_up = True
        for watcher in self._watchers:
            watcher.went_up(record, self.counters(output.call_id), now)
        driver.log.info(
            "session up",
            call=output.call_id,
            user=record.user,
            address=str(record.address),
            encryption=words.encryption(output.key_bits),
        )

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None:
        """Tell the watchers; nothing else of ours hangs on a session's interface."""
        record = self.sessions.get(output.call_id)
        if record is not None and self._watchers:
            self._went_down(record, self.counters(output.call_id))

    def _went_down(self, record: SessionRecord, counters: Counters) -> None:
        if record.is_up:
            record.is_up = False
            for watcher in self._watchers:
                watcher.went_down(record, counters, self._loop.time())

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        """Take the address back and write the last line."""
        record = self._forget(output.call_id, output.reason, lambda _call_id: counters)
        if record is None:  # it never logged in: one line per reason and peer
            known: dict[str, Any] = {"kind": f"ended: {output.reason.value.label}", "seldom": 1}
        else:
            known = {"user": record.user}
        seconds = 0.0 if record is None or record.up_at is None else self._loop.time() - record.up_at
        driver.log.info(
            "session ended",
            call=output.call_id,
            **known,
            reason=output.reason.value.label,
            detail=output.detail,
            seconds=round(seconds, 1),
            octets_in=counters.octets_in,
            octets_out=counters.octets_out,
            **words.losses(counters),
        )
        if not driver.has_calls:
            self._waiting_room.expect_login(driver)

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        """Forget the connection."""
        self._waiting_room.leave(driver)
        self._drivers.discard(driver)
        log = driver.log.warning if output.reason is EndReason.PROTOCOL_ERROR else driver.log.debug
        log("control connection ended", reason=output.reason.value.label, detail=output.detail, seldom=1)
        if self._stopping and not self._drivers:
            self._empty.set()

    # The end

    def close(self) -> None:
        """Close the data path."""
        self._data_path.close()

    async def stop(self) -> None:
        """Take leave of every peer, at most STOP_TIMEOUT seconds; then drop the rest."""
        self._stopping = True
        if not self._drivers:
            return
        for driver in list(self._drivers):
            driver.stop(EndReason.SHUTDOWN)
        if self._drivers:
            try:
                await asyncio.wait_for(self._empty.wait(), STOP_TIMEOUT)
            except TimeoutError:
                for driver in list(self._drivers):
                    driver.abort()


class _Door(asyncio.Protocol):
    """Stands at the listener until the connection's own driver takes over; a refused one costs nothing more."""

    def __init__(self, server: Server) -> None:
        self._enter = server.enter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        driver = self._enter(transport)
        if driver is not None:
            transport.set_protocol(driver)

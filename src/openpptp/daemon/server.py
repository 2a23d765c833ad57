"""The server's policy: who is let in, with which address, and what is remembered of each session.

It is given a data path and knows nothing of devices and rules; daemon/server_making.py prepares those.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from structlog.typing import FilteringBoundLogger

from openpptp.backends.known import UserSource
from openpptp.backends.pools import AddressPool
from openpptp.credentials import Accepted, Answer, Refused
from openpptp.daemon import words
from openpptp.daemon.admission import Admission, AdmissionLimits, LoginGuard
from openpptp.daemon.calls import Calls, Identifiers
from openpptp.daemon.config import Settings
from openpptp.daemon.current_users import CurrentUsers
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.endings import log_end
from openpptp.daemon.events import EventStream
from openpptp.daemon.grants import Grants, RouteNetwork, inside_of
from openpptp.daemon.pace import KNOWN, Pace
from openpptp.daemon.policy_keeper import PolicyKeeper, Wait
from openpptp.daemon.session_record import SessionRecord, SessionWatcher
from openpptp.daemon.waiting_room import WaitingRoom
from openpptp.datapath.seam import Counters, DataPath
from openpptp.errors import EndReason
from openpptp.net.limits import has_memory
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import Side
from openpptp.tunnel.tunnel import Tunnel

OpenDataPath = Callable[..., DataPath]
"Opens a data path that reports to frame_received and encryption_lost (datapath/seam.py), both given by keyword."

HEADROOM = 16 * 1024 * 1024  # ours: octets that whoever comes must leave to those who are in (B-141)
STOP_TIMEOUT = 5.0  # ours: seconds for all peers to take leave when the server stops (promise P-20)
AT_ONCE = 20  # ours: connections told of the end before the others have a turn; each takes half a millisecond
ABORT_TIMEOUT = 1.0  # ours: seconds until connections that were dropped are gone; the event loop needs but a few turns
REFUSALS_LOGGED = 20  # ours: refused log-ins of one source told in ten seconds, however many the settings allow


class Server:
    """Owns every control connection, and answers what they ask."""

    def __init__(
        self,
        settings: Settings,
        users: UserSource,
        pool: AddressPool,
        log: FilteringBoundLogger,
        open_data_path: OpenDataPath,
        *,
        route: RouteNetwork = lambda _network, _leads: None,
        watchers: Sequence[SessionWatcher] = (),
    ) -> None:
        """Prepare; nothing listens yet."""
        self.users = CurrentUsers(users, settings.policy.policy())
        self._log = log
        self._grants = Grants(settings, pool, route)
        self.calls = Calls()
        self._identifiers = Identifiers()
        self._data_path = open_data_path(
            frame_received=self.calls.frame_received, encryption_lost=self.calls.encryption_lost
        )
        self.events = EventStream()
        self._keeper = PolicyKeeper(self.users, self._data_path, self.events, settings.accounting, log)
        self._watchers = (self._keeper, *watchers)
        self._admission = Admission(AdmissionLimits())
        self._waiting_room = WaitingRoom(self._admission)
        self._guard = LoginGuard(settings.log_in_limits())
        self._adopt(settings)
        self._call_ids = CallIds(os.urandom)
        self._loop = asyncio.get_running_loop()
        self._drivers: set[TunnelDriver] = set()
        self._empty = asyncio.Event()
        self._stopping = False
        self.sessions: dict[int, SessionRecord] = {}

    # What the administrator asks

    @property
    def drivers(self) -> list[TunnelDriver]:
        """Every control connection."""
        return list(self._drivers)

    @property
    def waiting(self) -> int:
        """How many of them have not logged in."""
        return len(self._waiting_room)

    @property
    def data_path(self) -> DataPath:
        """What carries the packets."""
        return self._data_path

    def adopt(self, settings: Settings, users: UserSource | None) -> None:
        """Take settings for whoever comes from now on, and users when they are others; policies change for all."""
        self._adopt(settings)
        self._grants.adopt(settings)
        self.users.adopt(users, settings.policy.policy())

    def _adopt(self, settings: Settings) -> None:
        self._maximum_sessions = settings.limits.sessions
        self._sources = settings.limits.sources
        self._tunnel_settings = settings.tunnel()
        self._clamps = settings.network.mss_clamp
        self._admission.limits = AdmissionLimits(settings.limits.unauthenticated, settings.limits.per_source)
        self._guard.limits = settings.log_in_limits()
        self._waiting_room.login_timeout = settings.limits.start_timeout + settings.limits.session_timeout

    # The door

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of one accepted connection."""
        return _Door(self)

    def turns_away(self, peer: IPv4Address, local: IPv4Address) -> bool:
        """Tell whether a connection is refused, which the log and the events say then."""
        if self._stopping:
            refusal: str | None = "this server is stopping"
        elif peer == local:
            refusal = "it comes from the very address it goes to: this server, or a program beside it, dials itself"
        elif self._sources and not any(entry.holds(peer) for entry in self._sources):
            refusal = "it is none of limits.sources"
        elif not self._guard.may_connect(peer, self._loop.time()):
            refusal = "too many failed log-ins from this address"
        elif not has_memory(HEADROOM):
            refusal = "this system has no memory for another connection"
        else:
            refusal = self._admission.refusal(peer)
        if refusal is None:
            return False
        self._log.warning("connection refused", peer=str(peer), why=refusal, seldom=1)
        self.events.publish("connection refused", peer=str(peer), why=refusal)
        return True

    def enter(self, transport: asyncio.Transport) -> TunnelDriver | None:
        """Start a driver on an accepted connection, or refuse it: it is closed without a word."""
        source = transport.get_extra_info("peername")
        if source is None:  # reset before we could look
            transport.abort()
            return None
        peer = IPv4Address(source[0])
        if self.turns_away(peer, IPv4Address(transport.get_extra_info("sockname")[0])):
            transport.abort()
            return None
        self._admission.enter(peer)
        driver = None
        try:
            driver = TunnelDriver(self._make_tunnel, self._data_path, self.calls, self, self._log)
            driver.log = driver.log.bind(session=driver.names.connection)
            self._drivers.add(driver)
            self.events.publish("connected", session=driver.names.connection, peer=str(peer))
            driver.connection_made(transport)
        except BaseException:  # no memory, most of all: nothing is to stay of it
            self._admission.leave(peer)
            if driver is not None:
                self._drivers.discard(driver)
            transport.abort()
            raise
        self._waiting_room.enter(driver)
        return driver

    def _make_tunnel(self, local: IPv4Address, peer: IPv4Address, path_mtu: int | None) -> Tunnel:
        settings = self._tunnel_settings.on_path(path_mtu)
        return Tunnel(settings, self._call_ids, os.urandom, side=Side.RESPONDER, local=int(local), peer=int(peer))

    # What drivers ask (driver.Owner)

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None:
        """Log who came."""
        driver.log.info("control connection", host=output.peer_host_name, vendor=output.peer_vendor_name, seldom=1)

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None:
        """Look the user up, lease an address, answer; first it is read who the users are now."""
        self.users.when_read(partial(self._answer, driver, output))

    def _answer(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None:
        if self.calls.get(output.call_id) is not driver:
            return  # gone while the users were read
        answer = self._judge(driver, output)
        if answer is Wait.LATER:
            return
        if isinstance(answer, Refused):
            known = {"user": output.presented.user.decode("utf-8", "backslashreplace"), "why": answer.detail}
            # As many lines as the guard looks at passwords, so that whoever bans by the log sees each.
            seldom = min(self._guard.limits.failures_per_source, REFUSALS_LOGGED)
            driver.log.warning("log-in refused", call=output.call_id, **known, seldom=seldom)
            self._tell(driver, output.call_id, "log-in refused", **known)
        driver.credentials_checked(output.call_id, answer)

    def _judge(self, driver: TunnelDriver, output: tell.CheckCredentials) -> Answer | Wait:
        now = self._loop.time()
        user = output.presented.user
        if not self._guard.may_try(driver.peer, user, now):
            name = user.decode("utf-8", "backslashreplace")
            return Refused(
                f"too many failed log-ins of user {name!r} from this address; the password was not looked at"
            )
        verdict = self.users.judge(output.presented)
        if isinstance(verdict, Refused):
            self._guard.failed(driver.peer, user, now)
            return verdict
        policy = self.users.policy_of(verdict)
        held_up = self._keeper.admit(verdict.user, policy, output.call_id, partial(self._answer, driver, output))
        if held_up is not None:
            return held_up
        # Who proves itself anew on the same call gives its own place back first.
        if self._forget(output.call_id, EndReason.PEER_REQUEST, self.counters) is not None:
            driver.names.renew(output.call_id)
        if len(self.sessions) >= self._maximum_sessions:
            driver.log.warning("no room for another session", limit=self._maximum_sessions, seldom=1)
            return Accepted(verdict.user, None, verdict.authenticator_response, verdict.keys)
        grant = self._grants.give(verdict, policy, driver.log)
        if grant is None:
            return Accepted(verdict.user, None, verdict.authenticator_response, verdict.keys)
        who = output.call_id, verdict.user, grant, grant.peer_address, driver, driver.names.of(output.call_id)
        session = self.sessions[output.call_id] = SessionRecord(*who, policy=policy, routes=policy.route or ())
        self._grants.lead(session)
        self._waiting_room.leave(driver)
        driver.pace = Pace(*KNOWN)
        for watcher in self._watchers:
            watcher.logged_in(session, now)
        return Accepted(verdict.user, grant, verdict.authenticator_response, verdict.keys)

    def _forget(self, call_id: int, reason: EndReason, last: Callable[[int], Counters]) -> SessionRecord | None:
        """Give back what a session was given, and tell the watchers; last returns what it carried."""
        record = self.sessions.pop(call_id, None)
        if record is not None:
            self._grants.take_back(record)
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
        identifier = output.peer_identifier
        if identifier is not None and not self._identifiers.take(identifier, output.call_id):
            driver.log.warning("no IPv6 for this session: another one has its interface identifier", seldom=1)
            output = replace(output, peer_identifier=None)
        record.inside = inside_of(record, output, clamp_segment_size=self._clamps)
        self._data_path.interface_up(output.call_id, record.inside)
        record.up_at = now = self._loop.time()
        record.is_up = True
        for watcher in self._watchers:
            watcher.went_up(record, self.counters(output.call_id), now)
        known = {
            "user": record.user,
            "address": str(record.address),
            "encryption": words.encryption(output.key_bits),
        }
        driver.log.info("session up", call=output.call_id, session=record.id, **known)
        self._tell(driver, output.call_id, "session up", **known)

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None:
        """Tell the watchers, and let others have the IPv6 identifier; nothing else of ours hangs on an interface."""
        self._identifiers.give_back(output.call_id)
        record = self.sessions.get(output.call_id)
        if record is not None:
            self._went_down(record, self.counters(output.call_id))

    def _went_down(self, record: SessionRecord, counters: Counters) -> None:
        if record.is_up:
            record.is_up = False
            for watcher in self._watchers:
                watcher.went_down(record, counters, self._loop.time())

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        """Take the address back and write the last line."""
        self._identifiers.give_back(output.call_id)  # not done before when a defect ended it
        record = self._forget(output.call_id, output.reason, lambda _call_id: counters)
        user, up_at = (record.user, record.up_at) if record is not None else (None, None)
        carried = {
            "seconds": round(0.0 if up_at is None else self._loop.time() - up_at, 1),
            "octets_in": counters.octets_in,
            "octets_out": counters.octets_out,
            **words.losses(counters),
        }
        log_end(driver, output, user, carried if up_at is not None else None)
        why = {"reason": output.reason.value.label, "detail": output.detail}
        self._tell(driver, output.call_id, "session ended", user=user, **why, **carried)
        if not driver.has_calls:
            self._waiting_room.expect_login(driver)

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        """Forget the connection."""
        self._waiting_room.leave(driver)
        self._drivers.discard(driver)
        log = driver.log.warning if output.reason is EndReason.PROTOCOL_ERROR else driver.log.debug
        known = {"reason": output.reason.value.label, "detail": output.detail}
        log("control connection ended", **known, seldom=1)
        self.events.publish("connection ended", session=driver.names.connection, peer=str(driver.peer), **known)
        if self._stopping and not self._drivers:
            self._empty.set()

    def _tell(self, driver: TunnelDriver, call_id: int, what: str, **facts: Any) -> None:
        self.events.publish(what, session=driver.names.of(call_id), peer=str(driver.peer), **facts)

    # The end

    def close(self) -> None:
        """Close the data path."""
        self._keeper.close()
        self._data_path.close()

    async def stop(self) -> None:
        """Take leave of every peer, at most STOP_TIMEOUT seconds; then drop the rest."""
        self._stopping = True
        if not self._drivers:
            return
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._tell_all(lambda driver: driver.stop(EndReason.SHUTDOWN))
        except TimeoutError:
            with contextlib.suppress(TimeoutError):  # their sessions' ends are still to be told
                async with asyncio.timeout(ABORT_TIMEOUT):
                    await self._tell_all(TunnelDriver.abort)

    async def _tell_all(self, tell_one: Callable[[TunnelDriver], None]) -> None:
        """Tell every connection to end, with turns for the others in between, and wait until none is left."""
        for number, driver in enumerate(list(self._drivers), 1):
            tell_one(driver)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        if self._drivers:
            await self._empty.wait()


class _Door(asyncio.Protocol):
    """Stands at the listener until the connection's own driver takes over; a refused one costs nothing more."""

    def __init__(self, server: Server) -> None:
        self._enter = server.enter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        driver = self._enter(transport)
        if driver is not None:
            transport.set_protocol(driver)

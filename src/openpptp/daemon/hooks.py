"""Runs a site's programs when sessions come and go, as pppd runs ip-up and ip-down: in order, and never in the way.

Each session's events run one after another, different sessions' side by side in a bounded pool of threads.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.hook_programs import Finding, HookEvent, HookJob, HookPrograms, clean, text
from openpptp.daemon.sections import HooksSection
from openpptp.daemon.session_record import SessionRecord
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason

EXIT_TIMEOUT = 3.0  # ours: seconds the server's exit waits for hooks; those that still run are ended then
END_TIMEOUT = 3.0  # ours: seconds until the ended ones are gone (hook_programs.KILL_AFTER, twice, and some)
WAITING_MOST = 5000  # ours: events that may wait because hooks are slow; sessions that come then go without hooks
LINES = 3  # ours: lines about one hook in ten seconds
TTY, SPEED = "none", "0"  # there is no serial line; accel-ppp says the same to the same scripts


class Runner(Protocol):
    """Runs the programs of an event for us, where that is not for this process to do (daemon/monitor/link.py)."""

    def run(self, job: HookJob) -> list[Finding]:
        """Run them, and return what a person should read of it; called in a thread."""

    def end_hooks(self) -> None:
        """End what runs, and run no more."""


class Hooks:
    """A SessionWatcher that runs hooks, and their end when the server ends."""

    def __init__(
        self, settings: HooksSection, interface: str, log: FilteringBoundLogger, runner: Runner | None = None
    ) -> None:
        """Run nothing yet; interface is the device all sessions share, runner who runs the programs if not we."""
        self._interface = interface
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._programs = HookPrograms(
            settings.directory, settings.commands(), timeout=settings.timeout, stop=self._stop
        )
        self._runner = runner
        self._threads = ThreadPoolExecutor(settings.at_once, thread_name_prefix="hook")
        self._chains: dict[str, deque[HookJob]] = {}
        "Events of each session that wait, behind the one that runs."
        self._ready: deque[tuple[str, HookJob]] = deque()
        "The next of each session whose turn it is."
        self._at_once = settings.at_once
        self._running = 0
        self._waiting = 0
        self._told: dict[str, set[HookEvent]] = {}
        "What each session's hooks were told and not yet taken back."
        self._before: dict[str, Counters] = {}
        self._up_since: dict[str, float] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending = self._ended = False

    # daemon/session_record.py's SessionWatcher

    def logged_in(self, session: SessionRecord, now: float) -> None:
        """Run auth-up."""
        self._up(session, HookEvent.AUTH_UP)

    def went_up(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Run ip-up."""
        if self._up(session, HookEvent.IP_UP):
            self._up_since[session.id] = now
            self._before[session.id] = Counters(octets_in=counters.octets_in, octets_out=counters.octets_out)

    def went_down(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Run ip-down, if ip-up was."""
        before = self._before.pop(session.id, Counters())
        seconds = now - self._up_since.pop(session.id, now)
        self._down(
            session,
            HookEvent.IP_DOWN,
            after=HookEvent.IP_UP,
            CONNECT_TIME=str(int(seconds)),
            BYTES_SENT=str(max(0, counters.octets_out - before.octets_out)),
            BYTES_RCVD=str(max(0, counters.octets_in - before.octets_in)),
        )

    def ended(self, session: SessionRecord, reason: EndReason, counters: Counters, now: float) -> None:
        """Run auth-down, if auth-up was."""
        self._down(session, HookEvent.AUTH_DOWN, after=HookEvent.AUTH_UP)
        self._told.pop(session.id, None)

    # The order

    def _up(self, session: SessionRecord, event: HookEvent) -> bool:
        if self._ending:
            return False
        if self._waiting >= WAITING_MOST:
            why = f"{WAITING_MOST} events wait: the hooks are slower than sessions come"
            self._log.warning("hooks are left out", why=why, hook=str(event), user=session.user, seldom=1)
            return False
        self._told.setdefault(session.id, set()).add(event)
        self._add(session, event)
        return True

    def _down(self, session: SessionRecord, event: HookEvent, *, after: HookEvent, **environment: str) -> None:
        """Take back what was told; so many at most wait as of the other kind, so that nothing more bounds them."""
        told = self._told.get(session.id, set())
        if after in told and not self._ended:
            told.discard(after)
            self._add(session, event, **environment)

    def _add(self, session: SessionRecord, event: HookEvent, **environment: str) -> None:
        job = HookJob(event, arguments(event, session, self._interface), self._environment(session, environment))
        chain = self._chains.get(session.id)
        if chain is not None:
            chain.append(job)
            self._waiting += 1
            return
        self._chains[session.id] = deque()
        self._idle.clear()
        self._make_ready(session.id, job)

    def _make_ready(self, session_id: str, job: HookJob) -> None:
        """Let a job run when there is room; not in this turn of the event loop, which may have a thousand to tell of.

        Each start of a program holds up all of Python for a moment; a mass disconnect must not pay for them at once.
        """
        self._waiting += 1
        self._ready.append((session_id, job))
        if len(self._ready) == 1:
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        while self._ready and self._running < self._at_once:
            session_id, job = self._ready.popleft()
            self._running += 1
            run = self._programs.run if self._runner is None else self._runner.run
            future = self._loop.run_in_executor(self._threads, run, job)
            future.add_done_callback(partial(self._done, session_id, job))

    def _done(self, session_id: str, job: HookJob, done: "asyncio.Future[list[Finding]]") -> None:
        self._waiting -= 1
        self._running -= 1
        if not done.cancelled():
            error = done.exception()
            if error is not None:
                self._log.error("a defect in this program", what="running a hook", exc_info=error, seldom=1)
            else:
                self._report(session_id, job, done.result())
        chain = self._chains[session_id]
        if chain:
            self._waiting -= 1
            self._make_ready(session_id, chain.popleft())
        else:
            self._over(session_id)
        self._start()

    def _over(self, session_id: str) -> None:
        del self._chains[session_id]
        if not self._chains:
            self._idle.set()

    def _report(self, session_id: str, job: HookJob, found: list[Finding]) -> None:
        for finding in found:
            log: Callable[..., object] = self._log.warning if finding.wrong else self._log.info
            kind = f"{finding.event} {finding.facts.get('hook')}"
            user = job.environment.get("PEERNAME")
            log(finding.event, user=user, session=session_id, **finding.facts, kind=kind, seldom=LINES)

    def _environment(self, session: SessionRecord, more: dict[str, str]) -> dict[str, str]:
        grant = session.grant
        servers = {f"DNS{number}": str(each) for number, each in enumerate(grant.dns, 1)}
        servers |= {f"WINS{number}": str(each) for number, each in enumerate(grant.wins, 1)}
        known = {
            "DEVICE": TTY,
            "IFNAME": self._interface,
            "SPEED": SPEED,
            "PEERNAME": session.user,
            "IPLOCAL": str(grant.our_address),
            "IPREMOTE": str(session.address),
            "REMOTENUMBER": str(session.peer),
            "LINKNAME": session.id,
            "ORIG_UID": str(os.getuid()),
            "PPPLOGNAME": "root" if os.getuid() == 0 else None,
        }
        return clean({**known, **servers, **more})

    # The end

    async def close(self) -> None:
        """Let what waits run, at most EXIT_TIMEOUT seconds; then end what runs, and run no more."""
        if self._ending:
            return
        self._ending = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), EXIT_TIMEOUT)
        if self._chains:
            self._log.warning(
                "hooks are cut short: the server stops", running_or_waiting=self._waiting, after_seconds=EXIT_TIMEOUT
            )
            for chain in self._chains.values():
                self._waiting -= len(chain)
                chain.clear()
            self._waiting -= len(self._ready)
            for session_id, _ in self._ready:
                self._over(session_id)
            self._ready.clear()
            os.eventfd_write(self._stop, 1)
            if self._runner is not None:
                self._runner.end_hooks()
            self._threads.shutdown(wait=False, cancel_futures=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), END_TIMEOUT)
        self._ended = True
        self._threads.shutdown(wait=False)
        if not self._chains:
            os.close(self._stop)


def arguments(event: HookEvent, session: SessionRecord, interface: str) -> tuple[str, ...]:
    """Return what pppd gives the script of an event; ipparam is where the user comes from, as pptpd has it."""
    if event in (HookEvent.AUTH_UP, HookEvent.AUTH_DOWN):
        words = [interface, session.user, "root", TTY, SPEED]
    else:
        words = [interface, TTY, SPEED, str(session.grant.our_address), str(session.address), str(session.peer)]
    return tuple(map(text, words))

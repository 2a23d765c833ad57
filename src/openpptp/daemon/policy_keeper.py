"""Holds users to their policies: who may come in now, and when a session ends.

A session that has nothing to be ended for costs nothing; the others wait in one heap for the moment at which each must
be looked at again. A policy that changes is applied at the next look for changes, as far as that can be done live.
"""

import asyncio
import contextlib
import heapq
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from structlog.typing import FilteringBoundLogger

from openpptp.backends.policy import Policy
from openpptp.credentials import Refused
from openpptp.daemon.current_users import CurrentUsers
from openpptp.daemon.events import EventStream
from openpptp.daemon.policy_rules import QUOTA_CHECK, ends, out_of_quota, rates, refusal, too_many
from openpptp.daemon.sections import AccountingSection
from openpptp.daemon.session_record import SessionRecord
from openpptp.daemon.usage import Usage
from openpptp.datapath.seam import Counters, DataPath
from openpptp.errors import EndReason, PptpError

AT_ONCE = 20  # ours: sessions looked at, and perhaps told to end, before packets of the others have a turn
LOOK_FOR_CHANGES = 2.0  # ours: seconds between looks whether store and secrets file have changed, while sessions are up
SHORTEST = 0.05  # ours: seconds until a session is looked at again, whatever the clocks say
SPARE = 64  # ours: entries of the heap that may be outdated

Again = Callable[[], None]


class Wait(Enum):
    """The answer comes later."""

    LATER = "later"


@dataclass(slots=True, eq=False)
class _Kept:
    record: SessionRecord
    before: int
    "Octets the call had carried when the session began."
    since: float | None = None
    "Monotonic seconds since which data flows; None before."
    due: float | None = None
    "When it is looked at next."


@dataclass(slots=True, eq=False)
class _Newcomer:
    """Waits until the sessions whose place he takes are over."""

    in_place: set[str]
    again: Again = field(repr=False)


class PolicyKeeper:
    """A SessionWatcher; the server asks it before it lets a user in."""

    def __init__(
        self,
        users: CurrentUsers,
        data_path: DataPath,
        events: EventStream,
        accounting: AccountingSection,
        log: FilteringBoundLogger,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Begin with nobody; wall returns seconds since 1970."""
        self._users = users
        self._data_path = data_path
        self._events = events
        self._usage = Usage(accounting.file if accounting.on else None, log, wall)
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._kept: dict[str, _Kept] = {}
        self._of_user: dict[str, dict[str, _Kept]] = {}
        self._newcomers: list[_Newcomer] = []
        self._due: list[tuple[float, str]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._changes: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._review_again = False
        users.renewed = self._renewed

    def close(self) -> None:
        """Look at nothing any more."""
        for handle in (self._timer, self._changes, self._task):
            if handle is not None:
                handle.cancel()
        self._usage.close()

    # Before a session

    def admit(self, user: str, policy: Policy, call_id: int, again: Again) -> Refused | Wait | None:
        """Tell why a user whose password was right may not come in; None when he may.

        With Wait, something must be read, or an older session must end first: again is called then, to ask once more.
        A session on the same call is the user's own, which he is about to prove anew.
        """
        wall = self._wall()
        refused = refusal(user, policy, wall)
        if refused is not None:
            return refused
        if policy.quota is not None:
            running = self._running(user)
            used = self._usage.used(user, policy.quota, running)
            if used is None:
                self._usage.ask(user, policy.quota, running, again)
                return Wait.LATER
            refused = out_of_quota(user, policy.quota, used, wall)
            if refused is not None:
                return refused
        return self._make_room(user, policy, call_id, again)

    def _make_room(self, user: str, policy: Policy, call_id: int, again: Again) -> Refused | Wait | None:
        limit = policy.sessions
        if limit is None:
            return None
        others = [kept.record for kept in self._of_user.get(user, {}).values() if kept.record.call_id != call_id]
        if len(others) < limit.most:
            return None
        if not limit.replace:
            return too_many(user, limit.most)
        oldest = others[: len(others) - limit.most + 1]
        self._newcomers.append(_Newcomer({record.id for record in oldest}, again))
        for record in oldest:
            hang_up(record, EndReason.REPLACED)
        return Wait.LATER

    # daemon/session_record.py's SessionWatcher

    def logged_in(self, session: SessionRecord, now: float) -> None:
        """Keep the session from now on."""
        kept = _Kept(session, self._octets(session))
        self._kept[session.id] = kept
        self._of_user.setdefault(session.user, {})[session.id] = kept
        if self._changes is None:
            self._changes = self._loop.call_later(LOOK_FOR_CHANGES, self._look_for_changes)

    def went_up(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Begin to count its time."""
        kept = self._kept[session.id]
        if kept.since is None:
            kept.since = now
        self._look(kept, now)

    def went_down(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Do nothing: its time goes on."""

    def ended(self, session: SessionRecord, reason: EndReason, counters: Counters, now: float) -> None:
        """Let the session go, and in who waits for its place."""
        kept = self._kept.pop(session.id, None)
        if kept is None:
            return
        of_user = self._of_user[session.user]
        del of_user[session.id]
        if not of_user:
            del self._of_user[session.user]
        octets = counters.octets_in + counters.octets_out
        self._usage.ended(session.user, session.id, max(0, octets - kept.before))
        waiting, self._newcomers = self._newcomers, []
        for newcomer in waiting:
            newcomer.in_place.discard(session.id)
            if newcomer.in_place:
                self._newcomers.append(newcomer)
            else:
                self._loop.call_soon(newcomer.again)

    # While it is up

    def _look(self, kept: _Kept, now: float) -> None:
        """End a session if there is a reason, or look again when there may be."""
        record = kept.record
        if kept.since is None:
            return
        last = self._last(record) if record.policy.idle is not None else 0.0
        waits = []
        for reason, seconds in ends(record.policy, since=kept.since, last=last, now=now, wall=self._wall()):
            if seconds <= 0:
                hang_up(record, reason)
                return
            waits.append(seconds)
        if record.policy.quota is not None:
            if self._used_up(record):
                hang_up(record, EndReason.QUOTA)
                return
            waits.append(QUOTA_CHECK)
        if waits:
            self._look_again(kept, now + max(SHORTEST, min(waits)))

    def _used_up(self, record: SessionRecord) -> bool:
        quota = record.policy.quota
        assert quota is not None
        running = self._running(record.user)
        used = self._usage.used(record.user, quota, running)
        if used is None:  # the quota is new to a user who was in already
            self._usage.ask(record.user, quota, running, lambda: None)
            return False
        return used >= quota.octets

    def _look_again(self, kept: _Kept, when: float) -> None:
        kept.due = when
        heapq.heappush(self._due, (when, kept.record.id))
        if len(self._due) > 2 * len(self._kept) + SPARE:
            self._due = [(each.due, name) for name, each in self._kept.items() if each.due is not None]
            heapq.heapify(self._due)
        if self._timer is None or self._timer.when() > when:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due[0][0], self._ring) if self._due else None

    def _ring(self) -> None:
        now = self._loop.time()
        self._timer = None
        for _ in range(AT_ONCE):
            if not self._due or self._due[0][0] > now:
                break
            when, name = heapq.heappop(self._due)
            kept = self._kept.get(name)
            if kept is not None and kept.due == when:
                kept.due = None
                self._look(kept, now)
        self._arm()

    # When policies change

    def _renewed(self) -> None:
        """Apply what is another now that users or settings were read anew."""
        self._review_again = True
        if self._task is None and self._kept:
            self._start(self._review())

    def _look_for_changes(self) -> None:
        self._changes = None
        if not self._kept:
            return
        self._changes = self._loop.call_later(LOOK_FOR_CHANGES, self._look_for_changes)
        if self._task is None and self._users.changed():
            self._start(self._users.read())

    def _start(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            finally:
                self._task = None
            if self._review_again:
                self._renewed()

        self._task = self._loop.create_task(run())

    async def _review(self) -> None:
        self._review_again = False
        for number, kept in enumerate(list(self._kept.values()), 1):
            if kept.record.id in self._kept:
                self._renew(kept)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _renew(self, kept: _Kept) -> None:
        record = kept.record
        policy = self._users.policy_now(record.user)
        if policy is None or policy == record.policy:  # who was removed stays until he goes
            return
        before, record.policy = rates(record.policy), policy
        if record.inside is not None and rates(policy) != before:
            rate_in, rate_out = rates(policy)
            record.inside = replace(record.inside, rate_in=rate_in, rate_out=rate_out)
            if record.is_up:
                self._data_path.interface_up(record.call_id, record.inside)
        told = {"session": record.id, "user": record.user, "policy": str(policy)}
        record.driver.log.info("policy changed", **told)
        self._events.publish("policy changed", peer=str(record.peer), **told)
        self._look(kept, self._loop.time())

    # What was carried

    def _running(self, user: str) -> dict[str, int]:
        kept = self._of_user.get(user, {})
        return {name: max(0, self._octets(each.record) - each.before) for name, each in kept.items()}

    def _octets(self, record: SessionRecord) -> int:
        counters = self._counters(record)
        return counters.octets_in + counters.octets_out

    def _last(self, record: SessionRecord) -> float:
        counters = self._counters(record)
        return max(counters.last_in, counters.last_out)

    def _counters(self, record: SessionRecord) -> Counters:
        # A defect elsewhere that left a session without its call must not end everybody's policy.
        with contextlib.suppress(PptpError, KeyError):
            return self._data_path.counters(record.call_id)
        return Counters()


def hang_up(record: SessionRecord, reason: EndReason) -> None:
    """End a session in good order; with the last of a connection the connection ends, which has no other use."""
    driver = record.driver
    if any(not session.ended and session.call_id != record.call_id for session in driver.tunnel.sessions):
        driver.disconnect(record.call_id, reason)
    else:
        driver.stop(reason)

"""How much of a quota is used: what the accounting knows, what has ended since, and the sessions that go on.

What a session carried before the period began does not count, as long as this process has seen it begin.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from openpptp.backends.accounting_store import octets_of
from openpptp.backends.policy_values import Period, Quota
from openpptp.errors import SetupError

REMEMBERED = 10_000  # ours: users whose sum is kept without a session; the accounting gives it again

Again = Callable[[], None]


@dataclass(slots=True)
class _Account:
    period: Period | None
    ends: float | None
    "Seconds since 1970; None: never."
    ended: int
    "Octets of sessions that are over."
    before: dict[str, int] = field(default_factory=dict)
    "Octets that do not count of sessions that go on, by id."


@dataclass(slots=True)
class _Question:
    """What the accounting is being asked of a user."""

    again: list[Again] = field(default_factory=list)
    ended: int = 0
    "Octets of sessions that ended meanwhile; the accounting was asked without them."


class Usage:
    """The sums of all users with a quota."""

    def __init__(self, accounting: Path | None, log: FilteringBoundLogger, wall: Callable[[], float]) -> None:
        """Begin knowing nothing; accounting is the file to ask, wall returns seconds since 1970."""
        self._accounting = accounting
        self._log = log
        self._wall = wall
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._asked: dict[str, _Question] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def used(self, user: str, quota: Quota, running: dict[str, int]) -> int | None:
        """Return the octets used in the period; None when the accounting must be asked first.

        running: what each session of the user that goes on has carried, by its id.
        """
        account = self._account(user, quota, running)
        if account is None:
            return None
        return account.ended + sum(max(0, octets - account.before.get(name, 0)) for name, octets in running.items())

    def ended(self, user: str, session: str, octets: int) -> None:
        """Take what a session carried that is over."""
        account = self._accounts.get(user)
        if account is not None:
            account.ended += max(0, octets - account.before.pop(session, 0))
        if user in self._asked:
            self._asked[user].ended += octets

    def ask(self, user: str, quota: Quota, running: Iterable[str], again: Again) -> None:
        """Read beside the event loop what the accounting has of a user, the running sessions left out; then again."""
        question = self._asked.setdefault(user, _Question())
        question.again.append(again)
        if len(question.again) == 1:
            task = asyncio.get_running_loop().create_task(self._read(user, quota, list(running)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Ask nothing any more."""
        for task in self._tasks:
            task.cancel()

    def _account(self, user: str, quota: Quota, running: dict[str, int]) -> _Account | None:
        account = self._accounts.get(user)
        if account is None or account.period is not quota.period:
            return None
        now = self._wall()
        if account.ends is not None and now >= account.ends:
            account.ends = quota.bounds(now)[1]
            account.ended, account.before = 0, dict(running)
        self._accounts.move_to_end(user)
        return account

    async def _read(self, user: str, quota: Quota, running: list[str]) -> None:
        began, ends = quota.bounds(self._wall())
        octets = 0
        try:
            if self._accounting is not None:
                read = partial(octets_of, self._accounting, user, since=began, without=running)
                octets = await asyncio.get_running_loop().run_in_executor(None, read)
        except (SetupError, OSError) as error:
            self._log.warning("a quota counts from now on only", user=user, why=str(error), seldom=1)
        question = self._asked.pop(user)
        self._accounts[user] = _Account(quota.period, ends, octets + question.ended)
        while len(self._accounts) > REMEMBERED:
            self._accounts.popitem(last=False)
        for again in question.again:
            again()

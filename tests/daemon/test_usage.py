"""How much of a quota is used."""

import asyncio
from datetime import datetime

import pytest
import structlog
from tests.eventually import until

from openpptp.backends.accounting_store import AccountingStore, SessionRow, owner
from openpptp.backends.policy_values import Period, Quota
from openpptp.daemon import usage as module
from openpptp.daemon.usage import Usage

MONDAY = datetime(2026, 11, 23, 12, 0).timestamp()
DAILY = Quota(100, Period.DAY)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "accounting.sqlite"


class Clock:
    now = MONDAY

    def __call__(self) -> float:
        return self.now


def make(path, clock=None) -> Usage:
    return Usage(path, structlog.get_logger(), clock or Clock())


async def asked(usage: Usage, user: str = "anna", quota: Quota = DAILY, running: tuple[str, ...] = ()) -> None:
    done = asyncio.Event()
    usage.ask(user, quota, running, done.set)
    await asyncio.wait_for(done.wait(), 10)


def write(path, *rows: tuple[str, float, int]) -> None:
    store = AccountingStore(path)
    store.write(
        [SessionRow(name, owner(), "anna", "", "", at, at, at, octets, 0, 0, 0, "x") for name, at, octets in rows]
    )
    store.close()


class UsageTests:
    async def test_it_is_not_known_before_the_accounting_was_asked(self, path):
        usage = make(path)
        assert usage.used("anna", DAILY, {}) is None
        await asked(usage)
        assert usage.used("anna", DAILY, {}) == 0

    async def test_accounting_ended_and_running_come_to_a_sum_and_nothing_counts_twice(self, path):
        write(path, ("a", MONDAY - 3600, 10), ("now", MONDAY - 60, 3), ("yesterday", MONDAY - 86400, 1000))
        usage = make(path)
        await asked(usage, running=("now",))
        assert usage.used("anna", DAILY, {"now": 5}) == 15
        usage.ended("anna", "now", 7)
        assert usage.used("anna", DAILY, {}) == 17

    async def test_what_ends_while_the_accounting_is_asked_counts(self, path):
        usage = make(path)
        done = asyncio.Event()
        usage.ask("anna", DAILY, ["now"], done.set)
        usage.ended("anna", "now", 7)
        await asyncio.wait_for(done.wait(), 10)
        assert usage.used("anna", DAILY, {}) == 7

    async def test_many_who_ask_are_answered_by_one_reading(self, path):
        usage, told = make(path), []
        for number in range(3):
            usage.ask("anna", DAILY, [], lambda number=number: told.append(number))
        assert len(usage._tasks) == 1
        await until(lambda: told == [0, 1, 2])

    async def test_a_new_period_leaves_out_what_was_carried_before_it(self, path):
        clock = Clock()
        usage = make(path, clock)
        await asked(usage)
        assert usage.used("anna", DAILY, {"now": 90}) == 90
        clock.now += 86400
        assert usage.used("anna", DAILY, {"now": 95}) == 0
        assert usage.used("anna", DAILY, {"now": 99}) == 4
        usage.ended("anna", "now", 100)
        assert usage.used("anna", DAILY, {}) == 5

    async def test_another_period_is_another_question(self, path):
        usage = make(path)
        await asked(usage)
        assert usage.used("anna", Quota(100, Period.MONTH), {}) is None
        assert usage.used("anna", Quota(999, Period.DAY), {}) == 0

    async def test_the_users_remembered_are_bounded(self, path, monkeypatch):
        monkeypatch.setattr(module, "REMEMBERED", 3)
        usage = make(path)
        for number in range(10):
            await asked(usage, f"user{number}")
        assert list(usage._accounts) == ["user7", "user8", "user9"]

    async def test_without_accounting_it_begins_with_nothing(self):
        usage = make(None)
        await asked(usage)
        assert usage.used("anna", DAILY, {}) == 0

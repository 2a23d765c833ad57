"""Users are read anew before anybody is judged by them, and never in line."""

import asyncio
import threading

from openpptp.backends.policy import NOTHING, parse
from openpptp.daemon.current_users import CurrentUsers


class Slow:
    """Users whose reading takes until it is let go on."""

    def __init__(self) -> None:
        self.new = False
        self.read = 0
        self.go_on = threading.Event()

    def changed(self) -> bool:
        return self.new

    def refresh(self) -> None:
        assert self.go_on.wait(10)
        self.new = False
        self.read += 1

    def policy_of(self, user: str):
        return parse("rate 1mbit") if user == "anna" else None


class CurrentUsersTests:
    async def test_without_news_nobody_waits(self):
        users, done = CurrentUsers(Slow(), NOTHING), []
        users.when_read(lambda: done.append(1))
        assert done == [1]

    async def test_all_who_come_meanwhile_wait_for_one_reading_in_their_order(self):
        slow, done = Slow(), []
        users = CurrentUsers(slow, NOTHING)
        users.renewed = lambda: done.append("renewed")
        slow.new = True
        for number in range(3):
            users.when_read(lambda number=number: done.append(number))
        assert done == []
        slow.go_on.set()
        await users._reading
        assert done == [0, 1, 2, "renewed"]
        assert slow.read == 1

    async def test_who_asks_for_a_reading_gets_one_that_began_afterwards(self):
        slow = Slow()
        users = CurrentUsers(slow, NOTHING)
        slow.new = True
        users.when_read(lambda: None)
        reading = asyncio.create_task(users.read())
        slow.go_on.set()
        await reading
        assert slow.read == 2

    def test_everybodys_policy_stands_behind_a_users_own(self):
        users = CurrentUsers(Slow(), parse("idle 5m rate 9mbit"))
        assert str(users.policy_now("anna")) == "rate 1mbit idle 5m"
        assert users.policy_now("nobody") is None

    def test_other_settings_are_told(self):
        users, told = CurrentUsers(Slow(), NOTHING), []
        users.renewed = lambda: told.append(str(users.policy_now("anna")))
        users.adopt(None, parse("idle 5m"))
        assert told == ["rate 1mbit idle 5m"]

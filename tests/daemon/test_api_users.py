"""Users of the store by way of the local API, for who may not write the store himself."""

import asyncio
import json

import pytest
from tests.daemon.test_api import steered, up
from tests.eventually import until

from openpptp import crypto
from openpptp.backends.users_store import UsersStore, read
from openpptp.daemon.events import Queue
from openpptp.errors import SetupError

PASSWORD = "s3cret-of-anna"


async def told(queue: Queue) -> list[dict[str, object]]:
    """Return the events so far, without their times."""
    queue.close()
    found = []
    while (event := await queue.fetch()) is not None:
        del event["time"]
        found.append(event)
    return found


class OrdersTests:
    async def test_a_user_who_is_added_logs_in_at_once(self, tmp_path):
        async with steered(tmp_path) as it:
            facts = await it.ask(
                it.client.change_user, "add", "anna", password=PASSWORD, policy={"rate": "10mbit/2mbit"}
            )
            assert facts == {"user": "anna", "store": str(it.home.settings.users.store)}
            await it.home.log_in(user="anna", password=PASSWORD)
            assert str(next(iter(it.home.server.sessions.values())).policy) == "rate 10mbit/2mbit"

    async def test_the_list_has_no_password_and_no_hash(self, tmp_path):
        async with steered(tmp_path) as it:
            assert await it.ask(it.client.users) == {"users": [], "problems": []}
            await it.ask(it.client.change_user, "add", "anna", password=PASSWORD, clear_text=True)
            facts = await it.ask(it.client.users)
            assert facts["users"] == [
                {
                    "user": "anna",
                    "where": "store",
                    "server": "*",
                    "addresses": "any address",
                    "clear_text": True,
                    "policy": {},
                }
            ]
            text = json.dumps(facts)
            assert PASSWORD not in text
            assert crypto.nt_password_hash(PASSWORD).hex() not in text

    async def test_passwd_limit_and_remove(self, tmp_path):
        async with steered(tmp_path) as it:
            store = it.home.settings.users.store
            await it.ask(it.client.change_user, "add", "anna", password="old", policy={"idle": "5m"})
            await it.ask(it.client.change_user, "passwd", "anna", password="new")
            facts = await it.ask(it.client.change_user, "limit", "anna", policy={"rate": "1mbit"}, clear=["idle"])
            assert facts["policy"] == {"rate": "1mbit"}
            assert read(store)[0][0].secret.nt_hash == crypto.nt_password_hash("new")
            await it.ask(it.client.change_user, "remove", "anna")
            assert read(store) == ([], [])

    async def test_a_limit_holds_for_who_is_connected_at_once(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.ask(it.client.change_user, "add", "anna", password=PASSWORD)
            caller = await it.home.log_in(user="anna", password=PASSWORD)
            await up(it.home)
            await it.ask(it.client.change_user, "limit", "anna", policy={"disabled": "yes"})
            await until(lambda: caller.over)
            assert it.home.log.about("session ended")[0]["reason"] == "disabled"

    async def test_events_and_log_say_who_and_never_the_password(self, tmp_path):
        async with steered(tmp_path) as it:
            queue = Queue()
            it.home.server.events.listen(queue)
            await it.ask(it.client.change_user, "add", "anna", password=PASSWORD)
            await it.ask(it.client.change_user, "passwd", "anna", password=PASSWORD + "2")
            await it.ask(it.client.change_user, "limit", "anna", policy={"idle": "5m"})
            await it.ask(it.client.change_user, "remove", "anna")
            assert await told(queue) == [
                {"event": "user added", "user": "anna"},
                {"event": "user changed", "user": "anna", "changed": "password"},
                {"event": "user changed", "user": "anna", "changed": "policy"},
                {"event": "user removed", "user": "anna"},
            ]
            assert PASSWORD not in str(it.home.log.lines)

    @pytest.mark.parametrize(
        ("order", "facts", "exit_code", "words"),
        [
            ("add", {}, 2, "the order is written as"),
            ("add", {"password": 5}, 2, "the order is written as"),
            ("add", {"password": PASSWORD, "polcy": {}}, 2, "a key this order does not know"),
            ("add", {"password": PASSWORD, "policy": {"rate": "fast"}}, 2, "rate:"),
            ("add", {"password": PASSWORD, "policy": {"speed": "1"}}, 2, "nothing a policy can say"),
            ("add", {"password": PASSWORD, "policy": ["rate"]}, 2, "policy is"),
            ("add", {"password": PASSWORD, "clear_text": "no"}, 2, "true or false"),
            ("add", {"password": ""}, 2, "1 to 256 characters"),
            ("passwd", {"password": PASSWORD}, 2, "does not exist"),
            ("limit", {"clear": "idle"}, 2, "clear is"),
            ("limit", {"clear": ["speed"]}, 2, "nothing a policy can say"),
            ("remove", {"all": True}, 2, "the order is written as"),
        ],
    )
    async def test_what_cannot_be_done_is_said_without_the_password(self, tmp_path, order, facts, exit_code, words):
        async with steered(tmp_path) as it:
            with pytest.raises(SetupError) as caught:
                await it.ask(it.client.change_user, order, "anna", **facts)
            assert caught.value.exit_code == exit_code
            assert words in str(caught.value)
            assert PASSWORD not in str(caught.value) + str(it.home.log.lines)

    async def test_a_name_that_is_taken_or_unknown(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.ask(it.client.change_user, "add", "anna", password=PASSWORD)
            with pytest.raises(SetupError, match="already in"):
                await it.ask(it.client.change_user, "add", "anna", password=PASSWORD)
            with pytest.raises(SetupError, match="no user bob"):
                await it.ask(it.client.change_user, "remove", "bob")

    async def test_a_store_that_is_locked_holds_nobody_else_up(self, tmp_path, monkeypatch):
        monkeypatch.setattr("openpptp.backends.users_store.BUSY_TIMEOUT", 0.5)
        async with steered(tmp_path) as it:
            with UsersStore(it.home.settings.users.store) as store:
                store._database.execute("BEGIN EXCLUSIVE")
                adding = asyncio.create_task(it.ask(it.client.change_user, "add", "anna", password=PASSWORD))
                await it.home.log_in()
                assert not adding.done()
                with pytest.raises(SetupError, match="another program has locked it"):
                    await adding

"""The users store: one SQLite file, changed by one program while another reads."""

import contextlib
import os
import sqlite3
import stat

import pytest

from openpptp import crypto
from openpptp.backends import users_store
from openpptp.backends.policy import NOTHING, parse
from openpptp.backends.users_store import UsersStore, may_write, read
from openpptp.errors import SetupError

PASSWORD = "s3cret#"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lib" / "users.sqlite"


def names(path) -> list[str]:
    return [user.name for user in read(path)[0]]


class ChangeTests:
    def test_a_user_is_kept_as_the_nt_hash_of_his_password(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD, parse("rate 10mbit/2mbit"))
        ((anna,), problems) = read(path)
        assert (anna.name, anna.secret.password, problems) == ("anna", None, [])
        assert anna.secret.nt_hash == crypto.nt_password_hash(PASSWORD)
        assert str(anna.policy) == "rate 10mbit/2mbit"
        assert not [file for file in path.parent.iterdir() if PASSWORD.encode() in file.read_bytes()]

    def test_the_password_itself_only_where_it_is_asked_for_and_gone_with_the_next(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD, clear_text=True)
            assert read(path)[0][0].secret.password == PASSWORD
            store.set_password("anna", "other")
        (anna,) = read(path)[0]
        assert (anna.secret.password, anna.secret.nt_hash) == (None, crypto.nt_password_hash("other"))
        assert anna.policy is not None

    def test_a_password_that_was_kept_leaves_no_trace_in_the_file(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD, clear_text=True)
            store.set_password("anna", "other")
        assert not [file for file in path.parent.iterdir() if PASSWORD.encode() in file.read_bytes()]

    def test_a_policy_is_changed_and_another_users_is_not(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD, parse("idle 5m"))
            store.add("bob", PASSWORD, parse("idle 5m"))
            assert str(store.limit("anna", lambda policy: policy.said("rate", "1mbit"))) == "rate 1mbit idle 5m"
        assert [str(user.policy) for user in read(path)[0]] == ["rate 1mbit idle 5m", "idle 5m"]

    def test_a_change_that_fails_changes_nothing(self, path):
        def fail(policy):
            raise SetupError("no")

        with UsersStore(path) as store:
            store.add("anna", PASSWORD, parse("idle 5m"))
            with pytest.raises(SetupError, match="no"):
                store.limit("anna", fail)
            store.add("bob", PASSWORD)
        assert names(path) == ["anna", "bob"]

    def test_remove(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD)
            store.add("bob", PASSWORD)
            store.remove("anna")
        assert names(path) == ["bob"]

    def test_a_name_that_is_taken(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD)
            with pytest.raises(SetupError, match="already in") as caught:
                store.add("anna", "other")
        assert "other" not in str(caught.value)

    @pytest.mark.parametrize("name", ["", "*", "a\nb", "x" * 256])
    def test_a_name_nobody_can_have(self, path, name):
        with UsersStore(path) as store, pytest.raises(SetupError):
            store.add(name, PASSWORD)

    @pytest.mark.parametrize(
        "change",
        [
            lambda store: store.set_password("anna", PASSWORD),
            lambda store: store.remove("anna"),
            lambda store: store.limit("anna", lambda policy: policy),
        ],
    )
    def test_who_is_not_there_is_said(self, path, change):
        with UsersStore(path) as store, pytest.raises(SetupError, match="there is no user anna"):
            change(store)

    def test_names_are_what_was_written(self, path):
        odd = ["DOM\\anna", "жук", "o'brien", "a b", 'q"q']
        with UsersStore(path) as store:
            for name in odd:
                store.add(name, PASSWORD)
        assert set(names(path)) == set(odd)


class FileTests:
    def test_it_is_its_owners_alone_and_writers_and_readers_do_not_wait_for_each_other(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            with sqlite3.connect(path) as writer:
                writer.execute("BEGIN IMMEDIATE")
                assert names(path) == ["anna"]
            writer.close()

    def test_another_database_is_not_taken_for_it(self, path):
        path.parent.mkdir()
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE sessions (id)")
        database.commit()
        database.close()
        for use in (lambda: UsersStore(path), lambda: UsersStore(path, make=False), lambda: read(path)):
            with pytest.raises(SetupError, match="no users store"):
                use()

    def test_one_of_a_later_version_is_left_alone(self, path):
        UsersStore(path).close()
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 9")
        database.close()
        with pytest.raises(SetupError, match="version 9"):
            UsersStore(path)

    def test_damage_is_said(self, path):
        UsersStore(path).close()
        path.write_bytes(b"no database at all" * 100)
        with pytest.raises(SetupError, match="damaged"):
            read(path)

    def test_a_row_that_is_damaged_costs_one_user(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD)
            store.add("bob", PASSWORD)
            store.add("carla", PASSWORD)
        database = sqlite3.connect(path)
        database.execute("UPDATE users SET policy = 'rate fast' WHERE name = 'anna'")
        database.execute("UPDATE users SET nt_hash = x'00' WHERE name = 'bob'")
        database.commit()
        database.close()
        users, problems = read(path)
        assert [user.name for user in users] == ["carla"]
        assert "user 'anna' cannot log in: rate:" in problems[0]
        assert "user 'bob' cannot log in: its row is damaged" in problems[1]

    def test_a_lock_is_said(self, path, monkeypatch):
        monkeypatch.setattr(users_store, "BUSY_TIMEOUT", 0.01)
        with UsersStore(path) as store:
            store.add("anna", PASSWORD)
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(SetupError, match="another program has locked it"):
                store.add("bob", PASSWORD)
            other.close()

    def test_a_full_disk_is_said_and_nothing_is_half_written(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD)
            store._database.execute("PRAGMA max_page_count = 1")
            long = parse(f"route {','.join(f'10.{number}.0.0/16' for number in range(64))}")
            for number in range(4):  # a page has room for some
                with contextlib.suppress(SetupError):
                    store.add(f"user{number}", PASSWORD, long)
            before = names(path)
            with pytest.raises(SetupError, match="disk is full"):
                store.add("carla", PASSWORD, long)
            assert names(path) == before
            store._database.execute("PRAGMA max_page_count = 100000")
            store.add("carla", PASSWORD, long)
        assert names(path) == sorted([*before, "carla"])

    def test_none_is_said_with_the_command_that_makes_it(self, path):
        for use in (lambda: read(path), lambda: UsersStore(path, make=False)):
            with pytest.raises(SetupError, match="user add NAME --store"):
                use()
        assert not path.parent.exists()

    def test_more_users_than_fit_are_refused(self, path, monkeypatch):
        monkeypatch.setattr(users_store, "MOST_USERS", 2)
        with UsersStore(path) as store:
            for name in ("anna", "bob", "carla"):
                store.add(name, PASSWORD)
        with pytest.raises(SetupError, match="more than 2 users"):
            read(path)

    def test_whether_it_may_be_written(self, path, monkeypatch):
        assert may_write(path)
        monkeypatch.setattr(os, "access", lambda _path, mode, **_named: mode != os.W_OK)
        assert not may_write(path)

    def test_a_policy_of_nothing_is_an_empty_text(self, path):
        with UsersStore(path) as store:
            store.add("anna", PASSWORD)
        assert read(path)[0][0].policy == NOTHING

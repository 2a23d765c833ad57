"""The accounting file and the thread that writes it."""

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from tests.eventually import eventually
from tests.machine import REPOSITORY

from openpptp.backends import accounting, accounting_store
from openpptp.backends.accounting import DAY, Accounting
from openpptp.backends.accounting_store import (
    LOST,
    AccountingStore,
    SessionRow,
    lives,
    octets_of,
    owner,
    sessions,
    totals,
)
from openpptp.errors import SetupError

ROW = SessionRow("s1", "", "anna", "203.0.113.9", "10.9.0.2", 1000.0, 1000.0, None, 0, 0, 0, 0, None)

WRITES_FOR_EVER = """
import itertools, pathlib, sys
from openpptp.backends.accounting_store import AccountingStore, SessionRow, owner
store = AccountingStore(pathlib.Path(sys.argv[1]))
for number in itertools.count():
    name = f"{sys.argv[2]}-{number}"
    store.write([SessionRow(name, owner(), "anna", "", "", 1.0, 2.0, None, 0, 0, 0, 0, None)])
    print(name, flush=True)
"""


def row(identifier: str = "s1", **values) -> SessionRow:
    return replace(ROW, **{"id": identifier, "owner": owner(), **values})


def dead_owner() -> str:
    """Return the name of a process that lived."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        name = accounting_store._name(process.pid)
    assert name is not None
    return name


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lib" / "accounting.sqlite"


@pytest.fixture
def make(path):
    """Return a function that opens an Accounting with short waits; said is what it said."""
    made = []

    def make(**how) -> Accounting:
        said: list[str] = []
        book = Accounting(path, **{"say": said.append, "batch": 0.01, "retry": 0.02, **how})
        book.said = said
        made.append(book)
        return book

    yield make
    for each in made:
        each.close()


class WriterTests:
    """backends/accounting.py."""

    def test_a_session_is_one_row_from_start_to_stop(self, make, path):
        book = make()
        book.write([row()])
        assert eventually(lambda: path.exists() and not book.waiting and sessions(path) == [row()])
        book.write([row(last=1060.0, octets_in=17)])
        book.write([row(last=1070.0, stopped=1070.0, octets_in=18, octets_out=5, cause="peer-request")])
        assert book.close()
        assert sessions(path) == [row(last=1070.0, stopped=1070.0, octets_in=18, octets_out=5, cause="peer-request")]
        assert book.said == []

    def test_the_last_rows_are_written_at_the_end_without_waiting_for_the_batch(self, make, path):
        book = make(batch=3600)
        book.write([row()])
        assert book.close()
        assert sessions(path) == [row()]

    def test_the_file_is_its_owners_only(self, make, path):
        make().close()
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_rows_of_a_thousand_sessions_are_one_transaction(self, make, path):
        book = make(batch=0.2)
        book.write([row(f"s{number}") for number in range(1000)])
        seen = set()

        def all_there() -> bool:
            if path.exists():
                seen.add(len(sessions(path)) if _has_table(path) else 0)
            return 1000 in seen

        assert eventually(all_there)
        assert seen <= {0, 1000}

    def test_b145_sessions_of_a_killed_server_are_closed_as_lost_when_they_were_last_seen(self, make, path):
        killed = dead_owner()
        store = _store(path)
        store.write([row(owner=killed, last=1234.0, octets_in=9), row("s2", started=2000.0)])
        store.close()
        book = make()
        assert book.close()
        first, second = sessions(path)
        assert (first.stopped, first.cause, first.octets_in) == (1234.0, LOST, 9)
        assert second.stopped is None, "a server that lives keeps its sessions"
        assert book.said == [f"{path}: 1 sessions of a server that was killed are closed with cause lost"]

    def test_b145_what_was_written_before_kill_minus_nine_is_there_and_the_file_is_whole(self, make, path):
        for round_ in range(5):
            command = [sys.executable, "-c", WRITES_FOR_EVER, str(path), str(round_)]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, env={"PYTHONPATH": str(REPOSITORY / "src")}
            ) as victim:
                written = [victim.stdout.readline().decode().strip() for _ in range(7 * round_ + 1)]
                victim.kill()
                written += victim.stdout.read().decode().split("\n")[:-1]
            assert set(written) <= {each.id for each in sessions(path)}
        assert make().close()
        assert {each.cause for each in sessions(path)} == {LOST}
        database = sqlite3.connect(path)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()

    def test_a_session_closed_as_lost_by_mistake_is_mended_by_its_next_row(self, path):
        store = _store(path)
        store.write([row(last=1100.0, stopped=1100.0, cause=LOST)])
        store.write([row(last=1200.0)])
        store.close()
        assert sessions(path) == [row(last=1200.0)]

    def test_old_sessions_are_removed_and_open_ones_stay(self, make, path):
        now = time.time()
        store = _store(path)
        store.write(
            [
                row("old", stopped=now - 3 * DAY, cause="idle"),
                row("new", stopped=now - DAY, cause="idle"),
                row("open"),
            ]
        )
        store.close()
        assert make(keep_days=2).close()
        assert {each.id for each in sessions(path)} == {"new", "open"}

    def test_nothing_is_removed_unless_asked(self, make, path):
        store = _store(path)
        store.write([row(stopped=1.0, cause="idle")])
        store.close()
        assert make(keep_days=0).close()
        assert len(sessions(path)) == 1

    def test_many_old_sessions_are_removed_in_several_transactions(self, path, monkeypatch):
        monkeypatch.setattr(accounting_store, "PRUNE_AT_ONCE", 10)
        store = _store(path)
        store.write([row(f"s{number}", stopped=5.0, cause="idle") for number in range(25)])
        assert store.prune(6.0) == 25
        store.close()

    def test_a_name_made_to_harm_is_kept_as_it_is(self, make, path):
        name = "Robert'); DROP TABLE sessions;--\n\u2028ß"
        book = make()
        book.write([row(user=name)])
        book.close()
        assert sessions(path, user=name)[0].user == name


class BadFileTests:
    """B-143 and other files that cannot be written: it is said once, serving goes on, writing resumes."""

    def test_a_directory_that_cannot_be_made_is_said_once_and_tried_again(self, make, path):
        path.parent.write_text("a file, where a directory has to be")
        book = make()
        book.write([row()])
        assert eventually(lambda: book.said)
        book.write([row(last=1060.0)])
        assert eventually(lambda: book.waiting == 1)
        path.parent.unlink()
        assert eventually(lambda: len(book.said) > 1 and not book.waiting)
        assert [line.partition(": ")[2][:31] for line in book.said] == [
            "accounting cannot be written: F",
            "accounting is written again",
        ]
        assert sessions(path) == [row(last=1060.0)]

    def test_it_is_said_once_however_often_it_is_tried(self, make, monkeypatch):
        tries = []

        def refuse(path):
            tries.append(path)
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(accounting, "AccountingStore", refuse)
        book = make()
        assert eventually(lambda: len(tries) >= 5)
        assert len(book.said) == 1

    def test_what_comes_while_a_write_fails_is_newer_than_what_failed(self, make, path, monkeypatch):
        writing, go_on = threading.Event(), threading.Event()

        class FailsOnce(AccountingStore):
            def write(self, rows) -> None:
                if not go_on.is_set():
                    writing.set()
                    assert go_on.wait(20)
                    raise sqlite3.OperationalError("disk I/O error")
                super().write(rows)

        monkeypatch.setattr(accounting, "AccountingStore", FailsOnce)
        book = make()
        book.write([row(), row("s2")])
        assert writing.wait(20)
        book.write([row(last=1060.0)])
        go_on.set()
        assert eventually(lambda: not book.waiting and len(book.said) == 2)
        assert book.close()
        assert {each.id: each.last for each in sessions(path)} == {"s1": 1060.0, "s2": 1000.0}

    def test_a_file_that_is_no_database_is_left_alone_until_it_is_moved_away(self, make, path):
        path.parent.mkdir()
        path.write_bytes(b"these are somebody's notes\n" * 100)
        book = make()
        book.write([row()])
        assert eventually(lambda: book.said)
        assert "file is not a database" in book.said[0]
        assert path.read_bytes().startswith(b"these are somebody's notes")
        path.rename(path.with_suffix(".old"))
        assert eventually(lambda: path.exists() and not book.waiting)
        assert book.close()
        assert sessions(path) == [row()]

    def test_a_file_of_a_later_version_is_not_touched(self, make, path):
        path.parent.mkdir()
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 7")
        database.close()
        book = make()
        assert eventually(lambda: book.said)
        assert "it is of version 7 and this program writes version 1" in book.said[0]

    def test_a_file_taken_away_under_the_server_is_made_again(self, make, path):
        book = make()
        book.write([row()])
        assert eventually(lambda: path.exists() and not book.waiting and _has_table(path) and sessions(path))
        for part in path.parent.iterdir():
            part.unlink()
        book.write([row("s2")])
        assert book.close()
        assert [each.id for each in sessions(path)] == ["s2"]

    def test_memory_is_bounded_and_what_was_given_up_is_counted(self, make, path):
        path.parent.write_text("in the way")
        book = make(waiting_most=10)
        assert eventually(lambda: book.said)
        book.write([row(f"s{number}") for number in range(25)])
        assert book.waiting <= 10
        path.parent.unlink()
        assert eventually(lambda: len(book.said) > 1)
        assert book.said[1].endswith("; 15 sessions were given up meanwhile")
        assert book.close()
        assert {each.id for each in sessions(path)} == {f"s{number}" for number in range(15, 25)}

    def test_the_end_does_not_wait_for_a_file_that_cannot_be_written(self, make, path):
        path.parent.write_text("in the way")
        book = make(retry=3600)
        book.write([row()])
        assert eventually(lambda: book.said)
        assert not book.close()
        assert book.said[-1].endswith("accounting ends with 1 sessions not written")

    def test_a_database_somebody_else_has_locked_is_written_when_it_is_free(self, make, path, monkeypatch):
        monkeypatch.setattr(accounting_store, "BUSY_TIMEOUT", 0.01)
        _store(path).close()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        book = make()
        book.write([row()])
        assert eventually(lambda: book.said)
        assert "locked" in book.said[0]
        other.execute("ROLLBACK")
        other.close()
        assert eventually(lambda: not book.waiting and sessions(path))


class ReadingTests:
    """Sessions and totals."""

    @pytest.fixture
    def filled(self, path):
        store = _store(path)
        store.write(
            [
                row(
                    "a1", last=1100.0, stopped=1100.0, octets_in=1, octets_out=2, packets_in=3, packets_out=4, cause="x"
                ),
                row("a2", started=2000.0, last=2050.0, octets_in=10, octets_out=20, packets_in=30, packets_out=40),
                row("b1", started=1500.0, last=1510.0, stopped=1510.0, user="bob", cause="idle"),
            ]
        )
        store.close()
        return path

    @pytest.mark.parametrize(
        ("how", "found"),
        [
            ({}, ["a1", "b1", "a2"]),
            ({"user": "anna"}, ["a1", "a2"]),
            ({"user": "ann"}, []),
            ({"since": 1500.0}, ["b1", "a2"]),
            ({"newest": 2}, ["b1", "a2"]),
            ({"since": 1500.0, "user": "anna", "newest": 1}, ["a2"]),
        ],
    )
    def test_sessions_are_found_the_oldest_first(self, filled, how, found):
        assert [each.id for each in sessions(filled, **how)] == found

    def test_totals_count_what_goes_on_as_well(self, filled):
        anna, bob = totals(filled)
        assert (anna.user, anna.sessions, anna.open, anna.seconds) == ("anna", 2, 1, 150.0)
        assert (anna.octets_in, anna.octets_out, anna.packets_in, anna.packets_out) == (11, 22, 33, 44)
        assert (bob.user, bob.sessions, bob.open, bob.seconds) == ("bob", 1, 0, 10.0)
        assert [each.user for each in totals(filled, since=1600.0)] == ["anna"]

    def test_reading_changes_nothing_and_works_while_a_server_writes(self, make, path):
        book = make()
        book.write([row()])
        assert eventually(lambda: path.exists() and _has_table(path) and sessions(path))
        before = path.read_bytes()
        assert totals(path)
        assert path.read_bytes() == before

    def test_a_missing_file_is_said_with_the_reason(self, path):
        with pytest.raises(SetupError, match=r"there is no accounting file; a server makes it"):
            sessions(path)
        assert not path.exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
    def test_a_user_who_may_not_read_it_is_told_so(self, filled):
        os.seteuid(65534)
        try:
            with pytest.raises(SetupError, match="may not be read by this user") as caught:
                sessions(filled)
        finally:
            os.seteuid(0)
        assert caught.value.exit_code == 3

    def test_another_file_is_said_to_be_none(self, path):
        path.parent.mkdir()
        path.write_text("x" * 5000)
        with pytest.raises(SetupError, match=r"cannot be read as an accounting file: file is not a database"):
            totals(path)


class OctetsTests:
    """What a quota asks for."""

    def test_both_directions_of_a_users_sessions_since_a_time(self, path):
        store = AccountingStore(path)
        store.write([
            row("old", started=10.0, octets_in=1),
            row("a", started=100.0, octets_in=10, octets_out=20),
            row("b", started=200.0, octets_in=40),
            row("theirs", started=200.0, octets_in=1000, user="bob"),
        ])  # fmt: skip
        store.close()
        assert octets_of(path, "anna", since=100.0) == 70
        assert octets_of(path, "anna", since=0.0, without=["b"]) == 31
        assert octets_of(path, "nobody", since=0.0) == 0

    def test_a_file_that_does_not_exist_yet_holds_nothing(self, path):
        assert octets_of(path, "anna", since=0.0) == 0


class OwnerTests:
    """Who keeps a row up to date."""

    def test_this_process_lives(self):
        assert lives(owner())

    def test_another_that_took_the_number_is_not_the_same(self):
        pid, started, boot = owner().split(" ")
        assert not lives(f"{pid} {int(started) + 1} {boot}")
        assert not lives(f"{pid} {started} another-boot")

    @pytest.mark.parametrize("name", ["", "?", "-1 2 3", "x", "99999999 1 1"])
    def test_no_process_at_all(self, name):
        assert not lives(name)

    def test_one_that_ended_does_not_live(self):
        process = subprocess.Popen([sys.executable, "-c", "pass"], stdin=subprocess.DEVNULL)
        try:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie
            assert accounting_store._name(process.pid) is None
        finally:
            process.wait()


def _store(path) -> AccountingStore:
    return AccountingStore(path)


def _has_table(path) -> bool:
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").fetchone())
    except sqlite3.Error:
        return False
    finally:
        database.close()

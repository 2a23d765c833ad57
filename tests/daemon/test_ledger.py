"""From what happens to sessions to rows of the accounting."""

import asyncio
from types import SimpleNamespace

import pytest
from tests.daemon.loopback import USER, house
from tests.eventually import until

from openpptp.backends import accounting_store
from openpptp.backends.accounting import Accounting
from openpptp.daemon.ledger import AT_ONCE, Ledger
from openpptp.daemon.session_record import SessionRecord
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason, Misuse

EPOCH = 1_800_000_000.0


class Book:
    """Remembers rows as they were written."""

    def __init__(self) -> None:
        self.rows = []
        self.writes = 0

    def write(self, rows) -> None:
        self.rows += rows
        self.writes += 1


def session(name: str = "s1", *, user: str = "anna", call_id: int = 5) -> SessionRecord:
    return SessionRecord(call_id, user, None, "10.9.0.2", SimpleNamespace(peer="203.0.113.9"), id=name)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def ledger(book) -> Ledger:
    return Ledger(book, wall=lambda: EPOCH)


class RowTests:
    """Start and stop."""

    def test_a_session_begins_with_its_first_data_and_ends_with_its_reason(self, ledger, book):
        one = session()
        ledger.logged_in(one, 90.0)
        assert book.rows == []
        ledger.went_up(one, Counters(), 100.0)
        ledger.went_down(one, Counters(octets_in=7), 150.0)
        ledger.ended(one, EndReason.IDLE, Counters(3, 7, 2, 9), 160.0)
        start, stop = book.rows
        assert (start.id, start.user, start.peer, start.address) == ("s1", "anna", "203.0.113.9", "10.9.0.2")
        assert (start.started, start.last, start.stopped, start.cause) == (EPOCH, EPOCH, None, None)
        assert (stop.started, stop.last, stop.stopped, stop.cause) == (EPOCH, EPOCH + 60, EPOCH + 60, "idle")
        assert (stop.packets_in, stop.octets_in, stop.packets_out, stop.octets_out) == (3, 7, 2, 9)

    def test_one_that_never_carried_data_leaves_no_row(self, ledger, book):
        one = session()
        ledger.logged_in(one, 90.0)
        ledger.ended(one, EndReason.SETUP_TIMEOUT, Counters(), 95.0)
        assert book.rows == []

    def test_a_renegotiation_does_not_begin_another_row(self, ledger, book):
        one = session()
        ledger.went_up(one, Counters(), 100.0)
        ledger.went_down(one, Counters(octets_in=7), 110.0)
        ledger.went_up(one, Counters(octets_in=7), 120.0)
        ledger.ended(one, EndReason.IDLE, Counters(octets_in=9), 130.0)
        assert [row.octets_in for row in book.rows] == [0, 9]
        assert book.rows[-1].stopped == EPOCH + 30

    def test_the_next_session_on_the_same_call_counts_from_its_own_start(self, ledger, book):
        counted = Counters(1, 70, 1, 50)
        ledger.went_up(session("s2"), counted, 100.0)
        counted.octets_in = 75
        ledger.ended(session("s2"), EndReason.IDLE, counted, 130.0)
        assert book.rows[-1].octets_in == 5

    def test_counters_lost_to_a_defect_are_not_negative(self, ledger, book):
        ledger.went_up(session(), Counters(1, 70, 1, 50), 100.0)
        ledger.ended(session(), EndReason.PROTOCOL_ERROR, Counters(), 130.0)
        assert (book.rows[-1].octets_in, book.rows[-1].packets_out) == (0, 0)

    def test_b144_the_clock_of_the_wall_may_jump_meanwhile(self, book):
        clock = [EPOCH]
        ledger = Ledger(book, wall=lambda: clock[0])
        ledger.went_up(session(), Counters(), 100.0)
        clock[0] -= 86400
        ledger.ended(session(), EndReason.IDLE, Counters(), 130.0)
        assert book.rows[-1].stopped == EPOCH + 30

    def test_a_name_with_a_half_character_can_be_written(self, ledger, book, tmp_path):
        ledger.went_up(session(user="an\udc80na"), Counters(), 100.0)
        path = tmp_path / "a.sqlite"
        writer = Accounting(path)
        writer.write(book.rows)
        assert writer.close()
        assert accounting_store.sessions(path)[0].user == "an\\udc80na"


class InterimTests:
    """The counters of all open sessions, every so often."""

    async def test_all_open_sessions_are_one_write(self, ledger, book):
        for number in range(AT_ONCE + 5):
            ledger.went_up(session(f"s{number}", call_id=number), Counters(), 100.0)
        book.rows.clear()
        book.writes = 0
        await ledger.interim(lambda call_id: Counters(octets_in=call_id))
        assert book.writes == 1
        assert {row.id: row.octets_in for row in book.rows} == {f"s{n}": n for n in range(AT_ONCE + 5)}
        assert all(row.stopped is None for row in book.rows)

    async def test_one_that_ends_meanwhile_is_not_opened_again(self, ledger, book):
        for number in range(AT_ONCE + 1):
            ledger.went_up(session(f"s{number}", call_id=number), Counters(), 100.0)
        first = session("s0", call_id=0)
        asyncio.get_running_loop().call_soon(ledger.ended, first, EndReason.IDLE, Counters(), 110.0)
        await ledger.interim(lambda _call_id: Counters())
        assert [row.cause for row in book.rows if row.id == "s0"] == [None, "idle"]

    async def test_a_call_the_data_path_does_not_know_costs_its_own_row_only(self, ledger, book):
        for number in range(2):
            ledger.went_up(session(f"s{number}", call_id=number), Counters(), 100.0)
        book.rows.clear()

        def counters(call_id: int) -> Counters:
            if call_id == 0:
                raise Misuse("call 0 is not open")
            return Counters(octets_in=3)

        await ledger.interim(counters)
        assert [(row.id, row.octets_in) for row in book.rows] == [("s1", 3)]


class ServerTests:
    """A whole server tells its watchers."""

    async def test_start_and_stop_of_a_session_with_its_counters(self, tmp_path, ledger, book):
        async with house(tmp_path) as home:
            home.server._watchers = [ledger]
            caller = await home.log_in()
            await until(lambda: book.rows)
            (call_id,) = home.data_path.open_calls
            home.data_path.open_calls[call_id].octets_in = 17
            await ledger.interim(home.server.counters)
            caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            start, interim, stop = book.rows
            assert (start.user, start.peer) == (USER, "127.0.0.1")
            assert (interim.octets_in, interim.stopped) == (17, None)
            assert (stop.octets_in, stop.cause) == (17, "peer-request")
            assert len({row.id for row in book.rows}) == 1

    async def test_p20_the_end_of_the_server_closes_every_row(self, tmp_path, ledger, book):
        async with house(tmp_path) as home:
            home.server._watchers = [ledger]
            for _ in range(3):
                await home.log_in()
            await until(lambda: len(book.rows) == 3)
            await home.server.stop()
            assert [row.cause for row in book.rows[3:]] == ["shutdown"] * 3

    async def test_p20_also_of_peers_that_do_not_take_leave(self, tmp_path, ledger, book, monkeypatch):
        monkeypatch.setattr("openpptp.daemon.server.STOP_TIMEOUT", 0.05)
        async with house(tmp_path) as home:
            home.server._watchers = [ledger]
            await home.log_in()
            await until(lambda: book.rows)
            home.data_path.other = None  # nobody hears our Terminate-Request
            for driver in home.calls.values():
                driver._transport.pause_reading()
            await home.server.stop()
            assert len(book.rows) == 2
            assert book.rows[-1].stopped is not None

    async def test_a_connection_that_a_defect_of_ours_ends_is_closed_as_well(self, tmp_path, ledger, book):
        async with house(tmp_path) as home:
            home.server._watchers = [ledger]
            await home.log_in()
            await until(lambda: book.rows)
            (driver,) = home.server._drivers
            driver._fail(EndReason.PROTOCOL_ERROR, "a defect in this program ended the session")
            await home.at_rest()
            assert [row.cause for row in book.rows] == [None, "protocol-error"]

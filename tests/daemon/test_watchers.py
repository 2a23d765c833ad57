"""What the settings ask for is what hears of sessions, from the start of a server to its end."""

import contextlib

import pytest
from tests.daemon.loopback import Log
from tests.daemon.test_ledger import session
from tests.eventually import until

from openpptp.backends import accounting_store
from openpptp.daemon.config import Settings
from openpptp.daemon.hooks import Hooks
from openpptp.daemon.ledger import Ledger
from openpptp.daemon.watchers import Watchers
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason, SetupError


@pytest.fixture
async def watch(tmp_path):
    """Return a function that opens watchers by some settings, with their log."""
    made = []

    def watch(**sections) -> Watchers:
        sections.setdefault("accounting", {}).setdefault("file", str(tmp_path / "lib" / "accounting.sqlite"))
        settings = Settings.model_validate({"network": {"pool": ["10.9.0.0/24"]}, **sections})
        watchers = Watchers(settings, "pptp0", Log().logger)
        made.append(watchers)
        return watchers

    yield watch
    for each in made:
        await each.close()


def kinds(watchers: Watchers) -> list[type]:
    return [type(each) for each in watchers.all]


def octets(file) -> list[int]:
    """Return what came in by each session of the file; nothing while there is no table yet."""
    with contextlib.suppress(SetupError):
        return [row.octets_in for row in accounting_store.sessions(file)]
    return []


class WatchersTests:
    async def test_accounting_is_on_and_hooks_are_off_unless_told(self, watch, tmp_path):
        assert kinds(watch()) == [Ledger]
        assert kinds(watch(hooks={"ip_down": "/usr/local/sbin/x"})) == [Ledger, Hooks]
        assert kinds(watch(accounting={"on": False}, hooks={"directory": str(tmp_path)})) == [Hooks]

    async def test_without_accounting_no_file_is_made(self, watch, tmp_path):
        watchers = watch(accounting={"on": False})
        assert watchers.all == []
        watchers.start(lambda _call_id: Counters())
        await watchers.close()
        assert list(tmp_path.iterdir()) == []

    async def test_interim_rows_are_written_by_the_clock_and_the_rest_at_the_end(self, watch, tmp_path):
        watchers = watch(accounting={"interim": 1})
        file = tmp_path / "lib" / "accounting.sqlite"
        (ledger,) = watchers.all
        ledger.went_up(session(), Counters(), 1.0)
        watchers._interval = 0.01
        watchers.start(lambda _call_id: Counters(octets_in=17))
        await until(lambda: octets(file) == [17])
        ledger.ended(session(), EndReason.IDLE, Counters(octets_in=18), 9.0)
        await watchers.close()
        assert octets(file) == [18]

    async def test_a_file_that_cannot_be_made_is_said_in_the_log_of_the_server(self, tmp_path):
        (tmp_path / "lib").write_text("in the way")
        log = Log()
        settings = {"network": {"pool": ["10.9.0.0/24"]}, "accounting": {"file": str(tmp_path / "lib" / "a.sqlite")}}
        watchers = Watchers(Settings.model_validate(settings), "pptp0", log.logger)
        await until(lambda: log.lines)
        await watchers.close()
        assert "accounting cannot be written" in log.lines[0]["event"]

"""The log keeps secrets and does not flood."""

import io
import json
import logging
import os
import subprocess
import sys

import pytest
import structlog
from tests.machine import REPOSITORY

from openpptp.daemon.log import Seldom, report_defect, set_up, to_logging


@pytest.fixture(autouse=True)
def _restore():
    yield
    structlog.reset_defaults()


def lines(style: str, *, level: str = "info", **values) -> str:
    stream = io.StringIO()
    set_up(level, style, stream)
    log = structlog.get_logger()
    log.debug("quiet")
    log.info("session up", **values)
    return stream.getvalue()


class LineTests:
    """What a line holds."""

    def test_json_is_one_object_per_line(self):
        (line,) = lines("json", call=3, user="alice").splitlines()
        read = json.loads(line)
        assert (read["event"], read["call"], read["user"], read["level"]) == ("session up", 3, "alice", "info")

    def test_json_begins_with_what_no_peer_has_a_say_in(self):
        (line,) = lines("json", user="alice", call=3, peer="192.0.2.1", session="ab").splitlines()
        assert list(json.loads(line)) == ["timestamp", "level", "event", "session", "peer", "call", "user"]

    def test_text_is_plain_where_no_terminal_is(self):
        text = lines("text", call=3)
        assert "\x1b" not in text
        assert "session up" in text
        assert "quiet" not in text

    @pytest.mark.parametrize("style", ["text", "json"])
    @pytest.mark.parametrize("name", ["password", "nt_response", "send_key", "challenge"])
    def test_p28_no_secret_is_written_at_any_level(self, style, name):
        assert "hunter2" not in lines(style, level="debug", **{name: "hunter2"})

    @pytest.mark.parametrize("style", ["text", "json"])
    def test_a_peer_cannot_forge_a_line_or_steer_the_terminal(self, style):
        text = lines(style, user="al\nice\x1b[2J")
        assert len(text.splitlines()) == 1
        assert "\x1b" not in text


class OtherProgramTests:
    """The log of a program that embeds this one: the standard library's, and nothing of the process is configured."""

    def test_it_goes_to_logging_by_level_and_under_the_same_rules(self, caplog):
        caplog.set_level(logging.INFO, "openpptp")
        log = to_logging(logging.getLogger("openpptp"))
        log.debug("quiet")
        log.info("session up", user="a\nb", password="x")
        for _ in range(3):
            log.bind(peer="192.0.2.1").warning("refused", seldom=1)
        assert [(each.levelname, each.name, each.message) for each in caplog.records] == [
            ("INFO", "openpptp", "session up user=a\\nb password='(not shown)'"),
            ("WARNING", "openpptp", "refused peer=192.0.2.1"),
        ]
        assert not structlog.is_configured()

    @pytest.mark.parametrize(("level", "debug"), [(1, True), (10, True), (15, False), (60, False)])
    def test_whoever_makes_debug_lines_can_ask_whether_they_are_wanted(self, level, debug, caplog):
        caplog.set_level(level, "openpptp")
        assert to_logging(logging.getLogger("openpptp")).is_enabled_for(10) is debug

    def test_an_exception_is_written_with_its_traceback(self, caplog):
        log = to_logging(logging.getLogger("openpptp"))
        try:
            raise LookupError("mine")
        except LookupError:
            log.exception("a defect")
        assert "LookupError: mine" in caplog.text


class SeldomTests:
    """B-149: one line per kind per source per 10 s, and a counter."""

    def test_b149_a_flood_costs_one_line_in_ten_seconds_and_is_counted(self):
        seldom = Seldom()
        assert [seldom.admit("refused", "192.0.2.1", now) for now in (0.0, 0.1, 9.9, 10.0, 10.1)] == [
            0,
            None,
            None,
            2,
            None,
        ]
        assert seldom.kept_back == 3

    def test_a_few_lines_may_pass_where_several_say_different_things(self):
        seldom = Seldom()
        assert [seldom.admit("note", 1, now, 2) for now in (0.0, 0.1, 0.2, 10.0)] == [0, 0, None, 1]

    def test_kinds_and_sources_are_apart(self):
        seldom = Seldom()
        assert [seldom.admit(kind, source, 0.0) for kind in "ab" for source in (1, 2)] == [0, 0, 0, 0]

    def test_many_sources_share_one_line_and_no_more_memory(self):
        seldom = Seldom(sources=2)
        assert [seldom.admit("refused", source, 0.0) for source in range(5)] == [0, 0, 0, None, None]
        assert seldom.admit("refused", 9, 10.0) == 0
        assert len(seldom._heard) <= 3


class FloodTests:
    """B-149: lines marked seldom, as server and client mark what a peer can cause."""

    def test_b149_one_line_per_event_and_peer_and_the_mark_itself_is_not_shown(self):
        stream = io.StringIO()
        set_up("info", "json", stream)
        log = structlog.get_logger()
        for peer in ("192.0.2.1", "192.0.2.2"):
            for _ in range(1000):
                log.warning("connection refused", peer=peer, seldom=1)
        read = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert [line["peer"] for line in read] == ["192.0.2.1", "192.0.2.2"]
        assert "seldom" not in read[0]

    def test_b149_lines_of_one_kind_share_their_number(self):
        stream = io.StringIO()
        set_up("info", "json", stream)
        for number in range(1000):
            structlog.get_logger().info(f"note {number}", kind="note", seldom=3)
        assert len(stream.getvalue().splitlines()) == 3

    def test_other_lines_are_all_written(self):
        stream = io.StringIO()
        set_up("info", "json", stream)
        for _ in range(5):
            structlog.get_logger().info("session up", peer="192.0.2.1")
        assert len(stream.getvalue().splitlines()) == 5


class Full(io.StringIO):
    """A file on a full disk."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


class FullDiskTests:
    """B-143: the program goes on, and lost lines are counted."""

    def test_b143_a_full_disk_costs_lines_only(self):
        stream = Full()
        set_up("info", "text", stream)
        for _ in range(3):
            structlog.get_logger().info("lost")
        stream.full = False
        structlog.get_logger().info("written")
        first, second = stream.getvalue().splitlines()
        assert first == "3 lines of the log could not be written"
        assert "written" in second


NOBODY_READS = """
import structlog
from openpptp.daemon.log import set_up
set_up("info", "text")
for number in range(3000):
    structlog.get_logger().info(f"line {number} " + 100 * "x")
print("went on", flush=True)
input()
structlog.get_logger().info("read again")
"""


class HangingReaderTests:
    """B-148: a reader of the log that does not read: a pager, a terminal held by Ctrl-S, a journal that is stuck."""

    def test_b148_it_costs_lines_that_are_counted_and_the_program_goes_on(self):
        command = [sys.executable, "-c", NOBODY_READS]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(
            command, text=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}, **pipes
        ) as program:
            assert program.stdout.readline() == "went on\n"
            said = os.read(program.stderr.fileno(), 1 << 20).decode()  # all that a pipe holds: now there is room again
            said += program.communicate("\n", timeout=20)[1]
        written = [line for line in said.splitlines() if "line " in line]
        (counted,) = [line for line in said.splitlines() if "could not be written" in line]
        lost = int(counted.rpartition(" lines of the log")[0].split()[-1])
        assert 3000 - len(written) <= lost <= 3000 - len(written) + 1, "the last one before may be cut"
        assert "read again" in said.splitlines()[-1]


class DefectTests:
    """What the event loop catches is written to this log."""

    def test_an_exception_nobody_caught_is_a_defect(self):
        stream = io.StringIO()
        set_up("info", "text", stream)
        report_defect(None, {"message": "Exception in callback", "exception": ZeroDivisionError("planted")})
        assert "a defect in this program" in stream.getvalue()
        assert "ZeroDivisionError: planted" in stream.getvalue()

    def test_b140_what_the_system_refuses_is_said_in_a_line(self):
        stream = io.StringIO()
        set_up("info", "text", stream)
        for _ in range(1024):
            report_defect(
                None,
                {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")},
            )
        (line,) = stream.getvalue().splitlines()
        assert "Too many open files" in line

    @pytest.mark.parametrize("error", [MemoryError(), OSError(12, "Cannot allocate memory")])
    def test_b141_no_memory_is_said_in_a_line_and_is_no_defect(self, error):
        stream = io.StringIO()
        set_up("info", "text", stream)
        report_defect(None, {"message": "Fatal read error on socket transport", "exception": error})
        (line,) = stream.getvalue().splitlines()
        assert "the system refuses" in line
        assert "no memory is left" in line

"""The log keeps secrets and does not flood."""

import io
import json

import pytest
import structlog

from openpptp.daemon.log import Seldom, set_up


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

    def test_kinds_and_sources_are_apart(self):
        seldom = Seldom()
        assert [seldom.admit(kind, source, 0.0) for kind in "ab" for source in (1, 2)] == [0, 0, 0, 0]

    def test_many_sources_share_one_line_and_no_more_memory(self):
        seldom = Seldom(sources=2)
        assert [seldom.admit("refused", source, 0.0) for source in range(5)] == [0, 0, 0, None, None]
        assert seldom.admit("refused", 9, 10.0) == 0
        assert len(seldom._heard) <= 3

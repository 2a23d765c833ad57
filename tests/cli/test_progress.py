"""How a client is watched."""

import io
import json
from ipaddress import IPv4Address, IPv4Network

import pytest

from openpptp.cli.progress import ERASE, JsonLines, Terminal, shown
from openpptp.daemon.client.host import Configured
from openpptp.daemon.client.state import new_state
from openpptp.daemon.connect_request import ConnectRequest


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def state():
    state = new_state(ConnectRequest(("vpn.example",), "alice", "s3cret"))
    state.server = "203.0.113.1"
    state.carrier = {"device": "eth0", "gateway": "192.0.2.1", "mtu": 1500}
    return state


def up(state) -> None:
    dns = (IPv4Address("10.9.0.53"),)
    network = IPv4Network("10.0.0.0/8")
    given = Configured(IPv4Address("10.9.0.2"), IPv4Address("10.9.0.1"), None, 1396, (network,), dns, "resolvconf")
    state.connected(given, "MPPE 128 bit", "box", "ven\x1bdor")


class TerminalTests:
    """One line, redrawn; a summary; the log above it."""

    def test_a_brief_one_leaves_the_terminal_to_the_program(self, state):
        stream = FakeTerminal()
        terminal = Terminal(stream, brief=True)
        state.stage = "lcp"
        terminal.told("stage", state)
        up(state)
        terminal.told("connected", state)
        assert stream.getvalue().endswith(ERASE)
        stream.truncate(0)
        for event in ("down", "waiting", "calling", "stage", "connected", "ended"):
            terminal.told(event, state)
        terminal.clear()
        assert stream.getvalue() == ""
        terminal.write("a warning\n")
        assert ERASE not in stream.getvalue()

    def test_each_stage_takes_the_place_of_the_one_before(self, state):
        stream = FakeTerminal()
        terminal = Terminal(stream)
        terminal.told("resolving", state)
        terminal.told("calling", state)
        for stage in ("connect", "authentication"):
            state.stage = stage
            terminal.told("stage", state)
        assert stream.getvalue().split(ERASE)[1:] == [
            "looking up vpn.example ...",
            "connecting to vpn.example (203.0.113.1): TCP connection ...",
            "connecting to vpn.example (203.0.113.1): authentication ...",
        ]

    def test_the_summary_has_what_the_session_brought_and_steers_no_terminal(self, state):
        stream = FakeTerminal()
        terminal = Terminal(stream)
        up(state)
        terminal.told("connected", state)
        said = stream.getvalue().replace(ERASE, "")
        for words in (
            "connected to vpn.example (203.0.113.1) in 0.",
            "10.9.0.2, peer 10.9.0.1",
            "pptp-client, MTU 1396",
            "MPPE 128 bit",
            "10.0.0.0/8",
            "10.9.0.53 (by resolvconf)",
            "eth0 via 192.0.2.1, MTU 1500",
            "ven\\x1bdor",
        ):
            assert words in said

    def test_a_line_of_the_log_comes_above(self, state):
        stream = FakeTerminal()
        terminal = Terminal(stream)
        state.detail = "it broke"
        terminal.told("waiting", state)
        terminal.write("a warning\n")
        assert stream.getvalue().endswith(f"{ERASE}a warning\nwaiting to connect again: it broke ...")
        terminal.flush()
        assert terminal.isatty()

    def test_the_end_of_what_was_up_is_said(self, state):
        stream = FakeTerminal()
        terminal = Terminal(stream)
        terminal.told("ended", state)
        assert "disconnected" not in stream.getvalue()
        up(state)
        terminal.told("ended", state)
        assert stream.getvalue().endswith("disconnected\n")


class JsonLinesTests:
    """One object a line, with the same keys each time."""

    def test_every_change_has_the_whole_state(self, state):
        stream = io.StringIO()
        lines = JsonLines(stream)
        lines.told("resolving", state)
        up(state)
        lines.told("connected", state)
        first, second = (json.loads(line) for line in stream.getvalue().splitlines())
        assert (first["event"], second["event"], second["address"]) == ("resolving", "connected", "10.9.0.2")
        assert first.keys() == second.keys()
        assert "s3cret" not in stream.getvalue()

    def test_a_reader_that_goes_away_costs_nothing(self, state):
        class Gone(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        JsonLines(Gone()).told("resolving", state)


class ShownTests:
    """Which of them it is."""

    @pytest.mark.parametrize(
        ("terminal", "as_json", "log_level", "kinds"),
        [
            (True, False, None, [Terminal]),
            (True, False, "info", []),
            (False, False, None, []),
            (True, True, None, [JsonLines]),
        ],
    )
    def test_by_where_it_goes_and_what_was_asked_for(self, monkeypatch, terminal, as_json, log_level, kinds):
        monkeypatch.setattr("sys.stderr", FakeTerminal() if terminal else io.StringIO())
        with shown(as_json=as_json, log_level=log_level) as observers:
            assert [type(observer) for observer in observers] == kinds

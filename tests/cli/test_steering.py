"""openpptp status, sessions, show, disconnect, reload, events: what they print of a server's answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openpptp.cli.program import program
from openpptp.errors import SetupError

AT = "2026-11-20T22:40:13.123+00:00"
STATUS = {
    "version": "0.1.0", "process": 42, "since": AT, "seconds": 3725.0, "listen": "0.0.0.0:1723", "interface": "pptp0",
    "data_path": {"kind": "engine", "processor": "sha", "threads": 2,
                  "totals": {"calls": 2, "unknown": 7, "malformed": 3, "unrouted": 1, "inside_full": 4, "sent_raw": 0}},
    "connections": 3, "waiting_to_log_in": 1, "sessions": 2, "sessions_up": 1, "event_listeners": 0,
    "longest_turn": 0.0123,
    "limits": {"sessions": 1000, "addresses": 253, "unauthenticated": 100, "per_source": 10},
    "warnings": ["PPTP is not secure", "auth.methods allows PAP"],
}  # fmt: skip
UP = {
    "id": "00ff", "user": "alice", "peer": "203.0.113.9", "address": "10.9.0.2", "state": "up", "waits_for": None,
    "connected": AT, "since": AT, "seconds": 61.0, "idle": 5.0, "octets_in": 2048, "octets_out": 17,
    "encryption": "MPPE 128 bit",
}  # fmt: skip
WAITING = {
    "id": "11ff", "user": None, "peer": "198.51.100.10", "address": None, "state": "waiting",
    "waits_for": "authentication: the answer", "connected": "2026-11-20T22:50:00+00:00", "since": None, "seconds": 1.0,
    "idle": None, "octets_in": 0, "octets_out": 0, "encryption": None,
}  # fmt: skip
SHOWN = UP | {
    "local": "203.0.113.1", "host": "pc\x1b[2J", "vendor": "Microsoft", "control_connection": "established",
    "deadlines": [{"reason": "LCP echo", "seconds": 12.34}], "call": "call 1/2 outgoing PAC established, up",
    "call_id": 1, "peer_call_id": 2, "mtu": 1396, "dns": [], "policy": "rate 10mbit",
    "counters": {"packets_in": 90, "octets_in": 2048, "packets_out": 3, "octets_out": 17, "acks_sent": 5, "lost": 10,
                 "late_recovered": 1},
    "drops": {"source": 3, "queue_full": 1, "late": 0}, "loss": 0.1, "round_trip": 0.0215,
    "negotiation": [{"time": AT, "direction": "rcvd", "packet": "[LCP ConfReq id=0x1 <mru 1400>]"}],
}  # fmt: skip


class FakeServer:
    """Plays ApiClient."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {
            "status": STATUS, "sessions": [UP, WAITING], "show": SHOWN,
            "disconnect": {"disconnected": ["00ff"], "ending": []},
            "reload": {"applied": [], "needs_restart": [], "warnings": []}, "events": [],
        }  # fmt: skip

    def __call__(self, path: Path) -> "FakeServer":
        self.path = path
        return self

    def __getattr__(self, name: str) -> Any:
        def ask(*arguments: Any, **named: Any) -> Any:
            self.asked.append((name, *arguments, named) if named else (name, *arguments))
            return self.answers[name]

        return ask


@pytest.fixture
def server(monkeypatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setattr("openpptp.cli.asking.ApiClient", fake)
    return fake


def run(*words: str):
    return CliRunner().invoke(program, words)


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (("status",), STATUS | {"clients": [], "kill_switch": None}),
        (("sessions",), {"sessions": [UP, WAITING]}),
        (("show", "00ff"), SHOWN),
        (("disconnect", "00ff"), {"disconnected": ["00ff"], "ending": []}),
        (("reload",), {"applied": [], "needs_restart": [], "warnings": []}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_json_is_what_the_server_says(server, words, facts):
    result = run(*words, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, facts)


@pytest.mark.parametrize(
    "words",
    [("status",), ("sessions",), ("show", "x"), ("disconnect", "--all"), ("reload",), ("events",)],
    ids=lambda words: words[0],
)
class NoServerTests:
    """Without a server each command says so, and what to do."""

    def test_none_runs(self, words, tmp_path):
        config = tmp_path / "openpptp.toml"
        config.write_text(f'[server]\nruntime_directory = "{tmp_path}"\n')
        result = run(*words, "--config", str(config))
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"no server runs with {tmp_path}/api.sock" in result.stderr
        assert "sudo openpptp serve" in result.stderr

    def test_a_settings_file_that_is_not_there(self, words, tmp_path):
        result = run(*words, "--config", str(tmp_path / "typo.toml"))
        assert result.exit_code == 2
        assert "typo.toml: cannot be read" in result.stderr


class StatusTests:
    def test_everything_in_lines(self, server):
        text = run("status").stdout
        for words in (
            *(
                "openpptp 0.1.0, process 42",
                "(1:02:05)",
                "engine, sha, 2 threads",
                "2 logged in, 1 up",
                "253 addresses",
            ),
            *("unknown 7, malformed 3, unrouted 1", "inside_full 4", "12.3 ms", "warning", "auth.methods allows PAP"),
        ):
            assert words in text
        assert "sent_raw" not in text


class SessionsTests:
    def test_a_table(self, server):
        head, first, second = run("sessions").stdout.splitlines()
        assert head.split() == ["id", "user", "peer", "address", "since", "idle", "in", "out", "encryption"]
        assert all(word in first for word in ("00ff", "alice", "203.0.113.9", "10.9.0.2", "0:00:05", "2.0 KiB", "17 B"))
        assert second.endswith("waits for authentication: the answer")

    @pytest.mark.parametrize(
        ("key", "order"),
        [
            ("id", "01"),
            ("user", "10"),
            ("peer", "10"),
            ("in", "01"),
            ("idle", "01"),
            ("since", "01"),
            ("address", "10"),
        ],
    )
    def test_the_order_is_asked_for(self, server, key, order):
        lines = run("sessions", "--sort", key).stdout.splitlines()[1:]
        assert "".join(line[0] for line in lines) == order

    def test_none(self, server):
        server.answers["sessions"] = []
        assert run("sessions").stdout == "no sessions\n"

    def test_only_of_one_user(self, server):
        run("sessions", "--user", "bob")
        assert server.asked == [("sessions", "bob")]

    def test_again_and_again(self, server, monkeypatch):
        naps: list[float] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr("openpptp.cli.live_sessions.time.sleep", nap)
        lines = run("sessions", "--watch", "2", "--json").stdout.splitlines()
        assert naps == [2.0, 2.0, 2.0]
        assert [len(json.loads(line)["sessions"]) for line in lines if line.startswith("{")] == [2, 2, 2]

    @pytest.mark.parametrize("words", [("--since", "7d"), ("--csv",), ("--file", "x")], ids=lambda words: words[0])
    def test_what_is_for_past_sessions_is_refused_without_past(self, server, words):
        result = run("sessions", *words)
        assert result.exit_code == 2
        assert f"{words[0]} is for past sessions" in result.stderr

    @pytest.mark.parametrize("words", [("--watch", "1"), ("--sort", "in")], ids=lambda words: words[0])
    def test_what_is_for_running_sessions_is_refused_with_past(self, server, words):
        result = run("sessions", "--past", *words)
        assert result.exit_code == 2
        assert f"{words[0]} is for the sessions of the running server" in result.stderr


class ShowTests:
    def test_everything_in_lines(self, server):
        text = run("show", "00ff").stdout
        for words in (
            *(
                "up since",
                "LCP echo in 12.3 s",
                "90 packets, 2.0 KiB",
                "10 packets from the peer, 10.00%",
                "source 3, queue full 1",
            ),
            *("21.5 ms", "rcvd [LCP ConfReq id=0x1 <mru 1400>]", "mtu         1396", "policy      rate 10mbit"),
        ):
            assert words in text

    def test_what_a_peer_calls_itself_steers_no_terminal(self, server):
        text = run("show", "00ff").stdout
        assert "\x1b" not in text
        assert "pc\\x1b[2J" in text

    def test_a_connection_without_a_call(self, server):
        who = {"host": "", "vendor": "", "control_connection": "idle", "deadlines": []}
        server.answers["show"] = WAITING | who
        assert "waits for authentication: the answer" in run("show", "11ff").stdout

    def test_the_servers_words_are_the_commands(self, server, monkeypatch):
        def refuse(_: str) -> None:
            raise SetupError("no session has the id 'x'")

        server.show = refuse
        result = run("show", "x")
        assert (result.exit_code, result.stderr) == (1, "no session has the id 'x'\n")


class DisconnectTests:
    @pytest.mark.parametrize(
        ("words", "asked"),
        [
            (("00ff",), {"session": "00ff", "user": None}),
            (("--user", "anna"), {"session": None, "user": "anna"}),
            (("--all",), {"session": None, "user": None}),
        ],
        ids=["session", "user", "all"],
    )
    def test_who_is_meant(self, server, words, asked):
        result = run("disconnect", *words)
        assert (result.exit_code, result.stdout) == (0, "00ff is over\n")
        assert server.asked == [("disconnect", asked)]

    @pytest.mark.parametrize("words", [(), ("x", "--all"), ("x", "--user", "y"), ("--user", "y", "--all")], ids=str)
    def test_nobody_or_two_things_end_nobody(self, server, words):
        result = run("disconnect", *words)
        assert (result.exit_code, server.asked) == (2, [])
        assert "say whom" in result.stderr

    def test_what_is_not_over_yet_is_a_failure(self, server):
        server.answers["disconnect"] = {"disconnected": [], "ending": ["00ff"]}
        result = run("disconnect", "00ff")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "not over yet" in result.stderr

    def test_all_of_nothing(self, server):
        server.answers["disconnect"] = {"disconnected": [], "ending": []}
        result = run("disconnect", "--all")
        assert (result.exit_code, result.stdout) == (0, "there was no session\n")


class ReloadTests:
    def test_what_changed_and_what_waits(self, server):
        server.answers["reload"] = {
            "applied": [{"key": "limits.sessions", "before": 1000, "after": 5}],
            "needs_restart": [{"key": "network.pool", "before": ["a"], "after": ["b"]}, {"key": "radius.secret"}],
            "warnings": ["auth.methods allows PAP"],
        }
        assert run("reload").stdout.splitlines() == [
            "changed: limits.sessions from 1000 to 5",
            'needs a restart: network.pool from ["a"] to ["b"]',
            "needs a restart: radius.secret",
            "warning: auth.methods allows PAP",
        ]

    def test_nothing(self, server):
        assert "no setting has changed" in run("reload").stdout


class EventsTests:
    EVENTS = (
        {"event": "session up", "time": AT, "session": "00ff", "user": "a\x1b", "why": None},
        {"event": "lost", "count": 5},
    )

    def test_a_line_for_each_and_the_servers_end_is_said(self, server):
        server.answers["events"] = [dict(event) for event in self.EVENTS]
        result = run("events")
        first, second = result.stdout.splitlines()
        assert first.endswith(" session up session=00ff user=a\\x1b")
        assert second == "5 events were lost: they came faster than they were read"
        assert (result.exit_code, result.stderr) == (1, "the server has ended\n")

    def test_json_lines(self, server):
        server.answers["events"] = [dict(event) for event in self.EVENTS]
        assert [json.loads(line) for line in run("events", "--json").stdout.splitlines()] == list(self.EVENTS)

    def test_ctrl_c_is_the_usual_end(self, server):
        def interrupted() -> Any:
            yield dict(self.EVENTS[0])
            raise KeyboardInterrupt

        server.answers["events"] = interrupted()
        assert run("events").exit_code == 0

"""openpptp sessions: past sessions and totals, from an accounting file."""

import contextlib
import csv
import io
import json
from dataclasses import replace
from datetime import datetime

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from openpptp.backends.accounting_store import AccountingStore, SessionRow, UserTotal
from openpptp.cli import past_sessions
from openpptp.cli.past_sessions import SESSION_FACTS, TOTAL_FACTS, parse_since, show_sessions, show_totals
from openpptp.cli.program import program
from openpptp.errors import SetupError

START = 1_795_000_000.0
ROW = SessionRow(
    *("a1", "?", "anna", "203.0.113.9", "10.9.0.2", START, START + 3725, START + 3725),
    *(5000, 7_000_000, 30, 4000, "peer-request"),
)
ROWS = [
    ROW,
    replace(ROW, id="b1", user="bob", started=START + 10, last=START + 70, stopped=None, cause=None),
    replace(ROW, id="a2", started=START + 20, last=START + 30, stopped=START + 30, cause="lost"),
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "accounting.sqlite"
    store = AccountingStore(path)
    store.write(ROWS)
    store.close()
    return path


@pytest.fixture
def run(tmp_path, file):
    """Run `openpptp sessions` with the settings of this test."""
    config = tmp_path / "openpptp.toml"
    config.write_text(f'[network]\npool = ["10.9.0.0/24"]\n[accounting]\nfile = "{file}"\n')

    def run(*arguments: str):
        return CliRunner().invoke(program, ["sessions", *arguments, "--config", str(config)])

    return run


class PastTests:
    """sessions --past."""

    def test_the_table_shows_each_session_in_the_order_of_their_start(self, run):
        result = run("--past")
        assert result.exit_code == 0
        head, first, second, third = result.stdout.splitlines()
        assert head.split() == ["user", "from", "address", "started", "time", "in", "out", "ended"]
        started = datetime.fromtimestamp(START).strftime("%Y-%m-%d %H:%M:%S")
        assert first.split("  ") == [
            *("anna", "203.0.113.9", "10.9.0.2", started),
            *("1:02:05", "4.9 KiB", "6.7 MiB", "peer-request"),
        ]
        assert second.endswith("goes on")
        assert third.endswith("lost")

    @pytest.mark.parametrize(
        ("arguments", "found"),
        [
            (("--user", "anna"), ["a1", "a2"]),
            (("--user", "nobody"), []),
            (("--newest", "1"), ["a2"]),
            (("--newest", "0"), ["a1", "b1", "a2"]),
            (("--since", "1971-01-01"), ["a1", "b1", "a2"]),
            (("--since", "2200-01-01"), []),
        ],
    )
    def test_what_is_asked_for_is_what_is_shown(self, run, arguments, found):
        result = run("--past", "--json", *arguments)
        assert [each["id"] for each in json.loads(result.stdout)["sessions"]] == found

    def test_what_is_left_out_is_said(self, run):
        assert run("--past", "--newest", "2").stderr == "only the newest 2 are shown; --newest 0 shows all\n"
        assert run("--past", "--newest", "3").stderr == ""

    def test_json_has_times_in_utc_and_null_for_what_goes_on(self, run):
        first, second, _ = json.loads(run("--past", "--json").stdout)["sessions"]
        assert tuple(first) == SESSION_FACTS
        assert (first["started"], first["stopped"]) == ("2026-11-18T11:06:40Z", "2026-11-18T12:08:45Z")
        assert (first["seconds"], first["octets_out"], first["cause"]) == (3725.0, 7_000_000, "peer-request")
        assert (second["stopped"], second["cause"]) == (None, None)

    def test_no_session_is_said(self, run):
        assert run("--past", "--user", "nobody").stdout == "no sessions\n"

    def test_another_file_can_be_named_and_needs_no_settings(self, file):
        arguments = ["sessions", "--past", "--file", str(file), "--config", "/nowhere", "--json"]
        result = CliRunner().invoke(program, arguments)
        assert len(json.loads(result.stdout)["sessions"]) == 3


class TotalsTests:
    """sessions --totals."""

    def test_the_table_has_a_line_for_each_user(self, run):
        result = run("--totals")
        assert [line.split() for line in result.stdout.splitlines()] == [
            ["user", "sessions", "open", "time", "in", "out"],
            ["anna", "2", "0", "1:02:15", "9.8", "KiB", "13.4", "MiB"],
            ["bob", "1", "1", "0:01:00", "4.9", "KiB", "6.7", "MiB"],
        ]

    def test_json_and_csv_say_the_same(self, run):
        users = json.loads(run("--totals", "--json").stdout)["users"]
        lines = list(csv.DictReader(io.StringIO(run("--totals", "--csv").stdout)))
        assert [{name: str(value) for name, value in user.items()} for user in users] == lines
        assert users[0]["octets_in"] == 10000


class WrongUseTests:
    """Exit code 2, or the code of what is missing, and a sentence."""

    @pytest.mark.parametrize("when", ["yesterday", "7", "d", "-3d", "2026-13-01", "1e9d", "2026-11-20T25:00"])
    def test_a_moment_that_is_none_is_said_with_examples(self, run, when):
        result = run("--past", "--since", when)
        assert result.exit_code == 2
        assert "write a date as 2026-11-20" in result.stderr

    def test_past_and_totals_exclude_each_other(self, run):
        assert run("--past", "--totals").exit_code == 2

    def test_a_file_that_is_not_there_is_said(self, run, file):
        file.unlink()
        result = run("--past")
        assert result.exit_code == 1
        assert "there is no accounting file" in result.stderr

    def test_a_file_that_is_something_else_is_said(self, run, file):
        file.write_text("notes " * 1000)
        result = run("--totals")
        assert result.exit_code == 1
        assert "cannot be read as an accounting file" in result.stderr


class SinceTests:
    """--since."""

    @pytest.mark.parametrize(
        ("text", "ago"), [("30m", 1800), ("12h", 43200), ("7d", 604800), (" 2w ", 1_209_600), ("0d", 0)]
    )
    def test_how_long_ago(self, text, ago):
        assert parse_since(text, now=START) == START - ago

    def test_a_date_is_midnight_here_and_a_zone_counts(self):
        assert parse_since("2026-11-20") == datetime(2026, 11, 20).timestamp()
        assert parse_since("2026-11-20T00:00+01:00") == 1_795_129_200.0

    @given(st.text(max_size=30))
    def test_any_text_is_a_moment_or_a_sentence(self, text):
        with contextlib.suppress(SetupError):
            assert isinstance(parse_since(text), float)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COUNT = st.integers(0, 2**63 - 1)
TIME = st.floats(0, 4_000_000_000)
ANY_ROW = st.builds(
    SessionRow,
    *(TEXT, st.just("?"), TEXT, TEXT, TEXT, TIME, TIME, st.none() | TIME),
    *(COUNT, COUNT, COUNT, COUNT, st.none() | TEXT),
)
ANY_TOTAL = st.builds(UserTotal, TEXT, COUNT, COUNT, TIME, COUNT, COUNT, COUNT, COUNT)


class FormTests:
    """Whatever is in a row, a program reads back what was written and a terminal is not steered."""

    @given(st.lists(ANY_ROW, max_size=5))
    def test_csv_reads_back_as_json_does(self, rows):
        lines = list(csv.DictReader(io.StringIO(show_sessions(rows, "csv"), newline="")))
        facts = json.loads(show_sessions(rows, "json"))["sessions"]
        assert lines == [
            {name: "" if each[name] is None else str(each[name]) for name in SESSION_FACTS} for each in facts
        ]
        assert [line["user"] for line in lines] == [row.user for row in rows]

    @given(st.lists(ANY_TOTAL, max_size=5))
    def test_so_do_totals(self, rows):
        lines = list(csv.DictReader(io.StringIO(show_totals(rows, "csv"), newline="")))
        assert [line["user"] for line in lines] == [row.user for row in rows]
        assert all(list(line) == TOTAL_FACTS for line in lines)

    @given(st.lists(ANY_ROW, min_size=1, max_size=5))
    def test_the_table_has_a_line_for_each_session(self, rows):
        rows = [replace(row, peer="203.0.113.9", address="10.9.0.2", cause="idle") for row in rows]
        table = show_sessions(rows, None)
        assert len(table.split("\n")) == len(rows) + 2
        assert all(char.isprintable() or char == "\n" for char in table)

    @pytest.mark.parametrize(
        ("count", "words"),
        [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1 << 20, "1.0 MiB"), (1 << 50, "1024.0 TiB")],
    )
    def test_octets_in_words(self, count, words):
        assert past_sessions._octets(count) == words

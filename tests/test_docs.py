"""The manual agrees with the program: links, names of files and functions, command lines, state diagrams."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from docs.state_diagrams import page
from tests.machine import REPOSITORY

from openpptp.cli.program import program
from openpptp.ppp.fsm import TABLE, Event, State
from openpptp.tunnel.call_tables import TABLES
from openpptp.tunnel.control_tables import INITIATOR, RESPONDER

PAGES = sorted([*(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("README.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
IN_BACKTICKS = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FILE = re.compile(r"(?<![\w./-])(?:[\w.-]+/)+[\w.-]+\.(?:py|md|toml)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\$ )?\s*(?:sudo )?(openpptp .+?)(?:\s+#.*)?$")
MADE_LATER = {"bench/RESULTS.md"}
"What `scripts/bench` writes."
MEMBER = re.compile(r"([A-Z]\w+)\.(_?[a-z]\w*|[A-Z_]+)")


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def short(file: Path) -> str:
    return str(file.relative_to(REPOSITORY))


def anchors(text: str) -> set[str]:
    """Name the headings of a page as GitHub does in its links."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> Iterator[str]:
    """Yield every command line of ours that a page shows, in a block or in backticks."""
    lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
    lines += IN_BACKTICKS.findall(FENCE.sub("", text))
    for line in lines:
        if (match := COMMAND.match(line)) is not None and not match[1].startswith("openpptp met"):
            yield match[1]


def parse(command: str) -> None:
    """Let click read a command line down to its last word, and run nothing."""
    group: click.Command = program
    context: click.Context | None = None
    words = shlex.split(command)[1:]
    name = "openpptp"
    while True:
        context = group.make_context(name, list(words), parent=context)
        if not isinstance(group, click.Group):
            return
        name, found, words = group.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        group = found


def members() -> dict[str, set[str]]:
    """Name the methods and attributes of every class of ours, as its source has them."""
    found: dict[str, set[str]] = {}
    for file in (REPOSITORY / "src").rglob("*.py"):
        parts = re.split(r"^class (\w+)", read(file), flags=re.MULTILINE)
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            defined = re.findall(r"^    (?:async )?def (\w+)|^    (\w+)\s*[:=]", body, re.MULTILINE)
            found.setdefault(name, set()).update(word for pair in defined for word in pair if word)
    return found


class LinkTests:
    @pytest.mark.parametrize("file", PAGES, ids=short)
    def test_every_relative_link_leads_somewhere(self, file: Path):
        for link in LINK.findall(FENCE.sub("", read(file))):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = file.parent / path if path else file
            assert target.exists() or short(target) in MADE_LATER, f"{link} is not there"
            if anchor:
                assert anchor in anchors(read(target)), f"{link}: no such heading"


class NameTests:
    @pytest.mark.parametrize("file", PAGES, ids=short)
    def test_every_file_in_backticks_exists(self, file: Path):
        named = {name for word in IN_BACKTICKS.findall(FENCE.sub("", read(file))) for name in FILE.findall(word)}
        missing = {name for name in named if not (REPOSITORY / name).exists()}
        assert missing <= MADE_LATER

    @pytest.mark.parametrize("file", PAGES, ids=short)
    def test_every_method_in_backticks_exists(self, file: Path):
        known = members()
        for word in IN_BACKTICKS.findall(FENCE.sub("", read(file))):
            if (match := MEMBER.fullmatch(word)) is not None:
                assert match[2] in known.get(match[1], set()), word

    @pytest.mark.parametrize("file", PAGES, ids=short)
    def test_every_counter_named_exists(self, file: Path):
        known = members()["Counters"]
        assert set(re.findall(r"`(dropped_\w+)`", read(file))) <= known

    def test_every_drop_is_explained(self):
        drops = {name for name in members()["Counters"] if name.startswith("dropped_")}
        assert drops == set(re.findall(r"`(dropped_\w+)`", read(REPOSITORY / "docs" / "life-of-a-packet.md")))


class CommandTests:
    @pytest.mark.parametrize("file", PAGES, ids=short)
    def test_every_command_line_parses(self, file: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(sys, "argv", ["openpptp"])
        for command in commands(read(file)):
            parse(command)

    def test_getting_started_shows_every_command(self):
        shown = {command.split()[1] for command in commands(read(REPOSITORY / "docs" / "getting-started.md"))}
        assert {"serve", "connect", "user"} <= shown

    @pytest.mark.parametrize("wrong", ["openpptp serv", "openpptp user ad anna", "openpptp connect --usr x host"])
    def test_a_wrong_one_would_be_found(self, wrong: str):
        with pytest.raises(click.UsageError):
            parse(wrong)


class SecurityPageTests:
    """B-113: what no program can mend is said."""

    def test_b113_that_one_search_breaks_a_recorded_log_in_is_said(self):
        assert "2^56" in read(REPOSITORY / "SECURITY.md")
        assert "search of one DES key" in read(REPOSITORY / "README.md")


class StateDiagramTests:
    """docs/state-diagrams.md."""

    def test_the_committed_page_is_up_to_date(self):
        assert read(REPOSITORY / "docs" / "state-diagrams.md") == page(), (
            "make it again: python docs/state_diagrams.py > docs/state-diagrams.md"
        )

    def test_every_state_and_event_of_rfc_1661_appears(self):
        text = page()
        assert all(f'state "{state}" as' in text for state in State)
        assert all(f"| **{event}** |" in text for event in Event)

    def test_every_cell_that_changes_the_state_is_drawn_but_for_what_the_table_alone_tells(self):
        left_out = {
            event
            for (event, state), cell in TABLE.items()
            if cell.state is not state and not re.search(rf"(?:: |<br/>){re.escape(str(event))}(?: /|<br/>|\n)", page())
        }
        assert left_out == {Event.RXJ_PLUS}

    @pytest.mark.parametrize("table", [INITIATOR, RESPONDER, *TABLES.values()], ids=lambda table: table.title)
    def test_every_state_and_arrow_of_a_table_is_drawn(self, table):
        section = page().partition(f"### {table.title}\n")[2].partition("###")[0]
        assert all(f'state "{state.value}" as' in section for state in table.states)
        arrows = [line for line in section.splitlines() if ": " in line]
        for row in table:
            line = next(
                line for line in arrows if line.strip().startswith(f"{row.state.value} --> {row.new_state.value}:")
            )
            assert f"{row.event.value} / {row.action.value}" in re.split(": |<br/>", line)

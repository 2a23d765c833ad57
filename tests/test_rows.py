"""No bad input and no promise is without a test that names it; the rows are those of the project's own list.

A test names a row in its name (test_b019_...), or in its or its class's docstring (B-019). ROWS is what must be named;
whoever takes on more rows adds them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.machine import REPOSITORY

ROWS = {
    "control connection": [f"B-{number:03}" for number in range(1, 38)],
    "GRE": [f"B-{number:03}" for number in range(40, 59)],
    "PPP": [f"B-{number:03}" for number in range(60, 94)],
    "CCP and MPPE": [f"B-{number:03}" for number in range(100, 115)],
    "host": [f"B-{number:03}" for number in range(140, 150)],
    "promises": [f"P-{number:02}" for number in (6, 7, 9, 10, *range(12, 23), 24, 27, 28)],
}
NAMED = re.compile(r"(?<![^\W_])([bp])[-_]?(\d{2,3})(?![^\W_])", re.IGNORECASE)


def texts(file: Path) -> Iterator[str]:
    """Yield the name and the docstring of each test and each class of tests."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if is_test or (isinstance(node, ast.ClassDef) and node.name.endswith("Tests")):
            yield f"{node.name} {ast.get_docstring(node) or ''}"


def named_in(text: str) -> set[str]:
    return {f"{letter.upper()}-{number}" for letter, number in NAMED.findall(text)}


@pytest.fixture(scope="module")
def named() -> set[str]:
    """Return every row that is named in these tests."""
    files = (REPOSITORY / "tests").rglob("test_*.py")
    return {row for file in files if file != Path(__file__) for text in texts(file) for row in named_in(text)}


class RowTests:
    @pytest.mark.parametrize("kind", ROWS)
    def test_every_row_is_named_by_a_test(self, named, kind):
        assert [row for row in ROWS[kind] if row not in named] == []

    @pytest.mark.parametrize(
        ("text", "rows"),
        [
            ("test_b019_p15_a_trickle", {"B-019", "P-15"}),
            ("test_the_defaults_are_safe_b082", {"B-082"}),
            ("SeldomTests B-149: one line per kind, P-28", {"B-149", "P-28"}),
            ("test_sub019_and_0b12_and_b1234", set()),
        ],
    )
    def test_how_a_row_is_named(self, text, rows):
        assert named_in(text) == rows

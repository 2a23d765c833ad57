"""docs/library.md and examples/: what the page shows is there, runs, and prints that."""

import os
import re
import subprocess
import sys
import textwrap

import pytest
from tests.library.page import EXAMPLES, PAGE, same, shown_output
from tests.machine import REPOSITORY, as_nobody

PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WITHOUT_ROOT = ["ping_in_memory.py", "what_does_it_agree_to.py"]


def run(*command: str) -> str:
    """Run Python without privileges, where a warning is an error; return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [*as_nobody(), sys.executable, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class PageTests:
    @pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=lambda block: block.splitlines()[0])
    def test_each_block_is_part_of_an_example_or_runs(self, block):
        if any(block in text or indented(block, text) for text in EXAMPLES.values()):
            return
        output = run("-c", block)
        assert not output or f"```\n{output}```" in PAGE

    @pytest.mark.parametrize("name", WITHOUT_ROOT)
    def test_an_example_prints_what_the_page_shows(self, name):
        assert shown_output(name) == same(run(str(REPOSITORY / "examples" / name)))

    def test_each_example_is_linked(self):
        assert all(f"(../examples/{name})" in PAGE for name in EXAMPLES)

    def test_each_public_name_is_on_the_page(self):
        import openpptp

        plain = {
            "__version__",
            "PptpError",
            "BadMessage",
            "Misuse",
            "AuthMethod",
            "Counters",
            "Session",
            "Tunnel",
            "Server",
        }
        assert {name for name in openpptp.__all__ if not re.search(rf"\b{name}\b", PAGE)} <= plain


def indented(block: str, text: str) -> bool:
    """Tell whether a block stands in a program, at any depth."""
    return any(textwrap.indent(block, " " * depth) in text for depth in (4, 8, 12))

"""docs/library.md, and what it shows of the examples."""

import re

from tests.machine import REPOSITORY

PAGE = (REPOSITORY / "docs" / "library.md").read_text(encoding="utf-8")
EXAMPLES = {path.name: path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "examples").glob("*.py"))}


def shown_output(name: str) -> str:
    """Return what the page shows of an example's run, as same() has it."""
    found = re.search(rf"^```\n\$ [^\n]*python examples/{name}[^\n]*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/library.md shows no run of {name}"
    return same(found[1])


def same(output: str) -> str:
    """Return an output with the numbers of packets left out, which depend on who was quicker."""
    return re.sub(r"\d+(?= packets| out$)", "N", output, flags=re.MULTILINE)

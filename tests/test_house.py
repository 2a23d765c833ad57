"""The house stands: who may import whom, and what pure code never touches."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.machine import REPOSITORY

PACKAGE = REPOSITORY / "src" / "openpptp"
SHARED = {"errors", "machine", "credentials"}
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "machine": set(),
    "crypto": {"credentials", "errors"},
    "credentials": set(),
    "wire": {"errors"},
    "ppp": {"wire", "crypto", *SHARED},
    "datapath": {"wire", "crypto", *SHARED},
    "tunnel": {"wire", "ppp", "datapath", *SHARED},
    "net": {"errors"},
    "backends": {"crypto", "errors", "credentials"},
    "daemon": {"wire", "ppp", "datapath", "tunnel", "net", "backends", "crypto", *SHARED},
    "library": {"daemon", "net", "backends", "datapath", *SHARED},
    "cli": {"daemon", "wire", "ppp", "datapath", "tunnel", "backends", "crypto", *SHARED},
}
PURE = {"errors", "machine", "crypto", "credentials", "wire", "ppp", "datapath", "tunnel"}
BANNED = {"asyncio", "socket", "ssl", "select", "threading", "subprocess", "time", "os", "random", "secrets", "logging"}

FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or not p.name.startswith("__"))


def room(file: Path) -> str:
    """Name the folder or the top module a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    """Name everything a file imports, at any depth, in dotted form."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively; the arrows could not be seen"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def named(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


class ArrowsTests:
    def test_every_room_has_its_arrows(self):
        assert {room(file) for file in FILES} <= set(ARROWS)

    @pytest.mark.parametrize("file", FILES, ids=named)
    def test_a_file_imports_only_what_its_room_may(self, file):
        ours = {name.split(".")[1] for name in imports(file) if name.startswith("openpptp.")}
        ours -= {"__version__"}
        assert ours <= ARROWS[room(file)] | {room(file)}

    @pytest.mark.parametrize("file", [f for f in FILES if room(f) in PURE], ids=named)
    def test_a_pure_file_touches_no_clock_no_chance_and_no_system(self, file):
        assert not {name.split(".")[0] for name in imports(file)} & BANNED

    @pytest.mark.parametrize("file", [f for f in FILES if room(f) != "net"], ids=named)
    def test_only_net_controls_devices(self, file):
        assert not {name.split(".")[0] for name in imports(file)} & {"fcntl", "pyroute2"}

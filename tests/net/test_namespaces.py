"""Namespaces of a process, seen from a child that has them; this process keeps its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.machine import REPOSITORY, need_root

LEAVING = """
import os, sys
from pathlib import Path
from openpptp.errors import SetupError
from openpptp.net.namespaces import leave_network, put_in_place, rewrite
"""


def run(script: str, *arguments: object, **options) -> str:
    """Run Python with the functions at hand; return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    words = [sys.executable, "-c", LEAVING + script, *map(str, arguments)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True, **options).stdout


@pytest.mark.root
class NamespacesTests:
    """A network with nothing in it, and files in place of the host's."""

    @pytest.fixture(autouse=True)
    def _root(self) -> None:
        need_root()

    def test_there_is_a_loopback_that_is_up_and_no_other_device(self):
        said = run('leave_network(); os.system("ip -br link; ip -br -4 addr")')
        assert [line.split()[0] for line in said.splitlines()] == ["lo", "lo"]
        assert "127.0.0.1/8" in said

    def test_who_may_ping_without_privilege_may_still(self):
        key = "/proc/sys/net/ipv4/ping_group_range"
        assert run(f'leave_network(); print(Path("{key}").read_text(), end="")') == Path(key).read_text()

    def test_files_are_its_own_and_can_be_rewritten(self, tmp_path):
        file, link, scratch = tmp_path / "file", tmp_path / "link", tmp_path / "scratch"
        file.write_text("the host's")
        link.symlink_to(file)
        scratch.mkdir()
        script = """
link, scratch = map(Path, sys.argv[1:])
leave_network()
files = put_in_place({link: "ours", link.with_name("missing"): "never"}, [], scratch)
print(link.read_text(), len(files), list(scratch.iterdir()))
rewrite(files[link], "new")
print(link.read_text())
"""
        assert run(script, link, scratch) == "ours 1 []\nnew\n"
        assert file.read_text() == "the host's"
        assert not list(scratch.iterdir())

    def test_a_directory_is_emptied_but_for_such_a_file(self, tmp_path):
        directory, scratch = tmp_path / "resolve", tmp_path / "scratch"
        for each in (directory, scratch):
            each.mkdir()
        (directory / "stub").write_text("the host's")
        (directory / "socket").touch()
        script = """
directory, scratch = map(Path, sys.argv[1:])
leave_network()
put_in_place({directory / "stub": "ours"}, [directory, Path("/nowhere")], scratch)
print([(each.name, each.read_text()) for each in directory.iterdir()])
"""
        assert run(script, directory, scratch) == "[('stub', 'ours')]\n"
        assert (directory / "socket").exists()

    def test_without_privilege_it_says_so(self):
        script = """
from openpptp.net.capabilities import hold_only
hold_only([])
try:
    leave_network()
except SetupError as error:
    print(error.exit_code, error)
"""
        assert run(script) == "3 this process may not make a network namespace; run as root (CAP_SYS_ADMIN)\n"

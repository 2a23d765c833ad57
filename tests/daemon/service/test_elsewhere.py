"""Other service managers: the lines are right for a shell."""

import shlex
import subprocess
from pathlib import Path

from openpptp.daemon.service.elsewhere import ways
from openpptp.daemon.service.source import Source

PROGRAM = ("/opt/my programs/openpptp",)
COMMAND = "'/opt/my programs/openpptp' serve --config /etc/openpptp/openpptp.toml"


def lines(root: Path) -> dict[str, str]:
    return dict(ways(Source(), PROGRAM, root))


class WaysTests:
    def test_the_shell_reads_each(self, tmp_path):
        for text in lines(tmp_path).values():
            assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0

    def test_the_files_say_what_is_run(self, tmp_path):
        found = lines(tmp_path)
        assert shlex.split(found["sysvinit"])[1] == f"pptp:2345:respawn:{COMMAND}"
        assert f"exec {COMMAND}" in shlex.split(found["runit"])[6]
        openrc = shlex.split(found["OpenRC"])[2]
        assert "command='/opt/my programs/openpptp'" in openrc
        assert "command_args='serve --config /etc/openpptp/openpptp.toml'" in openrc

    def test_what_this_machine_has_comes_first(self, tmp_path):
        (tmp_path / "run/runit").mkdir(parents=True)
        assert next(iter(lines(tmp_path))) == "runit"

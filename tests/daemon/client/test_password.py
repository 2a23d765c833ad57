"""A password from a command."""

import os
import sys

import pytest

from openpptp.daemon.client import password as module
from openpptp.daemon.client.password import from_command
from openpptp.daemon.client.profile_files import Account
from openpptp.errors import SetupError

PYTHON = sys.executable


def python(code: str) -> str:
    return f"{PYTHON} -c '{code}'"


class CommandTests:
    def test_its_first_line_is_the_password(self):
        assert from_command(python('print(" s3 cret\\r\\nsecond")')) == " s3 cret"

    def test_no_shell_reads_it(self):
        assert from_command("echo $HOME | cat") == "$HOME | cat"

    def test_unless_it_is_asked_for(self):
        assert from_command("echo one | tr o O", shell=True) == "One"

    def test_it_does_not_see_our_own_variable(self, monkeypatch):
        monkeypatch.setenv("OPENPPTP_PASSWORD", "s3cret")
        assert from_command(python('import os; print(os.environ.get("OPENPPTP_PASSWORD"))')) == "None"

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            ("no-such-program-here x", "no-such-program-here is not there"),
            ("/dev/null", "cannot be run: Permission denied"),
            ("false", "ended with exit code 1"),
            ("cat /dev/zero", "more than 4096 octets"),
            (python('import sys; sys.stdout.buffer.write(b"\\xff\\n")'), "not UTF-8"),
        ],
    )
    def test_what_goes_wrong_is_one_sentence(self, command, words):
        with pytest.raises(SetupError, match=words):
            from_command(command)

    @pytest.mark.parametrize("command", ["sleep 60", "sh -c 'exec 1>&-; exec sleep 60'", "sh -c 'sleep 60 & exit 0'"])
    def test_one_that_does_not_come_to_its_end_is_left(self, command, monkeypatch):
        monkeypatch.setattr(module, "PATIENCE", 0.2)
        with pytest.raises(SetupError, match=r"within 0\.2 seconds"):
            from_command(command)

    @pytest.mark.skipif(os.geteuid() != 0, reason="not on this machine: root; run scripts/test with sudo")
    def test_under_sudo_it_runs_as_the_user_with_the_users_session(self, tmp_path):
        someone = Account("someone", 1234, 1234, tmp_path)
        assert from_command("id -u", run_as=someone) == "1234"
        assert from_command("printenv HOME XDG_RUNTIME_DIR", run_as=someone) == str(tmp_path)
        assert from_command("printenv XDG_RUNTIME_DIR", run_as=someone) == "/run/user/1234"

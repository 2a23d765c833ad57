"""The program: its commands, its exit codes, and what it says when something is wrong."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from openpptp import __version__
from openpptp.cli import program as module
from openpptp.cli.program import COMMANDS, program
from openpptp.errors import Misuse, SetupError


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """A command `fail` that raises what it is given."""

    def install(error: BaseException):
        @click.command
        def serve() -> None:
            raise error

        monkeypatch.setattr("openpptp.cli.serve.serve", serve)
        monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
        monkeypatch.delenv("OPENPPTP_DEBUG", raising=False)

    return install


def run(*arguments: str):
    return CliRunner().invoke(program, arguments)


class HelpTests:
    """--help and --version."""

    def test_the_version(self):
        assert run("--version").output == f"openpptp {__version__}\n"

    @pytest.mark.parametrize(
        "words", [(), *((name,) for name in COMMANDS), *(("user", n) for n in ("add", "passwd", "remove", "list"))]
    )
    def test_every_help_ends_with_an_example(self, words):
        result = run(*words, "--help")
        assert result.exit_code == 0
        assert result.output.rstrip().splitlines()[-1].startswith("  Example: ")
        assert " ".join(("openpptp", *words)) in result.output.rstrip().splitlines()[-1]

    @pytest.mark.parametrize("name", COMMANDS)
    def test_the_list_of_commands_says_what_their_own_help_says(self, name):
        command = program.get_command(click.Context(program), name)
        assert (command.help or "").splitlines()[0] == COMMANDS[name][1]


class WrongUseTests:
    """Exit code 2 and a proposal."""

    @pytest.mark.parametrize(
        ("words", "nearest"),
        [
            (("serv",), "serve"),
            (("conect",), "connect"),
            (("user", "lst"), "list"),
            (("serve", "--chek"), "--check"),
            (("connect", "h", "--usr", "u"), "--user"),
        ],
    )
    def test_a_wrong_word_proposes_the_nearest(self, words, nearest):
        result = run(*words)
        assert result.exit_code == 2
        proposal = result.stderr.lower().partition("did you mean")[2]
        assert f"'{nearest}'" in proposal

    def test_an_unknown_option_of_the_program_is_wrong_use(self):
        assert run("--nonsense").exit_code == 2


class FailureTests:
    """What reaches a person: sentences, never tracebacks."""

    @pytest.mark.parametrize("code", [1, 2, 3])
    def test_a_setup_error_is_its_sentence_and_its_exit_code(self, failing, code):
        failing(SetupError("no room; make some", exit_code=code))
        result = run("serve")
        assert (result.exit_code, result.stdout, result.stderr) == (code, "", "no room; make some\n")

    @pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), Misuse("driven wrongly")])
    def test_an_unexpected_error_is_one_line_that_names_the_details(self, failing, tmp_path, error):
        failing(error)
        result = run("serve")
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert "Traceback" not in result.output
        (details,) = tmp_path.iterdir()
        assert str(details) in result.stderr
        assert str(error) in details.read_text(encoding="utf-8")
        assert details.stat().st_mode & 0o077 == 0

    def test_debug_shows_where(self, failing):
        failing(ZeroDivisionError("by zero"))
        assert "Traceback" in run("--debug", "serve").stderr

    def test_interrupted_by_the_user(self, failing):
        failing(KeyboardInterrupt())
        result = run("serve")
        assert result.exit_code == 1
        assert "Traceback" not in result.output


class StartTests:
    """Start-up stays light."""

    def test_help_loads_no_heavy_library(self):
        code = (
            "import sys, contextlib\nfrom openpptp.cli import main\nsys.argv = ['openpptp', '--help']\n"
            "with contextlib.suppress(SystemExit): main()\n"
            "sys.exit(' '.join({'pydantic', 'structlog', 'asyncio', 'pyroute2'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stderr == "\n" or done.stderr == ""
        assert "Commands:" in done.stdout

"""P-28: what must never show, over the whole program: in representations, tracebacks, arguments, environments."""

import dataclasses
import importlib
import inspect
import io
import os
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import structlog
from click.testing import CliRunner
from tests.machine import REPOSITORY

import openpptp
from openpptp.cli.options import PASSWORD_VARIABLE, read_password
from openpptp.cli.program import COMMANDS, complain, program
from openpptp.daemon import log as logs
from openpptp.net.engine import Keys

SECRET = "correct horse"
WORDS = {"password", "passwd", "secret", "keys", "hash", "response"}
"Last words of the names of fields that hold a secret, or what passwords can be tried on."
HARMLESS = {"use_nt_response": "a flag"}


def classes() -> Iterator[type]:
    """Yield every dataclass of ours."""
    for found in pkgutil.walk_packages(openpptp.__path__, "openpptp."):
        if not found.name.endswith("__main__"):
            module = importlib.import_module(found.name)
            for value in vars(module).values():
                if inspect.isclass(value) and value.__module__ == found.name and dataclasses.is_dataclass(value):
                    yield value


def secret_fields() -> Iterator[tuple[type, dataclasses.Field]]:
    for each in classes():
        for field in dataclasses.fields(each):
            secret = field.name.rpartition("_")[2] in WORDS or field.name.endswith("start_key")
            if secret and field.name not in HARMLESS:
                yield each, field


class RepresentationTests:
    """A value that reaches a log or a traceback by mistake does not tell what it holds."""

    def test_there_are_such_fields(self):
        assert len(list(secret_fields())) > 15

    @pytest.mark.parametrize(
        ("owner", "field"), [pytest.param(*each, id=f"{each[0].__name__}.{each[1].name}") for each in secret_fields()]
    )
    def test_a_secret_field_is_not_shown(self, owner, field):
        assert not field.repr

    def test_the_engines_keys_are_not_shown(self):
        assert "7e7e" not in repr(Keys(bytes([0x7E] * 16), 128, stateful=False)).replace("\\x", "").replace("~", "7e")


class TracebackTests:
    """An error nobody expected is reported without the values it met."""

    def test_neither_the_sentence_nor_the_details_hold_local_variables(self, monkeypatch, tmp_path, capsys):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.setenv("OPENPPTP_DEBUG", "1")

        def defect(password: str) -> None:
            raise RuntimeError(f"a password of {len(password)} characters")

        try:
            defect(SECRET)
        except RuntimeError as error:
            with pytest.raises(click.exceptions.Exit):
                complain(click.Context(program), error)
        (details,) = tmp_path.glob("openpptp-error-*.txt")
        assert "in defect" in details.read_text()
        assert SECRET not in details.read_text() + "".join(capsys.readouterr())
        assert details.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("style", ["text", "json"])
    def test_nor_does_the_log(self, style):
        stream = io.StringIO()
        before = structlog.get_config()
        logs.set_up("debug", style, stream)
        try:
            password = SECRET
            try:
                raise RuntimeError(len(password))
            except RuntimeError as error:
                structlog.get_logger().error("a defect in this program", exc_info=error)
        finally:
            structlog.configure(**before)
        assert "RuntimeError" in stream.getvalue()
        assert SECRET not in stream.getvalue()

    def test_whatever_else_is_installed(self):
        """The package rich would make the log show every local variable."""
        before = structlog.get_config()
        logs.set_up()
        try:
            renderer = structlog.get_config()["processors"][-1]
        finally:
            structlog.configure(**before)
        assert renderer.exception_formatter is structlog.dev.plain_traceback

    def test_python_itself_shows_none_unless_asked(self):
        assert inspect.signature(traceback.TracebackException).parameters["capture_locals"].default is False


class ArgumentTests:
    """Every user of a machine sees the arguments of every program."""

    @pytest.mark.parametrize("name", COMMANDS)
    def test_no_option_takes_a_password(self, name):
        def options(command: click.Command) -> Iterator[click.Parameter]:
            yield from command.params
            for each in getattr(command, "commands", {}).values():
                yield from options(each)

        with click.Context(program) as context:
            command = program.get_command(context, name)
        for option in options(command):
            if "password" in (option.name or "") and not getattr(option, "is_flag", False):
                assert option.name in {"password_file", "password_command"}


class EnvironmentTests:
    """Programs we start inherit the environment."""

    def test_the_password_is_taken_out_when_it_is_read(self, monkeypatch):
        monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
        assert read_password(None, "Password") == SECRET
        assert PASSWORD_VARIABLE not in os.environ

    def test_a_command_leaves_none_behind(self, monkeypatch, tmp_path):
        file = tmp_path / "chap-secrets"
        monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
        result = CliRunner().invoke(program, ["user", "add", "alice", "--file", str(file)])
        assert result.exit_code == 0, result.output
        assert SECRET in Path(file).read_text()
        assert SECRET not in result.output
        assert PASSWORD_VARIABLE not in os.environ


class CoreFileTests:
    """A core file holds all that was in memory."""

    def test_no_command_leaves_one(self):
        code = """
import ctypes, sys
from openpptp.cli import main
sys.argv = ["openpptp", "--version"]
try:
    main()
finally:
    print("dumpable", ctypes.CDLL(None).prctl(3))  # PR_GET_DUMPABLE
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(REPOSITORY / "src")},
            check=False,
        )
        assert "dumpable 0" in done.stdout, done.stderr

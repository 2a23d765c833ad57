"""openpptp serve."""

import json
import sys
import types

import pytest
from click.testing import CliRunner

from openpptp.cli.program import program
from openpptp.daemon.wishes import DataPathWishes


@pytest.fixture
def config(tmp_path):
    (tmp_path / "users").touch(0o600)
    path = tmp_path / "openpptp.toml"
    path.write_text(f'[network]\npool = ["10.0.0.0/24"]\n[users]\nfile = "{tmp_path}/users"\n', encoding="utf-8")
    return path


def run(*arguments: object):
    return CliRunner().invoke(program, ["serve", *map(str, arguments)])


class CheckTests:
    """--check reads everything, reports, starts nothing."""

    def test_right_settings(self, config):
        result = run("--config", config, "--check")
        assert (result.exit_code, result.stderr) == (0, "")
        assert "complete" in result.stdout

    def test_weak_settings_are_warned_of(self, config):
        config.write_text(config.read_text() + '[auth]\nencryption = "off"\n')
        result = run("--config", config, "--check")
        assert result.exit_code == 0
        assert "warning: auth.encryption is off" in result.stdout

    def test_wrong_settings_end_with_2_and_every_mistake(self, config):
        config.write_text(config.read_text() + '[server]\nport = 0\nnme = "x"\n')
        result = run("--config", config, "--check")
        assert result.exit_code == 2
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 2

    def test_json(self, config):
        right = run("--config", config, "--check", "--json")
        assert json.loads(right.stdout) == {"file": str(config), "valid": True, "mistakes": [], "warnings": []}
        config.write_text("[network]\n")
        wrong = run("--config", config, "--check", "--json")
        assert wrong.exit_code == 2
        assert json.loads(wrong.stdout)["valid"] is False
        assert "network.pool" in json.loads(wrong.stdout)["mistakes"][0]

    def test_no_settings(self, tmp_path):
        result = run("--config", tmp_path / "none.toml")
        assert result.exit_code == 2
        assert "openpptp setup" in result.stderr


class ServeTests:
    """What the server is started with."""

    @pytest.fixture(autouse=True)
    def _started(self, monkeypatch):
        self.started = []
        daemon = types.ModuleType("openpptp.daemon.serve")
        daemon.serve = lambda _settings, read, _findings, _monitor: self.started.append(read()) or 1
        monkeypatch.setitem(sys.modules, "openpptp.daemon.serve", daemon)

    def test_the_server_gets_the_settings_and_its_code_is_ours(self, config):
        assert run("--config", config).exit_code == 1
        assert str(self.started[0].network.our_address()) == "10.0.0.1"
        assert self.started[0].log.format == "text"

    def test_json_makes_the_log_json(self, config):
        run("--config", config, "--json")
        assert self.started[0].log.format == "json"

    def test_debug_logs_all_there_is_whatever_the_settings_say_and_after_a_reload_too(self, config):
        config.write_text(config.read_text() + '[log]\nlevel = "error"\n')
        run("--config", config, "--debug")
        assert self.started[0].log.level == "debug"

    def test_the_data_path_is_the_settings_unless_an_option_says_otherwise(self, config):
        config.write_text(config.read_text() + '[server]\ndata_path = "reference"\ncarrier = "raw"\nthreads = 3\n')
        run("--config", config)
        run("--config", config, "--data-path", "engine", "--carrier", "ring")
        assert [settings.data_path() for settings in self.started] == [
            DataPathWishes("reference", "raw", 3),
            DataPathWishes("engine", "ring", 3),
        ]

    def test_a_data_path_nobody_knows_is_refused(self, config):
        result = run("--config", config, "--data-path", "kernel")
        assert (result.exit_code, self.started) == (2, [])
        assert "'auto', 'engine', 'reference'" in result.stderr

"""openpptp import, and openpptp serve --pptpd-conf --check."""

import json
import sys
import tomllib
import types

import pytest
from click.testing import CliRunner

from openpptp.cli.program import program
from openpptp.daemon import importing


def run(*arguments: object):
    return CliRunner().invoke(program, list(map(str, arguments)))


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """A pptpd.conf on a host whose pppd files are elsewhere."""
    for reader in (importing.read_foreign, importing.load_pptpd):
        monkeypatch.setitem(reader.__kwdefaults__, "directory", tmp_path)
    (tmp_path / "users").write_text("ann * geheim *\n")
    (tmp_path / "users").chmod(0o600)
    (tmp_path / "opts").write_text(f"chap-secrets {tmp_path}/users\nname pptpd\nidle 600\n")
    path = tmp_path / "pptpd.conf"
    path.write_text(f"option {tmp_path}/opts\nlocalip 10.0.0.1\nremoteip 10.0.0.2-9\n")
    return path


class ImportTests:
    """Settings on standard output, the report on standard error."""

    def test_settings_and_report(self, conf):
        result = run("import", conf)
        assert result.exit_code == 0
        assert tomllib.loads(result.stdout)["network"]["pool"] == ["10.0.0.2-10.0.0.9"]
        assert f"{conf}:3: remoteip 10.0.0.2-9: honoured: network.pool" in result.stderr
        assert 'idle 600: honoured: policy.idle = "10m"' in result.stderr
        assert "geheim" not in result.output

    def test_danger_ends_with_1_and_what_is_unreadable_with_2(self, conf):
        (conf.parent / "opts").write_text(f"chap-secrets {conf.parent}/users\nmppe-stateful\n")
        dangerous = run("import", conf)
        (conf.parent / "opts").write_text(f"chap-secrets {conf.parent}/users\nmppe-stateful\nnonsense\n")
        assert (dangerous.exit_code, run("import", conf).exit_code) == (1, 2)
        assert "mppe-stateful: dangerous because" in dangerous.stderr

    def test_json(self, conf):
        report = json.loads(run("import", conf, "--json").stdout)
        assert report["complete"] is True
        assert {"file", "line", "text", "verdict", "why"} == set(report["report"][0])

    def test_write_makes_a_file_that_serve_takes_and_overwrites_none(self, conf):
        folder = conf.parent / "made"
        first = run("import", conf, "--write", folder)
        assert first.exit_code == 0
        assert run("serve", "--check", "--config", folder / "openpptp.toml").exit_code == 0
        again = run("import", conf, "--write", folder)
        assert again.exit_code == 2
        assert "not overwritten" in again.stderr

    def test_nothing_is_written_of_incomplete_settings(self, conf):
        conf.write_text("remoteip 10.0.0.9-2\n")
        assert run("import", conf, "--write", conf.parent / "made").exit_code == 2
        assert not (conf.parent / "made").exists()

    def test_a_missing_file_and_one_of_no_kind(self, tmp_path):
        assert run("import", tmp_path / "none.conf").exit_code == 2
        (tmp_path / "x").write_text("hello")
        assert "--as" in run("import", tmp_path / "x").stderr
        assert run("import", tmp_path / "x", "--as", "options").exit_code == 2


class CheckTests:
    """serve --check with pptpd's files."""

    def test_the_report_and_its_end(self, conf):
        result = run("serve", "--pptpd-conf", conf, "--check")
        assert result.exit_code == 0
        assert "localip 10.0.0.1: honoured" in result.stdout
        assert result.stdout.endswith("the settings are complete and fit together\n")

    def test_json(self, conf):
        conf.write_text("remoteip 10.0.0.9-2\n")
        result = run("serve", "--pptpd-conf", conf, "--check", "--json")
        assert result.exit_code == 2
        assert json.loads(result.stdout)["complete"] is False

    def test_what_the_settings_warn_of_is_said_too(self, conf):
        (conf.parent / "opts").write_text(f"chap-secrets {conf.parent}/users\nmppe-stateful\n")
        assert "warning: auth.stateful is on" in run("serve", "--pptpd-conf", conf, "--check").stdout

    def test_two_sources_of_settings_exclude_each_other(self, conf):
        result = run("serve", "--pptpd-conf", conf, "--config", conf, "--check")
        assert result.exit_code == 2
        assert "exclude each other" in result.stderr


class ServeTests:
    """serve --pptpd-conf starts with what the files say, and reads them again on a reload."""

    def test_settings_findings_and_a_way_to_read_again(self, conf, monkeypatch):
        started = []
        daemon = types.ModuleType("openpptp.daemon.serve")
        daemon.serve = lambda settings, read, findings, monitor: started.append((settings, read, findings)) or 0
        monkeypatch.setitem(sys.modules, "openpptp.daemon.serve", daemon)
        assert run("serve", "--pptpd-conf", conf, "--carrier", "raw").exit_code == 0
        ((settings, reread, findings),) = started
        assert (str(settings.network.our_address()), settings.server.carrier) == ("10.0.0.1", "raw")
        assert any("localip" in str(finding) for finding in findings)
        conf.write_text(conf.read_text().replace("10.0.0.1", "10.0.0.9"))
        assert str(reread().network.our_address()) == "10.0.0.9"

    def test_what_stands_in_the_way_is_said_with_its_line(self, conf):
        conf.write_text("localip 10.0.0.1\nremoteip 10.0.0.9-2\n")
        result = run("serve", "--pptpd-conf", conf)
        assert result.exit_code == 2
        assert f"{conf}:2: remoteip 10.0.0.9-2: unreadable because" in result.stderr

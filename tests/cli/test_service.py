"""openpptp service."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.daemon.service.fake_systemctl import FakeMachine

from openpptp.cli.program import program


@pytest.fixture
def fake(tmp_path, monkeypatch) -> FakeMachine:
    fake = FakeMachine(tmp_path / "machine")
    monkeypatch.setattr("openpptp.cli.service._machine", lambda: fake.machine)
    return fake


@pytest.fixture
def config(tmp_path) -> Path:
    etc = tmp_path / "openpptp"
    etc.mkdir()
    (etc / "chap-secrets").touch(0o600)
    path = etc / "openpptp.toml"
    path.write_text(
        f'[server]\nruntime_directory = "{tmp_path}/run"\n[network]\npool = ["10.0.0.0/24"]\n'
        f'[users]\nfile = "{etc}/chap-secrets"\n[accounting]\nfile = "{etc}/accounting.sqlite"\n'
    )
    return path


def run(*arguments: object, **options):
    return CliRunner().invoke(program, ["service", *map(str, arguments)], **options)


class InstallTests:
    def test_what_was_done_is_said(self, fake, config):
        result = run("install", "--config", config, "--no-start")
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines() == [
            f"done: write {fake.unit}",
            "done: run systemctl enable openpptp.service: it starts at each boot",
            "see it with: openpptp service status; take all of it back with: sudo openpptp service remove",
        ]
        assert "nothing to do" in run("install", "--config", config, "--no-start").stdout

    def test_json(self, fake, config):
        report = json.loads(run("install", "--config", config, "--no-start", "--json").stdout)
        assert report["done"][0] == f"done: write {fake.unit}"

    def test_dry_run_shows_unit_and_host_and_does_nothing(self, fake, config):
        result = run("install", "--config", config, "--dry-run")
        assert result.exit_code == 0, result.output
        assert "ExecStart=" in result.stdout
        assert "masquerade" in result.stdout
        assert not fake.unit.exists()

    def test_settings_that_are_wrong_end_with_2(self, fake, config):
        config.write_text("[network]\n")
        assert run("install", "--config", config).exit_code == 2
        assert fake.calls() == []

    def test_both_kinds_of_settings_exclude_each_other(self, fake, config):
        assert run("install", "--config", config, "--pptpd-conf", "/etc/pptpd.conf").exit_code == 2

    def test_without_systemd_it_ends_with_3(self, fake, config):
        (fake.root / "run/systemd/system").rmdir()
        result = run("install", "--config", config)
        assert result.exit_code == 3
        assert "@reboot" in result.stderr


class RemoveTests:
    def test_it_takes_back_what_install_did(self, fake, config):
        before = fake.files()
        run("install", "--config", config, "--no-start")
        result = run("remove")
        assert result.exit_code == 0, result.output
        assert fake.files() == before
        assert config.exists()

    def test_dry_run(self, fake, config):
        run("install", "--config", config, "--no-start")
        result = run("remove", "--purge", "--dry-run")
        assert f"remove {fake.unit}" in result.stdout
        assert f"remove {config}" in result.stdout
        assert fake.unit.exists()

    def test_purge_asks_and_no_keeps_all(self, fake, config):
        run("install", "--config", config, "--no-start")
        result = run("remove", "--purge", input="n\n")
        assert result.exit_code == 1
        assert str(config) in result.stderr
        assert config.exists()
        assert fake.unit.exists()

    def test_purge_with_yes_removes_settings_and_users(self, fake, config):
        run("install", "--config", config, "--no-start")
        assert run("remove", "--purge", "--yes").exit_code == 0
        assert not config.parent.exists()

    def test_what_stays_is_said(self, fake, config):
        run("install", "--config", config, "--no-start")
        fake.breaks("disable")
        result = run("remove")
        assert result.exit_code == 1
        assert "disable" in result.stderr


class StatusTests:
    def test_not_installed(self, fake, config):
        result = run("status", "--config", config)
        assert result.exit_code == 1
        assert "not installed" in result.stdout

    def test_json(self, fake, config):
        run("install", "--config", config, "--no-start")
        report = json.loads(run("status", "--json").stdout)
        assert report["settings"] == str(config)
        assert report["unit"]["UnitFileState"] == "enabled"
        assert report["server"] is None
        assert report["missing"][0]["remedy"] == "sudo systemctl start openpptp.service"

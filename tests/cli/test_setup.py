"""openpptp setup."""

import json
from ipaddress import IPv4Network

import pytest
from click.testing import CliRunner

from openpptp.cli.program import program
from openpptp.daemon.config import load
from openpptp.daemon.first_run import Host


@pytest.fixture(autouse=True)
def host(monkeypatch):
    """A host with two addresses, so that no test asks the real one."""
    host = Host([IPv4Network("192.168.1.0/24")], ["192.0.2.7", "192.168.1.2"])
    monkeypatch.setattr("openpptp.daemon.first_run.look_at_host", lambda: host)


def run(tmp_path, *arguments: str):
    config = str(tmp_path / "etc" / "openpptp.toml")
    return CliRunner().invoke(program, ["setup", "--config", config, *arguments])


class SetupTests:
    """Settings, a first user, and how to connect."""

    def test_it_prints_what_a_client_needs(self, tmp_path):
        result = run(tmp_path, "--address", "vpn.example", "--user", "alice")
        assert result.exit_code == 0, result.output
        (secret,) = (tmp_path / "etc" / "chap-secrets").read_text().splitlines()
        password = secret.split()[2].strip('"')
        assert f"address   vpn.example\nuser      alice\npassword  {password}\n" in result.stdout
        for word in ("Add-VpnConnection", "nmcli", "pptp-client", "pppd", "openpptp connect vpn.example"):
            assert word in result.stdout
        assert load(tmp_path / "etc" / "openpptp.toml").warnings() == []

    def test_again_it_makes_nothing_and_shows_no_password(self, tmp_path):
        first = json.loads(run(tmp_path, "--json").stdout)
        again = run(tmp_path)
        assert again.exit_code == 0
        assert first["password"] not in again.output
        assert "has the users already" in again.stdout

    def test_json(self, tmp_path):
        report = json.loads(run(tmp_path, "--json").stdout)
        assert report["addresses"] == ["192.0.2.7", "192.168.1.2"]
        assert len(report["made"]) == 2
        assert report["user"] == "user"

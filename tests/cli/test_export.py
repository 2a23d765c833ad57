"""openpptp export."""

import json

import pytest
from click.testing import CliRunner
from tests.seed_files import lay_out

from openpptp.cli.export import CLIENTS
from openpptp.cli.program import program
from openpptp.daemon.export.clients import Client
from openpptp.daemon.first_run import Host


@pytest.fixture(autouse=True)
def host(monkeypatch):
    """A host with an address, so that no test asks the real one."""
    monkeypatch.setattr("openpptp.daemon.first_run.look_at_host", lambda: Host([], ["192.0.2.7"]))


@pytest.fixture
def config(tmp_path):
    secrets = tmp_path / "chap-secrets"
    secrets.write_text("anna * s3cret *\n")
    secrets.chmod(0o600)
    file = tmp_path / "openpptp.toml"
    file.write_text(f'[network]\npool = ["10.0.0.0/24"]\n[users]\nfile = "{secrets}"\n')
    return file


def run(config, *arguments: str):
    return CliRunner().invoke(program, ["export", "--config", str(config), *arguments])


class ExportTests:
    def test_the_only_user_and_the_hosts_address_are_taken(self, config):
        result = run(config, "--for", "windows")
        assert result.exit_code == 0, result.output
        assert "-ServerAddress 192.0.2.7 " in result.stdout
        assert "rasdial openpptp anna *" in result.stdout
        assert "s3cret" not in result.stdout

    def test_of_several_users_one_must_be_named(self, config):
        (config.parent / "chap-secrets").write_text("anna * s3cret *\nbob * s3cret *\n")
        result = run(config, "--for", "windows")
        assert result.exit_code == 2
        assert result.stderr == f"name the user with --user; {config.parent}/chap-secrets has anna, bob\n"

    def test_a_line_for_anybody_is_no_user(self, config):
        (config.parent / "chap-secrets").write_text("* * s3cret *\n")
        result = run(config, "--for", "windows")
        assert result.stderr == f"name the user with --user; {config.parent}/chap-secrets has none\n"

    def test_the_clients_offered_are_those_there_are_settings_for(self):
        assert [client.value for client in Client] == list(CLIENTS)

    def test_where_the_server_listens_is_its_address(self, config):
        config.write_text(config.read_text() + '[server]\nlisten = "203.0.113.9"\n')
        assert "connect-to=203.0.113.9" in run(config, "--for", "mikrotik").stdout

    def test_it_follows_the_settings(self, config):
        config.write_text(config.read_text() + "[server]\nport = 1724\n")
        result = run(config, "--for", "networkmanager")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "NetworkManager reaches TCP port 1723 only" in result.stderr
        assert "port = 1724\n" in run(config, "--for", "openpptp").stdout

    def test_it_follows_pptpds_files(self, config, tmp_path):
        conf = lay_out(tmp_path / "etc")
        conf.write_text(f"option {tmp_path}/options\nremoteip 192.168.10.100-200\n")
        (tmp_path / "options").write_text(f"require-mschap\nrequire-mppe-40\nchap-secrets {tmp_path}/chap-secrets\n")
        result = run(config, "--for", "pptp-linux", "--user", "anna", "--pptpd-conf", str(conf))
        assert result.exit_code == 2  # --config was named as well
        words = ["export", "--for", "pptp-linux", "--user", "anna", "--pptpd-conf", str(conf)]
        result = CliRunner().invoke(program, words)
        assert "require-mppe-40\n" in result.stdout, result.output
        assert "refuse-mschap-v2\n" in result.stdout

    def test_output_is_a_new_file_for_its_owner_alone(self, config, tmp_path):
        file = tmp_path / "office.nmconnection"
        words = ("--for", "networkmanager", "--name", "office", "--output", str(file))
        result = run(config, *words)
        assert result.stdout == (
            f"made {file}; it belongs at /etc/NetworkManager/system-connections/office.nmconnection\n"
        )
        assert file.stat().st_mode & 0o777 == 0o600
        again = run(config, *words)
        assert (again.exit_code, again.stderr) == (1, f"{file} exists already; name another file, or remove it\n")

    def test_windows_powershell_needs_a_mark_to_read_utf_8(self, config, tmp_path):
        run(config, "--for", "windows", "--user", "zoë", "--output", str(tmp_path / "vpn.ps1"))
        assert (tmp_path / "vpn.ps1").read_bytes().startswith(b"\xef\xbb\xbf#")

    def test_the_password_is_put_in_when_a_file_names_it(self, config, tmp_path):
        (tmp_path / "password").write_text("pass word\n")
        result = run(config, "--for", "pptp-linux", "--password-file", str(tmp_path / "password"))
        assert 'password "pass word"\n' in result.stdout

    def test_json(self, config):
        facts = json.loads(run(config, "--for", "windows", "--json").stdout)
        assert facts["user"] == "anna"
        assert facts["paste"][-1] == "rasdial openpptp anna *"
        assert facts["path"] is None

    def test_route_and_default_route_exclude_each_other(self, config):
        result = run(config, "--for", "windows", "--default-route", "--route", "10.0.0.0/8")
        assert (result.exit_code, result.stderr) == (
            2,
            "--route and --default-route exclude each other; leave one out\n",
        )

"""openpptp user: end to end on a secrets file."""

import json

import pytest
from click.testing import CliRunner

from openpptp.backends import secrets_file
from openpptp.cli.program import program


@pytest.fixture
def file(tmp_path):
    return tmp_path / "chap-secrets"


@pytest.fixture
def run(tmp_path, file):
    """Run a user command on the settings of this test."""
    config = tmp_path / "openpptp.toml"
    config.write_text(f'[network]\npool = ["10.0.0.0/24"]\n[users]\nfile = "{file}"\n', encoding="utf-8")

    def run(*arguments: str, **options):
        return CliRunner().invoke(program, ["user", *arguments, "--config", str(config)], **options)

    return run


def secrets(file) -> dict[str, str]:
    return {entry.client: entry.secret for entry in secrets_file.read(file).entries}


class AddTests:
    """user add."""

    def test_a_password_from_the_environment_is_stored_and_not_shown(self, run, file):
        result = run("add", "alice", env={"OPENPPTP_PASSWORD": "s3 #cret"})
        assert result.exit_code == 0
        assert "s3" not in result.output
        assert secrets(file) == {"alice": "s3 #cret"}
        assert file.stat().st_mode & 0o777 == 0o600

    def test_generate_prints_the_password_once(self, run, file):
        result = run("add", "alice", "--generate")
        assert result.output.count(secrets(file)["alice"]) == 1

    def test_json(self, run, file):
        report = json.loads(run("add", "alice", "--generate", "--json").stdout)
        assert report == {"user": "alice", "file": str(file), "password": secrets(file)["alice"]}
        assert "password" not in json.loads(run("add", "bob", "--json", env={"OPENPPTP_PASSWORD": "s3cret"}).stdout)

    def test_a_user_that_exists_is_refused(self, run, file):
        run("add", "alice", env={"OPENPPTP_PASSWORD": "s3cret"})
        result = run("add", "alice", "--generate")
        assert result.exit_code == 1
        assert "user passwd" in result.stderr
        assert secrets(file) == {"alice": "s3cret"}

    def test_a_user_can_connect_with_what_add_wrote(self, run, file):
        run("add", "alice", "--generate")
        (entry,) = secrets_file.read(file).entries
        assert not entry.addresses.allows_none
        assert not secrets_file.read(file).problems

    @pytest.mark.parametrize("name", ["", "*", "a\nb"])
    def test_a_name_that_cannot_be_one_is_refused(self, run, file, name):
        assert run("add", name, "--generate").exit_code == 2
        assert not file.exists()

    def test_generate_and_a_file_exclude_each_other(self, run, tmp_path):
        assert run("add", "alice", "--generate", "--password-file", str(tmp_path / "x")).exit_code == 2

    def test_no_password_is_taken_from_the_command_line(self, run, file):
        assert run("add", "alice", "s3cret").exit_code == 2
        assert not file.exists()


class ChangeTests:
    """user passwd and user remove."""

    def test_passwd_changes_only_the_password(self, run, file):
        file.write_text('# ours\n"alice" * old 10.0.0.7 # fixed\nbob * keep *\n')
        assert run("passwd", "alice", env={"OPENPPTP_PASSWORD": "new"}).exit_code == 0
        assert file.read_text().splitlines()[0] == "# ours"
        assert secrets(file) == {"alice": "new", "bob": "keep"}
        assert str(secrets_file.read(file).entries[0].addresses.suggested) == "10.0.0.7"

    def test_remove_takes_one_user_out(self, run, file):
        file.write_text("alice * a *\nbob * b *\n")
        assert run("remove", "alice").exit_code == 0
        assert secrets(file) == {"bob": "b"}

    @pytest.mark.parametrize("command", ["passwd", "remove"])
    def test_an_unknown_user_is_said(self, run, file, command):
        file.write_text("bob * b *\n")
        result = run(command, "alice", env={"OPENPPTP_PASSWORD": "new"})
        assert result.exit_code == 1
        assert "no user alice" in result.stderr


class ListTests:
    """user list."""

    CONTENT = "alice * s3cret *\nbob pptpd s3cret 10.0.0.7\ncarol * s3cret\nbroken\n"

    def test_users_are_listed_without_passwords(self, run, file):
        file.write_text(self.CONTENT)
        file.chmod(0o600)
        result = run("list")
        assert result.stdout == (
            "alice  any address\nbob    10.0.0.7  (not for this server: pptpd)\ncarol  no address: cannot connect\n"
        )
        assert f"{file}:4:" in result.stderr
        assert "s3cret" not in result.output

    def test_json(self, run, file):
        file.write_text(self.CONTENT)
        report = json.loads(run("list", "--json").stdout)
        assert report["users"][1] == {"user": "bob", "server": "pptpd", "addresses": "10.0.0.7"}
        assert "s3cret" not in json.dumps(report)

    def test_no_file_yet_names_the_command_that_makes_it(self, run):
        result = run("list")
        assert result.exit_code == 2
        assert "openpptp user add" in result.stderr

    def test_a_file_may_be_named_without_settings(self, tmp_path, file):
        file.write_text("alice * s3cret *\n")
        nowhere = str(tmp_path / "none.toml")
        result = CliRunner().invoke(program, ["user", "list", "--file", str(file), "--config", nowhere])
        assert result.stdout == "alice  any address\n"

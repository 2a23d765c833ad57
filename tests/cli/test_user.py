"""openpptp user: end to end on a secrets file."""

import json

import pytest
from click.testing import CliRunner

from openpptp.backends import secrets_file
from openpptp.cli.program import program

SETTINGS = """[server]
runtime_directory = "/nonexistent"
[network]
pool = ["10.0.0.0/24"]
[policy]
idle = "30m"
[users]
file = "{file}"
store = "{store}"
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "chap-secrets"


@pytest.fixture
def run(tmp_path, file):
    """Run a user command on the settings of this test."""
    config = tmp_path / "openpptp.toml"
    config.write_text(SETTINGS.format(file=file, store=tmp_path / "users.sqlite"), encoding="utf-8")

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
            "alice  any address\n"
            "bob    10.0.0.7                    (not for this server: pptpd)\n"
            "carol  no address: cannot connect\n"
        )
        assert f"{file}:4:" in result.stderr
        assert "s3cret" not in result.output

    def test_json(self, run, file):
        file.write_text(self.CONTENT)
        report = json.loads(run("list", "--json").stdout)
        assert report["users"][1] == {
            "user": "bob",
            "where": "file",
            "server": "pptpd",
            "addresses": "10.0.0.7",
            "clear_text": True,
            "policy": {},
            "hidden": False,
        }
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


class StoreTests:
    """The users store, beside the secrets file."""

    @pytest.fixture
    def store(self, tmp_path):
        return tmp_path / "users.sqlite"

    def test_it_is_made_when_it_is_asked_for_and_used_from_then_on(self, run, file, store):
        assert "added to" in run("add", "alice", "--generate").stdout
        assert not store.exists()
        assert f"user bob added to {store}" in run("add", "bob", "--generate", "--store").stdout
        assert f"user carla added to {store}" in run("add", "carla", "--generate").stdout
        assert set(secrets(file)) == {"alice"}
        assert run("list").stdout == ("bob    any address  (store)\ncarla  any address  (store)\nalice  any address\n")

    def test_json(self, run, store):
        report = json.loads(run("add", "bob", "--store", "--rate", "10mbit", "--generate", "--json").stdout)
        assert (report["user"], report["store"], len(report["password"])) == ("bob", str(store), 14)
        (user,) = json.loads(run("list", "--json").stdout)["users"]
        assert (user["where"], user["clear_text"], user["policy"]) == ("store", False, {"rate": "10mbit"})

    def test_each_user_is_changed_where_he_is(self, run, file, store):
        run("add", "alice", "--generate")
        run("add", "bob", "--generate", "--store")
        for name, place in (("alice", file), ("bob", store)):
            assert f"{name} has a new password in {place}" in run("passwd", name, "--generate").stdout
            assert run("limit", name, "--idle", "5m").stdout == f"user {name} in {place}: idle 5m\n"
            assert f"{name} removed from {place}" in run("remove", name).stdout
        assert run("list").stdout == ""

    def test_a_name_in_both_is_marked_and_said_at_its_removal(self, run, file):
        run("add", "alice", "--generate")
        added = run("add", "alice", "--generate", "--store")
        assert "the secrets file knows alice too; the store counts" in added.stderr
        assert "(not used: the store has the name too)" in run("list").stdout
        assert f"counts from now on: {file}" in run("remove", "alice").stderr

    def test_a_named_file_is_the_only_place(self, run, file):
        run("add", "alice", "--generate", "--store")
        assert run("limit", "alice", "--idle", "5m", "--file", str(file)).exit_code == 2
        run("add", "alice", "--generate", "--file", str(file))
        assert run("list", "--file", str(file)).stdout == "alice  any address\n"

    def test_store_and_file_exclude_each_other(self, run, file):
        assert run("add", "alice", "--generate", "--store", "--file", str(file)).exit_code == 2

    def test_a_damaged_store_is_said_without_a_traceback(self, run, store):
        store.write_bytes(b"nothing" * 1000)
        for words in (("list",), ("add", "bob", "--generate"), ("passwd", "bob", "--generate"), ("remove", "bob")):
            result = run(*words)
            assert result.exit_code == 1
            assert "is damaged" in result.stderr


class LimitTests:
    """user limit and user show."""

    def test_limits_are_set_lifted_and_cleared(self, run):
        run("add", "alice", "--generate", "--store", "--rate", "10mbit/2mbit")
        whole = run("limit", "alice", "--quota", "10G/month", "--idle", "none", "--clear", "rate")
        assert whole.stdout.endswith(": quota 10GiB/month idle none\n")
        assert json.loads(run("limit", "alice", "--clear", "idle", "--json").stdout)["policy"] == {
            "quota": "10GiB/month"
        }
        assert "nothing is said of what he may" in run("limit", "alice", "--clear", "quota").stdout

    def test_show_tells_his_own_and_what_holds_for_everybody(self, run, tmp_path):
        run("add", "alice", "--generate", "--store", "--rate", "10mbit/2mbit")
        assert run("show", "alice").stdout == (
            f"user       alice\nkept in    {tmp_path / 'users.sqlite'}\n           the NT hash of the password\n"
            "addresses  any address\nrate       10mbit/2mbit\nidle       30m, as everybody ([policy])\n"
        )
        facts = json.loads(run("show", "alice", "--json").stdout)
        assert (facts["policy"], facts["everybody"]) == ({"rate": "10mbit/2mbit"}, {"idle": "30m"})

    def test_show_of_a_line_in_the_file(self, run, file):
        run("add", "alice", "--generate")
        assert f"kept in    {file}\n           the password itself\n" in run("show", "alice").stdout
        assert run("show", "bob").exit_code == 1

    @pytest.mark.parametrize(
        ("words", "said"),
        [((), "nothing to change"), (("--rate", "fast"), "rate: 'fast' is no rate"), (("--clear", "speed"), "speed")],
    )
    def test_what_cannot_be_read_is_wrong_use(self, run, words, said):
        run("add", "alice", "--generate", "--store")
        result = run("limit", "alice", *words)
        assert result.exit_code == 2
        assert said in result.stderr

    def test_clear_text_is_kept_where_it_is_asked_for(self, run):
        run("add", "alice", "--generate", "--store", "--clear-text")
        assert "the password itself" in run("show", "alice").stdout
        run("passwd", "alice", "--generate")
        assert "the NT hash" in run("show", "alice").stdout

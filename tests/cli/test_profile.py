"""openpptp profile."""

import json

import pytest
from click.testing import CliRunner
from tests.cli.test_connect import profiles

from openpptp.cli.program import program

__all__ = ["profiles"]


def run(*arguments: str, **options):
    return CliRunner().invoke(program, ["profile", *arguments], **options)


@pytest.fixture
def office(profiles):
    """A profile that was added."""
    result = run("add", "office", "vpn.example", "203.0.113.1", "--user", r"EXAMPLE\alice", "--route", "10.0.0.0/8")
    assert result.exit_code == 0
    assert result.output == f"made {profiles}/office.toml\nconnect with: sudo openpptp connect office\n"
    return profiles / "office.toml"


class AddTests:
    def test_options_become_keys(self, office):
        assert 'hosts = ["vpn.example", "203.0.113.1"]' in office.read_text()
        assert office.stat().st_mode & 0o777 == 0o600

    def test_a_second_of_that_name_only_by_force(self, office):
        assert run("add", "office", "h", "--user", "u").exit_code == 1
        assert run("add", "office", "h", "--user", "u", "--force").exit_code == 0

    def test_the_machines_lie_elsewhere(self, profiles, tmp_path):
        assert run("add", "office", "h", "--user", "u", "--system").exit_code == 0
        assert (tmp_path / "system/office.toml").exists()

    def test_a_password_is_stored_when_asked_for(self, profiles):
        given = {"env": {"OPENPPTP_PASSWORD": "s3cret"}}
        assert "s3cret" not in run("add", "office", "h", "--user", "u", "--store-password", **given).output
        assert 'password = "s3cret"' in (profiles / "office.toml").read_text()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("office", "h"), "name a user"),
            (("office", "a b", "--user", "u"), "is no name or IPv4 address"),
            (("../office", "h", "--user", "u"), "cannot name a profile"),
            (("office", "h", "--user", "u", "--allow-method", "PAP"), "PAP makes no keys"),
        ],
    )
    def test_mistakes_are_found_first(self, profiles, arguments, words):
        result = run("add", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
        assert list(profiles.iterdir()) == []


class ListTests:
    def test_each_with_its_servers_and_user(self, office):
        head, line = run("list").output.splitlines()
        assert head.split() == ["name", "hosts", "user", "file"]
        assert line.split() == ["office", "vpn.example", "203.0.113.1", r"EXAMPLE\alice", str(office)]
        (row,) = json.loads(run("list", "--json").output)
        assert (row["name"], row["hosts"]) == ("office", ["vpn.example", "203.0.113.1"])

    def test_with_none_it_says_how_to_make_one(self, profiles):
        assert "openpptp profile add NAME HOST" in run("list").output

    def test_a_broken_one_hides_no_other(self, office):
        office.with_name("broken.toml").write_text("[server]\n")
        result = run("list")
        assert "office" in result.stdout
        assert "broken.toml:1: server.hosts: required, but missing" in result.stderr


class ShowTests:
    def test_what_it_says_and_no_password(self, profiles):
        run("add", "office", "h", "--user", "u", "--store-password", env={"OPENPPTP_PASSWORD": "s3cret"})
        shown = run("show", "office").output
        assert "auth.password" in shown
        assert "(not shown)" in shown
        assert "s3cret" not in shown
        facts = json.loads(run("show", "office", "--json").output)
        assert (facts["server"]["hosts"], facts["auth"]["password"]) == (["h"], "(not shown)")


class RemoveTests:
    def test_it_is_gone(self, office):
        assert run("remove", "office").output == f"removed {office}\n"
        assert run("remove", "office").exit_code == 1


class UnitTests:
    def test_it_is_the_template_for_the_program_that_runs(self):
        assert "connect --profile %i --keep-trying" in run("unit").output

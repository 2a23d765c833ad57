"""Where profiles lie, and what is said of them."""

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from openpptp.daemon.client import profile_files
from openpptp.daemon.client.profile_files import Account, account, directories, every, find, load, remove, save
from openpptp.errors import SetupError

OFFICE = '[server]\nhosts = ["vpn.example"]\n\n[auth]\nuser = "alice"\n'


@pytest.fixture
def places(monkeypatch, tmp_path):
    """A user's directory of profiles, and the machine's."""
    mine, system = tmp_path / "home/.config/openpptp", tmp_path / "etc/profiles"
    for name in ("XDG_CONFIG_HOME", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(profile_files, "SYSTEM", system)
    return mine, system


def write(directory: Path, name: str, text: str = OFFICE, mode: int = 0o644) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


class PlaceTests:
    """Whose profiles they are."""

    def test_the_users_come_before_the_machines(self, places):
        mine, system = places
        write(system, "office")
        write(system, "home")
        assert find("office") == system / "office.toml"
        path = write(mine, "office")
        assert find("office") == path
        assert list(every()) == [("office", path), ("home", system / "home.toml")]
        assert (load("office").system, load("home").system) == (False, True)

    def test_xdg_names_another_place(self, places, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
        assert directories()[0] == tmp_path / "elsewhere/openpptp"

    @pytest.mark.skipif(os.geteuid() != 0, reason="not on this machine: root; run scripts/test with sudo")
    def test_under_sudo_they_are_those_of_who_called_it(self):
        nobody = pwd.getpwnam("nobody")
        found = account({"SUDO_USER": "nobody", "HOME": "/root"})
        assert (found.uid, found.home) == (nobody.pw_uid, Path(nobody.pw_dir))
        environment = {"SUDO_USER": "nobody", "HOME": "/root", "XDG_CONFIG_HOME": "/root/.config"}
        assert directories(environment)[0] == Path(nobody.pw_dir) / ".config/openpptp"

    def test_a_sudo_user_nobody_knows_is_passed_over(self):
        assert account({"SUDO_USER": "no-such-user", "HOME": "/somewhere"}).home == Path("/somewhere")

    @pytest.mark.parametrize("name", ["../office", "a/b", "", ".hidden", "x" * 65])
    def test_a_name_that_is_a_path_finds_nothing(self, places, name):
        assert find(name) is None


class LoadTests:
    """One profile."""

    def test_options_are_laid_over_it(self, places):
        write(places[0], "office", OFFICE + "[network]\ndefault_route = true\n")
        found = load("office", {"auth": {"user": "bob"}, "network": {"default_route": False}})
        request = found.profile.request(found.name)
        assert (request.user, request.default_route, request.hosts) == ("bob", False, ("vpn.example",))
        assert (request.profile, request.interface) == ("office", "pptp-office")

    def test_another_source_of_the_password_stands_in_for_the_profiles(self, places):
        write(places[0], "office", OFFICE + 'password = "s3cret"\n', 0o600)
        found = load("office", {"auth": {"password_file": "/dev/stdin"}})
        assert (found.profile.auth.password, str(found.profile.auth.password_file)) == (None, "/dev/stdin")

    def test_none_of_that_name_says_how_to_go_on(self, places):
        with pytest.raises(SetupError, match=r"there is no profile office in .* openpptp connect office --user NAME"):
            load("office")

    def test_each_mistake_has_its_file_and_line(self, places):
        path = write(places[0], "office", OFFICE + '[network]\nroutes = ["10.0.0.1/8"]\ndefaultroute = true\n')
        with pytest.raises(SetupError) as error:
            load("office")
        assert error.value.exit_code == 2
        assert f"{path}:7: network.routes[1]:" in str(error.value)
        assert f"{path}:8: network.defaultroute: unknown key; did you mean default_route?" in str(error.value)

    def test_a_mistake_is_the_files_even_where_an_option_mends_it(self, places):
        write(places[0], "office", OFFICE + '[network]\nroutes = ["ten"]\n')
        with pytest.raises(SetupError, match=r"network\.routes"):
            load("office", {"network": {"routes": ["10.0.0.0/8"]}})

    def test_what_is_not_toml_is_named_with_its_line(self, places):
        path = write(places[0], "office", "[server]\nhosts = vpn.example\n")
        with pytest.raises(SetupError, match=rf"{path}:2:9: is not TOML"):
            load("office")

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
    def test_a_password_others_may_read_is_refused(self, places, mode):
        path = write(places[0], "office", OFFICE + 'password = "s3cret"\n', mode)
        with pytest.raises(SetupError, match=f"others may read it; close it with: chmod 600 {path}") as error:
            load("office")
        assert "s3cret" not in str(error.value)
        path.chmod(0o600)
        assert load("office").profile.auth.password == "s3cret"


class SaveTests:
    """A profile that is written."""

    def test_it_reads_as_it_was_given_and_explains_every_key(self, places):
        options = {
            "server": {"hosts": ["vpn.example", "203.0.113.1"]},
            "auth": {"user": r"EXAMPLE\alice", "password": 'qu"ote'},
            "network": {"routes": ["10.0.0.0/8"], "dns": ["server"]},
        }
        path = save("office", options, system=False)
        assert path == places[0] / "office.toml"
        assert path.stat().st_mode & 0o777 == 0o600
        auth = load("office").profile.auth
        assert (auth.user, auth.password) == (r"EXAMPLE\alice", 'qu"ote')
        assert load("office").profile.request().routes[0].prefixlen == 8
        assert "# What becomes of traffic" in path.read_text()
        assert '#while_down = "hold"' in path.read_text()

    def test_with_every_comment_taken_off_it_still_reads_but_for_what_excludes_each_other(self, places):
        path = save("office", {"server": {"hosts": ["h"]}, "auth": {"user": "u"}}, system=True)
        lines = path.read_text().splitlines(keepends=True)
        lines = [line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in lines]
        path.write_text("".join(line for line in lines if not line.startswith(("password = ", "password_file"))))
        assert load("office").profile.request("office").port == 1723

    def test_one_that_is_there_is_not_replaced_by_accident(self, places):
        options = {"server": {"hosts": ["h"]}, "auth": {"user": "u"}}
        save("office", options, system=False)
        with pytest.raises(SetupError, match="is there already"):
            save("office", options, system=False)
        save("office", options, system=False, force=True)

    @pytest.mark.parametrize("name", ["../office", "a b", "-x", ""])
    def test_a_name_must_be_a_name(self, places, name):
        with pytest.raises(SetupError, match="cannot name a profile"):
            save(name, {"server": {"hosts": ["h"]}, "auth": {"user": "u"}}, system=False)

    def test_mistakes_are_found_before_anything_is_written(self, places):
        with pytest.raises(SetupError, match=r"server\.hosts"):
            save("office", {"server": {"hosts": ["a b"]}, "auth": {"user": "u"}}, system=False)
        assert not places[0].exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="not on this machine: root; run scripts/test with sudo")
    def test_under_sudo_it_belongs_to_who_called_it_and_no_link_leads_further(self, places, monkeypatch):
        options = {"server": {"hosts": ["h"]}, "auth": {"user": "u"}}
        with tempfile.TemporaryDirectory() as home:
            monkeypatch.setattr(profile_files, "account", lambda *_: Account("x", 1234, 1234, Path(home)))
            os.chown(home, 1234, 1234)
            path = save("office", options, system=False)
            assert path == Path(home) / ".config/openpptp/office.toml"
            assert {each.stat().st_uid for each in (path, path.parent, path.parent.parent)} == {1234}
            remove("office")
            path.parent.rmdir()
            path.parent.symlink_to("/etc")
            with pytest.raises(SetupError, match="Permission denied") as error:
                save("office", options, system=False)
            assert error.value.exit_code == 3
            assert (os.geteuid(), os.getegid()) == (0, 0)

    def test_it_goes_as_it_came(self, places):
        save("office", {"server": {"hosts": ["h"]}, "auth": {"user": "u"}}, system=False)
        remove("office")
        with pytest.raises(SetupError, match="there is no profile office"):
            remove("office")

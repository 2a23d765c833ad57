"""Files that this process may not be allowed to read."""

import os

import pytest

from openpptp.backends import file_access
from openpptp.backends.secrets_file import read
from openpptp.backends.users import SecretsUsers
from openpptp.credentials import PapPresented


class Helper:
    """Plays the monitor: opens what the process is not let at."""

    def __init__(self, path) -> None:
        self.path, self.asked = path, []

    def open(self, path):
        self.asked.append(("open", path))
        return os.open(self.path, os.O_RDONLY)

    def look(self, path):
        self.asked.append(("look", path))
        return file_access.look_of(self.path.stat())


@pytest.fixture
def secrets(tmp_path):
    path = tmp_path / "chap-secrets"
    path.write_text("alice * secret *\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def helper(secrets):
    helper = Helper(secrets)
    file_access.ask_when_refused(helper)
    yield helper
    file_access.ask_when_refused(None)


@pytest.fixture
def refused(monkeypatch):
    """A system that lets us at nothing."""

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_access, "os", type("Refusing", (), {"open": refuse, "stat": refuse} | vars_of_os()))


def vars_of_os() -> dict[str, object]:
    return {name: getattr(os, name) for name in ("O_RDONLY", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY")}


class AskWhenRefusedTests:
    """Nobody is asked for what the system lets us at."""

    def test_what_is_open_to_us_is_opened_by_us(self, secrets, helper):
        assert read(secrets).entries[0].client == "alice"
        assert file_access.look(secrets) == file_access.look_of(secrets.stat())
        assert helper.asked == []

    def test_what_is_refused_is_asked_for(self, secrets, helper, refused):
        assert read(secrets).entries[0].client == "alice"
        assert file_access.look(secrets)[2] == len("alice * secret *\n")
        assert helper.asked == [("open", secrets), ("look", secrets)]

    def test_without_a_helper_a_refusal_is_one(self, secrets, refused):
        with pytest.raises(PermissionError):
            file_access.open_file(secrets)
        with pytest.raises(PermissionError):
            file_access.look(secrets)

    def test_what_is_missing_is_not_asked_for(self, tmp_path, helper):
        with pytest.raises(FileNotFoundError):
            file_access.open_file(tmp_path / "none")
        assert helper.asked == []

    def test_a_changed_file_of_root_alone_is_seen(self, secrets, helper, refused):
        users = SecretsUsers(secrets, "openpptp")
        assert not users.changed()
        secrets.write_text("bob * other password *\n")
        assert users.changed()
        users.refresh()
        assert users.judge(PapPresented(b"bob", b"wrong")).detail == "wrong password for user 'bob'"

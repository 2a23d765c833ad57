"""As whom a program of the caller's runs."""

import os
from pathlib import Path

import pytest
from tests.machine import need_root

from openpptp.daemon.client.caller import environment, identity
from openpptp.daemon.client.profile_files import Account

SOMEONE = Account("nobody", 65534, 65534, Path("/home/nobody"))
OURSELVES = Account("me", os.geteuid(), os.getegid(), Path("/"))


@pytest.fixture(autouse=True)
def _sudo(monkeypatch):
    """What sudo leaves in the environment."""
    for name, value in {"SUDO_USER": "nobody", "SUDO_UID": "65534", "HOME": "/root", "OPENPPTP_PASSWORD": "x"}.items():
        monkeypatch.setenv(name, value)


def test_for_ourselves_nothing_changes_but_the_password():
    assert identity(OURSELVES) == identity(None) == {}
    assert environment(OURSELVES) == {name: value for name, value in os.environ.items() if name != "OPENPPTP_PASSWORD"}


@pytest.mark.root
def test_for_who_called_sudo_it_is_theirs():
    need_root()
    found = environment(SOMEONE)
    assert (found["HOME"], found["USER"], found["XDG_RUNTIME_DIR"]) == ("/home/nobody", "nobody", "/run/user/65534")
    assert found["SHELL"].startswith("/")
    assert not {"SUDO_USER", "SUDO_UID", "OPENPPTP_PASSWORD"} & found.keys()
    assert identity(SOMEONE) == {"user": 65534, "group": 65534, "extra_groups": [65534]}

"""The server's user; none is made on this machine (tests/netns/test_privileges.py makes one in an /etc of its own)."""

import pwd
import subprocess

import pytest

from openpptp.daemon import server_user as module
from openpptp.daemon.server_user import Owner, find_user, make_user


class FindUserTests:
    def test_one_that_is_there(self):
        found = pwd.getpwnam("nobody")
        assert find_user("nobody") == Owner("nobody", found.pw_uid, found.pw_gid)

    @pytest.mark.parametrize("name", ["no such user", "", "x\0y"])
    def test_one_that_is_not(self, name):
        assert find_user(name) is None


class MakeUserTests:
    @pytest.fixture
    def ran(self, monkeypatch):
        """Return what was run; nothing is."""
        ran: list[list[str]] = []

        def run(command, **how):
            ran.append(command)
            assert how["env"] == {"PATH": module.PATH}
            if self.fails is not None:
                raise self.fails
            return subprocess.CompletedProcess(command, self.code, "", "useradd: no\n")

        self.code, self.fails = 0, None
        monkeypatch.setattr(module.subprocess, "run", run)
        return ran

    def test_nobody_can_log_in_as_it(self, ran):
        assert make_user("openpptp") is None
        (command,) = ran
        assert command[0] == "useradd"
        assert {"--system", "--no-create-home", "/usr/sbin/nologin"} <= set(command)
        assert command[-1] == "openpptp"

    def test_what_useradd_says_is_passed_on_with_the_remedy(self, ran):
        self.code = 1
        assert "cannot be made (useradd: no)" in make_user("openpptp")
        assert make_user("openpptp").endswith("openpptp")

    @pytest.mark.parametrize(
        ("fails", "why"),
        [
            (FileNotFoundError(2, "No such file or directory"), "No such file"),
            (subprocess.TimeoutExpired("x", 1), "long"),
        ],
    )
    def test_a_machine_without_useradd(self, ran, fails, why):
        self.fails = fails
        assert why in make_user("openpptp")

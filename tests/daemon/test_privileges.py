"""What the server gives up, told by what it asks of the system; tests/netns/test_privileges.py is the real thing."""

import os
from contextlib import AsyncExitStack

import pytest
from tests.daemon.loopback import Log

from openpptp.daemon import privileges as module
from openpptp.daemon.config import Settings
from openpptp.daemon.privileges import give_up
from openpptp.daemon.server_user import ROOT, Owner
from openpptp.errors import SetupError
from openpptp.net.capabilities import Capability
from openpptp.net.journal import Journal

SERVER = Owner("openpptp", 999, 998)
BOTH = (Capability.NET_ADMIN, Capability.NET_RAW)
ALWAYS = [("hold_only", BOTH), ("refuse_new",), ("hide_memory",), ("forbid_cores",)]


class System:
    """Plays net.capabilities and the machine's users: writes down what is asked."""

    def __init__(self, monkeypatch) -> None:
        self.did: list[tuple[object, ...]] = []
        self.users = {"openpptp": SERVER}
        self.refuses: dict[str, OSError] = {}
        for name in ("forgo_others", "become", "hold_only", "refuse_new", "hide_memory", "forbid_cores"):
            monkeypatch.setattr(module.capabilities, name, lambda *values, name=name: self._do(name, *values))
        monkeypatch.setattr(module, "hand_over", lambda places, owner: self._do("hand_over", len(places), owner) or [])
        monkeypatch.setattr(module, "find_user", self.users.get)
        monkeypatch.setattr(os, "geteuid", lambda: 0)

    def _do(self, name: str, *values: object) -> None:
        self.did.append((name, *values))
        if name in self.refuses:
            raise self.refuses[name]


@pytest.fixture
def system(monkeypatch):
    return System(monkeypatch)


async def give(tmp_path, **sections: dict[str, object]) -> list[str]:
    """Give up; return what was said."""
    server = {"runtime_directory": str(tmp_path / "run")} | sections.pop("server", {})
    settings = Settings.model_validate({"network": {"pool": ["10.0.0.0/24"]}, "server": server} | sections)
    log = Log()
    async with AsyncExitStack() as undo:
        give_up(settings, log.logger, None, undo)
    return [line["event"] for line in log.lines]


class GiveUpTests:
    """As root."""

    async def test_the_servers_user_with_two_capabilities(self, system, tmp_path):
        assert await give(tmp_path) == []
        become = ("become", 999, 998, [])
        assert system.did == [("forgo_others", BOTH), ("hand_over", 2, SERVER), become, *ALWAYS]

    async def test_the_api_group_is_the_only_other_one(self, system, tmp_path):
        await give(tmp_path, admin={"group": "daemon"})
        assert ("become", 999, 998, [1]) in system.did

    async def test_without_such_a_user_it_stays_root_with_two_capabilities_and_says_the_remedy(self, system, tmp_path):
        (said,) = await give(tmp_path, server={"user": "nosuch"})
        assert "there is no user nosuch on this machine; make it with: sudo useradd --system" in said
        assert system.did == [("forgo_others", BOTH), ("hand_over", 2, ROOT), ("become", 0, 0, []), *ALWAYS]

    async def test_where_it_may_not_change_its_user_all_goes_back_to_root(self, system, tmp_path):
        system.refuses["become"] = PermissionError(1, "Operation not permitted")
        (said,) = await give(tmp_path)
        assert "CAP_SETUID" in said
        assert [what for what in system.did if what[0] == "hand_over"] == [
            ("hand_over", 2, SERVER),
            ("hand_over", 2, ROOT),
        ]
        assert system.did[-4:] == ALWAYS

    async def test_b146_a_running_servers_directories_are_left_alone(self, system, tmp_path):
        journal = Journal(tmp_path / "run")
        await give(tmp_path)
        journal.close()
        assert ("hand_over", 0, SERVER) in system.did

    async def test_a_system_that_refuses_is_said_in_words(self, system, tmp_path):
        system.refuses["refuse_new"] = OSError(22, "Invalid argument")
        with pytest.raises(SetupError, match="does not let the server give up being root") as caught:
            await give(tmp_path)
        assert caught.value.exit_code == 3


class OthersTests:
    async def test_who_is_not_root_only_forgoes_the_rest(self, system, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert await give(tmp_path) == []
        assert system.did == ALWAYS

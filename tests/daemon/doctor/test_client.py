"""What is said of a machine's own clients."""

import json
import os
from dataclasses import replace

import pytest

from openpptp.daemon.client import kill_record, profile_files
from openpptp.daemon.client.kill_record import Record
from openpptp.daemon.client.running import started
from openpptp.daemon.doctor.client import ClientFacts, examine, gather
from openpptp.daemon.doctor.report import Standing
from openpptp.errors import SetupError
from openpptp.net.journal import Journal

UP = {
    "interface": "pptp-office",
    "state": "up",
    "detail": "",
    "address": "10.0.0.2",
    "server": "203.0.113.1",
    "hosts": ["vpn"],
}
NOTHING = ClientFacts([], [], [], None)


def switch(interface: str = "pptp-office") -> Record:
    return Record(interface, None, "2026-11-27T19:00:00+00:00", 1723, {"vpn": ["203.0.113.1"]}, lan=False)


def said(facts: ClientFacts) -> list[tuple[str, Standing, str]]:
    return [(each.check, each.standing, f"{each.sentence}; {each.remedy}") for each in examine(facts)]


class JudgedTests:
    def test_what_is_well(self):
        found = said(replace(NOTHING, profiles=[("office", None)], clients=[UP], kill_switch=switch()))
        assert [(check, standing) for check, standing, _ in found] == [
            ("profiles", Standing.OK),
            ("client pptp-office", Standing.OK),
            ("kill switch", Standing.OK),
        ]

    @pytest.mark.parametrize(
        ("facts", "check", "standing", "words"),
        [
            (
                replace(NOTHING, profiles=[("shop", SetupError("f:2: no such key; mend it"))]),
                "profile shop",
                "MISSING",
                "mend it",
            ),
            (
                replace(NOTHING, clients=[UP | {"state": "waiting", "detail": "the server is silent"}]),
                "client pptp-office",
                "FAILED",
                "waiting: the server is silent; see what is in the way: sudo openpptp doctor vpn",
            ),
            (replace(NOTHING, left=[("pptp-old", 3)]), "left over", "MISSING", "left 3 changes"),
            (replace(NOTHING, kill_switch=switch("pptp-gone")), "kill switch", "OVERRIDDEN", "--release"),
        ],
    )
    def test_what_is_not(self, facts, check, standing, words):
        (found,) = [each for each in said(facts) if each[1] is not Standing.OK]
        assert (found[0], found[1].value) == (check, standing)
        assert words in found[2]


class GatheredTests:
    def test_a_machine_without_clients_is_none(self, tmp_path, monkeypatch):
        monkeypatch.setattr(profile_files, "directories", lambda: (tmp_path / "mine", tmp_path / "system"))
        assert not gather(tmp_path).any

    def test_profiles_clients_and_what_is_left_are_found(self, tmp_path, monkeypatch):
        profiles = tmp_path / "profiles"
        profiles.mkdir()
        (profiles / "office.toml").write_text('[server]\nhosts = ["vpn"]\n[auth]\nuser = "anna"\n')
        (profiles / "shop.toml").write_text("[server]\n")
        monkeypatch.setattr(profile_files, "directories", lambda: (profiles, tmp_path / "system"))
        journal = Journal(tmp_path / "pptp-old")
        journal.remember("route", index=1, device="lo", network="192.0.2.0/24", gateway=None, source=None, metric=None)
        journal.close()
        (tmp_path / "pptp-office").mkdir()
        state = UP | {"process": os.getpid(), "process_started": started(os.getpid())}
        (tmp_path / "pptp-office/state.json").write_text(json.dumps(state))
        kill_record.write(tmp_path, switch())
        found = gather(tmp_path)
        assert [(name, mistake is None) for name, mistake in found.profiles] == [("office", True), ("shop", False)]
        assert [each["interface"] for each in found.clients] == ["pptp-office"]
        assert found.left == [("pptp-old", 1)]
        assert found.kill_switch == switch()

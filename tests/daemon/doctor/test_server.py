"""Each check judges the facts: what is well, and what it says of each thing that is not."""

from pathlib import Path

import pytest
from tests.daemon.doctor.facts import NET_ADMIN_AND_RAW, SECRETS, WELL, facts

from openpptp.daemon.doctor.facts import Facts, Process, Unseen, Users
from openpptp.daemon.doctor.report import Result, Standing
from openpptp.daemon.doctor.server import examine
from openpptp.daemon.host_piece import Condition
from openpptp.errors import SetupError
from openpptp.net.leftovers import Runtime
from openpptp.net.listeners import Listener

DOWN = {"server": SetupError("no server runs with /run/openpptp/api.sock; start one")}
"No server runs."
IDLE = {"runtime": Runtime(None, 0), "listeners": [], "gre_sockets": 0}
"And holds nothing."


def only(found: Facts) -> Result:
    """Return the one result that is not well."""
    (result,) = [each for each in examine(found).results if each.standing is not Standing.OK]
    return result


def by_name(found: Facts) -> dict[str, Result]:
    return {each.check: each for each in examine(found).results}


class WellTests:
    def test_all_is_well(self):
        report = examine(WELL)
        assert report.exit_code == 0, report.lines()
        assert {each.standing for each in report.results} == {Standing.OK}

    def test_it_knows_each_check_by_a_name_of_its_own(self):
        names = [each.check for each in examine(WELL).results]
        assert len(set(names)) == len(names)


class MachineTests:
    """Without settings."""

    @pytest.mark.parametrize(
        ("changes", "check", "standing", "words"),
        [
            ({"python": (3, 10)}, "program", "MISSING", "Python 3.10 is too old"),
            ({"engine_lacks": "no compiler"}, "program", "MISSING", "scripts/install"),
            ({"now": 0.0}, "clock", "MISSING", "1970-01-01"),
            ({"tun_lacks": "/dev/net/tun does not exist; load the driver"}, "TUN driver", "MISSING", "load the driver"),
            ({"tun_lacks": "may not", "root": False}, "TUN driver", "-", "sudo"),
            ({"process_is": Process("openpptp", 1 << 13)}, "privileges", "MISSING", "has no CAP_NET_ADMIN"),
            ({"process_is": None}, "privileges", "-", "sudo"),
            ({"service": [("it does not start at the next boot", "enable it")]}, "service", "MISSING", "enable it"),
        ],
    )
    def test_what_is_not_well_is_told(self, changes, check, standing, words):
        result = only(facts(**changes))
        assert (result.check, result.standing.value) == (check, standing)
        assert words in f"{result.sentence}; {result.remedy}"

    def test_without_systemd_no_service_is_missed(self):
        assert examine(facts(service=None)).exit_code == 0

    def test_the_helper_is_told_of_but_not_needed(self):
        assert "is loaded" in by_name(facts(helper=True))["PPTP helper"].sentence


class SettingsTests:
    @pytest.mark.parametrize(
        ("error", "sentence", "remedy"),
        [
            ("f: there is no such settings file; make one", "f: there is no such settings file", "make one"),
            ("f:1: a mistake; mend it\nf:2: another", "f:1: a mistake; mend it, and 1 more", "--check"),
            ("f: is a directory", "f: is a directory", "--check"),
        ],
    )
    def test_broken_ones_end_what_needs_them(self, error, sentence, remedy):
        found = facts(host=SetupError(error, exit_code=2))
        result = only(found)
        assert (result.check, result.sentence) == ("settings", sentence)
        assert remedy in result.remedy
        assert "users" not in by_name(found)

    def test_those_of_root_are_not_ours_to_judge(self):
        assert only(facts(host=SetupError("may not be read", exit_code=3), root=False)).standing is Standing.UNKNOWN


class ServerTests:
    def test_none_runs(self):
        found = by_name(facts(**DOWN, host=IDLE | {"pieces": [Condition("routes", "missing", "no route", "start it")]}))
        assert found["server"].standing is Standing.MISSING
        assert "service install" in found["server"].remedy
        dark = {name for name, each in found.items() if each.standing is Standing.UNKNOWN}
        assert dark == {"TCP port 1723", "GRE", "routes"}

    def test_none_runs_and_there_is_no_systemd(self):
        assert "openpptp serve --config" in by_name(facts(**DOWN, service=None, host=IDLE))["server"].remedy

    def test_it_does_not_answer(self):
        result = only(facts(server=SetupError("the server does not answer")))
        assert "process 4711 runs, but does not answer" in result.sentence

    def test_it_is_not_ours_to_ask(self):
        assert only(facts(server=SetupError("may not use", exit_code=3))).standing is Standing.UNKNOWN

    def test_a_killed_one_left_something(self):
        found = by_name(facts(**DOWN, host=IDLE | {"runtime": Runtime(None, 5)}))
        assert "left 5 changes" in found["left over"].sentence


class HostTests:
    """With settings."""

    @pytest.mark.parametrize(
        ("changes", "check", "standing", "words"),
        [
            ({"users": Users(0, [], [SECRETS])}, "users", "MISSING", "user add"),
            ({"users": Users(1, ["f:1: a", "f:2: b"], [SECRETS])}, "users", "MISSING", "f:1: a, and 1 more"),
            ({"users": SetupError("f: there is no such file; make it")}, "users", "MISSING", "make it"),
            ({"listeners": [Listener(1723, 9, "pptpd")]}, "TCP port 1723", "OVERRIDDEN", "disable --now pptpd.service"),
            ({"listeners": [Listener(1723, 9, "nc")]}, "TCP port 1723", "OVERRIDDEN", "nc (process 9) has it; stop"),
            ({"listeners": []}, "TCP port 1723", "MISSING", "process 4711 does not listen"),
            ({"gre_sockets": 0}, "GRE", "MISSING", "no raw socket"),
            ({"pieces": [Unseen("table", SetupError("nft is missing; install it"))]}, "table", "MISSING", "install it"),
            ({"pieces": [Condition("routes", "missing", "none", "restart")]}, "routes", "MISSING", "restart"),
            ({"pieces": [Condition("table", "overridden", "by ufw", "x")]}, "table", "OVERRIDDEN", "by ufw"),
            ({"pieces": [Condition("others", "overridden", "cannot be seen")]}, "others", "-", "cannot be seen"),
            ({"free": 1 << 20}, "disk", "MISSING", "1 MiB"),
        ],
    )
    def test_what_is_not_well_is_told(self, changes, check, standing, words):
        result = only(facts(host=changes))
        assert (result.check, result.standing.value) == (check, standing)
        assert words in f"{result.sentence}; {result.remedy}"

    def test_a_store_is_counted_by_the_server_alone(self):
        found = by_name(facts(host={"users": Users(0, [], [Path("/var/lib/openpptp/users.sqlite")], unread=True)}))
        assert found["users"].standing is Standing.OK

    def test_a_server_that_stays_root(self):
        result = only(facts(process_is=Process("root", NET_ADMIN_AND_RAW)))
        assert result.check == "own user"
        assert "sudo useradd --system" in result.remedy

    def test_a_program_of_another_user_on_the_port(self):
        found = facts(**DOWN, root=False, host=IDLE | {"listeners": [Listener(1723, None, "another program")]})
        assert by_name(found)["TCP port 1723"].standing is Standing.UNKNOWN

    def test_who_is_not_root_is_told_to_be(self):
        denied = SetupError("this process may not change the firewall; run as root", exit_code=3)
        found = by_name(facts(root=False, host={"users": denied, "pieces": [Unseen("table", denied)]}))
        assert {found[name].standing for name in ("users", "table")} == {Standing.UNKNOWN}

    @pytest.mark.parametrize(
        ("level", "state", "well"), [(1, "present", True), (1, "overridden", False), (2, "overridden", True)]
    )
    def test_the_strict_filter_matters_where_routes_lead_elsewhere(self, level, state, well):
        pieces = [Condition("routes", state, "packets leave through eth0", "mend them")]
        found = by_name(facts(host={"reverse_path": {"all": 0, "pptp0": level}, "pieces": pieces}))
        assert (found["rp_filter"].standing is Standing.OK) is well

    def test_without_accounting_no_room_is_needed(self):
        assert "disk" not in by_name(facts(host={"free": None}))

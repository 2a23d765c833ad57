"""openpptp connect --exec: what belongs to the program and what to us."""

import sys
import types
from ipaddress import IPv4Network

import pytest
from tests.cli.test_connect import ENVIRONMENT, invoke, office, profiles

from openpptp.cli import connect as module
from openpptp.daemon.connect_request import Dns

__all__ = ["profiles"]


@pytest.fixture
def runs(monkeypatch, profiles):
    """The request and the program of each run that was begun; it ends with 7."""
    begun: list[tuple[object, list[str]]] = []
    runner = types.ModuleType("openpptp.daemon.client.run_program")
    runner.run_program = lambda request, enclosure, observers: begun.append((request, enclosure)) or 7
    monkeypatch.setitem(sys.modules, "openpptp.daemon.client.run_program", runner)
    monkeypatch.setattr(module, "enclosure_for", lambda request, program: list(program))
    return begun


def run(*arguments: object):
    return invoke("vpn.example", "--user", "alice", *arguments, env=ENVIRONMENT)


class WordsTests:
    """Everything behind the two dashes is the program's."""

    def test_options_of_the_program_are_not_ours(self, runs):
        assert run("--exec", "--", "curl", "--user", "bob", "--", "-v").exit_code == 7
        ((request, words),) = runs
        assert words == ["curl", "--user", "bob", "--", "-v"]
        assert (request.user, request.hosts, request.program) == ("alice", ("vpn.example",), "curl")

    def test_all_of_its_traffic_and_names_go_through_the_tunnel(self, runs):
        run("--route", "10.0.0.0/8", "--exec", "--", "curl")
        request, _ = runs[0]
        assert (request.default_route, request.routes, request.dns) == (True, (), Dns())

    def test_name_servers_of_ones_own_stay(self, runs):
        run("--dns", "192.0.2.53", "--exec", "--", "curl")
        assert not runs[0][0].dns.of_server

    def test_with_a_profile(self, runs, profiles):
        office(profiles, '[network]\nroutes = ["10.0.0.0/8"]')
        assert invoke("office", "--exec", "--", "id", env=ENVIRONMENT).exit_code == 7
        assert runs[0][0].routes == ()
        assert IPv4Network("10.0.0.0/8") not in runs[0][0].routes

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--exec",), "--exec -- COMMAND"),
            (("--exec", "--"), "--exec -- COMMAND"),
            (("--exec", "--json", "--", "id"), "exclude each other"),
            (("--kill-switch", "--exec", "--", "id"), "needs no kill switch"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, runs, arguments, words):
        result = run(*arguments)
        assert result.exit_code == 2
        assert words in result.stderr
        assert not runs

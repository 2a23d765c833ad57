"""openpptp doctor."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.daemon.doctor.facts import WELL, facts
from tests.daemon.service.fake_systemctl import FakeMachine

from openpptp.cli.program import program
from openpptp.daemon.config import DEFAULT_PATH
from openpptp.daemon.doctor.client import ClientFacts
from openpptp.daemon.doctor.probe.conclusion import Conclusion, HostReport
from openpptp.daemon.doctor.probe.examination import Question
from openpptp.daemon.doctor.report import failed
from openpptp.daemon.service.source import Source

NO_CLIENTS = ClientFacts([], [], [], None)
CLOSED = Conclusion("port-closed", "it is closed", "open it")


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Let the doctor find these facts, and remember whose."""
    fake = FakeMachine(tmp_path)
    asked: list[Source] = []
    state = {"facts": WELL}
    monkeypatch.setattr("openpptp.daemon.doctor.client.gather", lambda: state.get("clients", NO_CLIENTS))
    monkeypatch.setattr("openpptp.daemon.service.machine.Machine", lambda: fake.machine)
    monkeypatch.setattr(
        "openpptp.daemon.doctor.facts.gather", lambda source, _machine: (asked.append(source), state["facts"])[1]
    )
    return state, asked, fake


def run(*arguments: object):
    return CliRunner().invoke(program, ["doctor", *map(str, arguments)])


class DoctorTests:
    def test_all_is_well(self, found):
        result = run()
        assert result.exit_code == 0
        assert result.stdout.splitlines()[-1].startswith("this server is whole")

    def test_something_is_not(self, found):
        found[0]["facts"] = facts(engine_lacks="no compiler")
        result = run()
        assert result.exit_code == 1
        assert "MISSING     program" in result.stdout

    def test_json(self, found):
        report = json.loads(run("--json").stdout)
        assert report["well"] is True
        assert report["checks"][0]["check"] == "program"

    def test_clients_of_this_machine_are_looked_at_beside_its_server(self, found):
        found[0]["clients"] = ClientFacts([], [], [("pptp-old", 2)], None)
        result = run("--config", __file__)
        assert result.exit_code == 1
        assert "this machine is not whole" in result.stdout
        assert "pptp-old" in result.stdout

    def test_a_machine_that_is_a_client_only_is_asked_for_no_server(self, found, monkeypatch):
        monkeypatch.setattr(Path, "exists", lambda path: path != DEFAULT_PATH)
        found[0]["clients"] = ClientFacts([("office", None)], [], [], None)
        result = run()
        assert result.exit_code == 0, result.output
        assert "this client is whole" in result.stdout
        assert found[1] == []

    def test_it_looks_at_the_settings_the_service_was_installed_with(self, found, tmp_path):
        _, asked, fake = found
        record = fake.machine.record()
        record.begin(Source(tmp_path / "pptpd.conf", pptpd=True))
        record.note("unit")
        run()
        run("--config", tmp_path / "other.toml")
        assert asked == [Source(tmp_path / "pptpd.conf", pptpd=True), Source(tmp_path / "other.toml")]


class HostTests:
    """openpptp doctor HOST."""

    @pytest.fixture
    def asked(self, monkeypatch):
        """Answer every question alike, and remember it."""
        questions = []

        def examine(question: Question, *, debug: bool) -> HostReport:
            questions.append((question, debug))
            return HostReport(question.host, [failed("TCP 1723", "closed")], CLOSED)

        monkeypatch.setattr("openpptp.daemon.doctor.probe.run.examine", examine)
        return questions

    def test_the_verdict_and_its_exit_code(self, asked):
        result = run("vpn.example.org")
        assert result.exit_code == 1
        assert result.stdout == "FAILED      TCP 1723  closed\n\nit is closed\n-> open it\n"
        assert asked == [(Question("vpn.example.org"), False)]

    def test_json(self, asked):
        report = json.loads(run("vpn.example.org", "--json").stdout)
        assert (report["label"], report["works"]) == ("port-closed", False)

    def test_an_account(self, asked, monkeypatch):
        monkeypatch.setenv("OPENPPTP_PASSWORD", "secret")
        run("vpn.example.org", "--port", 1724, "--user", "alice", "--debug")
        assert asked == [(Question("vpn.example.org", 1724, "alice", "secret"), True)]
        assert "secret" not in repr(asked)

    def test_without_a_user_no_password_is_asked_for(self, asked, monkeypatch):
        monkeypatch.delenv("OPENPPTP_PASSWORD", raising=False)
        assert run("vpn.example.org").exit_code == 1


class ErrorTests:
    """openpptp doctor --error."""

    def test_a_number(self):
        result = run("--error", 619)
        assert result.exit_code == 0
        assert result.stdout.startswith("error 619  ERROR_PORT_DISCONNECTED")

    def test_json(self):
        assert json.loads(run("--error", 691, "--json").stdout)["error"] == 691

    def test_a_number_that_means_nothing_here(self):
        result = run("--error", 600)
        assert result.exit_code == 1
        assert "known are 619, 628" in result.stderr

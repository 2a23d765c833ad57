"""openpptp doctor."""

import json

import pytest
from click.testing import CliRunner
from tests.daemon.doctor.facts import WELL, facts
from tests.daemon.service.fake_systemctl import FakeMachine

from openpptp.cli.program import program
from openpptp.daemon.service.source import Source


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Let the doctor find these facts, and remember whose."""
    fake = FakeMachine(tmp_path)
    asked: list[Source] = []
    state = {"facts": WELL}
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

    def test_it_looks_at_the_settings_the_service_was_installed_with(self, found, tmp_path):
        _, asked, fake = found
        record = fake.machine.record()
        record.begin(Source(tmp_path / "pptpd.conf", pptpd=True))
        record.note("unit")
        run()
        run("--config", tmp_path / "other.toml")
        assert asked == [Source(tmp_path / "pptpd.conf", pptpd=True), Source(tmp_path / "other.toml")]

"""Install, and install again: step by step, written down before; what fails is taken back in reverse."""

import json
import socket
from pathlib import Path

import pytest

from openpptp.daemon.service import install as installing
from openpptp.daemon.service.record import Record
from openpptp.daemon.service.source import Source
from openpptp.daemon.service.systemd import Systemd
from openpptp.errors import SetupError


class InstallTests:
    """What is done, and in which order."""

    def test_unit_enabled_started(self, fake, install):
        said = install()
        assert fake.calls() == ["daemon-reload", "enable openpptp.service", "start openpptp.service"]
        assert said[0] == f"done: write {fake.unit}"
        assert json.loads(fake.record.read_text())["steps"] == ["unit", "enabled", "started"]
        assert fake.unit.stat().st_mode & 0o777 == 0o644

    def test_without_a_start(self, fake, install):
        install(start=False)
        assert fake.calls()[-1] == "enable openpptp.service"

    def test_again_does_nothing(self, fake, install):
        install()
        calls = fake.calls()
        assert install() == []
        assert fake.calls() == calls

    def test_again_with_other_settings_writes_the_unit_and_ends_no_session(self, fake, install):
        install()
        said = install(hooks={"directory": Path("/etc/ppp")})
        assert fake.calls()[3:] == ["daemon-reload"]
        assert "systemctl restart openpptp.service" in said[-1]

    def test_it_is_written_down_before_it_is_done(self, fake, install, monkeypatch):
        noted = []
        do = Systemd.do
        monkeypatch.setattr(
            Systemd,
            "do",
            lambda systemd, *words: (noted.append(json.loads(fake.record.read_text())["steps"]), do(systemd, *words)),
        )
        install()
        assert noted == [["unit"], ["unit", "enabled"], ["unit", "enabled", "started"]]

    def test_a_unit_of_somebody_else_stays(self, fake, install):
        fake.unit.write_text("[Service]\nExecStart=/bin/true\n")
        before = fake.files()
        with pytest.raises(SetupError, match="was not written by openpptp"):
            install()
        assert fake.unit.read_text().startswith("[Service]")
        assert fake.files() == before


class FailureTests:
    """A half-failed install undoes itself."""

    @pytest.mark.parametrize("verb", ["daemon-reload", "enable", "start"])
    def test_every_step_that_fails_leaves_the_machine_as_it_was(self, fake, install, verb):
        before = fake.files()
        fake.breaks(verb)
        with pytest.raises(SetupError):
            install()
        assert fake.files() == before if verb != "daemon-reload" else not fake.unit.exists()

    def test_a_server_that_does_not_start_says_why_itself(self, fake, install):
        fake.breaks("start")
        with pytest.raises(SetupError, match="did not start: TCP port 1723 is taken"):
            install()
        assert fake.calls()[3:] == [
            *("stop openpptp.service", "reset-failed openpptp.service", "disable openpptp.service", "daemon-reload")
        ]

    def test_an_earlier_installation_stands_again_as_it_was(self, fake, install, source):
        install(start=False)
        unit = fake.unit.read_text()
        fake.breaks("start")
        with pytest.raises(SetupError):
            install(hooks={"directory": Path("/etc/ppp")})
        assert fake.unit.read_text() == unit
        assert Record(fake.record.parent).source == Source(source.path)
        assert Record(fake.record.parent).steps == ["unit", "enabled"]

    def test_a_port_that_is_taken_is_told_before_anything_is_done(self, fake, install):
        before = fake.files()
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(SetupError, match=rf"TCP port {port} is taken by .+ \(process \d+\); stop it"):
                install(server={"port": port})
        assert fake.files() == before

    def test_what_was_cut_off_is_taken_back_by_remove(self, fake, source, remove):
        record = Record(fake.record.parent)
        record.begin(source)
        record.note("unit")
        assert remove()[1] == []
        assert not fake.record.parent.exists()


class DryRunTests:
    """--dry-run shows all of it."""

    def test_install(self, fake, source):
        before = fake.files()
        lines = installing.describe(fake.machine, source, source.load(), start=True)
        assert lines[0] == f"write {fake.unit}:"
        assert any("ExecStart=" in line for line in lines)
        assert any("net.ipv4.ip_forward" in line for line in lines)
        assert any("masquerade" in line for line in lines)
        assert fake.files() == before

    def test_install_when_all_is_done(self, fake, source, install):
        install()
        assert "nothing" in installing.describe(fake.machine, source, source.load(), start=True)[0]


class RecordTests:
    """The file that says what was done."""

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"steps": 1}'])
    def test_a_damaged_one_counts_as_none(self, tmp_path, text):
        (tmp_path / "service.json").write_text(text)
        assert Record(tmp_path).steps == []

    def test_a_disk_that_takes_nothing_is_told(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(SetupError, match="cannot write"):
            Record(tmp_path / "file" / "lib").begin(Source())

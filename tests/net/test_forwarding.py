from pathlib import Path

import pytest
from tests.net.packets import kill_itself

from openpptp.errors import SetupError
from openpptp.net.forwarding import Forwarding
from openpptp.net.journal import Journal

SWITCH = "net/ipv4/ip_forward"


@pytest.mark.root
class ForwardingTests:
    """IPv4 forwarding is put back as it was found."""

    def test_off_before_is_off_after(self, alone):
        forwarding = Forwarding(Journal())
        assert forwarding.enable()
        assert alone.sysctl(SWITCH) == "1"
        assert not forwarding.enable()
        assert forwarding.undo() == []
        assert alone.sysctl(SWITCH) == "0"

    def test_on_before_stays_on(self, alone):
        alone.sysctl(SWITCH, "1")
        forwarding = Forwarding(Journal())
        assert not forwarding.enable()
        assert forwarding.undo() == []
        assert alone.sysctl(SWITCH) == "1"

    def test_b145_after_kill_9_the_first_value_wins(self, alone, tmp_path):
        script = (
            "from pathlib import Path\nfrom openpptp.net.forwarding import Forwarding\n"
            f"from openpptp.net.journal import Journal\nForwarding(Journal(Path({str(tmp_path)!r}))).enable()\n"
        )
        kill_itself(alone, script)
        assert alone.sysctl(SWITCH) == "1"
        kill_itself(alone, script)
        journal = Journal(tmp_path)
        forwarding = Forwarding(journal)
        assert not forwarding.enable()
        assert forwarding.undo() == []
        assert alone.sysctl(SWITCH) == "0"
        journal.close()

    def test_b145_switched_off_by_somebody_between_two_lives(self, alone, tmp_path):
        first = Journal(tmp_path)
        Forwarding(first).enable()
        first.close()
        alone.sysctl(SWITCH, "0")
        second = Journal(tmp_path)
        forwarding = Forwarding(second)
        assert forwarding.enable()
        assert len(second.entries("forwarding")) == 1
        forwarding.undo()
        assert alone.sysctl(SWITCH) == "0"
        second.close()


class SetupTests:
    """A switch that cannot be moved."""

    def test_no_switch(self, tmp_path):
        with pytest.raises(SetupError, match=r"net\.ipv4\.ip_forward = 1") as caught:
            Forwarding(Journal(), switch=tmp_path / "none").enable()
        assert caught.value.exit_code == 3

    def test_a_read_only_system_that_forwards_already_is_fine(self, tmp_path, monkeypatch):
        switch = tmp_path / "ip_forward"
        switch.write_text("1\n")

        def refuse(*_, **__):
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(Path, "write_text", refuse)
        assert not Forwarding(Journal(), switch=switch).enable()

    def test_undo_that_fails_says_so_and_is_not_forgotten(self, tmp_path, monkeypatch):
        switch = tmp_path / "ip_forward"
        switch.write_text("0\n")
        journal = Journal()
        forwarding = Forwarding(journal, switch=switch)
        forwarding.enable()

        def refuse(*_, **__):
            raise OSError(30, "Read-only file system")

        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", refuse)
            assert forwarding.undo() == ["IPv4 forwarding stays on: Read-only file system"]
        assert forwarding.undo() == []
        assert switch.read_text() == "0"

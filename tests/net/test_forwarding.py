from pathlib import Path

import pytest
from tests.net.packets import kill_itself
from tests.netns.namespace import join

from openpptp.errors import SetupError
from openpptp.net.forwarding import Forwarding, switched_off_by
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

    def test_what_the_kernel_turns_along_is_put_back_as_well(self, make_namespace, alone):
        join(alone, "192.0.2.1/24", make_namespace("there"), "192.0.2.2/24")
        names = ("conf/there0/forwarding", "conf/lo/forwarding", "conf/default/forwarding", "conf/all/accept_redirects")
        switches = [f"net/ipv4/{name}" for name in names]
        alone.sysctl(switches[0], "1")
        alone.sysctl(switches[3], "0")
        before = [alone.sysctl(switch) for switch in switches]
        assert before == ["1", "0", "0", "0"]
        forwarding = Forwarding(Journal())
        forwarding.enable()
        assert [alone.sysctl(switch) for switch in switches] == ["1", "1", "1", "0"]
        forwarding.undo()
        assert [alone.sysctl(switch) for switch in switches] == before

    def test_a_device_that_went_away_is_no_problem(self, make_namespace, alone):
        join(alone, "192.0.2.1/24", make_namespace("there"), "192.0.2.2/24")
        alone.sysctl("net/ipv4/conf/there0/forwarding", "1")
        forwarding = Forwarding(Journal())
        forwarding.enable()
        alone.ip("link del there0")
        assert forwarding.undo() == []
        assert forwarding.value() == "0"


class SwitchedOffTests:
    """Who turns it off again."""

    def test_settings_of_sysctl_are_named_by_file_and_line(self, tmp_path):
        for name, text in {
            "etc/sysctl.conf": "# net.ipv4.ip_forward=0\nkernel.x = 0\n",
            "etc/sysctl.d/99-hardening.conf": "a = 1\n  net.ipv4.ip_forward = 0\n",
            "etc/ufw/sysctl.conf": "-net/ipv4/conf/all/forwarding=0\nnet/ipv4/ip_forward=1\n",
            "usr/lib/sysctl.d/x.conf": "\udcff",
        }.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
        assert switched_off_by(tmp_path) == [
            f"{tmp_path}/etc/sysctl.d/99-hardening.conf:2",
            f"{tmp_path}/etc/ufw/sysctl.conf:1",
        ]


class SetupTests:
    """A switch that cannot be moved."""

    def test_no_switch(self, tmp_path):
        with pytest.raises(SetupError, match=r"net\.ipv4\.ip_forward = 1") as caught:
            Forwarding(Journal(), directory=tmp_path / "none").enable()
        assert caught.value.exit_code == 3
        assert Forwarding(Journal(), directory=tmp_path / "none").value() == "unknown"

    def test_a_read_only_system_that_forwards_already_is_fine(self, tmp_path, monkeypatch):
        switch = tmp_path / "ip_forward"
        switch.write_text("1\n")

        def refuse(*_, **__):
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(Path, "write_text", refuse)
        assert not Forwarding(Journal(), directory=tmp_path).enable()

    def test_undo_that_fails_says_so_and_is_not_forgotten(self, tmp_path, monkeypatch):
        switch = tmp_path / "ip_forward"
        switch.write_text("0\n")
        journal = Journal()
        forwarding = Forwarding(journal, directory=tmp_path)
        forwarding.enable()

        def refuse(*_, **__):
            raise OSError(30, "Read-only file system")

        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", refuse)
            assert forwarding.undo() == ["IPv4 forwarding stays on: Read-only file system"]
        assert forwarding.undo() == []
        assert switch.read_text() == "0"

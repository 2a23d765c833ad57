"""The system service of a profile."""

import configparser
import socket

import pytest

from openpptp.daemon.client.state import new_state
from openpptp.daemon.client.unit import ServiceManager, template_unit
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.net.notify import Notifier


class UnitTests:
    def test_it_runs_the_profile_it_is_named_after_and_keeps_trying(self):
        text = template_unit(("/usr/local/bin/openpptp",))
        assert "ExecStart=/usr/local/bin/openpptp connect --profile %i --keep-trying\n" in text

    def test_an_end_with_a_reason_is_not_repeated(self):
        """Exit code 1 is a refused password among others."""
        unit = configparser.ConfigParser(interpolation=None, strict=False)
        unit.optionxform = str
        unit.read_string(template_unit(("openpptp",)))
        assert unit["Service"]["Restart"] == "on-failure"
        assert unit["Service"]["RestartPreventExitStatus"] == "1 2 3"
        assert unit["Service"]["RuntimeDirectory"] == "openpptp-client"

    def test_words_are_written_as_systemd_reads_them(self):
        text = template_unit(("/opt/100% our $HOME/python", "-m", "openpptp"))
        assert 'ExecStart="/opt/100%% our $$HOME/python" -m openpptp connect' in text


class ServiceManagerTests:
    @pytest.fixture
    def heard(self, tmp_path):
        """What the service manager is told."""
        path = str(tmp_path / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(path)
            listening.settimeout(5)
            told = ServiceManager(Notifier({"NOTIFY_SOCKET": path})).told
            state = new_state(ConnectRequest(("h",), "u", "p"))
            state.server, state.address, state.encryption, state.detail = "h", "10.9.0.2", "MPPE 128 bit", "refused"

            def say(event: str) -> str:
                told(event, state)
                return listening.recv(4096).decode()

            yield say

    def test_it_is_ready_when_it_is_up_or_waits(self, heard):
        assert heard("connected") == "READY=1\nSTATUS=up: 10.9.0.2 at h, MPPE 128 bit"
        assert heard("waiting") == "READY=1\nSTATUS=down: refused"
        assert "STATUS=down: refused" in heard("down")
        assert heard("ended").startswith("STOPPING=1")

    def test_without_a_manager_nothing_is_told(self):
        ServiceManager(Notifier({})).told("connected", new_state(ConnectRequest(("h",), "u", "p")))

"""What a client writes down for `openpptp status`."""

import json
import os
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network

import pytest

from openpptp.daemon.client.host import Configured
from openpptp.daemon.client.running import NAME, running, started
from openpptp.daemon.client.state import StateFile, new_state
from openpptp.daemon.connect_request import ConnectRequest

REQUEST = ConnectRequest(("vpn.example",), "alice", "s3cret")


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "pptp-client").mkdir()
    return tmp_path / "pptp-client"


class StateTests:
    def test_what_was_given_stands_in_it(self):
        state = new_state(REQUEST)
        given = Configured(IPv4Address("10.9.0.2"), None, None, 1396, (IPv4Network("10.0.0.0/8"),))
        state.connected(given, "MPPE 128 bit", "box", "vendor")
        assert (state.state, state.address, state.peer, state.routes, state.sessions) == (
            "up",
            "10.9.0.2",
            None,
            ("10.0.0.0/8",),
            1,
        )

    def test_since_is_of_the_tunnel_not_of_the_last_word(self):
        state = new_state(REQUEST)
        state.enter("waiting", "one", wait=2.0)
        since = state.since
        state.since = "before"
        state.enter("calling")
        state.enter("waiting", "two", wait=4.0)
        assert (state.since, state.detail) == ("before", "two")
        assert state.next_attempt > since
        state.enter("up")
        assert (state.next_attempt, state.detail) == (None, "")
        assert state.since >= since


class StateFileTests:
    """A file that everybody may read, as long as the client lives."""

    def test_everybody_may_read_it_and_no_secret_is_in_it(self, directory):
        StateFile(directory).told("stage", new_state(REQUEST))
        assert (directory / NAME).stat().st_mode & 0o777 == 0o644
        assert "s3cret" not in (directory / NAME).read_text()
        (facts,) = running(directory.parent)
        assert (facts["interface"], facts["hosts"], facts["process"]) == ("pptp-client", ["vpn.example"], os.getpid())

    def test_it_goes_with_the_client(self, directory):
        file = StateFile(directory)
        file.told("stage", new_state(REQUEST))
        file.remove()
        file.remove()
        assert list(running(directory.parent)) == []

    def test_one_that_a_killed_client_left_is_no_client(self, directory):
        state = new_state(REQUEST)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            state.process, state.process_started = process.pid, started(process.pid)
            StateFile(directory).told("stage", state)
            assert len(list(running(directory.parent))) == 1
            process.kill()
        assert list(running(directory.parent)) == []
        state.process, state.process_started = os.getpid(), started(os.getpid()) - 1
        StateFile(directory).told("stage", state)
        assert list(running(directory.parent)) == [], "the number was given to another process"

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"process": "x", "process_started": 1})])
    def test_a_broken_one_is_passed_over(self, directory, text):
        (directory / NAME).write_text(text)
        assert list(running(directory.parent)) == []

    def test_a_directory_that_is_gone_costs_no_tunnel(self, tmp_path):
        StateFile(tmp_path / "none").told("stage", new_state(REQUEST))

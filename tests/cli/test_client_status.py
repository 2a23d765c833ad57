"""What `openpptp status` says of clients."""

import json
from dataclasses import asdict
from ipaddress import IPv4Address

import pytest
from click.testing import CliRunner

from openpptp.cli.client_status import client_lines, kill_switch_lines
from openpptp.cli.program import program
from openpptp.daemon.client.host import Configured
from openpptp.daemon.client.kill_record import Record
from openpptp.daemon.client.state import StateFile, new_state
from openpptp.daemon.connect_request import ConnectRequest


@pytest.fixture
def state():
    state = new_state(ConnectRequest(("vpn.example",), "alice", "s3cret", profile="office", interface="pptp-office"))
    state.server, state.carrier = "203.0.113.1", {"device": "eth0", "gateway": None, "mtu": 1500}
    state.enter("calling")
    state.stage = "authentication"
    return state


class KillSwitchTests:
    """One that holds."""

    @pytest.mark.parametrize(("running", "shown"), [({"pptp-office"}, False), (set(), True)])
    def test_whose_it_is_and_how_to_lift_it_when_nobody_else_will(self, running, shown):
        servers = {"vpn.example": ["203.0.113.1", "203.0.113.2"]}
        record = Record("pptp-office", "office", "2026-11-27T18:00:00+00:00", 1723, servers, lan=True)
        lines = dict(kill_switch_lines(record, running))
        assert lines["kill switch"].startswith("of pptp-office, since 2026-11-2")
        assert "203.0.113.1, 203.0.113.2 and local networks; nothing else" in lines["lets out"]
        assert ("its client" in lines) is shown


class LinesTests:
    """One client, line by line."""

    def test_on_its_way(self, state):
        lines = dict(client_lines(asdict(state)))
        assert lines["client"].startswith("pptp-office (profile office), process ")
        assert lines["user"] == "alice at vpn.example"
        assert lines["state"].startswith("calling (authentication); no tunnel since ")
        assert lines.keys() == {"client", "user", "state"}

    def test_up(self, state):
        for _ in range(2):
            given = Configured(IPv4Address("10.9.0.2"), None, None, 1396, ())
            state.connected(given, "MPPE 128 bit", "", "evil\x1b[2J")
        lines = dict(client_lines(asdict(state)))
        assert lines["state"].startswith("up since ")
        assert lines["state"].endswith(", 2 times up")
        assert lines["server"] == "203.0.113.1 (without a name, evil\\x1b[2J)"
        assert lines["address"] == "10.9.0.2, peer -"
        assert lines["routes"].startswith("none: ")
        assert lines["carrier"] == "eth0, MTU 1500"
        assert lines["carried"] == "-"

    def test_waiting(self, state):
        state.enter("waiting", "refused", wait=3.0)
        lines = dict(client_lines(asdict(state)))
        assert lines["why"] == "refused"
        assert "tries again" in lines

    def test_that_of_one_program(self, state):
        state.program = "curl"
        assert dict(client_lines(asdict(state)))["program"] == "curl alone, in a network namespace"

    def test_one_of_another_version_is_said_to_be(self):
        assert client_lines({"interface": "tun7"}) == [
            ("client", "tun7, of another version of this program: restart it")
        ]


class StatusTests:
    """Beside the server, or without one."""

    @pytest.fixture
    def run(self, monkeypatch, tmp_path, state):
        (tmp_path / "run/pptp-office").mkdir(parents=True)
        (tmp_path / "server.toml").write_text(f'[server]\nruntime_directory = "{tmp_path}/none"\n')
        monkeypatch.setattr("openpptp.cli.status.CLIENTS", tmp_path / "run")

        def invoke(*flags: str, client: bool = True):
            if client:
                StateFile(tmp_path / "run/pptp-office").told("calling", state)
            return CliRunner().invoke(program, ["status", "--config", str(tmp_path / "server.toml"), *flags])

        return invoke

    def test_a_client_is_shown_where_no_server_runs(self, run):
        result = run()
        assert result.exit_code == 0
        assert result.output.startswith("client  pptp-office (profile office)")

    def test_as_json_too(self, run):
        assert [client["user"] for client in json.loads(run("--json").output)["clients"]] == ["alice"]

    def test_with_neither_it_says_that_no_server_runs(self, run):
        result = run(client=False)
        assert result.exit_code == 1
        assert "no server runs" in result.stderr

"""openpptp status, sessions, show, disconnect and reload as commands, on a server with real clients."""

import contextlib
import grp
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.machine import REPOSITORY
from tests.netns.programs import (
    OPENPPTP,
    OUR_ADDRESS,
    Program,
    command,
    connecting,
    serving,
    start_server,
)
from tests.netns.topology import Topology

pytestmark = pytest.mark.root

GROUP = "daemon"  # of every Debian


@dataclass
class Steered:
    """A running server and the commands on it."""

    topology: Topology
    folder: Path
    server: Program

    @property
    def settings(self) -> Path:
        """The server's settings file."""
        return self.folder / "server" / "openpptp.toml"

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it; its /run is seen from outside at another place."""
        return command(self.folder / "server" / "run" / "openpptp", *words)

    def json(self, *words: str) -> dict:
        done = self.command(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sessions(self) -> dict[str, dict]:
        """Return the sessions that are up, by user."""
        return {row["user"]: row for row in self.json("sessions")["sessions"] if row["state"] == "up"}

    @contextlib.contextmanager
    def client(self, number: int, **how: str) -> Iterator[Program]:
        with connecting(self.topology.clients[number], self.folder / f"client{number}", **how) as client:
            client.connected()
            yield client


@pytest.fixture
def steered(make_topology, tmp_path) -> Iterator[Steered]:
    topology = make_topology(clients=2)
    with serving(topology.server, tmp_path / "server") as server:
        yield Steered(topology, tmp_path, server)


def test_two_clients_one_is_disconnected_and_a_reload_leaves_the_other(steered):
    first_client, second_client = steered.topology.clients
    with steered.client(0) as first, steered.client(1, user="bob", password="bobs"):
        assert first_client.ping(OUR_ADDRESS, count=3)
        rows = steered.sessions()
        assert set(rows) == {"alice", "bob"}
        assert rows["alice"]["octets_in"] >= 3 * 84
        assert rows["alice"]["idle"] < 60
        assert steered.json("status")["sessions"] == 2

        shown = steered.json("show", rows["alice"]["id"])
        assert shown["counters"]["packets_in"] >= 3
        assert any("[CHAP Success" in line["packet"] for line in shown["negotiation"])

        done = steered.command("disconnect", rows["alice"]["id"])
        assert (done.returncode, done.stdout) == (0, f"{rows['alice']['id']} is over\n")
        assert first.exit_code() == 1
        assert "administrator" in first.log()
        assert set(steered.sessions()) == {"bob"}

        good = steered.settings.read_text()
        steered.settings.write_text(f"{good}[limits]\nsessions = 7\n[log]\nlevel = 'loud'\n")
        bad = steered.command("reload")
        assert bad.returncode == 2
        line = good.count("\n") + 4
        assert f"openpptp.toml:{line}: log.level: must be" in bad.stderr
        assert steered.json("status")["limits"]["sessions"] == 1000

        steered.settings.write_text(f"{good}[limits]\nsessions = 7\n".replace("10.91.9.0/24", "10.91.8.0/24"))
        report = steered.json("reload")
        assert [change["key"] for change in report["applied"]] == ["limits.sessions"]
        assert [change["key"] for change in report["needs_restart"]] == ["network.pool"]
        steered.settings.write_text(f"{good}[limits]\nsessions = 8\n")
        steered.server.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: steered.json("status")["limits"]["sessions"] == 8)

        assert set(steered.sessions()) == {"bob"}
        assert second_client.ping(OUR_ADDRESS, count=3)
    assert steered.server.stop() == 0


def test_show_tells_real_loss_and_the_round_trip(make_topology, tmp_path):
    topology = make_topology()
    with serving(topology.server, tmp_path / "server", ppp={"echo_interval": 0.2, "echo_failures": 100}) as server:
        steered = Steered(topology, tmp_path, server)
        with steered.client(0):
            (row,) = steered.sessions().values()
            before = steered.json("show", row["id"])["counters"]
            topology.nat.lose(20)
            topology.client.ping(OUR_ADDRESS, count=100, wait=0.2)
            topology.nat.lose(0)
            assert topology.client.ping(OUR_ADDRESS, count=5)
            shown = steered.json("show", row["id"])
            arrived = shown["counters"]["packets_in"] - before["packets_in"]
            assert 5 <= shown["counters"]["lost"] <= 60
            assert 60 <= arrived <= 105
            assert shown["loss"] == pytest.approx(
                shown["counters"]["lost"] / (shown["counters"]["packets_in"] + shown["counters"]["lost"]), abs=1e-5
            )
            assert 0 < shown["round_trip"] < 5
            text = steered.command("show", row["id"]).stdout
            assert f"  {shown['counters']['lost']} packets from the peer, {shown['loss']:.2%};" in text
            assert re.search(r"^round trip  [0-9.]+ ms$", text, re.MULTILINE)


def test_members_of_the_group_steer_and_others_are_told_why_not(make_topology):
    """In a folder of its own, since pytest's are for root alone."""
    group, nobody = grp.getgrnam(GROUP).gr_gid, ("setpriv", "--reuid=65534", "--regid=65534")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with serving(make_topology().server, folder, admin={"group": GROUP}):
            member = command(folder / "run" / "openpptp", "status", prefix=(*nobody, f"--groups={group}"))
            other = command(folder / "run" / "openpptp", "status", prefix=(*nobody, "--clear-groups"))
        assert (member.returncode, member.stderr) == (0, "")
        assert (other.returncode, other.stdout) == (3, "")
        assert "admin.group" in other.stderr


def test_the_end_of_the_server_is_the_last_event_and_takes_the_socket_away(steered):
    socket = steered.folder / "server" / "run" / "openpptp" / "api.sock"
    assert socket.stat().st_mode & 0o777 == 0o600
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((steered.folder / "events").open("w"))
        assert steered.command("status").returncode == 0
        listening = subprocess.Popen(
            [*OPENPPTP, "events", "--json", "--config", str(socket.parent.parent / "steer.toml")],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
        )
        stack.callback(listening.wait, 20)
        stack.callback(listening.terminate)
        assert eventually(lambda: steered.json("status")["event_listeners"] == 1)
        with steered.client(0):
            assert steered.server.stop() == 0
        assert eventually(lambda: listening.poll() is not None)
    lines = (steered.folder / "events").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    assert events[-3:] == ["stopping", "session ended", "connection ended"]
    assert lines[-1] == "the server has ended"
    assert not socket.exists()
    after = steered.command("status")
    assert (after.returncode, after.stdout) == (1, "")
    assert "no server runs with" in after.stderr


def test_a_killed_servers_socket_misleads_nobody(steered):
    steered.server.kill()
    assert (steered.folder / "server" / "run" / "openpptp" / "api.sock").exists()
    assert "no server runs with" in steered.command("status").stderr
    with serving(steered.topology.server, steered.folder / "server"):
        assert steered.json("status")["sessions"] == 0


def test_two_servers_are_told_apart_by_their_settings(steered):
    namespace, folder = steered.topology.server, steered.folder / "second"
    other = {
        "server": {"port": 1724, "interface": "pptp1", "runtime_directory": "/run/second"},
        "network": {"pool": ["10.91.7.0/24"]},
    }
    with contextlib.ExitStack() as stack:
        second = start_server(namespace, folder, name="second", **other)
        stack.callback(second.kill)
        stack.callback(second.stop)
        second.says("serving")
        done = command(folder / "run" / "second", "status", "--json")
        assert json.loads(done.stdout)["interface"] == "pptp1"
        assert steered.json("status")["interface"] == "pptp0"
        same = start_server(namespace, steered.folder / "server", name="same", server={"port": 1725})
        assert same.exit_code() == 1
        assert "already runs with" in same.log()
        assert steered.json("status")["interface"] == "pptp0"

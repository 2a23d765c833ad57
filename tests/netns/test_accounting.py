"""Accounting and hooks of a real server, with real packets."""

import contextlib
import errno
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.machine import REPOSITORY
from tests.netns.programs import OUR_ADDRESS, connecting, serving
from tests.netns.topology import Topology

from openpptp.net import engine

pytestmark = pytest.mark.root

PINGS, SIZE = 3, 1000
OCTETS = PINGS * (SIZE + 28)
"A ping is IP and ICMP headers more."
WORDS = 'echo "${0##*/} $PEERNAME $LINKNAME $BYTES_RCVD $BYTES_SENT: $*" >>OUT'


def accounted(folder: Path) -> list[dict[str, object]]:
    """Ask as a person does."""
    command = (sys.executable, "-m", "openpptp", "sessions", "--past", "--json", "--config", folder / "openpptp.toml")
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(REPOSITORY / "src")}, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["sessions"]


def hooks(folder: Path, text: str, *names: str) -> Path:
    """Write hooks that say what they were told into folder/out; return their directory."""
    directory = folder / "hooks"
    directory.mkdir()
    for name in names:
        path = directory / name
        path.write_text(f"#!/bin/sh\n{text}\n".replace("OUT", str(folder / "out")))
        path.chmod(0o755)
    return directory


class SessionTests:
    """Start, counters and end of one session."""

    @pytest.mark.parametrize(
        "data_path",
        [
            pytest.param("engine", marks=pytest.mark.skipif(not engine.available(), reason=engine.why_not())),
            "reference",
        ],
    )
    def test_octets_are_right_and_hooks_run_with_pppds_arguments(self, topology, tmp_path, data_path):
        directory = hooks(tmp_path, WORDS, "auth-up", "ip-up", "ip-down", "auth-down")
        how = {"server": {"data_path": data_path}, "hooks": {"directory": str(directory)}, "accounting": {"interim": 1}}
        with serving(topology.server, tmp_path / "server", **how) as server:
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                assert topology.client.ping(OUR_ADDRESS, count=PINGS, size=SIZE)
                # The interim comes while the session goes on.
                assert eventually(lambda: [row["octets_in"] for row in accounted(tmp_path / "server")] == [OCTETS])
                (row,) = accounted(tmp_path / "server")
                assert (row["stopped"], row["cause"]) == (None, None)
                assert client.stop() == 0
            server.says("session ended")
            assert server.stop() == 0
        (row,) = accounted(tmp_path / "server")
        assert (row["user"], row["peer"], row["cause"]) == ("alice", str(Topology.NAT), "peer-request")
        assert (row["octets_in"], row["octets_out"], row["packets_in"], row["packets_out"]) == (
            *(OCTETS, OCTETS),
            *(PINGS, PINGS),
        )
        assert row["stopped"] is not None
        name, address, peer = row["id"], row["address"], Topology.NAT
        assert (tmp_path / "out").read_text().splitlines() == [
            f"auth-up alice {name}  : pptp0 alice root none 0",
            f"ip-up alice {name}  : pptp0 none 0 {OUR_ADDRESS} {address} {peer}",
            f"ip-down alice {name} {OCTETS} {OCTETS}: pptp0 none 0 {OUR_ADDRESS} {address} {peer}",
            f"auth-down alice {name}  : pptp0 alice root none 0",
        ]


class FaultTests:
    """A killed server, a full disk, a hanging hook."""

    def test_b145_a_session_of_a_killed_server_is_closed_as_lost(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server", accounting={"interim": 1}) as victim:
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                assert topology.client.ping(OUR_ADDRESS, count=PINGS, size=SIZE)
                assert eventually(lambda: [row["octets_in"] for row in accounted(tmp_path / "server")] == [OCTETS])
                victim.kill()
            (row,) = accounted(tmp_path / "server")
            assert row["cause"] is None, "nobody is there to say so"
            with serving(topology.server, tmp_path / "server") as second:
                second.says("1 sessions of a server that was killed are closed with cause lost")
                (row,) = accounted(tmp_path / "server")
                assert (row["cause"], row["octets_in"]) == ("lost", OCTETS)
                assert row["stopped"] == row["last"]
                assert second.stop() == 0

    def test_b143_a_full_disk_stops_the_writing_and_not_the_serving(self, topology, tmp_path):
        with small_disk(tmp_path / "small") as disk:
            file = disk / "accounting.sqlite"
            how = {"accounting": {"file": str(file)}}
            with serving(topology.server, tmp_path / "server", **how) as server:
                assert eventually(lambda: accounted_or_none(tmp_path / "server") == [])
                fill(disk)
                with connecting(topology.client, tmp_path / "client") as client:
                    client.connected()

                    def said() -> bool:
                        fill(disk)  # also what is freed while the file is closed and opened again
                        return "accounting cannot be written: database or disk is full" in server.log()

                    assert eventually(said)
                    assert topology.client.ping(OUR_ADDRESS, count=PINGS, size=SIZE)
                    (disk / "filler").unlink()
                    server.says("accounting is written again")
                    assert client.stop() == 0
                server.says("session ended")
                assert server.stop() == 0
            (row,) = accounted(tmp_path / "server")
            assert (row["octets_in"], row["cause"]) == (OCTETS, "peer-request")

    def test_b148_a_hanging_hook_holds_up_neither_sessions_nor_the_end(self, topology, tmp_path):
        directory = hooks(tmp_path, "exec sleep 1000", "auth-up", "ip-up")
        with serving(
            topology.server, tmp_path / "server", hooks={"directory": str(directory), "timeout": 600}
        ) as server:
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                assert topology.client.ping(OUR_ADDRESS, count=PINGS)
                assert server.stop(seconds=8) == 0
            assert "hooks are cut short: the server stops" in server.log()
            assert "a hook was ended" in server.log()
        assert accounted(tmp_path / "server")[0]["cause"] == "shutdown"


def accounted_or_none(folder: Path) -> list[dict[str, object]] | None:
    with contextlib.suppress(AssertionError):
        return accounted(folder)
    return None


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Make a disk that is soon full."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "small", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> None:
    """Write until nothing fits any more."""
    with (disk / "filler").open("ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

"""P-22: a server whose host runs out of something goes on with what it has, says so in words, spins never, recovers.

Shortages at the start are in test_faults.py, what an attacker makes short in test_adversary.py.
"""

import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.network import processor_seconds
from tests.eventually import eventually
from tests.netns.namespace import Namespace, join
from tests.netns.programs import OUR_ADDRESS, SERVER_DEVICE, Program, connecting, serving, start_server, state
from tests.netns.test_accounting import accounted, accounted_or_none, fill, small_disk

from openpptp.daemon.api_client import ApiClient
from openpptp.net import engine

pytestmark = pytest.mark.root

HOST = "203.0.113.1"
BUSY = 0.1
"Share of a processor beyond which a server that has nothing to do spins."
DATA_PATHS = [
    pytest.param("engine", marks=pytest.mark.skipif(not engine.available(), reason=engine.why_not())),
    "reference",
]


class Site:
    """Two namespaces, and who connects from one to the other."""

    def __init__(self, server: Namespace, client: Namespace, folder: Path) -> None:
        join(server, f"{HOST}/24", client, "203.0.113.2/24")
        self.server, self.client, self.folder = server, client, folder

    def connecting(self, number: int = 0, *, user: str = "alice", password: str = "correct horse"):
        flags = ("--interface", f"pptp-client{number}")
        return connecting(self.client, self.folder / f"client{number}", *flags, host=HOST, user=user, password=password)

    def pings(self) -> bool:
        return self.client.ping(OUR_ADDRESS, count=3)

    def logs_in(self) -> bool:
        """Tell whether somebody else gets in; what stands in the way at first may go away."""
        with self.connecting(1, user="bob", password="bobs") as client:
            eventually(lambda: "] connected " in client.log() or client.process.poll() is not None)
            return "] connected " in client.log()


def rests(server: Program) -> bool:
    """Tell whether a server spends next to nothing on a shortage, over a second."""
    pid = server.process.pid
    before = processor_seconds(pid)
    with pytest.raises(subprocess.TimeoutExpired):
        server.process.wait(1)
    return processor_seconds(pid) - before < BUSY


def no_traceback(server: Program) -> None:
    assert "Traceback" not in server.log(), server.log()


@pytest.fixture
def site(make_namespace, tmp_path) -> Iterator[Site]:
    return Site(make_namespace("server"), make_namespace("client"), tmp_path)


class DescriptorTests:
    """B-140: as many connections as the process may have files."""

    def test_b140_p22_who_is_in_stays_and_others_come_in_again(self, site):
        with serving(site.server, site.folder / "server") as server, site.connecting() as client:
            client.connected()
            pid = server.process.pid
            files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, before[1]))
            with site.client.inside(), socket.create_connection((HOST, 1723)):
                server.says("the system refuses", "Too many open files")
                assert rests(server)
                assert site.pings()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            assert site.logs_in()
            no_traceback(server)


class MemoryTests:
    """B-141: not an octet more of address space."""

    def test_b141_p22_who_is_in_stays_others_are_refused_and_come_in_again(self, site):
        with serving(site.server, site.folder / "server") as server, site.connecting() as client:
            client.connected()
            pid = server.process.pid
            resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
            assert not site.logs_in()
            assert "this system has no memory for another connection" in server.log()
            assert rests(server)
            assert site.pings()
            api = ApiClient(site.folder / "server" / "run" / "openpptp" / "api.sock")
            assert api.status()["connections"] == 1, "half a session is left"
            resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert site.logs_in()
            no_traceback(server)


class DiskTests:
    """B-143: log, accounting and runtime directory on one disk that is full."""

    def test_b143_p22_serving_goes_on_and_what_was_not_written_is_counted(self, site):
        before = state(site.server)
        with small_disk(site.folder / "small") as disk:
            sections = {
                "accounting": {"file": str(disk / "accounting.sqlite")},
                "server": {"runtime_directory": str(disk / "run")},
                "log": {"level": "debug"},
            }
            folder, log = site.folder / "server", disk / "log"
            started = start_server(site.server, folder, before=f'exec >>"{log}" 2>&1;', **sections)
            server = Program(started.process, log)
            assert eventually(log.exists)
            server.says("] serving ")
            with site.connecting() as client:
                client.connected()
                assert eventually(lambda: accounted_or_none(folder))
                fill(disk)
                assert site.logs_in()  # at this level of the log that is more than what its last page has room for
                assert site.pings()
                assert rests(server)
                (disk / "filler").unlink()
                server.says("accounting is written again")
                assert site.logs_in()
                server.says("lines of the log could not be written")
                assert client.stop() == 0
            no_traceback(server)
            assert server.stop() == 0
            assert {row["cause"] for row in accounted(folder)} == {"peer-request"}
        assert state(site.server) == before


class DeviceTests:
    """B-142: the TUN device is deleted under the server."""

    @pytest.mark.parametrize("data_path", DATA_PATHS)
    def test_b142_it_takes_leave_and_ends_in_words_for_it_to_be_started_again(self, site, data_path):
        before = state(site.server)
        with (
            serving(site.server, site.folder / "server", server={"data_path": data_path}) as server,
            site.connecting() as client,
        ):
            client.connected()
            site.server.ip(f"link delete {SERVER_DEVICE}")
            assert server.exit_code() == 1
            last = server.log().splitlines()[-1]
            assert f"was the device {SERVER_DEVICE} deleted? Start it again" in last
            assert client.exit_code() == 1
            assert "shutting down" in client.log()
        no_traceback(server)
        assert state(site.server) == before
        with serving(site.server, site.folder / "server"):
            assert site.logs_in()


class FirewallTests:
    """nft goes away after the start."""

    def test_without_nft_it_serves_reloads_and_ends_and_the_next_start_clears_up(self, site):
        before = state(site.server)
        empty = site.folder / "empty"
        empty.mkdir()
        with serving(site.server, site.folder / "server") as server, site.connecting() as client:
            client.connected()
            enter = ("nsenter", "-t", str(server.process.pid), "-m")
            subprocess.run([*enter, "mount", "--bind", str(empty), "/usr/sbin"], check=True)
            server.process.send_signal(signal.SIGHUP)
            server.says("settings read again")
            assert site.logs_in()
            assert site.pings()
            assert client.stop() == 0
            assert server.stop() == 0
            assert "nft is missing" in server.log()
            no_traceback(server)
        assert state(site.server)["firewall"] != before["firewall"]
        with serving(site.server, site.folder / "server") as second:
            assert second.stop() == 0
        assert state(site.server) == before

"""`openpptp service` from install to remove in a namespace: the unit's own commands, and the host as it was before."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.daemon.service.fake_systemctl import FakeMachine
from tests.machine import need_programs
from tests.netns.drop_in import lay_out_etc
from tests.netns.namespace import Namespace
from tests.netns.programs import (
    OPENPPTP,
    WORLD_NETWORK,
    Program,
    connecting,
    start,
    state,
    write_settings,
)
from tests.netns.service_manager import ServiceManager
from tests.netns.topology import Topology

pytestmark = pytest.mark.root

HOOK = """#!/bin/sh
ip route show dev "$1" >/dev/null && echo "$6 was given $5"
"""


class Host:
    """A namespace with a systemd of its own, as openpptp sees it."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.namespace, self.folder = namespace, folder
        self.fake = FakeMachine(folder)
        lay_out_etc(folder)
        (folder / "lib").mkdir()
        self.mounts = f"mount --bind {folder}/etc /etc; mount --bind {folder}/lib /var/lib;"
        self.managers: list[ServiceManager] = []

    def openpptp(self, *words: str) -> Program:
        """Run a command of ours to its end."""
        path = f"{self.folder}:/usr/sbin:/usr/bin:/sbin:/bin"
        run = start(self.namespace, self.folder, *OPENPPTP, *words, name=words[0], before=self.mounts, PATH=path)
        run.exit_code()
        return run

    def install(self, *options: str) -> None:
        """Install, and start nothing: what starts it is manager()."""
        run = self.openpptp("service", "install", "--no-start", *options)
        assert run.process.returncode == 0, run.log()

    def manager(self, *, abstract: bool = False) -> ServiceManager:
        """Return what runs the unit that was installed."""
        unit = self.fake.unit.read_text()
        self.managers.append(ServiceManager(self.namespace, self.folder, unit, mounts=self.mounts, abstract=abstract))
        return self.managers[-1]


@pytest.fixture
def make_host(tmp_path: Path) -> Iterator[Callable[[Namespace], Host]]:
    """Return a function that gives a namespace a systemd."""
    need_programs("systemd-analyze", "cpp")
    hosts: list[Host] = []

    def make(namespace: Namespace) -> Host:
        hosts.append(Host(namespace, tmp_path / "host"))
        return hosts[-1]

    yield make
    for host in hosts:
        for manager in host.managers:
            manager.close()


class LifeTests:
    """Install, start, serve, reload, stop, remove."""

    @pytest.mark.parametrize("hooked", [False, True], ids=["plain", "with hooks"])
    def test_a_client_is_served_within_the_limits_of_the_unit(self, topology, make_host, tmp_path, hooked):
        server, client = topology.server, topology.client
        host, before = make_host(server), state(server)
        hook = tmp_path / "hook"
        hook.write_text(HOOK)
        hook.chmod(0o755)
        config = write_settings(tmp_path, hooks={"ip_up": str(hook)} if hooked else {})
        host.install("--config", str(config))
        manager = host.manager(abstract=hooked)
        manager.start()
        status = Path(f"/proc/{manager.server.process.pid}/status").read_text()
        assert {"NoNewPrivs:\t1", "Seccomp:\t2"} <= set(status.splitlines())
        with connecting(client, tmp_path / "client", "--route", WORLD_NETWORK) as guest:
            guest.connected()
            assert client.ping(Topology.WORLD)
            manager.waits_for("STATUS=1 sessions")
            if hooked:
                manager.server.says("203.0.113.2 was given 10.91.9.2")
            assert manager.reload() == 0
            assert manager.told().count("RELOADING=1") == 1
            manager.waits_for("READY=1", times=2)
            assert client.ping(Topology.WORLD)
            manager.waits_for("WATCHDOG=1", times=2)
            assert manager.stop() == 0
            manager.waits_for("STOPPING=1")
        assert "Operation not permitted" not in manager.server.log()
        assert host.openpptp("service", "remove").process.returncode == 0
        assert not host.fake.unit.exists()
        assert state(server) == before

    def test_pptpds_files_are_read_again_by_a_signal(self, topology, make_host, tmp_path):
        host = make_host(topology.server)
        host.install("--pptpd-conf", "/etc/pptpd.conf")
        manager = host.manager()
        manager.start()
        assert manager.reload() == 0
        manager.waits_for("RELOADING=1")
        manager.waits_for("READY=1", times=2)
        assert manager.stop() == 0

    def test_what_a_killed_server_left_goes_with_remove(self, topology, make_host, tmp_path):
        host, before = make_host(topology.server), state(topology.server)
        host.install("--config", str(write_settings(tmp_path)))
        manager = host.manager()
        manager.start()
        manager.server.kill()
        assert state(topology.server) != before
        assert host.openpptp("service", "remove").process.returncode == 0
        assert state(topology.server) == before
        assert not (host.folder / "run" / "openpptp").exists()

    def test_why_it_cannot_start_is_told(self, topology, make_host, tmp_path):
        host = make_host(topology.server)
        host.install("--config", str(write_settings(tmp_path, server={"listen": "192.0.2.77"})))
        manager = host.manager()
        with pytest.raises(AssertionError):
            manager.start()
        assert any(line.startswith("STATUS=192.0.2.77 is not an address") for line in manager.told())


class CommandTests:
    """What a person sees."""

    def test_status_and_doctor(self, topology, make_host, tmp_path):
        host = make_host(topology.server)
        status = host.openpptp("service", "status")
        assert status.process.returncode == 1
        assert "sudo openpptp service install" in status.log()
        host.install("--config", str(write_settings(tmp_path, server={"user": "root"})))
        manager = host.manager()
        manager.start()
        (host.folder / "active").touch()
        status = host.openpptp("service", "status")
        assert status.process.returncode == 0, status.log()
        assert "0 logged in" in status.log()
        doctor = host.openpptp("doctor")
        assert doctor.process.returncode == 0, doctor.log()
        assert "openpptp.service is installed, enabled and runs" in doctor.log()
        assert manager.stop() == 0

    def test_a_port_that_is_taken_stops_the_installation(self, topology, make_host, tmp_path):
        host = make_host(topology.server)
        other = "import socket, time; s = socket.create_server(('', 1723)); print('has it', flush=True); time.sleep(60)"
        start(topology.server, host.folder, sys.executable, "-c", other, name="other").says("has it")
        run = host.openpptp("service", "install", "--config", str(write_settings(tmp_path)))
        assert run.process.returncode == 1
        assert "TCP port 1723 is taken by" in run.log()
        assert not host.fake.unit.exists()

    def test_without_systemd_it_says_how_else(self, topology, make_host, tmp_path):
        host = make_host(topology.server)
        (host.folder / "run/systemd/system").rmdir()
        run = host.openpptp("service", "install", "--config", str(write_settings(tmp_path)))
        assert run.process.returncode == 3
        for word in ("OpenRC", "sysvinit", "runit", "@reboot", "serve --config"):
            assert word in run.log()

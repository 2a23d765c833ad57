"""Least privilege with a real server: who runs as what, what that is enough for, and that nothing is left (P-28)."""

import contextlib
import grp
import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.machine import REPOSITORY
from tests.netns.programs import (
    OPENPPTP,
    OUR_ADDRESS,
    PASSWORD,
    USER,
    Program,
    connecting,
    serving,
    start,
    start_client,
    start_server,
    state,
)
from tests.netns.test_steering import command
from tests.netns.topology import Topology

from openpptp.net import engine

pytestmark = pytest.mark.root

NOBODY = "nobody"
"A user of every machine, so that no test needs one of its own in /etc/passwd."
NO_USER = "openpptp-no-such-user"
BOTH = f"{0x3000:016x}"
"CAP_NET_ADMIN and CAP_NET_RAW."
ACCOUNTING = "/run/openpptp-state/accounting.sqlite"
TO_WORLD = ("--route", "198.51.100.0/24")
UNIT = "net_admin,net_raw,setuid,setgid,setpcap,chown,dac_override,fowner,kill"


def status(pid: int, thread: int | None = None) -> dict[str, str]:
    """Return what the kernel says of a process or of one thread of it."""
    lines = Path(f"/proc/{pid}/task/{thread or pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def threads(pid: int) -> list[dict[str, str]]:
    return [status(pid, int(thread)) for thread in os.listdir(f"/proc/{pid}/task")]


def monitor_of(server: Program) -> int:
    """Return the process id of a server's monitor."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    (monitor,) = [int(child) for child in children if status(int(child))["Name"] == "openpptp-root"]
    return monitor


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@contextlib.contextmanager
def unprivileged(topology: Topology, folder: Path, user: str = NOBODY, **how: object) -> Iterator[Program]:
    """Run a server that gives up being root for user."""
    how = {"accounting": {"file": ACCOUNTING}} | how
    how["server"] = {"user": user} | how.get("server", {})
    with serving(topology.server, folder / "server", **how) as server:
        yield server


def script(folder: Path, name: str, text: str) -> Path:
    """Write a hook, which only root may read; return its directory."""
    path = folder / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n".replace("OUT", str(folder / "out")))
    path.chmod(0o700)
    return path.parent


@pytest.fixture
def etc(tmp_path) -> Path:
    """Return a copy of /etc, in which a test may change what it likes."""
    copy = tmp_path / "etc"
    subprocess.run(["cp", "-a", "/etc", copy], check=True)
    subprocess.run(["rm", "-rf", copy / "openpptp"], check=True)
    return copy


def private(etc: Path) -> str:
    """Return shell that gives a program this /etc, and a /var/lib of its own."""
    return f"mount --bind {etc} /etc; mount -t tmpfs state /var/lib;"


class WhoRunsAsWhatTests:
    """/proc says so."""

    @pytest.mark.parametrize("carrier", ["raw", "ring"])
    @pytest.mark.parametrize("user", [NOBODY, NO_USER])
    def test_every_thread_has_two_capabilities_and_can_have_no_more(self, topology, tmp_path, user, carrier):
        before = state(topology.server)
        how = {"carrier": carrier} if engine.available() else {}
        with unprivileged(topology, tmp_path, user, server=how) as server:
            with connecting(topology.client, tmp_path / "client", *TO_WORLD) as client:
                client.connected()
                assert topology.client.ping(Topology.WORLD, count=3)
                uid = pwd.getpwnam(NOBODY).pw_uid if user == NOBODY else 0
                found = threads(server.process.pid)
                assert len(found) > 2
                for each in found:
                    assert each["Uid"].split() == [str(uid)] * 4
                    assert [each[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")] == [BOTH] * 5
                    assert (each["NoNewPrivs"], each["Groups"]) == ("1", "")
                limits = Path(f"/proc/{server.process.pid}/limits").read_text()
                assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]
                # The kernel gives these files to root when a process may leave no core and not be looked into.
                assert os.stat(f"/proc/{server.process.pid}/environ").st_uid == 0
                assert client.stop() == 0
            assert ("stays root, without most of its powers" in server.log()) == (user == NO_USER)
            assert "ring" not in server.log().replace("carrier=ring", "")
            monitor = monitor_of(server)
            assert server.stop() == 0
            assert gone(monitor)
        assert state(topology.server) == before
        assert [line for line in server.log().splitlines() if "[error" in line] == []

    def test_the_monitor_is_root_and_small_and_holds_nothing_of_the_server(self, topology, tmp_path):
        with unprivileged(topology, tmp_path) as server:
            monitor = monitor_of(server)
            assert status(monitor)["Uid"].split() == ["0"] * 4
            held = sorted(os.readlink(path) for path in Path(f"/proc/{monitor}/fd").iterdir())
            assert held[:4] == ["/dev/null"] * 3 + ["anon_inode:[eventfd]"]
            assert len(held) == 5
            assert held[4].startswith("socket:"), "the one to the server"
            assert len(threads(monitor)) == 1
            assert int(status(monitor)["VmRSS"].split()[0]) < 40_000
            assert status(server.process.pid)["NoNewPrivs"] == "1"

    def test_what_the_unit_leaves_it_is_enough(self, topology, tmp_path):
        """NoNewPrivileges and the bounding set of the systemd unit."""
        bounding = "-all," + ",".join(f"+{name}" for name in UNIT.split(","))
        wrapped = f'exec setpriv --no-new-privs --bounding-set={bounding} --inh-caps=-all "$@";'
        hooks = script(tmp_path, "ip-up", "id -u >OUT")
        with unprivileged(topology, tmp_path, before=wrapped, hooks={"directory": str(hooks)}) as server:
            assert {each["CapEff"] for each in threads(server.process.pid)} == {BOTH}
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                assert topology.client.ping(OUR_ADDRESS)
                assert eventually(lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text() == "0\n")
            assert server.stop() == 0

    def test_the_client_has_three_capabilities(self, topology, tmp_path):
        # With the server's own /run: the client's directory lies in the server's, which is another user's.
        shared = tmp_path / "server"
        with unprivileged(topology, tmp_path), connecting(topology.client, shared, *TO_WORLD) as client:
            client.connected()
            found = threads(client.process.pid)
            assert {each["CapEff"] for each in found} == {f"{0x3002:016x}"}
            assert {each["NoNewPrivs"] for each in found} == {"1"}
            assert topology.client.ping(Topology.WORLD)
            assert client.stop() == 0


class EnoughTests:
    """What the server does later it still can."""

    def test_a_changed_secrets_file_that_only_root_may_read_is_seen(self, topology, tmp_path):
        secrets = tmp_path / "server" / "chap-secrets"
        with unprivileged(topology, tmp_path):
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
            (tmp_path / "bobs").write_text("bobs new one\n")
            secrets.write_text(f'bob * "@{tmp_path}/bobs" *\n')
            with connecting(topology.client, tmp_path / "client", user="bob", password="bobs") as client:
                client.connected()
            assert start_client(topology.client, tmp_path / "client").exit_code() == 1

    def test_hooks_run_as_root_in_order_with_pppds_environment(self, topology, tmp_path):
        for name in ("auth-up", "ip-up", "ip-down", "auth-down"):
            hooks = script(tmp_path, name, 'echo "${0##*/} $(id -u) $PPPLOGNAME $PEERNAME" >>OUT')
        with unprivileged(topology, tmp_path, hooks={"directory": str(hooks)}) as server:
            runtime = tmp_path / "server" / "run" / "openpptp"
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                # What is said of hooks that only root may look at must have been seen by root.
                assert len(json.loads(command(runtime, "status", "--json").stdout)["warnings"]) == 1
                assert json.loads(command(runtime, "reload", "--json").stdout)["warnings"] == []
                assert len(json.loads(command(runtime, "status", "--json").stdout)["warnings"]) == 1
                assert client.stop() == 0
            assert server.stop() == 0
            assert "is not run" not in server.log()
        assert (tmp_path / "out").read_text().splitlines() == [
            f"{name} 0 root {USER}" for name in ("auth-up", "ip-up", "ip-down", "auth-down")
        ]

    def test_a_reload_reads_settings_that_only_root_may_read(self, topology, tmp_path):
        settings, other = tmp_path / "server" / "openpptp.toml", tmp_path / "server" / "others"
        with unprivileged(topology, tmp_path) as server:
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                other.write_text('carol * "carols" *\n')
                other.chmod(0o600)
                text = settings.read_text().replace("/chap-secrets", "/others")
                settings.write_text(f'{text}[admin]\ngroup = "daemon"\n')
                settings.chmod(0o600)
                server.process.send_signal(signal.SIGHUP)
                server.says("settings read again", "users.file", "admin.group")
                assert topology.client.ping(OUR_ADDRESS), "no session ends"
            with connecting(topology.client, tmp_path / "client", user="carol", password="carols") as client:
                client.connected()
            socket = tmp_path / "server" / "run" / "openpptp" / "api.sock"
            found = socket.stat()
            assert (found.st_uid, found.st_gid) == (pwd.getpwnam(NOBODY).pw_uid, grp.getgrnam("daemon").gr_gid)
            assert found.st_mode & 0o777 == 0o660
            settings.write_text("[network]\n")
            server.process.send_signal(signal.SIGHUP)
            server.says("settings not read again; nothing has changed")
            assert "network.pool" in server.log()

    def test_the_store_of_users_is_its_own_and_root_changes_it(self, topology, tmp_path):
        store = {"store": "/run/openpptp-state/users.sqlite"}
        with unprivileged(topology, tmp_path, users=store) as server:
            user = (*OPENPPTP, "user", "add", "anna", "--store", "--config", str(tmp_path / "server" / "openpptp.toml"))
            subprocess.run(
                ["nsenter", f"--mount=/proc/{server.process.pid}/ns/mnt", *user],
                env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "OPENPPTP_PASSWORD": "pw"},
                check=True,
            )
            files = (tmp_path / "server" / "run" / "openpptp-state").iterdir()
            assert {file.owner() for file in files if file.name.startswith("users")} == {NOBODY}
            with connecting(topology.client, tmp_path / "client", user="anna", password="pw") as client:
                client.connected()

    def test_commands_of_root_steer_it_and_read_its_accounting(self, topology, tmp_path):
        runtime = tmp_path / "server" / "run" / "openpptp"
        group = {"group": "daemon"}
        with unprivileged(topology, tmp_path, accounting={"file": ACCOUNTING, "interim": 1}, admin=group) as server:
            number = grp.getgrnam("daemon").gr_gid
            assert {each["Groups"] for each in threads(server.process.pid)} == {str(number)}
            assert (runtime / "api.sock").stat().st_gid == number
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                assert json.loads(command(runtime, "sessions", "--json").stdout)["sessions"][0]["user"] == USER
                assert command(runtime, "reload").returncode == 0
                assert command(runtime, "disconnect", "--user", USER).returncode == 0
                client.exit_code()
            past = tmp_path / "past.toml"
            file = tmp_path / "server" / ACCOUNTING[1:]
            past.write_text(f'[network]\npool = ["10.91.9.0/24"]\n[accounting]\nfile = "{file}"\n')
            assert server.stop() == 0
        done = subprocess.run(
            [*OPENPPTP, "sessions", "--past", "--json", "--config", str(past)],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        (row,) = json.loads(done.stdout)["sessions"]
        assert (row["user"], row["cause"]) == (USER, "admin-disconnect")
        owners = {path.name: path.stat().st_uid for path in file.parent.iterdir()}
        assert set(owners.values()) == {pwd.getpwnam(NOBODY).pw_uid}, owners

    def test_a_low_port_and_a_tun_node_of_root_alone(self, topology, tmp_path):
        host = str(Topology.SERVER_TO_WORLD)  # not through the NAT box, whose helper knows the usual port only
        node = "mount -t tmpfs -o mode=755 dev /dev/net; mknod -m 600 /dev/net/tun c 10 200;"
        with (
            unprivileged(topology, tmp_path, server={"port": 723}, before=node),
            connecting(topology.world, tmp_path / "client", "--port", "723", host=host) as client,
        ):
            client.connected()
            assert topology.world.ping(OUR_ADDRESS)

    def test_files_of_pptpd_and_pppd(self, topology, tmp_path, etc):
        before = state(topology.server)
        (etc / "pptpd.conf").write_text(f"option /etc/ppp/options.x\nlocalip {OUR_ADDRESS}\nremoteip 10.91.9.2-9\n")
        (etc / "ppp").mkdir(exist_ok=True)
        options, secrets = etc / "ppp" / "options.x", etc / "ppp" / "chap-secrets"
        options.write_text("name pptpd\nrequire-mschap-v2\nrequire-mppe-128\n")
        secrets.write_text(f'{USER} pptpd "{PASSWORD}" *\n')
        for path in (etc / "pptpd.conf", options, secrets):
            path.chmod(0o600)
        (etc / "ppp").chmod(0o700)
        with (etc / "passwd").open("a") as accounts:
            accounts.write("openpptp:x:65533:65534::/:/usr/sbin/nologin\n")
        program = start(
            topology.server, tmp_path, *OPENPPTP, "serve", "--pptpd-conf", "/etc/pptpd.conf", before=private(etc)
        )
        program.says("serving")
        assert {each["Uid"].split()[0] for each in threads(program.process.pid)} == {"65533"}
        with connecting(topology.client, tmp_path / "client") as client:
            client.connected()
        secrets.write_text('bob pptpd "bobs" *\n')
        with connecting(topology.client, tmp_path / "client", user="bob", password="bobs") as client:
            client.connected()
        options.write_text(options.read_text() + "lcp-echo-interval 7\n")
        program.process.send_signal(signal.SIGHUP)
        program.says("settings read again", "ppp.echo_interval")
        assert program.stop() == 0
        assert state(topology.server) == before

    def test_our_own_files_may_lie_where_only_root_may_look(self, topology, tmp_path):
        """Served from a checkout in somebody's home."""
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        mounts = ""
        for name, place in (("src", REPOSITORY / "src"), ("site", Path(pytest.__file__).parent.parent)):
            (home / name).mkdir()
            mounts += f"mount --bind {place} {home / name};"
        # The interpreter itself, without the virtual environment that it would find its packages in.
        python = os.path.realpath(sys.executable)
        swap = f'shift; exec env PYTHONPATH={home}/src:{home}/site PYTHONDONTWRITEBYTECODE=1 {python} "$@";'
        methods = {"methods": ["MS-CHAPv2", "MS-CHAPv1", "CHAP-MD5", "PAP"], "encryption": "optional"}
        with unprivileged(topology, tmp_path, before=mounts + swap, auth=methods) as server:
            assert {each["CapEff"] for each in threads(server.process.pid)} == {BOTH}
            for method in methods["methods"]:
                flags = ("--allow-method", method, "--encryption", "optional")
                with connecting(topology.client, tmp_path / "client", *flags) as client:
                    client.connected()
            server.process.send_signal(signal.SIGHUP)
            server.says("settings read again")
            assert server.stop() == 0
            assert "defect" not in server.log()
            assert "Error" not in server.log()


class NotRootTests:
    """Started as an ordinary user that was given the two capabilities, as a unit with User= can."""

    def test_it_serves_without_a_monitor(self, topology, tmp_path):
        before = state(topology.server)
        node = "mount -t tmpfs -o mode=755 dev /dev/net; mknod -m 666 /dev/net/tun c 10 200; chmod 777 /run;"
        # Settings and secrets that are his, in a place he may look at.
        opened = (
            f"mount -t tmpfs -o mode=755 mine /mnt; cp {tmp_path}/server/*.toml {tmp_path}/server/chap-secrets /mnt;"
        )
        opened += 'sed -i \'s,^file = .*/chap-secrets"$,file = "/mnt/chap-secrets",\' /mnt/openpptp.toml;'
        opened += "chown nobody /mnt/*;"
        capabilities = "-all,+net_admin,+net_raw"
        user = f"exec setpriv --reuid {NOBODY} --regid nogroup --clear-groups --inh-caps={capabilities}"
        swap = f'{user} --ambient-caps={capabilities} "$1" "$2" "$3" serve --config /mnt/openpptp.toml;'
        with serving(
            topology.server, tmp_path / "server", before=node + opened + swap, accounting={"file": ACCOUNTING}
        ) as server:
            assert {each["CapEff"] for each in threads(server.process.pid)} == {BOTH}
            children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
            assert children == ""
            with connecting(topology.client, tmp_path / "client", *TO_WORLD) as client:
                client.connected()
                assert topology.client.ping(Topology.WORLD)
            server.process.send_signal(signal.SIGHUP)
            server.says("settings read again")
            assert server.stop() == 0
        assert state(topology.server) == before


class TakeOverTests:
    """What an earlier run left, as root or as somebody else."""

    def test_what_a_killed_server_of_root_left_is_undone_without_root(self, topology, tmp_path):
        before = state(topology.server)
        victim = start_server(
            topology.server, tmp_path / "server", server={"user": NO_USER}, accounting={"file": ACCOUNTING}
        )
        victim.says("serving")
        runtime = tmp_path / "server" / "run" / "openpptp"
        victim.kill()
        assert (runtime / "undo.json").stat().st_uid == 0
        assert state(topology.server)["firewall"] != before["firewall"]
        none = {"nat": False, "mss_clamp": False, "forward": False}
        with unprivileged(topology, tmp_path, network=none) as server:
            now = state(topology.server)
            assert [now[what] for what in ("firewall", "net/ipv4/ip_forward")] == [
                before[what] for what in ("firewall", "net/ipv4/ip_forward")
            ]
            assert (runtime / "undo.json").stat().st_uid == pwd.getpwnam(NOBODY).pw_uid
            assert "cannot be written" not in server.log()
            assert server.stop() == 0
        assert state(topology.server) == before

    def test_and_back_when_the_user_is_no_more(self, topology, tmp_path):
        before = state(topology.server)
        with unprivileged(topology, tmp_path) as server:
            server.kill()
        with unprivileged(topology, tmp_path, NO_USER) as server:
            assert (tmp_path / "server" / "run" / "openpptp").stat().st_uid == 0
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
            assert server.stop() == 0
            assert "cannot be written" not in server.log()
        assert state(topology.server) == before

    def test_a_state_directory_of_others_is_left_and_named(self, topology, tmp_path):
        with unprivileged(topology, tmp_path, accounting={"file": str(tmp_path / "accounting.sqlite")}) as server:
            server.says("has other files in it and keeps its owner", "accounting cannot be written")
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()


class EndTests:
    """Either of the two dies."""

    def test_a_killed_monitor_is_told_and_sessions_go_on(self, topology, tmp_path):
        before = state(topology.server)
        hooks = script(tmp_path, "ip-down", "touch OUT")
        with unprivileged(topology, tmp_path, hooks={"directory": str(hooks)}) as server:
            with connecting(topology.client, tmp_path / "client", *TO_WORLD) as client:
                client.connected()
                os.kill(monitor_of(server), signal.SIGKILL)
                server.says("the monitor, this server's helper process that runs as root, has ended; restart")
                assert topology.client.ping(Topology.WORLD, count=3)
                (tmp_path / "server" / "chap-secrets").write_text("")
                with connecting(topology.client, tmp_path / "other", "--interface", "second") as second:
                    second.connected()
                server.process.send_signal(signal.SIGHUP)
                server.says("settings not read again; nothing has changed")
                assert client.stop() == 0
            server.says("a hook is not run")
            assert server.stop() == 0
        assert state(topology.server) == before

    def test_a_killed_server_takes_its_monitor_and_its_hooks_along(self, topology, tmp_path):
        hooks = script(tmp_path, "ip-up", "echo $$ >OUT.new; mv OUT.new OUT; exec sleep 1000")
        with unprivileged(topology, tmp_path, hooks={"directory": str(hooks)}) as server:
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                assert eventually((tmp_path / "out").exists)
            monitor, hook = monitor_of(server), int((tmp_path / "out").read_text())
            server.kill()
            assert eventually(lambda: gone(monitor) and gone(hook))

    def test_a_stop_of_the_whole_control_group_ends_in_order(self, topology, tmp_path):
        """A service manager may send SIGTERM to every process, the monitor as well."""
        hooks = script(tmp_path, "ip-down", "touch OUT")
        with unprivileged(topology, tmp_path, hooks={"directory": str(hooks)}) as server:
            with connecting(topology.client, tmp_path / "client") as client:
                client.connected()
                monitor = monitor_of(server)
                for pid in (monitor, server.process.pid):
                    os.kill(pid, signal.SIGTERM)
                assert server.exit_code() == 0
            assert "the monitor" not in server.log()
        assert (tmp_path / "out").exists(), "the monitor waits for the server"
        assert gone(monitor)


class SetupTests:
    """openpptp setup makes the user, here in an /etc that only it sees."""

    def test_the_user_is_made_once_and_the_server_runs_as_it(self, topology, tmp_path, etc):
        program = start(topology.server, tmp_path, *OPENPPTP, "setup", before=private(etc))
        assert program.exit_code() == 0, program.log()
        assert "made the user openpptp, which the server runs as" in program.log()
        (made,) = [line for line in (etc / "passwd").read_text().splitlines() if line.startswith("openpptp:")]
        assert made.endswith(":/nonexistent:/usr/sbin/nologin")
        again = start(topology.server, tmp_path, *OPENPPTP, "setup", "--json", before=private(etc))
        assert again.exit_code() == 0
        assert json.loads(again.log())["server_user"] is None
        server = start(topology.server, tmp_path, *OPENPPTP, "serve", name="serve", before=private(etc))
        server.says("serving")
        assert {each["Uid"].split()[0] for each in threads(server.process.pid)} == {made.split(":")[2]}
        assert "stays root" not in server.log()
        assert server.stop() == 0
        assert "openpptp" not in Path("/etc/passwd").read_text()

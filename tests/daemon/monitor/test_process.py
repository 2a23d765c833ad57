"""The monitor: what it does for the server, and what nobody can make it do."""

import grp
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.daemon.monitor.beside import contents, monitor_for
from tests.eventually import eventually

from openpptp.daemon.hook_programs import HookEvent, HookJob
from openpptp.daemon.monitor import wire
from openpptp.daemon.monitor.policy import Policy
from openpptp.daemon.monitor.process import MOST_CHILDREN
from openpptp.errors import SetupError

STRANGER = 65534
"Whom the server runs as, where it matters that he is not us."
JOB = HookJob(HookEvent.IP_UP, ("pptp0", "none"), {"PEERNAME": "alice"})


@pytest.fixture
def secrets(tmp_path):
    path = tmp_path / "chap-secrets"
    path.write_text("alice * secret *\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def script(tmp_path):
    """Return a function that writes a hook; OUT in its text is a file it may write to."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n".replace("OUT", str(tmp_path / "out")))
        path.chmod(0o755)
        return path

    return write


class FileTests:
    """Only the secrets files of the settings, and what they name."""

    def test_a_secrets_file_is_opened_and_looked_at(self, secrets):
        with monitor_for(Policy(STRANGER, (secrets,))) as beside:
            assert contents(beside, secrets) == b"alice * secret *\n"
            status = secrets.stat()
            assert beside.link.look(secrets) == (status.st_mtime_ns, status.st_ino, status.st_size)

    def test_it_can_only_be_read(self, secrets):
        with monitor_for(Policy(STRANGER, (secrets,))) as beside:
            file = beside.link.open(secrets)
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(file, b"x")
            assert not os.get_inheritable(file)
            os.close(file)

    @pytest.mark.parametrize("wish", ["/etc/shadow", "{}/../../etc/shadow", "{}2", "/proc/1/environ", "", "/"])
    def test_anything_else_is_refused(self, secrets, tmp_path, wish):
        (tmp_path / "chap-secrets2").touch()
        wish = wish.format(secrets)
        with monitor_for(Policy(STRANGER, (secrets,))) as beside:
            for request in (wire.Open(Path(wish)), wire.Look(Path(wish))):
                with pytest.raises(PermissionError):
                    beside.link._ask(request, 10.0)
            assert contents(beside, secrets), "it goes on"

    def test_a_file_that_a_secrets_file_names_is_opened_while_it_does(self, secrets, tmp_path):
        named = tmp_path / "alices"
        named.write_text("secret\n")
        with monitor_for(Policy(STRANGER, (secrets,))) as beside:
            with pytest.raises(PermissionError):
                beside.link.open(named)
            secrets.write_text(f'alice * "@{named}" *\n')
            assert contents(beside, named) == b"secret\n"
            assert beside.link.look(named)[2] == len("secret\n")
            secrets.write_text(f"alice * secret * # @{named}\n")
            with pytest.raises(PermissionError):
                beside.link.open(named)

    @pytest.mark.parametrize("kind", ["directory", "fifo", "missing"])
    def test_what_is_no_file_is_refused_at_once(self, tmp_path, kind):
        path = tmp_path / "strange"
        {"directory": path.mkdir, "fifo": lambda: os.mkfifo(path), "missing": lambda: None}[kind]()
        with monitor_for(Policy(STRANGER, (path,))) as beside, pytest.raises(OSError, match=r"directory|argument"):
            beside.link.open(path)

    @pytest.mark.root
    @pytest.mark.parametrize("way", ["directly", "by a link", "by a link's link", "named in another"])
    def test_no_file_that_the_servers_user_could_have_put_there(self, tmp_path, secrets, way):
        """Whoever has broken into the server must not get the monitor to open /etc/shadow for him."""
        his = tmp_path / "his"
        his.mkdir()
        os.chown(his, STRANGER, STRANGER)
        (his / "file").symlink_to("/etc/shadow")
        (tmp_path / "first").symlink_to(his / "file")
        (tmp_path / "second").symlink_to(tmp_path / "first")
        wish = {"by a link": tmp_path / "first", "by a link's link": tmp_path / "second"}.get(way, his / "file")
        secrets.write_text(f"alice * @{his / 'file'} *\n")
        with monitor_for(Policy(STRANGER, (secrets,) if way == "named in another" else (wish,))) as beside:
            with pytest.raises(PermissionError):
                beside.link.open(wish)
            with pytest.raises(PermissionError):
                beside.link.look(wish)


class SettingsTests:
    """Read again by a child that is root."""

    def test_the_server_is_told_and_the_new_files_are_allowed(self, secrets, tmp_path):
        other = tmp_path / "other"
        other.write_text("new")
        reread = f"""
def reread(uid):
    return {{"settings": {{"big": "x" * 200000, "uid": uid}}}}, Policy(uid, (Path({str(other)!r}),))
"""
        with monitor_for(Policy(STRANGER, (secrets,)), reread) as beside:
            with pytest.raises(PermissionError):
                beside.link.open(other)
            told = beside.link.reread()
            assert (len(told["settings"]["big"]), told["settings"]["uid"]) == (200000, STRANGER)
            assert contents(beside, other) == b"new"
            assert contents(beside, secrets), "the server may not take the new settings over"

    def test_what_is_wrong_comes_in_words_and_changes_nothing(self, secrets):
        reread = """
def reread(uid):
    raise SetupError("openpptp.toml:3: no", exit_code=2)
"""
        with monitor_for(Policy(STRANGER, (secrets,)), reread) as beside:
            with pytest.raises(SetupError, match=r"openpptp\.toml:3: no") as caught:
                beside.link.reread()
            assert caught.value.exit_code == 2
            assert contents(beside, secrets)

    def test_a_child_that_dies_is_said_and_survived(self, secrets):
        reread = """
def reread(uid):
    import os
    os.abort()
"""
        with monitor_for(Policy(STRANGER, (secrets,)), reread) as beside:
            with pytest.raises(SetupError, match="the settings cannot be read again"):
                beside.link.reread()
            assert contents(beside, secrets)

    @pytest.mark.root
    def test_only_the_servers_socket_is_given_and_only_to_the_group_of_the_settings(self, tmp_path):
        path = tmp_path / "api.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            with monitor_for(Policy(0, (), socket=path, group="daemon")) as beside:
                beside.link.regroup()
                assert path.stat().st_gid == grp.getgrnam("daemon").gr_gid
                path.unlink()
                path.symlink_to("/etc/passwd")
                with pytest.raises(OSError, match="Permission"):
                    beside.link.regroup()
            with (
                monitor_for(Policy(0, (), socket=path, group="no such group")) as beside,
                pytest.raises(OSError, match="argument"),
            ):
                beside.link.regroup()
        assert Path("/etc/passwd").stat().st_gid == 0


class HookTests:
    """B-132: programs of the settings only, never through a shell, in an environment of known names."""

    def test_they_run_as_pppds_do_with_what_the_event_tells(self, script, tmp_path):
        script("ip-up", 'printf "%s|" "$@" "$PEERNAME" "$PPPLOGNAME" "$ORIG_UID" >OUT; echo said; exit 3')
        job = HookJob(HookEvent.IP_UP, ("pptp0", "$(touch /x)\n`id`"), {"PEERNAME": "a'; id", "ORIG_UID": "77"})
        with monitor_for(Policy(STRANGER, (), tmp_path / "hooks")) as beside:
            (finding,) = beside.link.run(job)
        assert (finding.event, finding.wrong) == ("a hook failed", True)
        assert finding.facts == {"hook": str(tmp_path / "hooks/ip-up"), "why": "exit code 3", "output": "said"}
        assert (tmp_path / "out").read_text() == f"pptp0|$(touch /x)\n`id`|a'; id|root|{os.getuid()}|"

    def test_several_run_side_by_side(self, script, tmp_path):
        script("auth-up", "while ! test -e OUT; do sleep 0.01; done")
        script("ip-up", "touch OUT")
        with monitor_for(Policy(STRANGER, (), tmp_path / "hooks")) as beside, ThreadPoolExecutor() as threads:
            first = threads.submit(beside.link.run, HookJob(HookEvent.AUTH_UP, (), {}))
            assert beside.link.run(JOB) == []
            assert first.result(20) == []

    @pytest.mark.root
    @pytest.mark.parametrize("named", [True, False])
    def test_no_program_that_the_servers_user_could_have_put_there(self, script, tmp_path, named):
        program = script("ip-up", "touch OUT")
        os.chown(program.parent, STRANGER, STRANGER)
        how = {"commands": {HookEvent.IP_UP: program}} if named else {"directory": program.parent}
        with monitor_for(Policy(STRANGER, (), **how)) as beside:
            (finding,) = beside.link.run(JOB)
        assert finding.event == "a hook is not run"
        assert "belongs to the server's own user" in finding.facts["why"]
        assert not (tmp_path / "out").exists()

    def test_they_are_ended_when_the_server_wants_it(self, script, tmp_path):
        script("ip-up", "touch OUT; exec sleep 1000")
        with monitor_for(Policy(STRANGER, (), tmp_path / "hooks")) as beside, ThreadPoolExecutor() as threads:
            running = threads.submit(beside.link.run, JOB)
            assert eventually((tmp_path / "out").exists)
            beside.link.end_hooks()
            (finding,) = running.result(20)
            assert (finding.event, finding.facts["why"]) == ("a hook was ended", "the server stops")
            assert beside.link.run(JOB) == [], "no more are run"

    def test_they_are_ended_when_the_server_is_gone(self, script, tmp_path):
        script("ip-up", "echo $$ >OUT.new; mv OUT.new OUT; exec sleep 1000")
        with monitor_for(Policy(STRANGER, (), tmp_path / "hooks")) as beside:
            beside.raw(wire.write_request(1, wire.Run(JOB)))
            assert eventually((tmp_path / "out").exists)
            pid = int((tmp_path / "out").read_text())
            beside.connection.shutdown(socket.SHUT_RDWR)  # as the kernel does for a server that was killed
            assert eventually(lambda: beside.process.poll() is not None)
        assert eventually(lambda: not Path(f"/proc/{pid}").exists())

    def test_too_many_at_once_are_not_run(self, script, tmp_path):
        script("auth-up", "exec sleep 1000")
        with monitor_for(Policy(STRANGER, (), tmp_path / "hooks")) as beside:
            for number in range(MOST_CHILDREN):
                beside.raw(wire.write_request(10**6 + number, wire.Run(HookJob(HookEvent.AUTH_UP, (), {}))))
            (finding,) = beside.link.run(JOB)
            assert finding.facts["why"].startswith("the monitor has too much to do")


class AdversaryTests:
    """Whoever has broken into the server can send what he likes."""

    PACKETS = (
        b"x",
        b"[]",
        b"{}",
        b"[" * 60000,
        b'{"number": 1, "ask": "Exec", "path": "/bin/sh"}',
        b'{"number": 1, "ask": "Open", "path": "/etc/passwd", "mode": "w"}',
        b'{"number": -1, "ask": "EndHooks"}',
        b'{"number": 1, "ask": "Run", "event": "../../bin/sh", "arguments": [], "environment": {}}',
        b'{"number": 1, "ask": "Run", "event": "ip-up", "arguments": [], "environment": {"LD_PRELOAD": "/tmp/x.so"}}',
        b'{"number": 1, "ask": "Run", "event": "ip-up", "arguments": [["x"]], "environment": {}}',
        wire.write(Policy(0, (Path("/etc/shadow"),)).encode()),
        b'{"number": 1, "ask": "EndHooks"}' + b" " * wire.LONGEST,
    )

    @pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet[:60].decode())
    def test_a_packet_no_server_sends_ends_it_without_a_deed(self, script, tmp_path, packet):
        script("ip-up", "touch OUT")
        with monitor_for(Policy(STRANGER, (), tmp_path / "hooks")) as beside:
            beside.raw(packet)
            assert eventually(lambda: beside.process.poll() is not None)
            assert beside.process.returncode == 0, "an end in order, no traceback"
        assert not (tmp_path / "out").exists()

    def test_descriptors_it_did_not_ask_for_are_not_taken(self, secrets):
        with monitor_for(Policy(STRANGER, (secrets,))) as beside:
            assert contents(beside, secrets)
            before = ["0", "1", "2", "3", str(beside.theirs)]
            packet = wire.write_request(99, wire.Look(secrets))
            socket.send_fds(beside.connection, [packet], [0, 1, 2])
            assert contents(beside, secrets)
            assert eventually(lambda: os.listdir(f"/proc/{beside.process.pid}/fd") == before)


class EndTests:
    def test_it_ends_with_its_server(self, secrets):
        with monitor_for(Policy(STRANGER, (secrets,))) as beside:
            assert contents(beside, secrets)
        assert beside.said == [], "an end in order is nothing to tell"

    def test_its_death_is_told_in_words_and_fails_what_needs_it(self, secrets):
        with monitor_for(Policy(STRANGER, (secrets,))) as beside:
            assert contents(beside, secrets)
            beside.process.kill()
            assert eventually(lambda: beside.said)
            (said,) = beside.said
            assert "has ended; restart the server" in said
            assert "sessions go on" in said
            with pytest.raises(OSError, match="has ended"):
                beside.link.open(secrets)
            with pytest.raises(SetupError, match="has ended"):
                beside.link.reread()
            (finding,) = beside.link.run(JOB)
            assert "has ended" in finding.facts["why"]
            beside.link.end_hooks()

    def test_whoever_waits_hears_of_it(self, script, tmp_path):
        script("ip-up", "touch OUT; exec sleep 1000")
        with monitor_for(Policy(STRANGER, (), tmp_path / "hooks")) as beside, ThreadPoolExecutor() as threads:
            running = threads.submit(beside.link.run, JOB)
            assert eventually((tmp_path / "out").exists)
            beside.process.kill()
            (finding,) = running.result(20)
            assert "has ended" in finding.facts["why"]

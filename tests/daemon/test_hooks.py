"""Hooks: real programs, run as pppd runs its scripts."""

import asyncio
import errno
import os
import threading
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.daemon.loopback import Log, house
from tests.eventually import until

from openpptp.credentials import NetworkGrant
from openpptp.daemon import hook_programs, hooks
from openpptp.daemon.config import Settings
from openpptp.daemon.hook_programs import HookEvent, HookJob, HookPrograms
from openpptp.daemon.hooks import Hooks
from openpptp.daemon.sections import HooksSection
from openpptp.daemon.session_record import SessionRecord
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason

GRANT = NetworkGrant(
    IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), dns=(IPv4Address("9.9.9.9"), IPv4Address("1.1.1.1"))
)

DEBIANS = Path("/etc/ppp/ip-up")


def session(name: str = "s1", *, user: str = "anna") -> SessionRecord:
    driver = SimpleNamespace(peer=IPv4Address("203.0.113.9"))
    return SessionRecord(5, user, GRANT, GRANT.peer_address, driver, id=name)


@pytest.fixture
def out(tmp_path) -> Path:
    """Return the file hooks write what they were told into."""
    return tmp_path / "out"


@pytest.fixture
def script(tmp_path, out):
    """Return a function that writes a program; OUT in its text is the file it may write to."""

    def script(name: str, text: str, *, mode: int = 0o755, first: str = "#!/bin/sh") -> Path:
        path = tmp_path / "hooks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{first}\n{text}\n".replace("OUT", str(out)))
        path.chmod(mode)
        return path

    return script


class Running:
    """Hooks with a log, ended at the end of the test."""

    def __init__(self, **settings: object) -> None:
        self.log = Log()
        self.hooks = Hooks(HooksSection.model_validate(settings), "pptp0", self.log.logger)

    async def idle(self) -> None:
        await until(self.hooks._idle.is_set)

    async def live(self, one: SessionRecord | None = None) -> None:
        """Let a session live from its log-in to its end."""
        one = one or session()
        self.hooks.logged_in(one, 100.0)
        self.hooks.went_up(one, Counters(octets_in=1, octets_out=2), 101.0)
        self.hooks.went_down(one, Counters(octets_in=18, octets_out=7), 163.5)
        self.hooks.ended(one, EndReason.IDLE, Counters(), 164.0)
        await self.idle()


@pytest.fixture
async def start(tmp_path, monkeypatch):
    made = []

    def start(**settings) -> Running:
        made.append(Running(**{"directory": str(tmp_path / "hooks"), **settings}))
        return made[-1]

    yield start
    for each in made:
        await each.hooks.close()


class ArgumentTests:
    """pppd(8), SCRIPTS: arguments and environment."""

    async def test_arguments_are_pppds(self, start, script, out):
        for event in HookEvent:
            script(event, 'echo "${0##*/}" "$@" >>OUT')
        await start().live()
        assert out.read_text().splitlines() == [
            "auth-up pptp0 anna root none 0",
            "ip-up pptp0 none 0 10.9.0.1 10.9.0.2 203.0.113.9",
            "ip-down pptp0 none 0 10.9.0.1 10.9.0.2 203.0.113.9",
            "auth-down pptp0 anna root none 0",
        ]

    async def test_the_environment_holds_pppds_names_and_nothing_of_ours(self, start, script, out, monkeypatch):
        monkeypatch.setenv("OPENPPTP_PASSWORD", "correct horse")
        monkeypatch.setenv("LD_PRELOAD_OF_TEST", "x")
        script("ip-down", "env >OUT")
        await start().live()
        told = dict(line.split("=", 1) for line in out.read_text().splitlines())
        for shells in ("PWD", "SHLVL", "_", "OLDPWD"):
            told.pop(shells, None)
        assert told == {
            "PATH": hook_programs.PATH,
            "DEVICE": "none",
            "IFNAME": "pptp0",
            "SPEED": "0",
            "PEERNAME": "anna",
            "IPLOCAL": "10.9.0.1",
            "IPREMOTE": "10.9.0.2",
            "REMOTENUMBER": "203.0.113.9",
            "LINKNAME": "s1",
            "ORIG_UID": str(os.getuid()),
            **({"PPPLOGNAME": "root"} if os.getuid() == 0 else {}),
            "DNS1": "9.9.9.9",
            "DNS2": "1.1.1.1",
            "CONNECT_TIME": "62",
            "BYTES_SENT": "5",
            "BYTES_RCVD": "17",
        }
        assert told.keys() - {"PATH"} <= hook_programs.ENVIRONMENT

    async def test_a_name_made_for_a_shell_meets_none(self, start, script, out, tmp_path):
        script("auth-up", 'printf "%s" "$2" >OUT; printf "|%s" "$PEERNAME" >>OUT')
        name = f"$(touch {tmp_path}/taken); `id` '\" ; rm -rf\n--"
        await start().live(session(user=name))
        assert out.read_text() == f"{name}|{name}"
        assert not (tmp_path / "taken").exists()

    async def test_a_name_an_argument_cannot_hold_is_told_without_what_it_cannot(self, start, script, out):
        script("auth-up", 'printf "%s" "$2" >OUT')
        await start().live(session(user="an\0na\udcff"))
        assert out.read_text() == "anna\\udcff"

    async def test_a_hook_has_no_terminal_and_no_descriptor_of_ours(self, start, script, out):
        script("auth-up", "ls /proc/self/fd >OUT; read line && echo input >>OUT")
        await start().live()
        assert len(out.read_text().split()) <= 4  # 0 to 2, and the directory that ls reads


class WhichTests:
    """The directory, its .d directories, and commands named one by one."""

    def parts(self, script, out, names, *, mode=0o755):
        for name in names:
            script(
                f"ip-up.d/{name}",
                'echo "${0##*/} $PPP_IFACE $PPP_TTY $PPP_SPEED $PPP_LOCAL $PPP_REMOTE $PPP_IPPARAM $#" >>OUT',
                mode=mode,
            )

    async def test_the_parts_of_ip_up_d_run_in_order_with_what_debians_script_gives_them(self, start, script, out):
        self.parts(script, out, ["20second", "10first"])
        await start().live()
        assert out.read_text().splitlines() == [
            f"{name} pptp0 none 0 10.9.0.1 10.9.0.2 203.0.113.9 6" for name in ("10first", "20second")
        ]

    async def test_only_names_that_run_parts_takes_and_what_is_executable(self, start, script, out):
        self.parts(script, out, ["a.sh", "b~", "c.dpkg-old", "d", "E_2-x", ".hidden"])
        self.parts(script, out, ["not-executable"], mode=0o644)
        running = start()
        await running.live()
        assert [line.split()[0] for line in out.read_text().splitlines()] == ["E_2-x", "d"]
        assert running.log.lines == []

    async def test_where_there_is_a_script_it_is_the_one_to_run_the_parts(self, start, script, out):
        self.parts(script, out, ["10part"])
        script("ip-up", "echo whole >>OUT")
        await start().live()
        assert out.read_text() == "whole\n"

    @pytest.mark.skipif(not DEBIANS.exists(), reason="this machine has no /etc/ppp/ip-up of Debian's")
    async def test_debians_own_script_runs_the_parts_as_under_pppd(self, start, script, out, tmp_path):
        self.parts(script, out, ["10part", "x.dpkg-old"])
        script("ip-up", debians_script(tmp_path / "hooks"), first="#!/bin/sh")
        await start().live()
        assert out.read_text() == "10part pptp0 none 0 10.9.0.1 10.9.0.2 203.0.113.9 6\n"

    async def test_a_command_named_stands_in_place_of_the_directorys(self, start, script, out):
        script("ip-up", "echo directory >>OUT")
        named = script("mine", "echo named >>OUT")
        await start(ip_up=str(named)).live()
        assert out.read_text() == "named\n"

    async def test_an_empty_directory_runs_nothing_and_says_nothing(self, start, tmp_path):
        (tmp_path / "hooks").mkdir()
        running = start()
        await running.live()
        assert running.log.lines == []

    def test_without_settings_nothing_is_wanted(self):
        settings = Settings.model_validate({"network": {"pool": ["10.9.0.0/24"]}})
        assert not settings.hooks.wanted
        assert settings.warnings() == []

    def test_what_would_not_run_is_said_before_the_start(self, tmp_path, script):
        weak = script("weak", "true", mode=0o757)
        settings = Settings.model_validate(
            {
                "network": {"pool": ["10.9.0.0/24"]},
                "hooks": {"directory": str(tmp_path / "none"), "ip_up": str(weak), "auth_down": "/nowhere/x"},
            }
        )
        directory, up, down = settings.warnings()
        assert "there is no directory" in directory
        assert "hooks.ip_up" in up
        assert "everybody on this machine may change it" in up
        assert down.startswith("hooks.auth_down: /nowhere/x is not run as it is now: there is no such file")

    @pytest.mark.parametrize("path", ["hooks", "./x", "", "a\0b"])
    def test_a_path_that_means_something_else_elsewhere_is_a_mistake(self, path):
        with pytest.raises(ValueError, match="is not a whole path"):
            HooksSection.model_validate({"ip_up": path})


class BadHookTests:
    """A hook that hangs, fails, is missing or not to be trusted is said in words; the next one runs."""

    async def said(self, running) -> list[dict[str, object]]:
        await running.live()
        return [line for line in running.log.lines if line["log_level"] == "warning"]

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ({"mode": 0o644}, "it is not executable; sudo chmod +x"),
            ({"mode": 0o757}, "everybody on this machine may change it"),
            ({"first": "#!/no/such/interpreter"}, "the interpreter its first line names is not there"),
            ({"first": "no first line"}, "a script needs a first line such as #!/bin/sh"),
        ],
    )
    async def test_one_that_cannot_be_run_is_not_run_and_said(self, start, script, out, how, why):
        script("ip-up", "echo ran >OUT", **how)
        (line,) = await self.said(start())
        assert line["event"] == "a hook is not run"
        assert why in line["why"]
        assert line["hook"].endswith("hooks/ip-up")
        assert not out.exists()

    async def test_one_in_a_directory_everybody_may_write_to_is_not_run(self, start, script, out):
        script("ip-up", "echo ran >OUT").parent.chmod(0o777)
        (line,) = await self.said(start())
        assert "everybody on this machine may replace it" in line["why"]
        assert not out.exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    async def test_one_of_another_user_is_not_run(self, start, script, out):
        os.chown(script("ip-up", "echo ran >OUT"), 65534, 65534)
        (line,) = await self.said(start())
        assert "it belongs to another user (uid 65534)" in line["why"]
        assert not out.exists()

    async def test_a_named_one_that_is_missing_is_said(self, start, tmp_path):
        (line,) = await self.said(start(ip_up=str(tmp_path / "gone")))
        assert "there is no such file" in line["why"]

    async def test_a_directory_is_no_hook(self, start, tmp_path):
        (tmp_path / "hooks" / "ip-up").mkdir(parents=True)
        (line,) = await self.said(start())
        assert line["why"] == "it is not a file"

    async def test_one_that_fails_is_said_with_what_it_wrote(self, start, script, out):
        script("ip-up", "echo to stdout; echo to stderr >&2; exit 3")
        script("ip-down", "echo down >OUT")
        (line,) = await self.said(start())
        assert (line["event"], line["why"], line["output"]) == ("a hook failed", "exit code 3", "to stdout\nto stderr")
        assert (line["user"], line["session"]) == ("anna", "s1")
        assert out.read_text() == "down\n"

    async def test_one_that_dies_by_a_signal_is_said_by_its_name(self, start, script):
        script("ip-up", "kill -SEGV $$")
        (line,) = await self.said(start())
        assert line["why"] == "killed by SIGSEGV"

    async def test_a_hanging_one_is_ended_and_the_sessions_next_runs(self, start, script, out):
        script("ip-up", "sleep 1000 & echo $! >OUT; wait")
        script("ip-down", "echo down >>OUT")
        (line,) = await self.said(start(timeout=0.2))
        assert (line["event"], line["why"]) == ("a hook was ended", "it ran longer than hooks.timeout, 0.2 seconds")
        child, down = out.read_text().split()
        assert down == "down"
        await until(lambda: gone(int(child)))

    async def test_one_that_ignores_sigterm_is_killed(self, start, script, out, monkeypatch):
        monkeypatch.setattr(hook_programs, "KILL_AFTER", 0.2)
        script("ip-up", "trap '' TERM; echo $$ >OUT; while :; do sleep 0.05; done")
        (line,) = await self.said(start(timeout=0.3))
        assert line["event"] == "a hook was ended"
        assert gone(int(out.read_text()))

    async def test_what_it_writes_is_bounded_in_the_log(self, start, script):
        script("ip-up", "head -c 100000 /dev/zero | tr '\\0' x; exit 1")
        (line,) = await self.said(start())
        assert line["output"] == "x" * hook_programs.OUTPUT_MOST

    async def test_one_that_writes_without_end_is_ended(self, start, script):
        script("ip-up", "exec yes")
        (line,) = await self.said(start())
        assert line["why"].startswith("it wrote more than 1048576 octets")

    async def test_what_it_leaves_in_the_background_is_not_waited_for(self, start, script, out):
        script("ip-up", "sleep 1000 & echo $! >OUT")
        running = start()
        await running.live()
        child = int(out.read_text())
        assert not gone(child)
        os.kill(child, 9)
        assert running.log.lines == []

    async def test_what_a_good_one_writes_is_an_ordinary_line(self, start, script):
        script("ip-up", "echo route added")
        running = start()
        await running.live()
        (line,) = running.log.lines
        assert (line["log_level"], line["event"], line["output"]) == ("info", "a hook said", "route added")

    async def test_b140_one_that_cannot_be_watched_for_want_of_descriptors_does_not_run_on(
        self, start, script, out, monkeypatch
    ):
        def refuse(_pid: int) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(os, "pidfd_open", refuse)
        script("ip-up", "echo $$ >OUT; exec sleep 1000")
        (line,) = await self.said(start())
        assert line["why"] == "it cannot be watched: Too many open files"
        assert not out.exists() or gone(int(out.read_text() or 0))

    async def test_b140_one_that_cannot_be_started_for_want_of_descriptors_is_said(self, start, script, monkeypatch):
        def refuse(*_arguments, **_how):
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(hook_programs.subprocess, "Popen", refuse)
        script("ip-up", "true")
        (line,) = await self.said(start())
        assert (line["event"], line["why"]) == ("a hook is not run", "Too many open files")

    def test_octets_that_are_no_text_do_no_harm(self, script):
        script("ip-up", r"printf '\377\000x'")
        programs = HookPrograms(script("ip-up", r"printf '\377\000x'").parent)
        (finding,) = programs.run(HookJob(HookEvent.IP_UP, (), {}))
        assert finding.facts["output"] == "\ufffd\0x"


class OrderTests:
    """Down comes after up; sessions run side by side, so many at once."""

    async def test_down_waits_for_an_up_that_is_slow(self, start, script, out):
        gate = out.with_name("gate")
        script("ip-up", f"while [ ! -e {gate} ]; do sleep 0.01; done; echo up >>OUT")
        script("ip-down", "echo down >>OUT")
        running = start()
        living = asyncio.create_task(running.live())
        await until(lambda: running.hooks._chains)
        gate.touch()
        await living
        assert out.read_text().split() == ["up", "down"]

    async def test_b148_a_hanging_one_holds_up_its_own_session_only(self, start, script, out, monkeypatch):
        monkeypatch.setattr(hooks, "EXIT_TIMEOUT", 0.1)
        script("ip-up", 'if [ "$PEERNAME" = slow ]; then sleep 1000; fi; echo "$PEERNAME" >>OUT')
        running = start(at_once=2, timeout=600)
        running.hooks.went_up(session("s1", user="slow"), Counters(), 1.0)
        running.hooks.went_up(session("s2", user="bob"), Counters(), 1.0)
        await until(lambda: out.exists() and out.read_text() == "bob\n")
        assert "s1" in running.hooks._chains

    async def test_no_more_run_at_once_than_allowed(self, start, script, out):
        script("ip-up", "mkdir OUT 2>/dev/null || exit 9; sleep 0.02; rmdir OUT")
        running = start(at_once=1)
        for number in range(10):
            running.hooks.went_up(session(f"s{number}"), Counters(), 1.0)
        await running.idle()
        assert running.log.lines == []

    async def test_none_begins_in_the_turn_that_tells_of_a_mass_of_sessions(self, start, script, out):
        script("ip-up", "echo up >>OUT")
        running = start(at_once=2)
        for number in range(20):
            running.hooks.went_up(session(f"s{number}"), Counters(), 1.0)
        assert running.hooks._running == 0
        await asyncio.sleep(0)
        assert running.hooks._running == 2
        await running.idle()
        assert out.read_text().split() == ["up"] * 20

    async def test_the_number_that_waits_is_bounded_and_down_comes_only_after_up(self, start, script, out, monkeypatch):
        monkeypatch.setattr(hooks, "WAITING_MOST", 3)
        gate = out.with_name("gate")
        script("ip-up", f"while [ ! -e {gate} ]; do sleep 0.01; done; echo up >>OUT")
        script("ip-down", "echo down >>OUT")
        running = start(at_once=1)
        many = [session(f"s{number}") for number in range(8)]
        for one in many:
            running.hooks.went_up(one, Counters(), 1.0)
        for one in many:
            running.hooks.went_down(one, Counters(), 1.0)
        gate.touch()
        await running.idle()
        assert sorted(out.read_text().split()) == ["down"] * 3 + ["up"] * 3
        assert len(running.log.about("hooks are left out")) == 5

    async def test_a_session_that_is_over_leaves_nothing_behind(self, start, script):
        script("ip-up", "true")
        running = start()
        await running.live()
        held = running.hooks
        assert [held._chains, held._told, held._before, held._up_since, held._waiting] == [{}, {}, {}, {}, 0]


class EndTests:
    """The server's exit waits for hooks, but not longer than its limit."""

    async def test_what_was_asked_for_still_runs(self, start, script, out):
        script("ip-down", "sleep 0.05; echo down >>OUT")
        running = start()
        for name in ("s1", "s2"):
            running.hooks.went_up(session(name), Counters(), 1.0)
            running.hooks.went_down(session(name), Counters(), 2.0)
        await running.hooks.close()
        assert out.read_text() == "down\ndown\n"
        assert running.log.lines == []

    async def test_a_hanging_one_is_ended_and_said_and_what_waited_is_not_run(self, start, script, out, monkeypatch):
        monkeypatch.setattr(hooks, "EXIT_TIMEOUT", 0.3)
        script("ip-up", "echo $$ >>OUT; exec sleep 1000")
        script("ip-down", "echo down >>OUT")
        running = start(at_once=1, timeout=600)
        for name in ("s1", "s2"):
            running.hooks.went_up(session(name), Counters(), 1.0)
            running.hooks.went_down(session(name), Counters(), 2.0)
        await until(out.exists)
        await running.hooks.close()
        (pid,) = out.read_text().split()
        assert gone(int(pid))
        assert running.log.about("hooks are cut short: the server stops")
        (line,) = running.log.about("a hook was ended")
        assert line["why"] == "the server stops"
        running.hooks.went_up(session("s3"), Counters(), 1.0)
        running.hooks.went_down(session("s1"), Counters(), 2.0)
        assert not running.hooks._chains

    async def test_the_rest_of_a_directory_is_not_begun(self, start, script, out, monkeypatch):
        monkeypatch.setattr(hooks, "EXIT_TIMEOUT", 0.2)
        script("ip-up.d/10hangs", "echo hangs >>OUT; exec sleep 1000")
        script("ip-up.d/20next", "echo next >>OUT")
        running = start(timeout=600)
        running.hooks.went_up(session(), Counters(), 1.0)
        await until(out.exists)
        await running.hooks.close()
        assert out.read_text() == "hangs\n"


class ServerTests:
    """A whole server on loopback."""

    async def test_a_session_runs_its_hooks_in_order(self, tmp_path, script, out):
        for event in HookEvent:
            script(event, 'echo "${0##*/} $PEERNAME $IPREMOTE $BYTES_RCVD" >>OUT')
        async with house(tmp_path) as home:
            running = Hooks(HooksSection(directory=tmp_path / "hooks"), "pptp0", home.log.logger)
            home.server._watchers = [running]
            caller = await home.log_in()
            await until(lambda: home.log.about("session up"))
            address = caller.up.our_address
            (call_id,) = home.data_path.open_calls
            home.data_path.open_calls[call_id].octets_in = 17
            caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            await running.close()
        assert out.read_text().splitlines() == [
            f"auth-up alice {address} ",
            f"ip-up alice {address} ",
            f"ip-down alice {address} 17",
            f"auth-down alice {address} ",
        ]


def debians_script(directory: Path) -> str:
    return DEBIANS.read_text().replace("/etc/ppp", str(directory))


def gone(pid: int) -> bool:
    """Tell whether a process has ended, whoever is to look after it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class RunnerTests:
    """Where programs are not for the server to run, it tells whom they are for (daemon/monitor/link.py)."""

    class Elsewhere:
        """Plays the monitor's link."""

        def __init__(self) -> None:
            self.ran: list[HookJob] = []
            self.go = threading.Event()
            self.ended = False

        def run(self, job: HookJob) -> list[hook_programs.Finding]:
            self.ran.append(job)
            self.go.wait(20)
            return [hook_programs.Finding("a hook said", wrong=False, facts={"hook": "x", "output": str(job.event)})]

        def end_hooks(self) -> None:
            self.ended = True
            self.go.set()

    async def test_it_gets_each_event_in_order_and_its_findings_are_logged(self, script, out):
        script("ip-up", "touch OUT")
        elsewhere, running = self.Elsewhere(), Running()
        elsewhere.go.set()
        running.hooks = Hooks(HooksSection(directory=out.parent / "hooks"), "pptp0", running.log.logger, elsewhere)
        await running.live()
        assert [job.event for job in elsewhere.ran] == ["auth-up", "ip-up", "ip-down", "auth-down"]
        assert len(running.log.about("a hook said")) == 4
        assert not out.exists()
        await running.hooks.close()

    async def test_it_is_told_to_end_what_hangs(self, monkeypatch, tmp_path):
        monkeypatch.setattr(hooks, "EXIT_TIMEOUT", 0.01)
        elsewhere, log = self.Elsewhere(), Log()
        hanging = Hooks(HooksSection(directory=tmp_path), "pptp0", log.logger, elsewhere)
        hanging.logged_in(session(), 100.0)
        await until(lambda: elsewhere.ran)
        await hanging.close()
        assert elsewhere.ended
        assert len(elsewhere.ran) == 1

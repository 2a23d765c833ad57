"""The unit: what systemd is told, and what it leaves to hooks."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.machine import need_programs

from openpptp.daemon.config import Settings
from openpptp.daemon.service.source import Source
from openpptp.daemon.service.unit import command_line, commands, is_ours, unit
from openpptp.errors import SetupError

PROGRAM = ("/opt/openpptp/.venv/bin/openpptp",)


def settings(**sections) -> Settings:
    return Settings.model_validate({"network": {"pool": ["10.9.0.0/24"]}, **sections})


def made(source: Source | None = None, program: tuple[str, ...] = PROGRAM, systemd: int = 252, **sections) -> str:
    return unit(source or Source(), settings(**sections), program, systemd=systemd)


def lines(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


class CommandTests:
    """ExecStart, ExecReload."""

    def test_our_settings(self):
        assert commands(made()) == {
            "ExecStart": "/opt/openpptp/.venv/bin/openpptp serve --config /etc/openpptp/openpptp.toml",
            "ExecReload": "/opt/openpptp/.venv/bin/openpptp reload --config /etc/openpptp/openpptp.toml",
        }

    def test_pptpds_settings_are_read_again_by_a_signal(self):
        assert commands(made(Source(Path("/etc/pptpd.conf"), pptpd=True))) == {
            "ExecStart": "/opt/openpptp/.venv/bin/openpptp serve --pptpd-conf /etc/pptpd.conf",
            "ExecReload": """/bin/sh -c 'kill -HUP "$$MAINPID"'""",
        }

    def test_words_reach_the_program_as_they_are(self):
        assert command_line("/a $b", "100%", "$HOME", 'say "no"', "back\\slash", "x;y") == (
            '"/a $b" 100%% $$HOME "say \\"no\\"" "back\\\\slash" "x;y"'
        )

    def test_a_path_with_a_line_break_is_refused(self):
        with pytest.raises(SetupError, match="cannot name") as failure:
            made(Source(Path("/etc/open\npptp.toml")))
        assert failure.value.exit_code == 2


class HardeningTests:
    """No more than the server needs, no less than its hooks do."""

    def test_capabilities(self):
        (bounds,) = lines(made(), "CapabilityBoundingSet")
        assert set(bounds.split()) == {
            *("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_CHOWN"),
            *("CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL"),
        }

    def test_a_low_port_takes_one_more(self):
        assert "CAP_NET_BIND_SERVICE" in lines(made(server={"port": 443}), "CapabilityBoundingSet")[0]

    def test_the_switch_for_forwarding_stays_writable(self):
        assert not lines(made(), "ProtectKernelTunables")

    def test_a_killed_servers_journal_outlives_it(self):
        assert lines(made(), "RuntimeDirectoryPreserve") == ["yes"]

    def test_hooks_may_write_and_see_tmp(self):
        plain, hooked = made(), made(hooks={"directory": "/etc/ppp"})
        for text, found in ((plain, ["strict", "yes", "yes"]), (hooked, ["yes", "read-only"])):
            keys = ("ProtectSystem", "ProtectHome", "PrivateTmp")
            assert [value for key in keys for value in lines(text, key)] == found

    @pytest.mark.parametrize("place", ["/home/anna/openpptp/.venv/bin/openpptp", "/root/openpptp/bin/openpptp"])
    def test_a_program_below_a_home_can_be_run(self, place):
        assert lines(made(program=(place,)), "ProtectHome") == ["read-only"]

    def test_other_places_to_write_to_are_opened(self):
        text = made(server={"runtime_directory": "/run/vpn/a"}, accounting={"file": "/srv/my vpn/a.sqlite"})
        assert lines(text, "RuntimeDirectory") == ["vpn/a"]
        assert lines(text, "ReadWritePaths") == ['"-/srv/my vpn"']
        assert lines(made(server={"runtime_directory": "/srv/run"}), "ReadWritePaths") == ["-/srv/run"]
        assert lines(made(users={"store": "/srv/users/u.sqlite"}), "ReadWritePaths") == ["-/srv/users"]
        assert not lines(made(), "ReadWritePaths")

    def test_steps_of_the_restart_only_where_systemd_knows_them(self):
        assert not lines(made(systemd=252), "RestartSteps")
        assert lines(made(systemd=254), "RestartSteps")

    def test_it_is_known_as_ours(self):
        assert is_ours(made())
        assert not is_ours("[Unit]\n")


class SystemdAnalyzeTests:
    """What systemd itself thinks of it."""

    @pytest.fixture
    def analyze(self, tmp_path):
        """Return a function that hands a unit to systemd-analyze and returns what it said."""
        need_programs("systemd-analyze")

        def analyze(verb: str, text: str, *options: str) -> str:
            file = tmp_path / "openpptp.service"
            file.write_text(text)
            done = subprocess.run(
                ["systemd-analyze", verb, *options, str(file)], capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, done.stderr
            return done.stdout + done.stderr

        return analyze

    @pytest.mark.parametrize(
        "sections",
        [{}, {"hooks": {"directory": "/etc/ppp"}}, {"server": {"runtime_directory": "/srv/a b"}}],
        ids=["plain", "hooks", "other places"],
    )
    def test_verify_finds_nothing(self, analyze, tmp_path, sections):
        program = tmp_path / "100% my$openpptp"
        shutil.copy("/bin/true", program)
        said = analyze("verify", made(program=(str(program),), **sections), "--man=no")
        assert [line for line in said.splitlines() if "openpptp.service" in line] == []

    def test_security_finds_little(self, analyze):
        analyze("security", made(program=("/bin/true",)), "--offline=true", "--threshold=40")

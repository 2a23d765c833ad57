"""The peers file and the line of the secrets file, read by pppd's own rules and by pppd itself."""

import os
import shlex
import shutil
import subprocess
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from tests.daemon.export.accesses import HOSTILE, access, printable

from openpptp.backends.secrets_file import parse
from openpptp.backends.secrets_words import split_lines
from openpptp.credentials import AuthMethod
from openpptp.daemon.export.pptp_linux import recipe

pppd = pytest.mark.skipif(
    shutil.which("pppd") is None or os.geteuid() != 0, reason="needs pppd and root to ask pppd about its options"
)


def options(text: str) -> list[list[str]]:
    """Return the words of each line that has any."""
    lines = list(split_lines(text.encode()))
    assert all(line.defect is None for line in lines)
    return [[bytes(word.octets).decode() for word in line.words] for line in lines if line.words]


def ask_pppd(arguments: list[str]) -> int:
    """Let pppd read its options and stop; 2 means that it does not know one, 4 only that this kernel has no PPP."""
    command = [*arguments, "nodetach", "dryrun"]
    return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode


class PeersFileTests:
    """/etc/ppp/peers/NAME."""

    def test_only_ms_chap_v2_with_128_bits_is_left(self):
        lines = options(recipe(access()).file)
        assert lines[0] == ["pty", "pptp 203.0.113.1 --nolaunchpppd"]
        refused = {"refuse-pap", "refuse-chap", "refuse-mschap", "refuse-eap"}
        assert refused | {"require-mppe-128"} <= {line[0] for line in lines}
        assert ["refuse-mschap-v2"] not in lines

    def test_a_server_without_encryption(self):
        made = recipe(access(methods=(AuthMethod.PAP,), encryption="off"))
        assert ["nomppe"] in options(made.file)
        assert "/etc/ppp/pap-secrets" in made.paste[0]

    def test_routes_are_told_and_the_default_route_is_set(self):
        split = recipe(access(routes=(IPv4Network("10.0.0.0/8"),))).file
        assert "#   sudo ip route add 10.0.0.0/8 dev $(sed -n 2p /run/ppp-openpptp.pid)" in split.splitlines()
        assert ["defaultroute"] in options(recipe(access(default_route=True)).file)

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_names_and_passwords_come_back(self, text):
        made = recipe(access(text, password=text))
        assert ["user", text] in options(made.file)
        assert ["password", text] in options(made.file)
        assert "secrets" not in made.file

    @given(printable)
    def test_any_name_comes_back(self, text):
        assert ["user", text] in options(recipe(access(text)).file)

    @pppd
    @pytest.mark.parametrize("text", HOSTILE)
    def test_pppd_reads_the_whole_file(self, tmp_path, text):
        file = tmp_path / "peer"
        file.write_text(recipe(access(text, password=text, default_route=True)).file)
        assert ask_pppd(["pppd", "file", str(file)]) in {0, 4}

    @pppd
    def test_pppd_would_have_said_so(self, tmp_path):
        file = tmp_path / "peer"
        file.write_text(recipe(access()).file + "require-mppe-129\n")
        assert ask_pppd(["pppd", "file", str(file)]) == 2


class PasteTests:
    """The same without a file."""

    @pytest.mark.parametrize("text", HOSTILE)
    def test_the_secrets_line_names_the_user_and_the_place_for_the_password(self, tmp_path, text):
        printed = shlex.split(recipe(access(text)).paste[0])
        (entry,) = parse(f"{printed[2]}\n".encode(), tmp_path).entries
        assert (entry.client, entry.server, entry.secret) == (text, "openpptp", "PASSWORD")

    @pppd
    @pytest.mark.parametrize("text", HOSTILE)
    def test_pppd_knows_every_option(self, text):
        words = shlex.split(recipe(access(text)).paste[1])
        assert words[:2] == ["sudo", "pppd"]
        assert words[words.index("user") + 1] == text
        assert ask_pppd(words[1:]) in {0, 4}

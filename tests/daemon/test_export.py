"""Ready-made set-ups for clients."""

import os
import shlex
import shutil
import subprocess

import pytest

from openpptp.daemon.export import Client, all_ways, how_to_connect

pppd = pytest.mark.skipif(
    shutil.which("pppd") is None or os.geteuid() != 0, reason="needs pppd and root to ask pppd about its options"
)


def pppd_arguments(user: str) -> list[str]:
    line = how_to_connect("192.0.2.7", user, for_=Client.PPTP_LINUX).splitlines()[1]
    return shlex.split(line.removeprefix("sudo "))


def ask_pppd(arguments: list[str]) -> int:
    """Let pppd read its options and stop; 2 means that it does not know one, 4 only that this kernel has no PPP."""
    return subprocess.run([*arguments, "dryrun"], check=False, capture_output=True, timeout=20).returncode


class PptpLinuxTests:
    """Lines for pptp-linux and pppd."""

    @pppd
    @pytest.mark.parametrize("user", ["alice", "it's a user", "DOMAIN\\alice"])
    def test_pppd_knows_every_option(self, user):
        assert ask_pppd(pppd_arguments(user)) in {0, 4}

    @pppd
    def test_pppd_would_have_said_so(self):
        assert ask_pppd([*pppd_arguments("alice"), "require-mppe-129"]) == 2

    def test_only_ms_chap_v2_with_128_bits_is_left(self):
        arguments = pppd_arguments("alice")
        assert {"require-mppe-128", "refuse-pap", "refuse-chap", "refuse-mschap", "refuse-eap"} <= set(arguments)
        assert arguments[arguments.index("pty") + 1] == "pptp 192.0.2.7 --nolaunchpppd"

    def test_a_user_that_needs_quotes_is_one_word_everywhere(self):
        echo, call = how_to_connect("h", 'a "b\\c', for_=Client.PPTP_LINUX).splitlines()
        assert shlex.split(echo)[1] == '"a \\"b\\\\c" * "PASSWORD" *'
        assert 'a "b\\c' in shlex.split(call)


class NetworkManagerTests:
    """Lines for nmcli."""

    def test_the_connection_requires_what_the_server_requires(self):
        words = shlex.split(how_to_connect("192.0.2.7", "alice", for_=Client.NETWORK_MANAGER).splitlines()[0])
        data = dict(pair.split("=") for pair in words[words.index("vpn.data") + 1].split(", "))
        assert data["gateway"] == "192.0.2.7"
        assert data["require-mppe-128"] == data["refuse-pap"] == data["refuse-mschap"] == "yes"
        assert words[words.index("vpn-type") + 1] == "pptp"

    def test_a_comma_in_the_name_does_not_end_it(self):
        assert "user=a\\,b, password-flags" in how_to_connect("h", "a,b", for_=Client.NETWORK_MANAGER)


class OtherTests:
    """Windows, MikroTik, ourselves."""

    def test_windows_asks_for_the_password(self):
        text = how_to_connect("192.0.2.7", "it's", for_=Client.WINDOWS)
        assert "-TunnelType Pptp -EncryptionLevel Required -AuthenticationMethod MSChapv2" in text
        assert text.endswith("rasdial openpptp 'it''s' *")

    def test_mikrotik_quotes_what_its_shell_would_read(self):
        text = how_to_connect("192.0.2.7", 'a"$b', for_=Client.MIKROTIK)
        assert 'user="a\\"\\$b"' in text
        assert "allow=mschap2" in text

    def test_all_ways_names_every_client(self):
        text = all_ways("192.0.2.7", "alice")
        for client in Client:
            assert how_to_connect("192.0.2.7", "alice", for_=client).splitlines()[0] in text

"""The keyfile and the nmcli line."""

import configparser
import re
import shlex
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from tests.daemon.export.accesses import HOSTILE, access, printable

from openpptp.credentials import AuthMethod
from openpptp.daemon.export.access import Access
from openpptp.daemon.export.network_manager import recipe

MEANINGS = {"s": " ", "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


def keyfile(text: str) -> dict[str, dict[str, str]]:
    """Read a key file as GLib does: no interpolation, = alone separates, five escapes."""
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=True)
    parser.optionxform = str
    parser.read_string(text)
    return {
        name: {key: re.sub(r"\\(.)", lambda found: MEANINGS[found[1]], value) for key, value in parser[name].items()}
        for name in parser.sections()
    }


def nmcli_data(way: Access) -> dict[str, str]:
    """Split vpn.data as nmcli does: at commas that no backslash escapes."""
    words = shlex.split(recipe(way).paste[0])
    parts = re.split(r"(?<!\\)((?:\\\\)*), ", words[words.index("vpn.data") + 1])
    whole = [parts[n] + (parts[n + 1] if n + 1 < len(parts) else "") for n in range(0, len(parts), 2)]
    pairs = (part.partition("=") for part in whole)
    return {key: re.sub(r"\\(.)", r"\1", value) for key, _, value in pairs}


class KeyfileTests:
    """/etc/NetworkManager/system-connections."""

    def test_it_requires_what_the_server_requires(self):
        sections = keyfile(recipe(access()).file)
        assert sections["connection"]["type"] == "vpn"
        assert sections["vpn"] == {
            "service-type": "org.freedesktop.NetworkManager.pptp",
            "gateway": "203.0.113.1",
            "user": "anna",
            "password-flags": "2",
            "require-mppe-128": "yes",
            "refuse-eap": "yes",
            "refuse-pap": "yes",
            "refuse-chap": "yes",
            "refuse-mschap": "yes",
        }
        assert "vpn-secrets" not in sections

    def test_split_tunnel(self):
        routes = (IPv4Network("10.0.0.0/8"), IPv4Network("192.0.2.0/24"))
        assert keyfile(recipe(access(routes=routes)).file)["ipv4"] == {
            "method": "auto",
            "never-default": "true",
            "route1": "10.0.0.0/8",
            "route2": "192.0.2.0/24",
        }

    def test_the_plugins_word_for_ms_chap_v2_has_one_hyphen(self):
        vpn = keyfile(recipe(access(methods=(AuthMethod.PAP,), encryption="off")).file)["vpn"]
        assert vpn["refuse-mschapv2"] == "yes"
        assert not {"refuse-pap", "require-mppe-128"} & set(vpn)

    def test_one_connection_has_one_uuid(self):
        uuids = {keyfile(recipe(access(user)).file)["connection"]["uuid"] for user in ("anna", "anna", "bob")}
        assert len(uuids) == 2

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_names_and_passwords_come_back(self, text):
        sections = keyfile(recipe(access(text, password=text)).file)
        assert sections["vpn"]["user"] == sections["vpn-secrets"]["password"] == text
        assert sections["vpn"]["password-flags"] == "0"

    @given(printable)
    def test_any_name_comes_back(self, text):
        assert keyfile(recipe(access(text)).file)["vpn"]["user"] == text


class NmcliTests:
    """The same in one line."""

    @pytest.mark.parametrize("text", [text for text in HOSTILE if text == text.strip()])
    def test_hostile_names_come_back(self, text):
        way = access(text)
        data = nmcli_data(way)
        vpn = keyfile(recipe(way).file)["vpn"]
        assert data == {key: value for key, value in vpn.items() if key != "service-type"}

    def test_split_tunnel(self):
        words = shlex.split(recipe(access(routes=(IPv4Network("10.0.0.0/8"),))).paste[0])
        assert words[-4:] == ["ipv4.never-default", "yes", "ipv4.routes", "10.0.0.0/8"]

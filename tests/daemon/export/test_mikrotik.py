"""The RouterOS script."""

import re
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from tests.daemon.export.accesses import HOSTILE, access, printable

from openpptp.credentials import AuthMethod
from openpptp.daemon.export.mikrotik import quote, recipe


def routeros_value(line: str, key: str) -> str:
    """Read key="..." as RouterOS does: a backslash and two hexadecimal digits are one octet."""
    quoted = re.search(rf' {key}="((?:[^"\\]|\\[0-9A-F]{{2}})*)"', line)[1]
    assert quoted.isascii()
    assert not re.search(r"[$?]", quoted)
    octets = re.sub(rb"\\([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), quoted.encode())
    return octets.decode()


class RecipeTests:
    """/ppp profile and /interface pptp-client."""

    def test_it_requires_what_the_server_requires(self):
        profile, interface = recipe(access()).paste
        assert "use-encryption=required" in profile
        assert interface == (
            '/interface pptp-client add name="openpptp" connect-to=203.0.113.1 user="anna" password="PASSWORD" '
            'profile="openpptp" allow=mschap2 add-default-route=no disabled=no'
        )

    def test_routes(self):
        made = recipe(access(routes=(IPv4Network("10.0.0.0/8"),)))
        assert made.paste[-1] == '/ip route add dst-address=10.0.0.0/8 gateway="openpptp"'
        assert '#   /ip route remove [find gateway="openpptp"]' in made.file.splitlines()
        assert "add-default-route=yes" in recipe(access(default_route=True)).paste[1]

    def test_what_it_makes_it_tells_how_to_remove(self):
        made = recipe(access())
        assert [line for line in made.file.splitlines() if not line.startswith("#")] == list(made.paste)
        assert '#   /ppp profile remove [find name="openpptp"]' in made.file.splitlines()

    def test_a_server_without_encryption(self):
        profile, interface = recipe(access(methods=(AuthMethod.CHAP_MD5,), encryption="off")).paste
        assert "use-encryption=no" in profile
        assert "allow=chap " in interface


class QuoteTests:
    """What the console would read is written in hexadecimal."""

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_names_and_passwords_come_back(self, text):
        line = recipe(access(text, password=text)).paste[1]
        assert routeros_value(line, "user") == routeros_value(line, "password") == text

    @given(printable)
    def test_any_text_comes_back(self, text):
        assert routeros_value(f" x={quote(text)}", "x") == text

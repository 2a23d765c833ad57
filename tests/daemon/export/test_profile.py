"""The profile for our own client, and its command line."""

import shlex
import tomllib
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from tests.daemon.export.accesses import HOSTILE, access, printable

from openpptp.cli.connect import connect
from openpptp.credentials import AuthMethod
from openpptp.daemon.export.profile import recipe

WEAK = {"methods": (AuthMethod.MSCHAP_V1,), "key_bits": frozenset({40}), "port": 1724}


class ProfileTests:
    """~/.config/openpptp/NAME.toml."""

    def test_it_holds_what_the_server_demands(self):
        made = recipe(access(routes=(IPv4Network("10.0.0.0/8"),), **WEAK))
        assert tomllib.loads(made.file) == {
            "server": {"hosts": ["203.0.113.1"], "port": 1724},
            "auth": {"user": "anna", "methods": ["MS-CHAPv1"], "encryption": "required", "key_bits": [40]},
            "network": {"routes": ["10.0.0.0/8"], "default_route": False},
        }
        assert made.path == "~/.config/openpptp/openpptp.toml"

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_names_and_passwords_come_back(self, text):
        auth = tomllib.loads(recipe(access(text, password=text)).file)["auth"]
        assert auth["user"] == auth["password"] == text

    @given(printable)
    def test_any_name_comes_back(self, text):
        assert tomllib.loads(recipe(access(text)).file)["auth"]["user"] == text


class CommandTests:
    """The same without a profile."""

    @pytest.mark.parametrize("fields", [{}, WEAK, {"encryption": "off"}, {"default_route": True}])
    def test_our_client_takes_it(self, fields):
        (line,) = recipe(access("it's me", **fields)).paste
        words = shlex.split(line)
        assert words[:3] == ["sudo", "openpptp", "connect"]
        context = connect.make_context("connect", words[3:])
        assert context.params["user"] == "it's me"
        assert (context.params["port"] or 1723) == fields.get("port", 1723)
        assert bool(context.params["default_route"]) == fields.get("default_route", False)

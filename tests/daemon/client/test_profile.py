"""The keys of a profile."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from openpptp.credentials import AuthMethod
from openpptp.daemon.client.profile import interface_of
from openpptp.daemon.client.profile_files import of_options
from openpptp.daemon.connect_request import ConnectRequest, Dns, Reconnect
from openpptp.daemon.wishes import DataPathWishes
from openpptp.errors import SetupError
from openpptp.tunnel.settings import Dialling
from openpptp.wire.control import Bearer, Framing

LEAST = {"server": {"hosts": ["vpn.example"]}, "auth": {"user": "alice"}}


def request(**sections: dict[str, object]) -> ConnectRequest:
    whole = {name: {**LEAST.get(name, {}), **sections.get(name, {})} for name in {**LEAST, **sections}}
    return of_options(whole).profile.request()


class RequestTests:
    """What the client is asked to do."""

    def test_the_defaults_are_those_of_the_request(self):
        assert request() == ConnectRequest(("vpn.example",), "alice", "")

    def test_every_key_has_its_effect(self):
        assert request(
            server={"port": 1724, "timeout": 3, "local_address": "192.0.2.7"},
            call={
                "phone_number": "123",
                "subaddress": "45",
                "bearer": "digital",
                "framing": "sync",
                "minimum_bps": 2400,
                "maximum_bps": 10_000_000,
                "receive_window": 16,
            },
            auth={
                "domain": "EXAMPLE",
                "methods": ["MS-CHAPv1", "PAP"],
                "encryption": "optional",
                "key_bits": [40, 128],
                "stateful": True,
            },
            network={
                "interface": "tun7",
                "routes": ["10.0.0.0/8"],
                "default_route": True,
                "dns": ["server", "9.9.9.9"],
                "search": ["corp.example"],
                "while_down": "block",
                "mark": 1723,
                "data_path": "reference",
                "carrier": "raw",
            },
            ppp={"mru": 1300, "echo_interval": 5, "echo_failures": 2, "control_echo_interval": 30, "ipv6": True},
            reconnect={"when": "always", "longest_wait": 10},
        ) == ConnectRequest(
            hosts=("vpn.example",),
            user=r"EXAMPLE\alice",
            password="",
            port=1724,
            timeout=3.0,
            local=IPv4Address("192.0.2.7"),
            interface="tun7",
            routes=(IPv4Network("10.0.0.0/8"),),
            default_route=True,
            dns=Dns(True, (IPv4Address("9.9.9.9"),), ("corp.example",)),
            mark=1723,
            while_down="block",
            reconnect=Reconnect("always", 10.0),
            methods=(AuthMethod.MSCHAP_V1, AuthMethod.PAP),
            encryption="optional",
            key_bits=frozenset({40, 128}),
            stateful=True,
            mru=1300,
            echo_interval=5.0,
            echo_failures=2,
            control_echo_interval=30.0,
            ipv6=True,
            dialling=Dialling("123", "45", Bearer.DIGITAL, Framing.SYNCHRONOUS, 2400, 10_000_000),
            data_path=DataPathWishes("reference", "raw", receive_window=16),
        )

    def test_domains_to_search_ask_the_servers_own_dns(self):
        assert request(network={"search": ["corp.example"]}).dns == Dns(True, (), ("corp.example",))

    @pytest.mark.parametrize(
        ("profile", "interface"),
        [(None, "pptp-client"), ("office", "pptp-office"), ("a.very.long@name", "pptp-a-very-lon")],
    )
    def test_each_profile_has_an_interface_of_its_own(self, profile, interface):
        assert interface_of(profile) == interface


class MistakeTests:
    """What cannot work is named, with its remedy."""

    @pytest.mark.parametrize(
        ("section", "key", "value", "words"),
        [
            ("server", "hosts", [], "must not be empty"),
            ("server", "hosts", ["-x"], 'server.hosts[1]: is no name or IPv4 address of a server (got "-x")'),
            ("server", "hosts", ["a b"], "write it as"),
            ("server", "port", 0, "must be at least 1"),
            ("server", "prot", 1, "did you mean port?"),
            ("auth", "encryption", "none", 'must be "required", "optional" or "off"'),
            ("auth", "methods", ["PAP"], "encryption is required, but PAP makes no keys for it; allow MS-CHAPv2 too"),
            ("auth", "methods", ["PAP", "CHAP-MD5"], "PAP and CHAP-MD5 make no keys"),
            ("auth", "password_command", "secret-tool 'x", "cannot be split into words"),
            ("auth", "password_command", " ", "must be text in quotes"),
            ("network", "routes", ["10.0.0.1/8"], 'did you mean "10.0.0.0/8"?'),
            ("network", "routes", ["ten"], 'write it as "10.0.0.0/24"'),
            ("network", "routes", [10], "must be text in quotes"),
            ("network", "dns", ["nine"], 'is not an IPv4 address (got "nine"); write it in quotes'),
            ("network", "interface", "a b", "use 1 to 15 letters"),
            ("network", "mark", 254, "is no mark"),
            ("network", "mark", "x", "must be a whole number"),
            ("network", "while_down", "drop", 'must be "hold", "block" or "pass"'),
            ("reconnect", "when", "yes", 'must be "never", "after-success" or "always"'),
        ],
    )
    def test_b106_a_wrong_value_is_named_with_its_remedy(self, section, key, value, words):
        with pytest.raises(SetupError) as error:
            request(**{section: {key: value}})
        assert error.value.exit_code == 2
        assert words in str(error.value)

    def test_one_source_of_the_password_is_enough(self):
        with pytest.raises(SetupError, match="password and password_command exclude each other"):
            request(auth={"password": "s3cret", "password_command": "pass vpn"})

    def test_p28_a_password_is_never_in_a_message(self):
        with pytest.raises(SetupError) as error:
            request(auth={"password": ["s3cret"]})
        assert "auth.password: must be text in quotes" in str(error.value)
        assert "s3cret" not in str(error.value)

    def test_what_is_required_is_asked_for(self):
        with pytest.raises(SetupError) as error:
            of_options({})
        assert "[server]" in str(error.value)
        assert "[auth]" in str(error.value)

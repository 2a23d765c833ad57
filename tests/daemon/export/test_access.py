"""What a client and this server have in common."""

import pytest
from tests.daemon.export.accesses import access

from openpptp.credentials import AuthMethod
from openpptp.daemon.config import Settings
from openpptp.daemon.export import mikrotik, network_manager, profile, windows
from openpptp.daemon.export.access import Terms, access_to
from openpptp.errors import SetupError

V2, V1, MD5, PAP = AuthMethod


def settings(**sections: dict[str, object]) -> Settings:
    return Settings.model_validate({"network": {"pool": ["10.0.0.0/24"]}} | sections)


class TermsTests:
    """The best that both ends have."""

    def test_with_the_default_settings_everybody_gets_ms_chap_v2_and_128_bit(self):
        for client in (windows, network_manager, mikrotik, profile):
            assert access().terms(client.CAN) == Terms(V2, 128)

    def test_the_strongest_of_what_is_allowed_is_taken_in_whatever_order_it_stands(self):
        way = access(methods=(PAP, V1, V2), key_bits=frozenset({40, 128}))
        assert way.terms(profile.CAN) == Terms(V2, 128)

    def test_optional_encryption_is_used_where_keys_are_made(self):
        assert access(encryption="optional").terms(windows.CAN) == Terms(V2, 128)
        assert access(encryption="optional", methods=(PAP,)).terms(windows.CAN) == Terms(PAP, None)
        assert access(encryption="optional", key_bits=frozenset({56})).terms(windows.CAN) == Terms(V2, None)

    def test_a_server_that_never_encrypts(self):
        assert access(encryption="off").terms(mikrotik.CAN) == Terms(V2, None)


class RefusalTests:
    """A server that allows nothing a client can do: said plainly, with the setting to change."""

    @pytest.mark.parametrize(
        ("fields", "client", "words"),
        [
            (
                {"port": 1724},
                windows,
                "Windows reaches TCP port 1723 only, and this server listens on 1724; set server.port = 1723, "
                "or use openpptp connect there",
            ),
            (
                {"methods": (V1,)},
                windows,
                "Windows logs in with MS-CHAPv2, CHAP-MD5, PAP, and this server allows MS-CHAPv1 only (auth.methods); "
                "add MS-CHAPv2 there",
            ),
            (
                {"key_bits": frozenset({56})},
                network_manager,
                "NetworkManager encrypts with 40 or 128 bit, and this server with 56 bit only (auth.key_bits); "
                "add 128 there",
            ),
            (
                {"methods": (PAP, V1)},
                windows,
                "Windows logs in with PAP, which makes no keys, and this server requires encryption; "
                "add MS-CHAPv2 to auth.methods",
            ),
        ],
    )
    def test_in_words(self, fields, client, words):
        with pytest.raises(SetupError) as error:
            access(**fields).terms(client.CAN)
        assert str(error.value) == words

    def test_our_own_client_knows_every_port_and_key_length(self):
        assert access(port=1724, key_bits=frozenset({56})).terms(profile.CAN) == Terms(V2, 56)


class AccessToTests:
    """From the server's settings."""

    def test_they_are_what_the_server_allows(self):
        way = access_to(
            settings(
                auth={"methods": ["MS-CHAPv1", "PAP"], "encryption": "optional", "key_bits": [40]},
                server={"port": 1724},
            ),
            "vpn.example.org",
            "anna",
        )
        assert (way.methods, way.encryption, way.key_bits, way.port) == ((V1, PAP), "optional", frozenset({40}), 1724)

    @pytest.mark.parametrize(
        "address", ["", "a b", "$(id)", "-x", "h;id", "host\n", "2001:db8::1", "ä.example", "a" * 300]
    )
    def test_an_address_a_shell_could_read_otherwise_is_refused(self, address):
        with pytest.raises(SetupError, match="is no name or IPv4 address"):
            access_to(settings(), address, "anna")

    @pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "-x", ".x", "x" * 33, "ä"])
    def test_a_name_that_is_no_files_name_is_refused(self, name):
        with pytest.raises(SetupError, match="not a name for a connection"):
            access_to(settings(), "vpn.example.org", "anna", name=name)

    @pytest.mark.parametrize("user", ["", "a\nb", "a\x00b", "a\x1b[2J"])
    def test_a_user_with_a_control_character_is_refused(self, user):
        with pytest.raises(SetupError, match="control character"):
            access_to(settings(), "vpn.example.org", user)

    def test_the_password_is_not_in_its_repr(self):
        assert "s3cret" not in repr(access(password="s3cret"))

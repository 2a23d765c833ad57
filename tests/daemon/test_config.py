"""The settings file: what it accepts, and what it says of mistakes."""

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from openpptp.credentials import AuthMethod
from openpptp.daemon.config import Settings, load
from openpptp.daemon.values import AddressRange
from openpptp.errors import SetupError
from openpptp.ppp.settings import EncryptionPolicy

POOL = '[network]\npool = ["10.0.0.0/24"]\n'
MANY_MISTAKES = """
colour = 3
[server]
listen = "1.2.3"
port = 99999
name = ""
[network]
pol = ["10.0.0.0/24"]
dns = "9.9.9.9"
[ppp]
mru = "big"
echo_interval = -1
encryption = "off"
[auth]
methods = ["MS-CHAPv2", "mschap-v3"]
key_bits = [64]
[limit]
sessions = 3
[log]
level = "loud"
[users]
file = "nowhere"
"""
MANY_LINES = """\
server.listen: is not an IPv4 address (got "1.2.3"); write it in quotes, as "192.0.2.1"
server.port: must be at most 65535 (got 99999); write for example: port = 1723
server.name: must not be empty (got ""); write for example: name = "openpptp"
network.pool: required, but missing; write for example: pool = ["10.0.0.0/24"]
network.dns: must be a list in [ ] (got "9.9.9.9"); write for example: dns = ["9.9.9.9", "1.1.1.1"]
network.pol: unknown key; did you mean pool?
ppp.mru: must be a whole number (got "big"); write for example: mru = 1400
ppp.echo_interval: must be at least 0 (got -1); write for example: echo_interval = 20.0
ppp.encryption: unknown key; it belongs to section [auth]
auth.methods[2]: must be "MS-CHAPv2", "MS-CHAPv1", "CHAP-MD5" or "PAP" (got "mschap-v3"); \
write for example: methods = ["MS-CHAPv2"]
auth.key_bits[1]: must be 40, 56 or 128 (got 64); write for example: key_bits = [128]
log.level: must be "debug", "info", "warning" or "error" (got "loud"); write for example: level = "info"
colour: stands outside any section; remove it
limit: unknown section; did you mean [limits]?
users.file: there is no such file (got "nowhere"); make it with: sudo openpptp user add NAME --generate"""


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "openpptp.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def complaint(path: Path, **options) -> SetupError:
    with pytest.raises(SetupError) as caught:
        load(path, **options)
    return caught.value


def one_mistake(write, text: str) -> str:
    """Return the only mistake found in text, without the file's name."""
    path = write(text)
    error = complaint(path, need_users=False)
    assert error.exit_code == 2
    found = str(error)
    assert found.startswith(f"{path}:")
    assert "\n" not in found
    return re.sub(r"^:\d+", "", found.removeprefix(str(path))).removeprefix(": ")


def settings(**sections) -> Settings:
    return Settings.model_validate({"network": {"pool": ["10.0.0.0/24"]}} | sections)


class MistakeTests:
    """What load says of a wrong file."""

    def test_every_mistake_is_named_at_once_with_its_remedy(self, write):
        path = write(MANY_MISTAKES)
        error = complaint(path)
        named = [re.sub(r"^:\d+", "", line.removeprefix(str(path))) for line in str(error).splitlines()]
        assert named == [f": {line}" for line in MANY_LINES.splitlines()]
        assert error.exit_code == 2

    def test_a_contradiction_is_found_beside_other_mistakes(self, write):
        found = str(complaint(write(POOL + '[server]\nport = 0\n[auth]\nmethods = ["PAP"]\n'), need_users=False))
        assert "server.port: must be at least 1 (got 0)" in found
        assert "auth.methods: encryption is required, but PAP makes no keys" in found

    def test_a_contradiction_that_involves_a_broken_key_is_not_guessed(self, write):
        found = str(complaint(write(POOL + '[auth]\nmethods = ["PAP"]\nencryption = "yes"\n'), need_users=False))
        assert len(found.splitlines()) == 1
        assert "auth.encryption" in found

    def test_syntax_error_names_line_and_column(self, write):
        assert "openpptp.toml:3:7: is not TOML" in str(complaint(write(POOL + "dns = nine\n")))
        assert "openpptp.toml:1:" in str(complaint(write("[network]]\n")))

    def test_each_mistake_names_its_line_p21(self, write):
        found = str(complaint(write(MANY_MISTAKES)))
        lines = {text.split(": ")[1]: int(text.split(": ")[0].rpartition(":")[2]) for text in found.splitlines()}
        written = MANY_MISTAKES.splitlines()
        assert {key: written[number - 1] for key, number in lines.items()} == {
            "colour": "colour = 3",
            "server.listen": 'listen = "1.2.3"',
            "server.port": "port = 99999",
            "server.name": 'name = ""',
            "network.pool": "[network]",
            "network.pol": 'pol = ["10.0.0.0/24"]',
            "network.dns": 'dns = "9.9.9.9"',
            "ppp.mru": 'mru = "big"',
            "ppp.echo_interval": "echo_interval = -1",
            "ppp.encryption": 'encryption = "off"',
            "auth.methods[2]": 'methods = ["MS-CHAPv2", "mschap-v3"]',
            "auth.key_bits[1]": "key_bits = [64]",
            "limit": "[limit]",
            "log.level": 'level = "loud"',
            "users.file": 'file = "nowhere"',
        }

    @pytest.mark.parametrize("text", ["server.port = 0\n", '"server"."port" = 0\n', '[ "server" ]\n"port"=0\n'])
    def test_a_line_is_found_however_it_is_written(self, write, text):
        line = text.count("\n")
        assert f":{line}: server.port" in str(complaint(write(text + POOL), need_users=False))

    def test_a_file_that_says_nothing_of_a_key_has_no_line_for_it(self, write):
        path = write("")
        assert str(complaint(path, need_users=False)).startswith(f"{path}: network:")

    def test_a_file_that_is_not_utf8_is_refused(self, write):
        path = write("")
        path.write_bytes(b'name = "\xff"')
        assert "octet 9 is not UTF-8" in str(complaint(path))

    def test_missing_file_names_the_command_that_makes_one(self, tmp_path):
        error = complaint(tmp_path / "none.toml")
        assert "openpptp setup" in str(error)
        assert error.exit_code == 2

    def test_a_directory_is_no_settings_file(self, tmp_path):
        assert "cannot be read" in str(complaint(tmp_path))

    def test_an_empty_file_lacks_the_network(self, write):
        expected = 'network: required, but missing; write for example: [network] with pool = ["10.0.0.0/24"]'
        assert one_mistake(write, "").startswith(expected)

    @pytest.mark.parametrize(
        ("wrong", "remedy"),
        [
            ("[network]\npol = []\npool = ['10.0.0.0/24']\n", "did you mean pool?"),
            (POOL + "[lmits]\nsessions = 1\n", "did you mean [limits]?"),
            (POOL + "mtu_clamp = true\n", "did you mean mss_clamp?"),
            (POOL + "xyzzy = true\n", "known are pool, local_address, dns"),
            ("port = 1723\n" + POOL, "it belongs to section [server]"),
        ],
    )
    def test_an_unknown_word_proposes_the_nearest_known(self, write, wrong, remedy):
        assert remedy in one_mistake(write, wrong)

    @pytest.mark.parametrize(
        ("entry", "complaint_"),
        [
            (
                '"10.0.0.9-10.0.0.1"',
                'the range ends before it begins (got "10.0.0.9-10.0.0.1"); write "10.0.0.1-10.0.0.9"',
            ),
            ('"10.0.0.1/24"', "has host bits set"),
            ('"10.0.0"', "is not a range of IPv4 addresses"),
            ("7", "must be text in quotes (got 7)"),
            ('"10.0.0.7-"', "is not a range of IPv4 addresses"),
            ('"127.0.0.0/24"', "addresses no host can have (127.0.0.0/8)"),
        ],
    )
    def test_a_wrong_pool_entry_is_named_by_its_place(self, write, entry, complaint_):
        found = one_mistake(write, f'[network]\npool = ["10.1.0.1", {entry}]\n')
        assert found.startswith("network.pool[2]: ")
        assert complaint_ in found

    @pytest.mark.parametrize("text", ['port = "1723"', "port = true", "port = 1.5", "port = [1]"])
    def test_a_number_is_not_read_from_something_else(self, write, text):
        assert "must be a whole number" in one_mistake(write, f"{POOL}[server]\n{text}\n")

    def test_infinite_seconds_are_refused(self, write):
        assert "must be" in one_mistake(write, f"{POOL}[limits]\ngre_timeout = inf\n")

    def test_an_interface_name_the_kernel_refuses_is_refused_here(self, write):
        assert "1 to 15 letters" in one_mistake(write, f'{POOL}[server]\ninterface = "a/b"\n')


class ContradictionTests:
    """Keys that are right alone and wrong together."""

    @pytest.mark.parametrize("methods", ['["PAP"]', '["CHAP-MD5"]', '["PAP", "CHAP-MD5"]'])
    def test_b106_encryption_required_with_methods_that_make_no_keys_is_refused(self, write, methods):
        assert "no keys for it" in one_mistake(write, f"{POOL}[auth]\nmethods = {methods}\n")

    def test_b106_encryption_off_allows_them(self, write):
        path = write(f'{POOL}[auth]\nmethods = ["PAP"]\nencryption = "off"\n')
        assert load(path, need_users=False).auth.methods == (AuthMethod.PAP,)

    def test_overlapping_ranges_are_refused(self, write):
        found = one_mistake(write, '[network]\npool = ["10.0.0.5-10.0.0.9", "10.0.0.0/29"]\n')
        assert "10.0.0.1-10.0.0.6 and 10.0.0.5-10.0.0.9 overlap" in found

    def test_a_pool_of_our_own_address_alone_is_refused(self, write):
        assert "no address for clients" in one_mistake(write, '[network]\npool = ["10.0.0.1"]\n')

    def test_a_pool_of_more_addresses_than_calls_is_refused(self, write):
        assert "holds 131070 addresses" in one_mistake(write, '[network]\npool = ["10.0.0.0/15"]\n')

    def test_ipv6_needs_its_least_mtu(self, write):
        assert "IPv6 needs 1280" in one_mistake(write, f"{POOL}[ppp]\nipv6 = true\nmru = 1200\n")

    def test_missing_secrets_file_is_refused_only_where_users_are_needed(self, write):
        path = write(f'{POOL}[users]\nfile = "/nonexistent/secrets"\n')
        assert "openpptp user add" in str(complaint(path))
        assert load(path, need_users=False).users.file == Path("/nonexistent/secrets")


class WarningTests:
    """What is allowed and weak."""

    def test_the_defaults_are_safe_b082(self):
        assert settings().warnings() == []
        link = settings().link()
        assert link.authenticate_peer == (AuthMethod.MSCHAP_V2,)
        assert link.encryption == EncryptionPolicy(
            enabled=True, required=True, key_bits=frozenset({128}), stateful=False
        )

    @pytest.mark.parametrize(
        ("auth", "word"),
        [
            ({"methods": ["MS-CHAPv2", "PAP"]}, "in clear text"),
            ({"methods": ["MS-CHAPv2", "CHAP-MD5"]}, "CHAP-MD5"),
            ({"methods": ["MS-CHAPv1"]}, "MS-CHAPv1"),
            ({"encryption": "optional"}, "optional"),
            ({"encryption": "off"}, "clear text"),
            ({"key_bits": [128, 40]}, "40 bits"),
            ({"stateful": True}, "stateful"),
        ],
    )
    def test_each_weak_choice_is_said_in_words(self, auth, word):
        assert any(word in sentence for sentence in settings(auth=auth).warnings())

    def test_more_sessions_than_addresses_is_said_only_when_somebody_wrote_the_number(self):
        assert settings().warnings() == []
        assert "253 addresses" in settings(limits={"sessions": 500}).warnings()[0]


class MeaningTests:
    """What the core is given."""

    def test_our_address_is_the_first_of_the_pool_and_never_leased(self):
        network = settings().network
        assert network.our_address() == IPv4Address("10.0.0.1")
        assert network.leases() == (AddressRange(IPv4Address("10.0.0.2"), IPv4Address("10.0.0.254")),)

    def test_a_local_address_inside_a_range_splits_it(self):
        network = settings(network={"pool": ["10.0.0.1-10.0.0.9"], "local_address": "10.0.0.5"}).network
        assert [str(part) for part in network.leases()] == ["10.0.0.1-10.0.0.4", "10.0.0.6-10.0.0.9"]

    def test_a_local_address_outside_leaves_the_pool_whole(self):
        network = settings(network={"pool": ["10.0.0.1", "10.0.0.3/32"], "local_address": "192.0.2.1"}).network
        assert [str(part) for part in network.leases()] == ["10.0.0.1", "10.0.0.3"]

    def test_a_range_may_end_as_pptpd_writes_it(self):
        assert str(settings(network={"pool": ["192.168.0.234-238"]}).network.pool[0]) == "192.168.0.234-192.168.0.238"

    def test_tunnel_and_link_carry_what_the_file_says(self):
        chosen = settings(
            server={"name": "box", "control_echo_interval": 30},
            ppp={"mru": 1300, "echo_interval": 5, "echo_failures": 2, "ipv6": True},
            auth={
                "methods": ["PAP"],
                "encryption": "optional",
                "key_bits": [40, 128],
                "stateful": True,
                "refusal_delay": 0,
            },
            limits={
                "calls_per_connection": 9,
                "start_timeout": 1,
                "call_timeout": 2,
                "session_timeout": 3,
                "gre_timeout": 4,
            },
        )
        tunnel, link = chosen.tunnel(), chosen.tunnel().link
        assert link == chosen.link()
        assert (tunnel.host_name, tunnel.maximum_calls, tunnel.echo_interval) == ("box", 9, 30)
        assert (tunnel.start_timeout, tunnel.call_timeout, tunnel.session_timeout, tunnel.gre_timeout) == (1, 2, 3, 4)
        assert (link.mru, link.echo_interval, link.echo_failures, link.ipv6, link.refusal_delay) == (
            1300,
            5,
            2,
            True,
            0,
        )
        assert link.encryption == EncryptionPolicy(
            enabled=True, required=False, key_bits=frozenset({40, 128}), stateful=True
        )
        assert link.our_ipv4 == IPv4Address("10.0.0.1")

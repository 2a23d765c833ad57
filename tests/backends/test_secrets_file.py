"""chap-secrets as pppd reads it, with every line it cannot use reported."""

import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.backends.secrets_file import ProblemKind, Secrets, parse, read
from openpptp.errors import SetupError

FILE = Path("chap-secrets")


def problems(data: bytes) -> list[str]:
    return [str(problem) for problem in parse(data, FILE).problems]


class LineTests:
    """pppd(8) AUTHENTICATION: client server secret [address...]."""

    def test_three_fields_and_addresses(self):
        secrets = parse(b"# users\nann pptpd 'pass word' *\n\n bob * x 10.0.0.7\n", FILE)
        assert [(e.client, e.server, e.secret, e.line) for e in secrets.entries] == [
            ("ann", "pptpd", "pass word", 2),
            ("bob", "*", "x", 4),
        ]
        assert secrets.problems == ()

    def test_a_secret_is_not_shown(self):
        assert "geheim" not in repr(parse(b"ann * geheim *", FILE).entries)

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            (b"ann", "client, server and secret are needed; the line is not used"),
            (b"ann *", "client, server and secret are needed; the line is not used"),
            (b'ann * "open', "a quote is not closed on its line; the line is not used"),
            (b'ann * "" *', "an empty secret lets nobody in; the line is not used"),
            (b"ann * " + b"x" * 257 + b" *", "the secret is longer than 256 characters; the line is not used"),
            (b"ann * \xff *", "not UTF-8; the line is not used"),
            (b"a\\000 * x *", "a zero octet in a name or secret; the line is not used"),
        ],
    )
    def test_a_bad_line_is_named_and_hides_no_other(self, line, sentence):
        secrets = parse(b"# first\n" + line + b"\nbob * x *\n", FILE)
        assert [str(problem) for problem in secrets.problems] == [f"chap-secrets:2: {sentence}"]
        assert [entry.client for entry in secrets.entries] == ["bob"]

    def test_b080_an_empty_secret_lets_nobody_in(self):
        assert parse(b'ann * "" *', FILE).find("ann", "openpptp") is None

    def test_what_a_problem_costs_is_told_by_its_kind(self, tmp_path):
        file = tmp_path / "chap-secrets"
        file.write_bytes(b"ann\nbob * x\n")
        file.chmod(0o644)
        assert [problem.kind for problem in read(file).problems] == [
            ProblemKind.EXPOSED,
            ProblemKind.LINE_LOST,
            ProblemKind.NOT_ALL,
        ]

    @given(st.binary())
    def test_b077_no_octets_raise(self, data):
        parse(data, FILE)


class WildcardTests:
    """Best match = fewest wildcards; the client's name counts more than the server's; first among equals."""

    SECRETS = parse(b"* * 0 *\n* us 1 *\nann * 2 *\nann us 3 *\nann us 4 *\nann them 5 *\n", FILE)

    @pytest.mark.parametrize(
        ("client", "server", "secret"),
        [("ann", "us", "3"), ("ann", "them", "5"), ("ann", "any", "2"), ("bob", "us", "1"), ("bob", "any", "0")],
    )
    def test_best_match(self, client, server, secret):
        assert self.SECRETS.find(client, server).secret == secret

    def test_case_matters(self):
        assert parse(b"Ann * x *", FILE).find("ann", "us") is None

    def test_another_server_is_not_us(self):
        assert parse(b"ann them x *", FILE).find("ann", "us") is None

    def test_nobody_names_the_wildcard(self):
        secrets = parse(b"* us secret *", FILE)
        assert secrets.find_named("*", "us") is None
        assert secrets.find("*", "us") is secrets.find_wildcard("us")

    def test_an_empty_file_knows_nobody(self):
        assert Secrets(()).find("ann", "us") is None


class AddressTests:
    """pppd(8): the addresses a client may use; first match wins, implicit denial at the end."""

    @pytest.mark.parametrize(
        ("words", "allowed", "denied", "suggested"),
        [
            (b"*", ["1.2.3.4"], [], None),
            (b"", [], ["1.2.3.4"], None),
            (b"-", [], ["1.2.3.4"], None),
            (b"- *", [], ["1.2.3.4"], None),
            (b"10.0.0.7", ["10.0.0.7"], ["10.0.0.8"], "10.0.0.7"),
            (b"10.0.0.7 *", ["10.0.0.7", "10.0.0.8"], [], "10.0.0.7"),
            (b"10.0.0.0/24", ["10.0.0.1", "10.0.0.255"], ["10.0.1.1"], None),
            (b"10.0.0.77/24", ["10.0.0.1"], ["10.0.1.1"], None),
            (b"10.0.0.7/32", ["10.0.0.7"], ["10.0.0.8"], "10.0.0.7"),
            (b"!10.0.0.7 10.0.0.0/24", ["10.0.0.8"], ["10.0.0.7"], None),
            (b"10.0.0.0/24 !10.0.0.7", ["10.0.0.7"], ["10.0.1.1"], None),
            (b"!10.0.0.7 *", ["10.0.0.8"], ["10.0.0.7"], None),
            (b"10.0.0.7 10.0.0.9", ["10.0.0.7", "10.0.0.9"], ["10.0.0.8"], "10.0.0.7"),
            (b"* -- mtu 1200", ["1.2.3.4"], [], None),
            (b"10.0.0.0/24+", ["10.0.0.5"], ["10.0.1.5"], None),
        ],
    )
    def test_rules(self, words, allowed, denied, suggested):
        (entry,) = parse(b"ann * x " + words, FILE).entries
        assert all(entry.addresses.allows(IPv4Address(address)) for address in allowed)
        assert not any(entry.addresses.allows(IPv4Address(address)) for address in denied)
        assert entry.addresses.suggested == (suggested and IPv4Address(suggested))
        assert entry.addresses.allows_none is not bool(allowed)

    @pytest.mark.parametrize("words", [b"", b"-", b"!10.0.0.7"])
    def test_a_user_without_any_address_is_reported(self, words):
        assert problems(b"ann * x " + words) == [
            "chap-secrets:1: no address is allowed, so this user cannot connect; write * as the fourth word"
        ]

    @pytest.mark.parametrize(
        "word",
        ["host.example", "10.0.0", "10.0.0.256", "10.0.0.0/0", "10.0.0.0/33", "10.0.0.0/255.255.255.0", "::1", "/"],
    )
    def test_a_bad_address_word_is_reported_and_passed_over(self, word):
        secrets = parse(f"ann * x {word} 10.0.0.7".encode(), FILE)
        assert secrets.entries[0].addresses.allows(IPv4Address("10.0.0.7"))
        assert len(secrets.problems) == 1
        assert word in str(secrets.problems[0])

    def test_what_follows_the_two_dashes_is_no_address(self):
        secrets = parse(b"ann * x 10.0.0.7 -- rate 10mbit/2mbit pool office", FILE)
        assert (str(secrets.entries[0].policy), secrets.problems) == ("pool office rate 10mbit/2mbit", ())
        assert secrets.entries[0].addresses.suggested == IPv4Address("10.0.0.7")

    def test_a_word_nobody_knows_ends_the_policy_and_is_reported(self):
        secrets = parse(b"ann * x * -- idle 600 noauth rate 1mbit", FILE)
        assert str(secrets.entries[0].policy) == "idle 10m"
        assert "'noauth' is nothing a policy can say" in str(secrets.problems[0])

    @pytest.mark.parametrize("words", [b"rate fast", b"disabled", b"expires soon"])
    def test_a_policy_that_cannot_be_read_lets_nobody_in(self, words):
        secrets = parse(b"ann * x * -- " + words, FILE)
        assert secrets.entries == ()
        assert "the line is not used" in str(secrets.problems[0])

    @pytest.mark.parametrize(
        ("words", "network"),
        [
            (b"10.0.0.0/24+", "10.0.0.0/24"),
            (b"!10.0.0.1 10.0.0.99/24+ 10.1.0.0/16+", "10.0.0.0/24"),
            (b"10.0.0.7 10.0.0.0/24+", None),
            (b"!10.0.0.0/24+ *", None),
            (b"10.0.0.0/24", None),
        ],
    )
    def test_a_numbered_network_is_the_one_to_take_an_address_from(self, words, network):
        (entry,) = parse(b"ann * x " + words, FILE).entries
        assert entry.addresses.numbered == (network and IPv4Network(network))

    @pytest.mark.parametrize("word", ["10.0.0.0/31+", "10.0.0.7/32+"])
    def test_a_numbered_network_without_room_is_reported(self, word):
        (problem, *_) = problems(f"ann * x {word} *".encode())
        assert "no room for an interface number" in problem


class SecretElsewhereTests:
    """@/path: the first word of that file is the secret."""

    def test_first_word_of_the_file(self, tmp_path):
        (tmp_path / "secret").write_bytes(b"# note\n'pass word' other\n")
        secrets = parse(f"ann * @{tmp_path}/secret *".encode(), FILE)
        assert secrets.entries[0].secret == "pass word"
        assert secrets.files == (FILE, tmp_path / "secret")

    def test_an_at_sign_without_slash_is_a_password(self):
        assert parse(b"ann * @foo *", FILE).entries[0].secret == "@foo"

    @pytest.mark.parametrize("content", [None, b"", b"# nothing\n", b'""', b"\xff", b"x" * 257])
    def test_an_unusable_file_is_reported(self, tmp_path, content):
        if content is not None:
            (tmp_path / "secret").write_bytes(content)
        secrets = parse(f"ann * @{tmp_path}/secret *".encode(), FILE)
        assert secrets.entries == ()
        assert len(secrets.problems) == 1
        assert "the line is not used" in str(secrets.problems[0])


class ReadTests:
    """The file itself."""

    def test_a_private_file_has_no_problems(self, tmp_path):
        file = tmp_path / "chap-secrets"
        file.write_bytes(b"ann * x *\n")
        file.chmod(0o600)
        assert read(file).problems == ()

    def test_a_file_others_can_read_is_reported_and_used(self, tmp_path):
        file = tmp_path / "chap-secrets"
        file.write_bytes(b"ann * x *\n")
        file.chmod(0o644)
        secrets = read(file)
        assert len(secrets.entries) == 1
        assert str(secrets.problems[0]) == f"{file}: others can read the passwords; remedy: chmod 600 {file}"

    def test_a_missing_file_names_the_remedy(self, tmp_path):
        with pytest.raises(SetupError, match="openpptp user add NAME"):
            read(tmp_path / "none")

    def test_a_folder_or_pipe_is_no_secrets_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "pipe"):
            with pytest.raises(SetupError):
                read(path)

    def test_a_huge_file_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("openpptp.backends.secrets_file.MAX_FILE", 10)
        file = tmp_path / "chap-secrets"
        file.write_bytes(b"ann * secret *\n")
        with pytest.raises(SetupError, match="larger"):
            read(file)

"""openpptp connect."""

import sys
import types
from ipaddress import IPv4Network

import pytest
from click.testing import CliRunner

from openpptp.cli.program import program
from openpptp.credentials import AuthMethod
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.daemon.wishes import DataPathWishes

ENVIRONMENT = {"OPENPPTP_PASSWORD": "s3cret"}


@pytest.fixture
def requests(monkeypatch):
    """Requests that reached the client; it ends with 1."""
    reached: list[ConnectRequest] = []
    client = types.ModuleType("openpptp.daemon.client")
    client.connect = lambda request: reached.append(request) or 1
    monkeypatch.setitem(sys.modules, "openpptp.daemon.client", client)
    monkeypatch.delenv("OPENPPTP_PASSWORD", raising=False)
    return reached


def run(*arguments: object, **options):
    return CliRunner().invoke(program, ["connect", "vpn.example", "--user", "alice", *map(str, arguments)], **options)


class PasswordTests:
    """Where the password comes from."""

    def test_from_the_first_line_of_a_file(self, requests, tmp_path):
        file = tmp_path / "password"
        file.write_bytes(b" s3 cret \r\nsecond line\n")
        assert run("--password-file", file).exit_code == 1
        assert requests[0].password == " s3 cret "

    def test_from_standard_input(self, requests):
        run("--password-file", "-", input="s3cret\n")
        assert requests[0].password == "s3cret"

    def test_from_the_environment(self, requests):
        result = run(env={"OPENPPTP_PASSWORD": "s3cret"})
        assert requests[0].password == "s3cret"
        assert "s3cret" not in result.output

    def test_without_one_and_without_a_terminal_it_says_how(self, requests):
        result = run()
        assert result.exit_code == 2
        assert "--password-file" in result.stderr
        assert not requests

    def test_never_as_an_argument(self, requests):
        result = run("--password", "s3cret")
        assert result.exit_code == 2
        assert not requests

    @pytest.mark.parametrize(
        ("content", "code", "word"),
        [(b"", 2, "empty"), (b"\xff", 2, "UTF-8"), (b"a\x07b", 2, "control"), (b"a" * 257, 2, "256")],
    )
    def test_a_password_that_cannot_be_one_is_refused_b080(self, requests, tmp_path, content, code, word):
        file = tmp_path / "password"
        file.write_bytes(content)
        result = run("--password-file", file)
        assert (result.exit_code, requests) == (code, [])
        assert word in result.stderr

    def test_a_missing_file_is_named(self, requests, tmp_path):
        result = run("--password-file", tmp_path / "none")
        assert result.exit_code == 2
        assert "there is no such file" in result.stderr


class OptionTests:
    """What the client is asked to do."""

    def test_the_defaults_are_safe(self, requests):
        run(env=ENVIRONMENT)
        assert requests == [ConnectRequest("vpn.example", "alice", "s3cret")]

    def test_everything(self, requests):
        run(
            *("--route", "10.0.0.0/8", "--route", "172.16.0.0/12", "--default-route", "--port", 1724),
            *(
                "--interface",
                "tun7",
                "--allow-method",
                "pap",
                "--allow-method",
                "MS-CHAPv1",
                "--encryption",
                "optional",
            ),
            *("--key-bits", 40, "--key-bits", 128, "--stateful", "--phone-number", "123", "--log-level", "debug"),
            *("--data-path", "engine", "--carrier", "raw"),
            env=ENVIRONMENT,
        )
        assert requests == [
            ConnectRequest(
                host="vpn.example",
                user="alice",
                password="s3cret",
                port=1724,
                interface="tun7",
                routes=(IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12")),
                default_route=True,
                methods=(AuthMethod.PAP, AuthMethod.MSCHAP_V1),
                encryption="optional",
                key_bits=frozenset({40, 128}),
                stateful=True,
                phone_number="123",
                log_level="debug",
                data_path=DataPathWishes("engine", "raw"),
            )
        ]

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            (("--route", "10.0.0.1/8"), "did you mean 10.0.0.0/8?"),
            (("--route", "ten"), "write it as 10.0.0.0/24"),
            (("--interface", "a b"), "1 to 15 letters"),
            (("--port", "0"), "1<=x<=65535"),
            (("--allow-method", "PAP"), "PAP makes no keys"),
            (("--allow-method", "PAP", "--allow-method", "CHAP-MD5"), "PAP and CHAP-MD5 make no keys"),
            (("--key-bits", "64"), "'64' is not one of"),
        ],
    )
    def test_what_cannot_work_is_refused_at_once_b106(self, requests, options, word):
        result = run(*options, env=ENVIRONMENT)
        assert (result.exit_code, requests) == (2, [])
        assert word in result.stderr

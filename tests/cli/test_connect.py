"""openpptp connect."""

import sys
import types
from ipaddress import IPv4Address, IPv4Network

import pytest
from click.testing import CliRunner

from openpptp.cli.program import program
from openpptp.credentials import AuthMethod
from openpptp.daemon.client import profile_files
from openpptp.daemon.connect_request import ConnectRequest, Dns, Reconnect
from openpptp.daemon.wishes import DataPathWishes
from openpptp.tunnel.settings import Dialling

ENVIRONMENT = {"OPENPPTP_PASSWORD": "s3cret"}


@pytest.fixture
def profiles(monkeypatch, tmp_path):
    """The user's directory of profiles; the machine has none."""
    for name in ("XDG_CONFIG_HOME", "SUDO_USER", "OPENPPTP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(profile_files, "SYSTEM", tmp_path / "system")
    directory = tmp_path / ".config/openpptp"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def requests(monkeypatch, profiles):
    """Requests that reached the client; it ends with 1."""
    reached: list[ConnectRequest] = []
    client = types.ModuleType("openpptp.daemon.client.run")
    client.connect = lambda request, observers: reached.append(request) or 1
    monkeypatch.setitem(sys.modules, "openpptp.daemon.client.run", client)
    return reached


def office(directory, text: str = "", mode: int = 0o600) -> None:
    """Write a profile."""
    path = directory / "office.toml"
    path.write_text(f'[server]\nhosts = ["vpn.example"]\n[auth]\nuser = "alice"\n{text}\n')
    path.chmod(mode)


def invoke(*arguments: object, **options):
    return CliRunner().invoke(program, ["connect", *map(str, arguments)], **options)


def run(*arguments: object, **options):
    return invoke("vpn.example", "--user", "alice", *arguments, **options)


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

    def test_from_a_command_whose_shell_is_nobodys(self, requests):
        run("--password-command", "printf %s $HOME")
        assert requests[0].password == "$HOME"
        run("--password-command", "echo s3cret | tr 3 4", "--password-shell")
        assert requests[1].password == "s4cret"

    def test_from_a_profile(self, requests, profiles):
        office(profiles, 'password = "s3cret"')
        assert invoke("office").exit_code == 1
        assert requests[0].password == "s3cret"

    def test_a_profiles_file_and_command_are_read_as_well(self, requests, profiles, tmp_path):
        (tmp_path / "password").write_text("from the file\n")
        office(profiles, f'password_file = "{tmp_path}/password"')
        invoke("office")
        office(profiles, 'password_command = "echo from the command"')
        invoke("office")
        assert [request.password for request in requests] == ["from the file", "from the command"]

    def test_what_is_typed_now_comes_before_the_profile(self, requests, profiles, tmp_path):
        office(profiles, 'password = "s3cret"')
        invoke("office", env={"OPENPPTP_PASSWORD": "of the environment"})
        invoke("office", "--password-file", "-", input="of standard input\n")
        assert [request.password for request in requests] == ["of the environment", "of standard input"]


class ProfileTests:
    """openpptp connect NAME."""

    def test_a_host_that_names_a_profile_is_one(self, requests, profiles):
        office(profiles, "[network]\ndefault_route = true")
        invoke("office", env=ENVIRONMENT)
        expected = ConnectRequest(
            ("vpn.example",), "alice", "s3cret", profile="office", interface="pptp-office", default_route=True
        )
        assert requests == [expected]

    def test_options_override_it(self, requests, profiles):
        office(profiles, '[network]\ndefault_route = true\nroutes = ["10.0.0.0/8"]')
        invoke("office", "--user", "bob", "--no-default-route", "--route", "172.16.0.0/12", env=ENVIRONMENT)
        (request,) = requests
        assert (request.user, request.default_route, request.routes) == ("bob", False, (IPv4Network("172.16.0.0/12"),))

    def test_it_can_be_named_as_one_and_be_given_other_servers(self, requests, profiles):
        office(profiles)
        invoke("--profile", "office", "other.example", env=ENVIRONMENT)
        assert requests[0].hosts == ("other.example",)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "name a server or a profile"),
            (("office",), "there is no profile office"),
            (("vpn.example",), "name a user: --user NAME"),
            (("a", "b"), "name a user: --user NAME"),
            (("--profile", "office"), "there is no profile office"),
            (("vpn.example", "--user", "a", "--once", "--keep-trying"), "exclude each other"),
            (("vpn example", "--user", "a"), "is no name or IPv4 address of a server"),
        ],
    )
    def test_what_is_missing_is_asked_for(self, requests, arguments, words):
        result = invoke(*arguments, env=ENVIRONMENT)
        assert (result.exit_code, requests) == (2, [])
        assert words in result.stderr

    def test_a_password_that_others_may_read_is_refused(self, requests, profiles):
        office(profiles, 'password = "s3cret"', 0o644)
        result = invoke("office")
        assert (result.exit_code, requests) == (2, [])
        assert "chmod 600" in result.stderr
        assert "s3cret" not in result.output


class OptionTests:
    """What the client is asked to do."""

    def test_the_defaults_are_safe(self, requests):
        run(env=ENVIRONMENT)
        assert requests == [ConnectRequest(("vpn.example",), "alice", "s3cret")]

    def test_everything(self, requests):
        run(
            *("second.example", "--route", "10.0.0.0/8", "--route", "172.16.0.0/12", "--default-route"),
            *("--dns", "9.9.9.9", "--dns", "server", "--search", "corp.example", "--while-down", "block"),
            *("--mark", 1723, "--port", 1724, "--timeout", 3, "--local-address", "192.0.2.7", "--interface", "tun7"),
            *("--allow-method", "pap", "--allow-method", "MS-CHAPv1", "--encryption", "optional"),
            *("--key-bits", 40, "--key-bits", 128, "--stateful", "--phone-number", "123", "--log-level", "debug"),
            *("--mru", 1300, "--echo-interval", 5, "--echo-failures", 2, "--ipv6", "--keep-trying"),
            *("--data-path", "engine", "--carrier", "raw"),
            env=ENVIRONMENT,
        )
        assert requests == [
            ConnectRequest(
                hosts=("vpn.example", "second.example"),
                user="alice",
                password="s3cret",
                port=1724,
                timeout=3.0,
                local=IPv4Address("192.0.2.7"),
                interface="tun7",
                routes=(IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12")),
                default_route=True,
                dns=Dns(True, (IPv4Address("9.9.9.9"),), ("corp.example",)),
                mark=1723,
                while_down="block",
                reconnect=Reconnect("always"),
                methods=(AuthMethod.PAP, AuthMethod.MSCHAP_V1),
                encryption="optional",
                key_bits=frozenset({40, 128}),
                stateful=True,
                mru=1300,
                echo_interval=5.0,
                echo_failures=2,
                ipv6=True,
                dialling=Dialling("123"),
                data_path=DataPathWishes("engine", "raw"),
            )
        ]

    def test_dns_alone_takes_the_servers(self, requests):
        run("--dns", env=ENVIRONMENT)
        run("--dns", "--once", env=ENVIRONMENT)
        assert [request.dns for request in requests] == [Dns(), Dns()]
        assert requests[1].reconnect == Reconnect("never")

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
            (("--dns", "nine"), "'nine' is not an IPv4 address"),
            (("--mark", "254"), "is no mark"),
            (("--local-address", "here"), "is not an IPv4 address"),
            (("--password-command", "'"), "cannot be split into words"),
        ],
    )
    def test_what_cannot_work_is_refused_at_once_b106(self, requests, options, word):
        result = run(*options, env=ENVIRONMENT)
        assert (result.exit_code, requests) == (2, [])
        assert word in result.stderr


class KillSwitchTests:
    """--kill-switch and --release."""

    @pytest.mark.parametrize(
        ("flags", "wish"),
        [((), "on"), (("--kill-switch-lan",), "lan"), (("--no-kill-switch",), "off")],
    )
    def test_the_last_word_is_that_of_the_command_line(self, requests, profiles, flags, wish):
        office(profiles, '[network]\nkill_switch = "on"')
        invoke("office", *flags, env=ENVIRONMENT)
        assert requests[0].kill_switch == wish

    @pytest.mark.parametrize(("words", "name"), [((), None), (("office",), "office"), (("--profile", "a"), "a")])
    def test_release_connects_to_nothing(self, requests, monkeypatch, words, name):
        monkeypatch.setattr("openpptp.daemon.client.kill_switch.release", lambda _, which: f"lifted {which}")
        result = invoke("--release", *words)
        assert (result.exit_code, result.stdout) == (0, f"lifted {name}\n")
        assert not requests

    def test_release_takes_one_name(self, requests):
        assert invoke("--release", "office", "home").exit_code == 2

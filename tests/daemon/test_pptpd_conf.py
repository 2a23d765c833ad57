"""pptpd.conf: every keyword, pptpd's own rules, and the second seed's files as they are."""

import contextlib
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.seed_files import lay_out

from openpptp.daemon.import_report import Draft, Verdict
from openpptp.daemon.importing import load_pptpd, settings_of
from openpptp.daemon.pptpd_addresses import UnreadableAddresses, parse_addresses
from openpptp.daemon.pptpd_conf import KEYWORDS, read_pptpd
from openpptp.errors import PptpError, SetupError

NAMES = {"vpn.example": IPv4Address("10.1.2.3")}


@pytest.fixture
def etc(tmp_path, monkeypatch):
    """A /etc with a user and empty options, on a host called gate."""
    monkeypatch.setattr("openpptp.daemon.pppd_options.host_name", lambda: "gate")
    (tmp_path / "ppp").mkdir()
    secrets(tmp_path, "ann * geheim *\n")
    (tmp_path / "ppp" / "pptpd-options").write_text("require-mschap-v2\nrequire-mppe-128\n")
    return tmp_path


def secrets(etc, text, name="chap-secrets"):
    (etc / "ppp" / name).write_text(text)
    (etc / "ppp" / name).chmod(0o600)


def read(etc, text):
    """Read a pptpd.conf; return the draft."""
    draft = Draft()
    path = etc / "pptpd.conf"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    read_pptpd(path, draft, directory=etc / "ppp", look_up=NAMES.get)
    return draft


def line(draft, number):
    """Return verdict and words of one line of pptpd.conf."""
    (found,) = [f for f in draft.findings if f.place.file.name == "pptpd.conf" and f.place.line == number and f.text]
    return found.verdict, found.words


class KeywordTests:
    """pptpd.conf(5), one by one."""

    @pytest.mark.parametrize(
        ("text", "section", "key", "value"),
        [
            ("debug", "log", "level", "debug"),
            ("stimeout 20", "limits", "start_timeout", 20.0),
            ("listen 192.0.2.7", "server", "listen", "192.0.2.7"),
            ("listen vpn.example", "server", "listen", "10.1.2.3"),
            ("localip 10.0.0.1", "network", "local_address", "10.0.0.1"),
            ("localip 10.0.0.5-9", "network", "local_address", "10.0.0.5"),
            ("remoteip 10.0.0.2-9", "network", "pool", ["10.0.0.2-10.0.0.9"]),
            (
                "remoteip 10.0.0.2-4,vpn.example,10.0.9.9",
                "network",
                "pool",
                ["10.0.0.2-10.0.0.4", "10.1.2.3", "10.0.9.9"],
            ),
            ("remoteip 10.0.0-2.5", "network", "pool", ["10.0.0.5", "10.0.1.5", "10.0.2.5"]),
            ("connections 7", "limits", "sessions", 7),
        ],
    )
    def test_what_becomes_a_setting(self, etc, text, section, key, value):
        draft = read(etc, f"{text}\n")
        assert draft.values[section, key] == value
        assert line(draft, 1)[0] is Verdict.HONOURED

    @pytest.mark.parametrize(
        "text",
        [
            "ppp /usr/sbin/pppd",
            "noipparam",
            "logwtmp",
            "bcrelay eth1",
            "vrf red",
            "pidfile /run/pptpd.pid",
            "speed 9600",
        ],
    )
    def test_what_is_ignored_says_why(self, etc, text):
        verdict, words = line(read(etc, f"{text}\n"), 1)
        assert verdict is Verdict.IGNORED
        assert len(words) > 20

    @pytest.mark.parametrize("keyword", sorted(KEYWORDS))
    def test_no_keyword_is_passed_over_in_silence(self, etc, keyword):
        value = {"option": f"{etc}/ppp/pptpd-options"}.get(keyword, "10.0.0.1")
        draft = read(etc, f"\n# note\n{keyword} {value}\n")
        assert line(draft, 3)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("remoteip", "value is missing"),
            ("remoteip #note", "value is missing"),
            ("remoteip 10.0.0.9-2", "ends before it begins"),
            ("remoteip 10.0.0.234-8", "no shorthand"),
            ("remoteip 10.0-1.0-1.5", "one of four numbers"),
            ("remoteip 10.0.0.1-2-3", "one of four numbers"),
            ("remoteip 10.0.0.1,,10.0.0.2", "missing beside a comma"),
            ("remoteip 10.0.0.1-256", "at most 255"),
            ("remoteip 10.0.999.1-2", "no IPv4 address"),
            ("remoteip nowhere.example", "no name that is known"),
            ("localip 10.0.0", "no name that is known"),
            ("listen nowhere.example", "no name that is known"),
            ("connections many", "1 to 65535"),
            ("connections 0", "1 to 65535"),
            ("stimeout 0", "1 to 300"),
        ],
    )
    def test_a_bad_value_is_unreadable_and_the_server_does_not_start(self, etc, text, words):
        verdict, why = line(read(etc, f"{text}\n"), 1)
        assert verdict is Verdict.UNREADABLE
        assert words in why
        with pytest.raises(SetupError, match=r"pptpd.conf:1: .*unreadable") as caught:
            load_pptpd(etc / "pptpd.conf", directory=etc / "ppp", look_up=NAMES.get)
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("text", ["remoteip 10.0.0.1-5,10.0.0.5", "remoteip 127.0.0.5", "remoteip 224.0.0.1-9"])
    def test_addresses_given_twice_or_of_no_host_name_their_line(self, etc, text):
        read(etc, f"debug\n{text}\n")
        with pytest.raises(SetupError, match=r"pptpd.conf:2: unreadable because network.pool"):
            load_pptpd(etc / "pptpd.conf", directory=etc / "ppp", look_up=NAMES.get)


class LineTests:
    """configfile.c: where a keyword begins, which line counts, what a comment is."""

    def test_a_keyword_begins_in_column_0(self, etc):
        draft = read(etc, " localip 10.0.0.1\n\tdebug\n")
        assert [line(draft, number)[0] for number in (1, 2)] == [Verdict.IGNORED] * 2
        assert draft.values["network", "local_address"] == "192.168.0.1"

    def test_the_first_line_counts_and_the_next_says_so(self, etc):
        draft = read(etc, "localip 10.0.0.1\nlocalip 10.0.0.2\n")
        assert draft.values["network", "local_address"] == "10.0.0.1"
        assert line(draft, 2) == (Verdict.IGNORED, "line 1 says localip already, and pptpd takes the first")

    def test_an_unknown_keyword_is_named(self, etc):
        assert line(read(etc, "remotip 10.0.0.2\n"), 1)[0] is Verdict.IGNORED

    def test_a_line_longer_than_the_buffer_is_skipped(self, etc):
        draft = read(etc, "localip 10.0.0.1" + " " * 400 + "x" * 200 + "\nlocalip 10.0.0.2\n")
        assert "longer" in line(draft, 1)[1]
        assert draft.values["network", "local_address"] == "10.0.0.2"

    def test_a_comment_behind_the_value_is_cut_off_and_said(self, etc):
        draft = read(etc, "localip 10.0.0.1 # ours\n")
        assert draft.values["network", "local_address"] == "10.0.0.1"
        assert "comment" in line(draft, 1)[1]

    def test_a_last_line_without_newline_counts_and_is_said(self, etc):
        assert "without newline" in line(read(etc, "localip 10.0.0.1"), 1)[1]

    @pytest.mark.parametrize("text", ["\ufefflocalip\t 10.0.0.1 \t\r\n", "localip   10.0.0.1\n"])
    def test_blanks_tabs_line_ends_and_a_byte_order_mark_do_not_matter(self, etc, text):
        assert read(etc, text).values["network", "local_address"] == "10.0.0.1"

    @given(
        st.lists(
            st.sampled_from([*KEYWORDS, " ", "10.0.0.1-9", "#", "\n", "\t", ",", "é", "\udcff", "0", "\xa0", "\0"])
        )
    )
    def test_b147_any_file_is_settings_or_an_error_of_ours(self, tmp_path_factory, words):
        etc = tmp_path_factory.mktemp("etc")
        (etc / "ppp").mkdir()
        with contextlib.suppress(PptpError):
            settings_of(read(etc, " ".join(words)))

    @given(st.text())
    def test_b147_any_text_is_settings_or_an_error_of_ours(self, tmp_path_factory, text):
        etc = tmp_path_factory.mktemp("etc")
        (etc / "ppp").mkdir()
        with contextlib.suppress(PptpError):
            settings_of(read(etc, text.encode("utf-8", "replace").decode()))


class AddressTests:
    """What pptpd does when lines are missing or together."""

    def test_without_addresses_pptpds_own_are_taken(self, etc):
        draft = read(etc, "")
        assert draft.values["network", "pool"] == ["192.168.1.1-192.168.1.100"]
        assert draft.values["network", "local_address"] == "192.168.0.1"

    @pytest.mark.parametrize(
        ("text", "sessions"),
        [
            ("remoteip 10.0.0.1-200\n", 100),
            ("remoteip 10.0.0.1-200\nconnections 150\n", 150),
            ("remoteip 10.0.0.1-20\nconnections 150\n", 20),
            ("localip 10.0.0.1\nremoteip 10.0.0.1-20\n", 19),
        ],
    )
    def test_connections_are_cut_to_the_addresses(self, etc, text, sessions):
        assert read(etc, text).values["limits", "sessions"] == sessions

    def test_delegate_takes_the_users_own_addresses(self, etc):
        secrets(etc, "ann * x 10.7.0.2\nbob * x 10.7.0.9\ncid * x *\n")
        (etc / "ppp" / "pptpd-options").write_text("10.7.0.1:\n")
        draft = read(etc, f"delegate\noption {etc}/ppp/pptpd-options\nlocalip 10.0.0.1\nremoteip 10.0.0.2-9\n")
        assert draft.values["network", "pool"] == ["10.7.0.2", "10.7.0.9"]
        assert draft.values["network", "local_address"] == "10.7.0.1"
        assert [line(draft, number)[0] for number in (3, 4)] == [Verdict.IGNORED] * 2

    def test_delegate_without_addresses_says_what_is_missing(self, etc):
        read(etc, "delegate\n")
        with pytest.raises(SetupError, match=r"(?s)own address; write it as localip.*users need addresses"):
            load_pptpd(etc / "pptpd.conf", directory=etc / "ppp")

    @pytest.mark.parametrize("text", ["", ",", "-", "1-2", "1.2.3.4-", "é", "9" * 400])
    def test_a_list_that_is_none(self, text):
        with pytest.raises(UnreadableAddresses):
            list(parse_addresses(text, NAMES.get))


class OptionFileTests:
    """The file `option` names, and pppd's own."""

    def test_the_second_seeds_files_as_they_are(self, tmp_path):
        path = lay_out(tmp_path / "etc")
        # The document's path is absolute; here it lies elsewhere.
        path.write_text(path.read_text().replace("/etc/ppp", str(tmp_path / "etc" / "ppp")))
        settings, draft = load_pptpd(path, directory=tmp_path / "etc" / "ppp")
        assert list(map(str, settings.network.pool)) == ["192.168.10.100-192.168.10.200"]
        assert str(settings.network.our_address()) == "192.168.10.1"
        assert list(map(str, settings.network.dns)) == ["8.8.8.8", "114.114.114.114"]
        assert (settings.server.name, settings.auth.encryption, settings.log.level) == ("pptpd", "required", "debug")
        assert "pptpd-options does: correct the line" in line(draft, 1)[1]
        assert draft.exit_code() == 0

    def test_no_other_name_is_guessed(self, etc):
        with pytest.raises(SetupError, match=r"pptpd.conf:1: option: .*/pptp-options: there is no such file"):
            read(etc, f"option {etc}/ppp/pptp-options\n")

    def test_pppds_own_file_comes_first_and_the_named_one_wins(self, etc):
        (etc / "ppp" / "options").write_text("mru 1300\nlcp-echo-interval 30\n")
        (etc / "ppp" / "pptpd-options").write_text("mru 1350\n")
        draft = read(etc, f"option {etc}/ppp/pptpd-options\n")
        assert (draft.values["ppp", "mru"], draft.values["ppp", "echo_interval"]) == (1350, 30.0)

    def test_hooks_are_those_of_pppd(self, etc):
        assert read(etc, "").values["hooks", "directory"] == str(etc / "ppp")


class UsersTests:
    """chap-secrets and pap-secrets, and the name their second word is compared with."""

    @pytest.mark.parametrize(
        ("options", "users", "name"),
        [
            ("name pptpd", "ann gate x *", "pptpd"),
            ("", "ann gate x *\nbob pptpd x *", "gate"),
            ("", "bob pptpd x *", "pptpd"),
            ("", "bob * x *", "gate"),
            ("domain example.org", "bob * x *", "gate.example.org"),
            ("name pptpd usehostname", "bob pptpd x *", "gate"),
        ],
    )
    def test_the_servers_name(self, etc, options, users, name):
        secrets(etc, f"{users}\n")
        (etc / "ppp" / "pptpd-options").write_text(options)
        assert read(etc, f"option {etc}/ppp/pptpd-options\n").values["server", "name"] == name

    def test_each_user_has_a_line_and_no_secret_is_shown(self, etc):
        secrets(etc, "ann * geheim1 *\nbob other geheim2 *\ncid * geheim3\ndan\n* * geheim4 * -- mtu 1\n")
        draft = read(etc, "")
        found = [(f.place.line, f.verdict) for f in draft.ordered() if f.place.file.name == "chap-secrets"]
        assert found == [
            (1, Verdict.HONOURED),
            (2, Verdict.IGNORED),
            (3, Verdict.IGNORED),
            (4, Verdict.UNREADABLE),
            (5, Verdict.HONOURED),
            (5, Verdict.IGNORED),
            (0, Verdict.HONOURED),
        ]
        assert "geheim" not in "\n".join(draft.lines())

    def test_a_bad_line_among_users_does_not_stop_the_server(self, etc):
        secrets(etc, "dan\nann * x *\n")
        read(etc, "localip 10.0.0.1\n")
        settings, draft = load_pptpd(etc / "pptpd.conf", directory=etc / "ppp")
        assert draft.exit_code() == 2
        assert settings.users.file == etc / "ppp" / "chap-secrets"

    def test_secrets_others_can_read_are_dangerous(self, etc):
        (etc / "ppp" / "chap-secrets").chmod(0o644)
        assert read(etc, "").exit_code() == 1

    def test_pap_brings_its_own_file(self, etc):
        secrets(etc, "ann * x *\n", "pap-secrets")
        (etc / "ppp" / "pptpd-options").write_text("require-pap\n")
        draft = read(etc, f"option {etc}/ppp/pptpd-options\n")
        assert draft.values["users", "pap_file"] == str(etc / "ppp" / "pap-secrets")
        assert draft.values["auth", "encryption"] == "off"

    def test_a_crypted_password_in_pap_secrets_is_told(self, etc):
        secrets(etc, "ann * $6$salt$hash *\nbob * $mall *\n", "pap-secrets")
        (etc / "ppp" / "pptpd-options").write_text("require-pap\n")
        draft = read(etc, f"option {etc}/ppp/pptpd-options\n")
        (found,) = [f for f in draft.findings if "crypt(3)" in f.words]
        assert (found.place.line, found.verdict) == (1, Verdict.IGNORED)
        assert "salt" not in str(found)

    def test_no_secrets_no_server(self, etc):
        (etc / "ppp" / "chap-secrets").unlink()
        read(etc, "localip 10.0.0.1\n")
        with pytest.raises(SetupError, match=r"chap-secrets: .*users.file: there is no such file"):
            load_pptpd(etc / "pptpd.conf", directory=etc / "ppp")

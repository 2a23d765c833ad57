"""accel-ppp.conf: its PPTP side becomes settings, everything else is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.daemon.accel_conf import read_accel
from openpptp.daemon.import_report import Draft, Verdict
from openpptp.daemon.importing import settings_of
from openpptp.errors import PptpError, SetupError

SAMPLE = """[modules]
log_file
pptp
l2tp
auth_mschap_v2
chap-secrets
ippool

[core]
thread-count=4

[ppp]
verbose=1
mru=1400
mppe=require
lcp-echo-interval=20
lcp-echo-failure=3
ipv4=require
ipv6=deny

[pptp]
bind=192.0.2.1
echo-interval=30
timeout=5

[client-ip-range]
disable

[dns]
dns1=10.0.0.1
dns2=10.0.0.2

[ip-pool]
gw-ip-address=192.168.0.1
192.168.0.2-255
192.168.1.0/24

[l2tp]
verbose=1
"""


def read(tmp_path, text):
    (tmp_path / "chap-secrets").write_text("ann * geheim *\n")
    (tmp_path / "chap-secrets").chmod(0o600)
    path = tmp_path / "accel-ppp.conf"
    path.write_bytes(f"[chap-secrets]\nchap-secrets={tmp_path}/chap-secrets\n{text}".encode("utf-8", "surrogateescape"))
    draft = Draft()
    read_accel(path, draft)
    return draft


def line(draft, number):
    """Return the finding of one line of the text given."""
    (found,) = [
        f for f in draft.findings if f.place.file.name == "accel-ppp.conf" and f.place.line == number + 2 and f.text
    ]
    return found


class SampleTests:
    """A file as people have it."""

    def test_it_becomes_settings(self, tmp_path):
        draft = read(tmp_path, SAMPLE)
        settings = settings_of(draft)
        assert settings is not None
        assert list(map(str, settings.network.pool)) == ["192.168.0.2-192.168.0.255", "192.168.1.1-192.168.1.254"]
        assert str(settings.network.our_address()) == "192.168.0.1"
        assert list(map(str, settings.network.dns)) == ["10.0.0.1", "10.0.0.2"]
        assert str(settings.server.listen) == "192.0.2.1"
        assert (settings.server.control_echo_interval, settings.limits.start_timeout) == (30.0, 5.0)
        assert (settings.ppp.mru, settings.ppp.echo_interval, settings.ppp.echo_failures) == (1400, 20.0, 3)
        assert settings.auth.encryption == "required"
        assert draft.exit_code() == 0

    def test_every_line_is_told(self, tmp_path):
        draft = read(tmp_path, SAMPLE)
        told = {f.place.line for f in draft.findings if f.place.file.name == "accel-ppp.conf" and f.text}
        wanted = {number for number, text in enumerate(SAMPLE.splitlines(), 3) if text and not text.startswith("[")}
        assert wanted <= told

    def test_users_are_told_and_no_secret(self, tmp_path):
        report = "\n".join(read(tmp_path, SAMPLE).lines())
        assert "user ann can log in" in report
        assert "geheim" not in report

    @pytest.mark.parametrize(
        ("users", "name"), [("ann pptpd x *\nbob * x *\n", "pptpd"), ("ann a x *\nbob b x *\n", None)]
    )
    def test_the_one_server_all_users_are_for_is_this(self, tmp_path, users, name):
        (tmp_path / "users").write_text(users)
        (tmp_path / "users").chmod(0o600)
        path = tmp_path / "accel-ppp.conf"
        path.write_text(f"[chap-secrets]\nchap-secrets={tmp_path}/users\n")
        draft = Draft()
        read_accel(path, draft)
        assert draft.values.get(("server", "name")) == name


class LineTests:
    """conf_file.c: sections, comments, first line first."""

    @pytest.mark.parametrize(
        "text",
        ["[ppp]\nmru=1300\n", "[ppp]\n  mru = 1300  \n", "[ppp]\n\tmru\t=1300\n# x\n", "[ppp] x\nmru=1300 # note\n"],
    )
    def test_blanks_and_comments(self, tmp_path, text):
        assert read(tmp_path, text).values["ppp", "mru"] == 1300

    def test_the_first_line_counts_also_in_a_second_section_of_that_name(self, tmp_path):
        draft = read(tmp_path, "[ppp]\nmru=1300\n[dns]\n[ppp]\nmru=1200\n")
        assert draft.values["ppp", "mru"] == 1300
        assert "takes the first" in line(draft, 5).words

    def test_a_line_before_any_section_and_an_open_bracket(self, tmp_path):
        path = tmp_path / "accel-ppp.conf"
        path.write_text("mru=1300\n[ppp\n")
        draft = Draft()
        read_accel(path, draft)
        told = {f.place.line: f.verdict for f in draft.findings if f.place.file == path}
        assert (told[1], told[2]) == (Verdict.UNREADABLE, Verdict.UNREADABLE)

    def test_a_file_that_includes_itself_often_is_refused(self, tmp_path):
        (tmp_path / "more").write_text(f"$include {tmp_path}/more\n" * 40)
        with pytest.raises(SetupError, match="lines in all"):
            read(tmp_path, f"[ppp]\n$include {tmp_path}/more\nmru=1300\n")

    def test_an_included_file_is_read_and_one_that_includes_itself_ends(self, tmp_path):
        (tmp_path / "more").write_text(f"mru=1300\n$include {tmp_path}/more\n")
        draft = read(tmp_path, f"[ppp]\n$include {tmp_path}/more\n")
        assert draft.values["ppp", "mru"] == 1300
        assert any("deep" in finding.words for finding in draft.findings)

    @pytest.mark.parametrize(
        "text", ["[radius]\nserver=10.0.0.1,geheim2", "[cli]\npassword=geheim2", "[l2tp]\nsecret=geheim2"]
    )
    def test_secrets_are_not_shown(self, tmp_path, text):
        assert "geheim" not in "\n".join(read(tmp_path, text).lines())

    @given(
        st.lists(
            st.sampled_from(
                [
                    *("[ppp]", "[pptp]", "[ip-pool]", "[dns]", "[auth]", "[modules]", "[chap-secrets]", "mppe", "="),
                    *("10.0.0.0/8", "10.0.0.1-5", ",name=a", "mru", "dns1", "require", "\n", " ", "#", "\udcff", "9"),
                    *("$include", "/", "}", "{", "[wins]", "\xa0", "\0"),
                ]
            )
        )
    )
    def test_b147_any_file_is_settings_or_an_error_of_ours(self, tmp_path_factory, words):
        try:
            settings_of(read(tmp_path_factory.mktemp("accel"), "".join(words)))
        except PptpError:
            return


SOURCES = ["10.9.0.1-10.9.255.254", "10.0.0.5-10.0.0.9"]


class SettingTests:
    """What single lines mean."""

    @pytest.mark.parametrize("line", ["disable", "0.0.0.0/0", "0.0.0.0/0 # all"])
    def test_clients_may_come_from_anywhere(self, tmp_path, line):
        draft = read(tmp_path, f"[client-ip-range]\n10.0.0.5-9\n{line}\n")
        assert ("limits", "sources") not in draft.values
        assert draft.exit_code() == 0

    @pytest.mark.parametrize(
        ("text", "key", "value"),
        [
            ("[pptp]\nport=1724", ("server", "port"), 1724),
            ("[ppp]\nipv6=allow", ("ppp", "ipv6"), True),
            ("[ppp]\nmppe=prefer", ("auth", "encryption"), "optional"),
            ("[ppp]\nmppe=deny", ("auth", "encryption"), "off"),
            ("[ppp]\nccp=0", ("auth", "encryption"), "off"),
            ("[ppp]\nmppe=deny\n[pptp]\nmppe=require", ("auth", "encryption"), "required"),
            ("[modules]\nauth_pap", ("auth", "encryption"), "off"),
            ("[modules]\nauth_pap\nauth_mschap_v2", ("auth", "methods"), ["MS-CHAPv2", "PAP"]),
            ("[wins]\nwins1=10.0.0.9", ("network", "wins"), ["10.0.0.9"]),
            ("[dns]\ndns2=10.0.0.2\ndns1=10.0.0.1", ("network", "dns"), ["10.0.0.1", "10.0.0.2"]),
            ("[ip-pool]\n10.0.0.77/24", ("network", "pool"), ["10.0.0.1-10.0.0.254"]),
            ("[ip-pool]\n10.0.0.1-9,name=a\n10.0.1.1-9,name=b", ("network", "pool"), ["10.0.0.1-10.0.0.9"]),
            ("[ip-pool]\n10.0.0.1-9\n10.0.1.1-9,name=b", ("network", "pools"), {"b": ["10.0.1.1-10.0.1.9"]}),
            ("[pptp]\nip-pool=b\n[ip-pool]\n10.0.0.1-9\n10.0.1.1-9,name=b", ("policy", "pool"), "b"),
            ("[common]\nsession-timeout=3600", ("policy", "maxconnect"), "1h"),
            ("[common]\nsession-timeout=60\n[pptp]\nsession-timeout=90", ("policy", "maxconnect"), "90s"),
            ("[common]\nsingle-session=replace", ("policy", "sessions"), "1/replace"),
            ("[common]\nsingle-session=deny", ("policy", "sessions"), "1"),
            ("[shaper]\nrate-limit=2048/1024\n[modules]\nshaper", ("policy", "rate"), "2048kbit/1024kbit"),
            ("[shaper]\nrate-limit=1000\n[modules]\nshaper", ("policy", "rate"), "1mbit"),
            ("[client-ip-range]\n10.9.0.0/16\n10.0.0.5-9", ("limits", "sources"), SOURCES),
            ("[chap-secrets]\ngw-ip-address=10.0.0.1/24", ("network", "local_address"), "10.0.0.1"),
        ],
    )
    def test_a_setting(self, tmp_path, text, key, value):
        assert read(tmp_path, f"{text}\n").values[key] == value

    @pytest.mark.parametrize(
        "text",
        [
            *("[ppp]\nmppe=allow", "[ppp]\nmppe=deny", "[modules]\nauth_pap"),
            *("[modules]\nauth_chap_md5", "[modules]\nauth_mschap_v1"),
        ],
    )
    def test_what_weakens_is_called_dangerous(self, tmp_path, text):
        assert line(read(tmp_path, f"{text}\n"), 2).verdict is Verdict.DANGEROUS

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "[client-ip-range]\nhere",
                "[pptp]\nbind=here",
                "[pptp]\nport=x",
                "[ppp]\nmppe=yes",
                "[ip-pool]\nmany",
                "[ip-pool]\n10.0.0.0/99",
            ),
            *("[dns]\ndns1=here", "[chap-secrets]\nencrypted=1", "[chap-secrets]\nusername-hash=md5"),
            *("[ip-pool]\ngw-ip-address=x", "[common]\nsession-timeout=soon", "[pptp]\nsession-timeout=-1"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, tmp_path, text):
        assert line(read(tmp_path, f"{text}\n"), 2).verdict is Verdict.UNREADABLE

    @pytest.mark.parametrize(
        ("section", "names"),
        [
            (
                "common",
                "single-session single-session-ignore-case sid-case max-sessions max-starting check-ip netns-run-dir",
            ),
            ("pptp", "verbose echo-failure ifname ppp-max-mtu ip-pool ipv6-pool ipv6-pool-delegate"),
            ("ppp", "verbose min-mtu mtu max-mtu accomp pcomp ccp-max-configure timeout max-configure max-failure"),
            ("ppp", "max-terminate check-ip ipv4 ipv6-intf-id ipv6-accept-peer-intf-id lcp-echo-timeout unit-cache"),
            ("auth", "timeout interval max-failure any-login noauth challenge-name"),
            ("ip-pool", "shuffle reload-orphan gw attr vendor tunnel"),
            ("radius", "dictionary nas-identifier timeout max-try"),
            ("shaper", "attr burst-factor rate-limit"),
            ("pppd-compat", "ip-pre-up ip-up ip-down"),
            ("pppoe", "interface"),
        ],
    )
    def test_what_is_left_out_says_why(self, tmp_path, section, names):
        for name in names.split():
            found = line(read(tmp_path, f"[{section}]\n{name}=1\n"), 2)
            assert found.verdict is Verdict.IGNORED
            assert len(found.words) > 10

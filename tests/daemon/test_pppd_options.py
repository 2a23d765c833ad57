"""pppd's option files: words, nesting, and every option of pppd(8)."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.daemon import pppd_names
from openpptp.daemon.foreign_files import MAX_OCTETS, read_octets, resolve
from openpptp.daemon.import_report import Draft, Place, Verdict
from openpptp.daemon.pppd_options import MAX_WORDS, PppdOptions
from openpptp.errors import PptpError, SetupError

DEBIAN = """# Authentication
name pptpd
refuse-pap
refuse-chap
refuse-mschap
require-mschap-v2
require-mppe-128
ms-dns 10.0.0.1
ms-wins 10.0.0.3
proxyarp
nodefaultroute
lock
nobsdcomp
novj
novjccomp
nologfd
"""
REFERENCE = """
    name user password remotename usehostname domain hide-password show-password chap-secrets pap-secrets
    login papcrypt allow-ip allow-number privgroup +ua auth noauth require-pap require-chap require-mschap
    require-mschap-v2 require-eap refuse-pap refuse-chap refuse-mschap refuse-mschap-v2 refuse-eap +pap -pap
    +chap -chap +mschap -mschap +mschap-v2 -mschap-v2 chapms-strip-domain ca capath cert key crl crl-dir
    pkcs12 need-peer-eap max-tls-version tls-verify-method tls-verify-key-usage chap-restart
    chap-max-challenge chap-interval chap-timeout pap-restart pap-max-authreq pap-timeout lcp-restart
    lcp-max-configure lcp-max-terminate lcp-max-failure ipcp-restart ipcp-max-configure ipv6cp-restart
    ipv6cp-max-failure mru mtu default-mru noaccomp -ac nopcomp -pc nomagic -mn asyncmap passive silent
    receive-all lcp-echo-interval lcp-echo-failure lcp-echo-adaptive lcp-rtt-file sync local modem lock nolock
    mrru mp multilink nomp mpshortseq endpoint noendpoint bundle nobsdcomp bsdcomp nodeflate deflate
    nodeflatedraft nopredictor1 predictor1 noccp require-mppe require-mppe-40 require-mppe-128 nomppe
    nomppe-40 nomppe-128 mppe-stateful nomppe-stateful +mppe -mppe +mppe-40 -mppe-40 +mppe-128 -mppe-128 mppe
    mppe-128 mppe-stateless chapms +chapms-v2 noipdefault ipcp-accept-local ipcp-accept-remote ms-dns dns-addr
    ms-wins usepeerdns usepeerwins noresolvconf netmask proxyarp noproxyarp defaultroute nodefaultroute
    replacedefaultroute defaultroute-metric novj -vj novjccomp vj-max-slots noip noremoteip nosendip
    ipcp-no-addresses +ipv6 ipv6 noipv6 ipv6cp-accept-local ipv6cp-accept-remote ipv6cp-use-ipaddr
    ipv6cp-use-persistent ipv6cp-use-remotenumber ipv6cp-noremote ipv6cp-nosend defaultroute6 nodefaultroute6
    defaultroute6-metric dhcpv6-server dhcpv6-trusted idle maxconnect maxfail persist nopersist holdoff demand
    active-filter pass-filter maxoctets mo mo-direction mo-timeout minconnect child-timeout nodetach updetach
    up_sdnotify master_detach ifname unit linkname vrf ipparam remotenumber logfile logfd nologfd nolog debug
    kdebug dump dryrun record plugin set unset ip-up-script ip-down-script ip-pre-up-script ipv6-up-script
    ipv6-down-script auth-up-script auth-down-script net-init-script net-pre-up-script net-down-script
    radius-config-file avpair map-to-ifname map-to-ttyname realms-config-file ntlm_auth-helper file call pty
"""
"The options of pppd(8), of its plugins and of old forks."


def read(tmp_path: Path, text: str | bytes) -> tuple[PppdOptions, Draft]:
    draft = Draft()
    options = PppdOptions(draft, directory=tmp_path, look_up={"ns.example": IPv4Address("10.1.2.3")}.get)
    path = tmp_path / "options"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    options.read(path)
    return options, draft


def values(tmp_path: Path, text: str) -> dict[str, object]:
    """Return what becomes of a file, by section.key."""
    options, draft = read(tmp_path, text)
    options.finish(Place(tmp_path / "options"))
    return {".".join(key): value for key, value in draft.values.items()}


def verdicts(tmp_path: Path, text: str) -> list[Verdict]:
    return [finding.verdict for finding in read(tmp_path, text)[1].findings]


class WordTests:
    """pppd(8): white space, quotes, backslashes, comments; an option's words may stand on the next line."""

    @pytest.mark.parametrize(
        "text",
        [
            'name "my server"',
            "name my\\ server",
            "name 'my server' # comment",
            "# comment\n  name\n  'my server'",
            "lock name my\\sserver lock",
            "name \\\n'my server'\r\n",
        ],
    )
    def test_one_word_however_written(self, tmp_path, text):
        options, draft = read(tmp_path, text)
        assert options.name_candidates() == ("my server",)
        assert Verdict.UNREADABLE not in {finding.verdict for finding in draft.findings}

    def test_each_option_is_told_with_its_line(self, tmp_path):
        _, draft = read(tmp_path, "lock mru 1300\n# note\n\nidle\n600 debug\n")
        assert [(finding.place.line, finding.text) for finding in draft.findings] == [
            (1, "lock"),
            (1, "mru 1300"),
            (5, ""),
            (4, "idle 600"),
            (5, "debug"),
        ]

    def test_a_quote_that_stays_open_is_unreadable_and_hides_no_other_line(self, tmp_path):
        _, draft = read(tmp_path, 'name "pptpd\nmru 1300\n')
        assert draft.findings[0].verdict is Verdict.UNREADABLE
        assert draft.values["ppp", "mru"] == 1300

    def test_a_word_that_is_missing_at_the_end(self, tmp_path):
        assert verdicts(tmp_path, "lock mru") == [Verdict.IGNORED, Verdict.UNREADABLE]

    @given(st.binary(max_size=400))
    def test_b147_no_octets_raise_anything_but_our_error(self, tmp_path_factory, data):
        try:
            read(tmp_path_factory.mktemp("ppp"), data)[0].finish(Place(Path("options")))
        except PptpError:
            return

    @given(st.lists(st.sampled_from([*sorted(pppd_names.KNOWN), "1", "#", '"', "\n", "10.0.0.1:", ":", "é"])))
    def test_b147_no_words_raise_anything_but_our_error(self, tmp_path_factory, words):
        read(tmp_path_factory.mktemp("ppp"), " ".join(words))[0].finish(Place(Path("options")))


class NameTests:
    """No option is passed over in silence."""

    @pytest.mark.parametrize("name", sorted({*REFERENCE.split(), *pppd_names.KNOWN}))
    def test_every_option_of_the_reference_is_known(self, tmp_path, name):
        assert name in pppd_names.KNOWN
        options, draft = read(tmp_path, f"{name} 10.0.0.1")
        options.finish(Place(tmp_path / "options"))
        told = [finding.words for finding in draft.findings if finding.text.split()[:1] == [name]]
        assert told
        assert "no such option" not in told[0]

    def test_no_name_is_in_two_tables(self):
        tables = [set(pppd_names.HONOURED), set(pppd_names.IGNORED), set(pppd_names.DANGEROUS)]
        tables += [
            set(pppd_names.ARGUMENTS),
            set(pppd_names.NUMBERS),
            set(pppd_names.METHOD_OF),
            set(pppd_names.MPPE_OF),
        ]
        assert sum(map(len, tables)) - len(pppd_names.NUMBERS) == len(set().union(*tables))

    def test_an_unknown_option_names_the_nearest(self, tmp_path):
        _, draft = read(tmp_path, "require-mppe128")
        assert draft.findings[0].verdict is Verdict.UNREADABLE
        assert "did you mean require-mppe-128?" in draft.findings[0].words

    def test_an_option_of_a_plugin_may_be_anything(self, tmp_path):
        assert verdicts(tmp_path, "plugin winbind.so winbind-thing\n") == [Verdict.IGNORED] * 2

    def test_a_slip_of_the_pen_is_named_even_beside_a_plugin(self, tmp_path):
        _, draft = read(tmp_path, "plugin radius.so require-mppe128")
        assert "did you mean require-mppe-128?" in draft.findings[1].words

    @pytest.mark.parametrize("text", ["password geheim", "+ua geheim", "avpair geheim", "connect geheim"])
    def test_what_may_hold_a_secret_is_not_shown(self, tmp_path, text):
        assert "geheim" not in "\n".join(read(tmp_path, text)[1].lines())

    def test_devices_speeds_and_addresses_are_no_options(self, tmp_path):
        options, draft = read(tmp_path, "/dev/ttyS0 115200 10.0.0.1:10.0.0.2\n")
        assert [finding.verdict for finding in draft.findings] == [Verdict.IGNORED] * 3
        assert (str(options.local), str(options.remote)) == ("10.0.0.1", "10.0.0.2")


class SettingTests:
    """What becomes a setting."""

    def test_the_options_debian_ships(self, tmp_path):
        found = values(tmp_path, DEBIAN)
        assert found == {
            "auth.methods": ["MS-CHAPv2"],
            "auth.encryption": "required",
            "auth.key_bits": [128],
            "network.dns": ["10.0.0.1"],
            "network.wins": ["10.0.0.3"],
            "network.proxy_arp": True,
        }
        assert Verdict.UNREADABLE not in verdicts(tmp_path, DEBIAN)

    @pytest.mark.parametrize(
        ("text", "key", "value"),
        [
            ("mru 1300", "ppp.mru", 1300),
            ("mru 0x514", "ppp.mru", 1300),
            ("lcp-echo-interval 30", "ppp.echo_interval", 30.0),
            ("lcp-echo-failure 4", "ppp.echo_failures", 4),
            ("idle 600", "policy.idle", "10m"),
            ("maxconnect 0x10 idle 600 idle 0", "policy.idle", "none"),
            ("maxconnect 28800", "policy.maxconnect", "8h"),
            ("debug", "log.level", "debug"),
            ("+ipv6", "ppp.ipv6", True),
            ("ipv6 ::1,::2", "ppp.ipv6", True),
            ("+ipv6 noipv6", "ppp.ipv6", False),
            ("ms-dns ns.example", "network.dns", ["10.1.2.3"]),
            ("ms-dns 10.0.0.1 dns-addr 10.0.0.2", "network.dns", ["10.0.0.1", "10.0.0.2"]),
            ("ms-dns 10.0.0.1 ms-dns 10.0.0.1", "network.dns", ["10.0.0.1"]),
            ("ms-dns 10.0.0.1 ms-dns 10.0.0.2 ms-dns 10.0.0.3", "network.dns", ["10.0.0.2", "10.0.0.3"]),
            ("ip-up-script /etc/up", "hooks.ip_up", "/etc/up"),
            ("auth-down-script /etc/down", "hooks.auth_down", "/etc/down"),
            ("require-pap +mschap-v2", "auth.methods", ["MS-CHAPv2", "PAP"]),
            ("chapms require-chap", "auth.methods", ["MS-CHAPv1", "CHAP-MD5"]),
            ("require-mppe", "auth.encryption", "required"),
            ("nomppe require-mppe-128", "auth.encryption", "required"),
            ("require-mppe-128 nomppe", "auth.encryption", "off"),
            ("noccp", "auth.encryption", "off"),
            ("require-pap", "auth.encryption", "off"),
            ("require-mppe-40 require-mppe-128", "auth.key_bits", [128, 40]),
            ("require-mppe-128 nomppe-128", "auth.key_bits", [40]),
            ("require-mppe-40 require-mppe-128 nomppe-40", "auth.key_bits", [128]),
            ("mppe-stateful", "auth.stateful", True),
            ("mppe-stateful nomppe-stateful", "auth.stateful", False),
            ("mppe required,stateless,no40", "auth.encryption", "required"),
        ],
    )
    def test_a_setting(self, tmp_path, text, key, value):
        assert values(tmp_path, text)[key] == value

    @pytest.mark.parametrize("text", ["", "lock", "auth", "name x", "refuse-pap", "require-mppe"])
    def test_nothing_weaker_than_ms_chapv2_and_128_bit_comes_of_silence(self, tmp_path, text):
        found = values(tmp_path, text)
        assert found.get("auth.methods", ["MS-CHAPv2"]) == ["MS-CHAPv2"]
        assert found.get("auth.encryption", "required") == "required"
        assert found.get("auth.key_bits", [128]) == [128]

    @pytest.mark.parametrize(
        "text",
        [
            *("require-pap", "+chap", "require-mschap", "nomppe", "noccp", "require-mppe-40", "nomppe-128"),
            *("mppe-stateful", "pass-filter tcp", "allow-number 1", "allow-ip 10.0.0.1"),
        ],
    )
    def test_what_weakens_is_called_dangerous(self, tmp_path, text):
        assert Verdict.DANGEROUS in verdicts(tmp_path, text)

    @pytest.mark.parametrize(
        "text",
        ["mru abc", "mru \u0661\u0665", "ms-dns nowhere.example", "ip-up-script up", "mru 1e3", "idle -1"],
    )
    def test_a_bad_word_is_unreadable(self, tmp_path, text):
        assert verdicts(tmp_path, text)[0:1] == [Verdict.UNREADABLE]

    @pytest.mark.parametrize("text", ["mru 128", "mru 16384", "lcp-echo-failure 0", "lcp-echo-interval -1"])
    def test_a_number_we_do_not_take_is_ignored_with_the_limits(self, tmp_path, text):
        _, draft = read(tmp_path, text)
        assert draft.findings[0].verdict is Verdict.IGNORED
        assert " to " in draft.findings[0].words


class NestingTests:
    """`file F` and `call NAME`."""

    def test_a_file_is_read_in_its_place(self, tmp_path):
        (tmp_path / "more").write_text("mru 1300\n")
        assert values(tmp_path, f"mru 1200 file {tmp_path}/more")["ppp.mru"] == 1300
        assert values(tmp_path, f"file {tmp_path}/more mru 1200")["ppp.mru"] == 1200

    def test_a_peer_is_read(self, tmp_path):
        (tmp_path / "peers").mkdir()
        (tmp_path / "peers" / "shop").write_text("mru 1300\n")
        assert values(tmp_path, "call shop")["ppp.mru"] == 1300

    @pytest.mark.parametrize(
        "text", ["call ../shadow", "call /etc/shadow", "file /nowhere/at/all", "file /", "file a\\000b"]
    )
    def test_what_cannot_be_read_is_told_and_the_rest_goes_on(self, tmp_path, text):
        _, draft = read(tmp_path, f"{text}\nmru 1300\n")
        assert Verdict.UNREADABLE in {finding.verdict for finding in draft.findings}
        assert draft.values["ppp", "mru"] == 1300

    def test_a_file_that_names_itself_ends(self, tmp_path):
        _, draft = read(tmp_path, f"file {tmp_path}/options\n")
        assert "deep" in "\n".join(draft.lines())

    def test_files_that_grow_without_end_are_refused(self, tmp_path):
        (tmp_path / "many").write_text("lock " * (MAX_WORDS // 4))
        with pytest.raises(SetupError, match="more than"):
            read(tmp_path, f"file {tmp_path}/many\n" * 5)


class FileTests:
    """Files of others are read with bounds, names looked up without raising."""

    def test_a_huge_file_is_refused(self, tmp_path):
        (tmp_path / "huge").write_bytes(b"\n" * (MAX_OCTETS + 1))
        with pytest.raises(SetupError, match="larger"):
            read_octets(tmp_path / "huge")

    @pytest.mark.parametrize("name", ["", "/dev/zero", "none", "a\0b"])
    def test_what_is_no_file_is_refused(self, tmp_path, name):
        with pytest.raises(SetupError):
            read_octets(tmp_path / name)

    @pytest.mark.parametrize("name", ["a\0b", "é" * 300, "x" * 300, "a..b", "\udcff"])
    def test_a_name_that_cannot_be_one_has_no_address(self, name):
        assert resolve(name) is None

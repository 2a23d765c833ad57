"""No line of somebody else's files is passed over in silence: each has one finding with its number.

The one option that holds several, `mppe required,stateless`, has one for each. What several lines together mean is told
besides, without a text, at the line that decides it.
"""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openpptp.daemon.accel_conf import read_accel
from openpptp.daemon.import_report import Draft, Finding, Place
from openpptp.daemon.importing import read_foreign
from openpptp.daemon.pppd_options import PppdOptions
from openpptp.daemon.pptpd_conf import read_pptpd
from openpptp.errors import SetupError

FLAGS = """
    usehostname hide-password show-password login papcrypt auth noauth require-pap require-chap require-mschap
    require-mschap-v2 require-eap refuse-pap refuse-chap refuse-mschap refuse-mschap-v2 refuse-eap +pap -pap +chap
    -chap +mschap -mschap +mschap-v2 -mschap-v2 chapms-strip-domain need-peer-eap default-mru noaccomp -ac nopcomp
    -pc nomagic -mn passive silent receive-all lcp-echo-adaptive sync local modem lock nolock mp multilink nomp
    mpshortseq noendpoint nobsdcomp nodeflate nodeflatedraft nopredictor1 predictor1 noccp require-mppe
    require-mppe-40 require-mppe-128 nomppe nomppe-40 nomppe-128 mppe-stateful nomppe-stateful +mppe -mppe +mppe-40
    -mppe-40 +mppe-128 -mppe-128 mppe-128 mppe-stateless chapms +chapms-v2 noipdefault ipcp-accept-local
    ipcp-accept-remote usepeerdns usepeerwins noresolvconf proxyarp noproxyarp defaultroute nodefaultroute
    replacedefaultroute novj -vj novjccomp noip noremoteip nosendip ipcp-no-addresses +ipv6 noipv6 ipv6cp-use-ipaddr
    ipv6cp-use-persistent ipv6cp-use-remotenumber ipv6cp-noremote ipv6cp-nosend defaultroute6 nodefaultroute6
    persist nopersist demand nodetach updetach up_sdnotify master_detach nologfd nolog debug dump dryrun
    map-to-ifname map-to-ttyname noecp -ecp ktune noktune
"""
WITH_ARGUMENT = """
    name user password remotename domain chap-secrets pap-secrets allow-ip allow-number privgroup +ua ca capath cert
    key crl crl-dir pkcs12 max-tls-version tls-verify-method chap-restart chap-max-challenge chap-interval
    chap-timeout pap-restart pap-max-authreq pap-timeout eap-restart lcp-restart lcp-max-configure lcp-max-terminate
    lcp-max-failure ipcp-restart ipcp-max-configure ipcp-max-terminate ipcp-max-failure ipv6cp-restart
    ipv6cp-max-configure ipv6cp-max-terminate ipv6cp-max-failure mru mtu asyncmap lcp-echo-interval lcp-echo-failure
    lcp-rtt-file mrru endpoint bundle bsdcomp deflate mppe ms-dns dns-addr ms-wins netmask defaultroute-metric
    vj-max-slots ipv6 defaultroute6-metric dhcpv6-server dhcpv6-trusted idle maxconnect maxfail holdoff
    active-filter pass-filter maxoctets mo mo-direction mo-timeout minconnect child-timeout ifname unit linkname vrf
    ipparam remotenumber logfile logfd kdebug record plugin set unset ip-up-script ip-down-script ip-pre-up-script
    ipv6-up-script ipv6-down-script auth-up-script auth-down-script net-init-script net-pre-up-script
    net-down-script radius-config-file avpair realms-config-file ntlm_auth-helper file call pty
"""
"The options of pppd 2.4.9 and 2.5.3, of their plugins and of old forks, by the number of words that follow."
KEYWORDS = """
    ppp option stimeout debug noipparam logwtmp bcrelay delegate connections localip remoteip listen vrf pidfile
    speed
"""
ACCEL = {
    "modules": "log_file pptp l2tp auth_pap auth_chap_md5 auth_mschap_v1 auth_mschap_v2 radius chap-secrets ippool",
    "core": "thread-count log-error",
    "common": "single-session max-sessions session-timeout",
    "pptp": "bind port verbose echo-interval echo-failure timeout mppe ifname ppp-max-mtu session-timeout ip-pool",
    "ppp": "verbose min-mtu mtu mru accomp pcomp ccp mppe check-ip ipv4 ipv6 lcp-echo-interval unit-cache",
    "auth": "timeout interval max-failure any-login noauth challenge-name",
    "ip-pool": "gw-ip-address shuffle gw tunnel 10.1.0.0/24 10.2.0.2-9,name=P 10.3.0.2-9,next=P",
    "client-ip-range": "disable 10.0.0.0/8 10.0.0.1-254",
    "dns": "dns1 dns2",
    "wins": "wins1 wins2",
    "chap-secrets": "gw-ip-address encrypted username-hash",
    "radius": "server nas-identifier acct-timeout",
    "shaper": "rate-limit verbose",
    "pppoe": "interface",
}
VALUES = ["1", "30", "1400", "-5", "10.9.0.1", "10.9.0.2-9", "require", "deny", "/nowhere", "a,b", "required,stateless"]
VALUE = st.sampled_from(VALUES)
GARBAGE = st.text("abcXYZ019-_+./:=,%&!@~", min_size=1, max_size=20).filter(lambda word: not word.startswith("/"))
SILENT = st.sampled_from(["", "   ", "# a comment", "#mru 1400", "\t"])

quick = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def joined(*parts: st.SearchStrategy[str], by: str = " ") -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(by.join)


OPTION_LINES = st.lists(
    st.one_of(
        SILENT,
        st.sampled_from(FLAGS.split()),
        joined(st.sampled_from(WITH_ARGUMENT.split()), VALUE).filter(lambda line: not re.match("mppe .*,", line)),
        GARBAGE,
    ),
    max_size=25,
)
PPTPD_LINES = st.lists(
    st.one_of(
        SILENT,
        st.sampled_from(KEYWORDS.split()),
        joined(st.sampled_from([word for word in KEYWORDS.split() if word != "option"]), VALUE),
        joined(st.just(""), st.sampled_from(KEYWORDS.split()), VALUE),
        GARBAGE,
        joined(GARBAGE, VALUE),
    ),
    max_size=25,
)
ACCEL_LINES = st.lists(
    st.one_of(
        SILENT,
        *(
            st.lists(
                st.one_of(st.sampled_from(keys.split()), joined(st.sampled_from(keys.split()), VALUE, by="=")),
                max_size=5,
            ).map(lambda lines, name=name: "\n".join([f"[{name}]", *lines]))
            for name, keys in ACCEL.items()
        ),
        GARBAGE,
        st.just("$include /nowhere"),
    ),
    max_size=10,
)


def every_line_has_one(text: str, findings: list[Finding], path: Path) -> None:
    """Check each line that says anything."""
    at: defaultdict[int, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.place.file == path and finding.place.line:
            at[finding.place.line].append(finding)
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        word = line.strip()
        if not word or word.startswith(("#", "[")):
            assert word.startswith("[") or not at[number], f"{line!r} says nothing, and {at[number]} is said of it"
            continue
        about = [finding for finding in at[number] if finding.text] or at[number][:1]
        assert len(about) == 1, f"of {line!r} in line {number} is said: {at[number]}"
        assert about[0].words
    assert not Counter(at.keys()) - Counter(range(1, len(lines) + 1))


@pytest.fixture
def ppp(tmp_path):
    """A folder in place of /etc/ppp."""
    (tmp_path / "chap-secrets").write_text("ann * geheim *\n")
    (tmp_path / "chap-secrets").chmod(0o600)
    return tmp_path


class OptionFileTests:
    """pppd's."""

    @quick
    @given(OPTION_LINES)
    def test_each_line_has_one_finding(self, ppp, lines):
        path, text, draft = ppp / "options.x", "\n".join(lines), Draft()
        path.write_text(text)
        options = PppdOptions(draft, directory=ppp, look_up=lambda _: None)
        options.read(path)
        options.finish(Place(path))
        every_line_has_one(text, draft.findings, path)

    @pytest.mark.parametrize("name", [*FLAGS.split(), *WITH_ARGUMENT.split()])
    def test_every_name_is_known(self, ppp, name):
        draft = Draft()
        (ppp / "options.x").write_text(name if name in FLAGS.split() else f"{name} 1400")
        options = PppdOptions(draft, directory=ppp, look_up=lambda _: None)
        options.read(ppp / "options.x")
        options.finish(Place(ppp))
        assert draft.findings
        assert not any("pppd has no such option" in finding.words for finding in draft.findings)

    def test_a_word_on_the_next_line_is_told_of_there(self, ppp):
        draft = Draft()
        (ppp / "options.x").write_text("mru\n1400\n")
        PppdOptions(draft, directory=ppp).read(ppp / "options.x")
        assert [(finding.place.line, finding.words) for finding in draft.findings] == [
            (2, "it goes on with what mru in line 1 begins"),
            (1, "ppp.mru = 1400"),
        ]


class PptpdConfTests:
    """pptpd's."""

    @quick
    @given(PPTPD_LINES)
    def test_each_line_has_one_finding(self, ppp, lines):
        path, text, draft = ppp / "pptpd.conf", "\n".join(lines) + "\n", Draft()
        path.write_text(text)
        read_pptpd(path, draft, directory=ppp, look_up=lambda _: None)
        every_line_has_one(text, draft.findings, path)


class AccelConfTests:
    """accel-ppp's; a section's head sets nothing and is told of only when it is wrong."""

    @quick
    @given(ACCEL_LINES)
    def test_each_line_has_one_finding(self, ppp, lines):
        path, draft = ppp / "accel-ppp.conf", Draft()
        text = f"[chap-secrets]\nchap-secrets={ppp}/chap-secrets\n" + "\n".join(lines)
        path.write_text(text)
        read_accel(path, draft)
        every_line_has_one(text, draft.findings, path)


class SecretsTests:
    """pppd's chap-secrets."""

    @quick
    @given(
        st.lists(
            st.one_of(
                SILENT,
                joined(st.sampled_from(["ann", "bob", "*", '"x y"']), st.sampled_from(["*", "other"]), VALUE, VALUE),
                joined(GARBAGE, GARBAGE),
                GARBAGE,
            ),
            max_size=20,
        )
    )
    def test_each_line_has_a_finding(self, tmp_path, lines):
        path, text, draft = tmp_path / "chap-secrets", "\n".join(lines), Draft()
        path.write_text(text)
        path.chmod(0o600)
        try:
            read_foreign(path, draft, "secrets")
        except SetupError as error:
            pytest.fail(str(error))
        told = {finding.place.line for finding in draft.findings}
        said = {number for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")}
        assert said <= told

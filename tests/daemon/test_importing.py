"""Somebody else's files: which kind each is, and what the whole comes to."""

import contextlib
import tomllib

import pytest

from openpptp.daemon.config import load
from openpptp.daemon.import_report import MAX_FINDINGS, MAX_TEXT, Draft, Place, Verdict, shown
from openpptp.daemon.importing import as_json, kind_of, read_foreign, settings_of, toml
from openpptp.errors import SetupError


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "ppp").mkdir()
    (tmp_path / "ppp" / "chap-secrets").write_text("ann pptpd geheim *\n")
    (tmp_path / "ppp" / "chap-secrets").chmod(0o600)
    (tmp_path / "ppp" / "pptpd-options").write_text(
        'name pptpd\nrequire-mschap-v2\nms-dns 10.0.0.9\nip-up-script "/x y"\n'
    )
    (tmp_path / "pptpd.conf").write_text(
        f"option {tmp_path}/ppp/pptpd-options\nlocalip 10.0.0.1\nremoteip 10.0.0.2-20,10.0.2-4.7\n"
    )
    return tmp_path


class KindTests:
    """By name first, by contents then."""

    @pytest.mark.parametrize(
        ("name", "text", "kind"),
        [
            ("chap-secrets", "", "secrets"),
            ("pptpd.conf", "", "pptpd"),
            ("pptpd.conf.dpkg-old", "", "pptpd"),
            ("old.conf", "localip 10.0.0.1\n", "pptpd"),
            ("pptpd-options", "lock\n", "options"),
            ("options.pptpd", "", "options"),
            ("accel-ppp.conf", "[modules]\npptp\n", "accel-ppp"),
            ("x", "# note\n  [ppp]\n", "accel-ppp"),
        ],
    )
    def test_a_kind(self, tmp_path, name, text, kind):
        (tmp_path / name).write_text(text)
        assert kind_of(tmp_path / name) == kind

    def test_what_says_nothing_is_asked_for(self, tmp_path):
        (tmp_path / "x").write_text("hello\n")
        with pytest.raises(SetupError, match="--as") as caught:
            kind_of(tmp_path / "x")
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("kind", ["pptpd", "options", "accel-ppp", "secrets"])
    def test_a_secrets_file_taken_for_another_kind_shows_no_secret(self, etc, kind):
        draft = Draft()
        (etc / "ppp" / "chap-secrets").write_text('ann pptpd geheim1 *\n bob * "geheim2" *\n[x]\ncid * geheim3 *\n')
        with contextlib.suppress(SetupError):
            read_foreign(etc / "ppp" / "chap-secrets", draft, kind, directory=etc / "ppp")
        assert draft.findings
        assert "geheim" not in "\n".join(draft.lines())


class WholeTests:
    """Settings file and report."""

    def test_the_settings_file_reads_back_as_the_same_settings(self, etc):
        draft = Draft()
        read_foreign(etc / "pptpd.conf", draft, directory=etc / "ppp")
        (etc / "openpptp.toml").write_text(toml(draft))
        assert load(etc / "openpptp.toml") == settings_of(draft)
        assert tomllib.loads(toml(draft))["hooks"]["ip_up"] == "/x y"

    def test_json_has_every_finding_and_the_counts(self, etc):
        draft = Draft()
        read_foreign(etc / "pptpd.conf", draft, directory=etc / "ppp")
        report = as_json(draft, settings_of(draft))
        assert report["complete"] is True
        assert sum(report["counts"].values()) == len(report["report"])
        assert report["settings"]["network"]["local_address"] == "10.0.0.1"

    def test_several_files_make_one_whole(self, etc):
        draft = Draft()
        (etc / "accel.conf").write_text(f"[ip-pool]\n10.9.0.1-9\n[chap-secrets]\nchap-secrets={etc}/ppp/chap-secrets\n")
        for path in (etc / "accel.conf", etc / "ppp" / "pptpd-options", etc / "ppp" / "chap-secrets"):
            read_foreign(path, draft)
        settings = settings_of(draft)
        assert settings is not None
        assert (settings.server.name, str(settings.network.dns[0])) == ("pptpd", "10.0.0.9")

    def test_settings_that_lack_a_pool_are_not_complete(self, etc):
        draft = Draft()
        read_foreign(etc / "ppp" / "pptpd-options", draft)
        assert settings_of(draft) is None
        assert any(
            f"{etc}/ppp/pptpd-options: unreadable because it names no addresses" in line for line in draft.lines()
        )
        assert draft.exit_code() == 2

    def test_pap_alone_with_encryption_required_is_told_at_its_line(self, etc):
        (etc / "ppp" / "pptpd-options").write_text("lock\nrequire-chap\nrequire-mppe-128\n")
        draft = Draft()
        read_foreign(etc / "pptpd.conf", draft, directory=etc / "ppp")
        assert settings_of(draft) is None
        found = [f for f in draft.findings if f.verdict is Verdict.UNREADABLE]
        assert [f.place.line for f in found] == [2]
        assert "make" in found[0].words


class ReportTests:
    """What a person reads."""

    def test_a_line_cannot_forge_another_or_steer_a_terminal(self):
        assert shown("a\x1b[2J\nb\udcff") == "a [2J b"
        assert len(shown("x" * 1000)) == MAX_TEXT

    def test_the_report_is_bounded(self):
        draft = Draft()
        for number in range(MAX_FINDINGS + 5):
            draft.tell(Place(__file__, number), "", Verdict.IGNORED, "x")
        assert len(draft.findings) == MAX_FINDINGS
        assert any(line.startswith("5 more") for line in draft.lines())

    @pytest.mark.parametrize(
        ("verdicts", "code"),
        [
            ([], 0),
            ([Verdict.HONOURED, Verdict.IGNORED], 0),
            ([Verdict.DANGEROUS, Verdict.HONOURED], 1),
            ([Verdict.DANGEROUS, Verdict.UNREADABLE], 2),
        ],
    )
    def test_the_exit_code_is_the_worst(self, verdicts, code):
        draft = Draft()
        for verdict in verdicts:
            draft.tell(Place(__file__), "", verdict, "x")
        assert draft.exit_code() == code

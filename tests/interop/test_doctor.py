"""`openpptp doctor HOST` in front of pptpd 1.4 + pppd 2.4.9, which nobody here wrote."""

import json
from pathlib import Path

import pytest
from tests.interop.conftest import GUEST, Lab
from tests.interop.peers import start_pptpd
from tests.netns.programs import OPENPPTP, USER, start

pytestmark = pytest.mark.interop


def diagnosis(lab: Lab, folder: Path, *options: str, flags: tuple[str, ...] = ()) -> dict[str, object]:
    """Run the doctor in front of a pptpd with these options of pppd; return its report."""
    server = start_pptpd(lab.guest, *options, listen=GUEST, local="10.88.0.1", remote="10.88.0.10-20")
    try:
        run = start(lab.host, folder, *OPENPPTP, "doctor", GUEST, "--json", *flags, name="doctor")
        run.exit_code(seconds=40)
        return json.loads(run.log())
    except BaseException as failure:
        failure.add_note(f"--- pptpd's pppd said:\n{server.log()}")
        raise
    finally:
        server.stop()


def step(report: dict[str, object], check: str) -> str:
    """Return what the report says of a step."""
    return next(each["sentence"] for each in report["checks"] if each["check"] == check)


class PptpdTests:
    def test_the_usual_settings(self, lab, tmp_path):
        options = ("require-mschap-v2", "require-mppe-128")
        report = diagnosis(lab, tmp_path, *options, flags=("--user", USER))
        assert report["works"], report
        assert '"linux", host "local"' in step(report, "control")
        assert step(report, "methods") == "the server takes MS-CHAPv2; refuses MS-CHAPv1, CHAP-MD5, PAP, EAP"
        assert step(report, "encryption").startswith("MPPE 128 bit")

    def test_several_methods_are_all_found(self, lab, tmp_path):
        report = diagnosis(lab, tmp_path, "require-mschap-v2", "require-chap", "require-pap", "nomppe")
        said = "the server takes CHAP-MD5, MS-CHAPv2, PAP; refuses MS-CHAPv1, EAP; it asks for CHAP-MD5 first"
        assert step(report, "methods") == said
        assert step(report, "two calls") == "two at the same time both get their GRE"

    def test_pap_only(self, lab, tmp_path):
        report = diagnosis(lab, tmp_path, "require-pap", "nomppe")
        assert report["label"] == "methods", report
        assert "wants PAP only" in report["verdict"]

    def test_no_encryption(self, lab, tmp_path):
        report = diagnosis(lab, tmp_path, "require-mschap-v2", "nomppe", flags=("--user", USER))
        assert report["label"] == "encryption", report

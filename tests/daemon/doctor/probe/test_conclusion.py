"""The report of a look at another host."""

from openpptp.daemon.doctor.probe.conclusion import Conclusion, HostReport
from openpptp.daemon.doctor.report import failed, ok

WORKS = Conclusion("well", "all is well", works=True)
BROKEN = Conclusion("port-closed", "it is closed", "open it")


class HostReportTests:
    def test_lines(self):
        report = HostReport("host", [ok("name", "host is 192.0.2.1"), failed("port", "closed")], BROKEN)
        assert report.lines() == [
            "ok          name  host is 192.0.2.1",
            "FAILED      port  closed",
            "",
            "it is closed",
            "-> open it",
        ]

    def test_a_verdict_without_remedy(self):
        assert HostReport("host", [], WORKS).lines() == ["", "all is well"]

    def test_the_conclusion_alone_decides_the_exit_code(self):
        assert HostReport("host", [failed("port", "closed")], WORKS).exit_code == 0
        assert HostReport("host", [], BROKEN).exit_code == 1

    def test_json(self):
        facts = HostReport("host", [failed("port", "closed")], BROKEN).facts()
        assert (facts["label"], facts["works"], facts["certain"]) == ("port-closed", False, True)
        assert facts["checks"] == [{"check": "port", "standing": "failed", "sentence": "closed", "remedy": ""}]

    def test_names_of_others_steer_no_terminal(self):
        report = HostReport("host", [], Conclusion("x", "\x1b[2J", "\x1b"))
        assert "\x1b" not in "".join(report.lines())

"""The verdict, the lines, the exit code."""

from dataclasses import replace

from openpptp.daemon.doctor.report import Report, failed, missing, ok, overridden, unknown

ROUTES = missing("routes", "none", "restart the server")
TABLE = overridden("firewall", "ufw drops it", "allow it")


class ReportTests:
    def test_lines_stand_in_columns_with_the_remedy_below(self):
        assert Report("this server", [ok("GRE", "1 socket"), ROUTES]).lines() == [
            "ok          GRE     1 socket",
            "MISSING     routes  none",
            "                    -> restart the server",
            "",
            "this server is not whole: 1 of 2 checks found something; mend it: restart the server",
        ]

    def test_of_several_troubles_the_first_comes_first(self):
        report = Report("this server", [TABLE, ROUTES, unknown("users", "may not", "run the doctor with sudo")])
        assert report.verdict.endswith("2 of 3 checks found something; begin with firewall: allow it")
        assert report.exit_code == 1

    def test_what_was_not_seen_makes_it_not_well(self):
        report = Report("this server", [ok("GRE", "1"), unknown("users", "may not")])
        assert report.exit_code == 3
        assert "as far as can be seen; not looked at: users" in report.verdict

    def test_all_well(self):
        report = Report("this server", [ok("GRE", "1")])
        assert (report.exit_code, report.verdict) == (0, "this server is whole: all 1 checks are well")

    def test_json(self):
        facts = Report("this server", [TABLE, unknown("users", "may not")]).facts()
        assert facts["well"] is False
        assert [each["standing"] for each in facts["checks"]] == ["overridden", "unknown"]

    def test_how_long_each_took_stands_in_a_column_where_it_is_known(self):
        results = [
            replace(ok("name", "known"), seconds=0.0042),
            replace(failed("port", "closed", "open it"), seconds=11),
        ]
        assert Report("x", [*results, ok("NAT", "none")]).lines()[:4] == [
            "ok          name     4 ms  known",
            "FAILED      port   11.0 s  closed",
            "                           -> open it",
            "ok          NAT            none",
        ]
        assert results[0].facts()["seconds"] == 0.0042
        assert "seconds" not in ok("NAT", "none").facts()

    def test_what_failed_is_trouble(self):
        assert Report("x", [failed("port", "closed", "open it")]).exit_code == 1

    def test_names_of_others_steer_no_terminal(self):
        assert "\x1b" not in "".join(Report("x", [missing("port", "\x1b[2J has it", "stop \x1b")]).lines())

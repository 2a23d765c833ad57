"""The error numbers of Windows."""

import pytest
from tests.machine import REPOSITORY

from openpptp.daemon.doctor.ras_errors import explain
from openpptp.daemon.doctor.ras_table import ERRORS


class TableTests:
    def test_the_numbers_windows_users_ask_about_are_there(self):
        asked = {619, 628, 629, 633, *range(645, 650), 691, 711, 718, 720, 734, 741, 742, 778, 789, 800, 806, 807, 809}
        assert asked | {812, 868, 919} <= set(ERRORS)

    @pytest.mark.parametrize("number", ERRORS)
    def test_each_says_what_it_means_why_and_what_to_do(self, number):
        error = ERRORS[number]
        assert error.name.startswith("ERROR_")
        assert all((error.says, error.means, error.causes, error.remedy))
        assert len(set(error.causes)) == len(error.causes)
        assert not any(text.endswith(".") for text in (error.says, error.means, *error.causes, error.remedy))

    @pytest.mark.parametrize("number", ERRORS)
    def test_the_manual_has_it(self, number):
        error = ERRORS[number]
        manual = (REPOSITORY / "docs" / "doctor.md").read_text(encoding="utf-8")
        assert f"| {number} | {error.means} | {error.causes[0]} |" in manual

    def test_789_is_none_of_pptp(self):
        assert "PPTP has no part of this" in ERRORS[789].means


class ExplainTests:
    def test_lines(self):
        assert explain(868, ERRORS[868]) == [
            "error 868  ERROR_DNSNAME_NOT_RESOLVABLE: the name of the server did not resolve",
            "in PPTP    nothing was sent: the name has no address",
            "causes     1. the name is misspelt",
            "           2. DNS does not work here",
            "           3. the name exists inside the company's network only",
            "remedy     nslookup NAME on the client; an address in place of the name tells the two apart",
        ]

    def test_json(self):
        facts = ERRORS[868].facts(868)
        assert (facts["error"], facts["name"], len(facts["causes"])) == (868, "ERROR_DNSNAME_NOT_RESOLVABLE", 3)

"""Policy routing rules."""

import pytest

from openpptp.errors import SetupError
from openpptp.net.journal import Journal
from openpptp.net.rules import Rules

pytestmark = pytest.mark.root


@pytest.fixture
def rules(alone):
    rules = Rules(Journal())
    yield rules
    rules.close()


def listed(namespace) -> str:
    return namespace.run("ip", "rule").stdout


class LeadUnmarkedTests:
    def test_two_rules_before_the_main_table_and_none_afterwards(self, alone, rules):
        before = listed(alone)
        rules.lead_unmarked(1723)
        assert "from all lookup main suppress_prefixlength 0" in listed(alone)
        assert "not from all fwmark 0x6bb lookup 1723" in listed(alone)
        assert rules.undo() == []
        assert listed(alone) == before

    def test_a_process_that_was_killed_is_cleared_up_after(self, alone, rules, tmp_path):
        before = listed(alone)
        journal = Journal(tmp_path)
        victim = Rules(journal)
        victim.lead_unmarked(7)
        victim.close()
        journal.close()
        again = Journal(tmp_path)
        second = Rules(again)
        try:
            assert second.undo() == []
            assert listed(alone) == before
        finally:
            second.close()
            again.close()

    def test_rules_that_are_gone_already_are_no_trouble(self, alone, rules):
        rules.lead_unmarked(7)
        alone.ip("rule del priority 31999")
        assert rules.undo() == []
        assert rules.undo() == []

    def test_another_programs_rules_at_our_place_are_named(self, alone, rules):
        rules.lead_unmarked(7)
        second = Rules(Journal())
        try:
            with pytest.raises(SetupError, match="cannot add a routing rule: File exists"):
                second.lead_unmarked(7)
            assert second.undo() == []
        finally:
            second.close()

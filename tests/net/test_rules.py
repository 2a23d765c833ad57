"""Policy routing rules."""

import pytest

from openpptp.errors import SetupError
from openpptp.net.journal import Journal
from openpptp.net.rules import Rules
from openpptp.net.tun import Tun

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
        rules.lead_unmarked(1723, avoid="lo")
        assert "from all lookup main suppress_prefixlength 0" in listed(alone)
        assert "not from all fwmark 0x6bb lookup 1723" in listed(alone)
        assert rules.undo() == []
        assert listed(alone) == before

    def test_a_process_that_was_killed_is_cleared_up_after(self, alone, rules, tmp_path):
        before = listed(alone)
        journal = Journal(tmp_path)
        victim = Rules(journal)
        victim.lead_unmarked(7, avoid="lo")
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
        rules.lead_unmarked(7, avoid="lo")
        alone.ip("rule del priority 31997")
        assert rules.undo() == []
        assert rules.undo() == []

    def test_two_tunnels_have_their_own_and_other_programs_theirs(self, alone, rules):
        tun, second = Tun("inside"), Rules(Journal())
        try:
            rules.lead_unmarked(7, avoid="lo")
            second.lead_unmarked(8, avoid="inside")
            assert listed(alone).count("suppress_prefixlength") == 2
            assert second.undo() == []
            assert "fwmark 0x7" in listed(alone)
            with pytest.raises(SetupError, match="cannot add a routing rule: File exists"):
                second.lead_unmarked(7, avoid="lo")
        finally:
            second.close()
            tun.close()

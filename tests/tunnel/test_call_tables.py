"""The four diagrams of a call, as drawings: nothing hangs in the air."""

import pytest

from openpptp.tunnel.call_tables import AWAITED, TABLES, Event, State
from openpptp.tunnel.settings import CallKind, Role

ALL = pytest.mark.parametrize(("role", "kind"), TABLES)
FIGURES = {
    (Role.PAC, CallKind.INCOMING): {
        ("idle", "place", "wait_reply"),
        ("wait_reply", "incoming-call-reply-refused", "ended"),
        ("wait_reply", "incoming-call-reply", "established"),
        ("wait_reply", "hang-up", "ended"),
        ("established", "call-clear-request", "ended"),
        ("established", "hang-up", "ended"),
    },
    (Role.PNS, CallKind.INCOMING): {
        ("idle", "incoming-call-request", "wait_connect"),
        ("wait_connect", "incoming-call-connected", "established"),
        ("wait_connect", "call-disconnect-notify", "ended"),
        ("established", "call-disconnect-notify", "ended"),
        ("established", "hang-up", "wait_disconnect"),
        ("wait_disconnect", "call-disconnect-notify", "ended"),
    },
    (Role.PAC, CallKind.OUTGOING): {
        ("idle", "outgoing-call-request", "wait_cs_ans"),
        ("wait_cs_ans", "answer", "established"),
        ("wait_cs_ans", "hang-up", "ended"),
        ("wait_cs_ans", "call-clear-request", "ended"),
        ("established", "call-clear-request", "ended"),
        ("established", "hang-up", "ended"),
    },
    (Role.PNS, CallKind.OUTGOING): {
        ("idle", "place", "wait_reply"),
        ("wait_reply", "outgoing-call-reply-refused", "ended"),
        ("wait_reply", "outgoing-call-reply", "established"),
        ("wait_reply", "hang-up", "wait_disconnect"),
        ("established", "call-disconnect-notify", "ended"),
        ("established", "hang-up", "wait_disconnect"),
        ("wait_disconnect", "call-disconnect-notify", "ended"),
    },
}


class DiagramTests:
    """3.2.3.1, 3.2.3.2, 3.2.4.1 and 3.2.4.2, the figures."""

    @ALL
    def test_the_figures_arrows_are_all_there(self, role, kind):
        arrows = {(row.state.value, row.event.value, row.new_state.value) for row in TABLES[role, kind]}
        assert FIGURES[role, kind] <= arrows

    @ALL
    def test_every_state_is_reached_from_idle(self, role, kind):
        reached = {State.IDLE}
        for _ in State:
            reached |= {row.new_state for row in TABLES[role, kind] if row.state in reached}
        assert reached == set(TABLES[role, kind].states)

    @ALL
    def test_nothing_leaves_the_end(self, role, kind):
        assert all(TABLES[role, kind][State.ENDED, event].new_state is State.ENDED for event in Event)

    @ALL
    def test_r031_every_transient_state_waits_for_something_and_not_for_ever(self, role, kind):
        table = TABLES[role, kind]
        for state in table.states:
            transient = state not in {State.IDLE, State.ESTABLISHED, State.ENDED}
            assert ((kind, state) in AWAITED) is transient
            assert (table[state, Event.TIMEOUT].new_state is not state) is transient

"""The control connection's diagrams, as drawings: nothing hangs in the air."""

import pytest

from openpptp.tunnel.control_tables import INITIATOR, RESPONDER, Event, State

TABLES = pytest.mark.parametrize("table", [INITIATOR, RESPONDER], ids=["initiator", "responder"])


class DiagramTests:
    """3.1.1 and 3.1.2, the figures."""

    @TABLES
    def test_every_state_is_reached_from_idle(self, table):
        reached = {State.IDLE}
        for _ in State:
            reached |= {row.new_state for row in table if row.state in reached}
        assert reached == set(table.states)

    @TABLES
    def test_nothing_leaves_closed(self, table):
        assert not [row for row in table if row.state is State.CLOSED]
        assert all(table[State.CLOSED, event].new_state is State.CLOSED for event in Event)

    @TABLES
    def test_every_other_state_ends_when_the_stream_does(self, table):
        for state in table.states[:-1]:
            assert table[state, Event.TCP_CLOSED].new_state is State.CLOSED

    def test_the_figures_arrows_are_all_there(self):
        arrows = {(row.state.value, row.event.value, row.new_state.value) for row in INITIATOR}
        assert {
            ("idle", "tcp-open", "wait_ctl_reply"),
            ("wait_ctl_reply", "collision-lost", "closed"),
            ("wait_ctl_reply", "start-reply", "established"),
            ("wait_ctl_reply", "start-reply-bad-version", "wait_stop_reply"),
            ("established", "stop-request", "closed"),
            ("established", "local-stop", "wait_stop_reply"),
            ("wait_stop_reply", "stop-reply", "closed"),
        } <= arrows
        arrows = {(row.state.value, row.event.value, row.new_state.value) for row in RESPONDER}
        assert {
            ("idle", "start-request-bad-version", "closed"),
            ("idle", "start-request", "established"),
            ("established", "stop-request", "closed"),
            ("established", "local-stop", "wait_stop_reply"),
            ("wait_stop_reply", "stop-reply", "closed"),
        } <= arrows

    def test_only_a_responder_that_dialled_too_closes_what_the_loser_dialled(self):
        assert RESPONDER[State.IDLE, Event.COLLISION_WON].new_state is State.CLOSED
        assert RESPONDER[State.IDLE, Event.COLLISION_LOST].new_state is State.IDLE
        assert INITIATOR[State.WAIT_CTL_REPLY, Event.COLLISION_WON].new_state is State.WAIT_CTL_REPLY

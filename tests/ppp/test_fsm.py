"""Every cell of the automaton's table."""

import pytest
from tests.ppp.recorder import Recorder

from openpptp.machine import Note
from openpptp.ppp.automaton import LayerDown, LayerFinished, LayerStarted, LayerUp, Send
from openpptp.ppp.fsm import TABLE, TIMED, Event, State, parse_table
from openpptp.wire.ppp import Code

INITIAL, STARTING, CLOSED, STOPPED, CLOSING, STOPPING, REQ_SENT, ACK_RCVD, ACK_SENT, OPENED = State
ILLEGAL = "illegal"

# Read down the columns of RFC 1661 section 4.1, state by state, in words of sections 4.2 to 4.4; the module under
# test reads the rows. Sixteen per state: Up Down Open Close TO+ TO- RCR+ RCR- RCA RCN RTR RTA RUC RXJ+ RXJ- RXR.
EXPECTED = {
    INITIAL: [
        ("", CLOSED), ILLEGAL, ("tls", STARTING), ("", INITIAL),
        ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL,
    ],
    STARTING: [
        ("irc scr", REQ_SENT), ILLEGAL, ("", STARTING), ("tlf", INITIAL),
        ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL,
    ],
    CLOSED: [
        ILLEGAL, ("", INITIAL), ("irc scr", REQ_SENT), ("", CLOSED),
        ILLEGAL, ILLEGAL,
        ("sta", CLOSED), ("sta", CLOSED), ("sta", CLOSED), ("sta", CLOSED), ("sta", CLOSED), ("", CLOSED),
        ("scj", CLOSED), ("", CLOSED), ("tlf", CLOSED), ("", CLOSED),
    ],
    STOPPED: [
        ILLEGAL, ("tls", STARTING), ("", STOPPED), ("", CLOSED),
        ILLEGAL, ILLEGAL,
        ("irc scr sca", ACK_SENT), ("irc scr scn", REQ_SENT), ("sta", STOPPED), ("sta", STOPPED), ("sta", STOPPED),
        ("", STOPPED), ("scj", STOPPED), ("", STOPPED), ("tlf", STOPPED), ("", STOPPED),
    ],
    CLOSING: [
        ILLEGAL, ("", INITIAL), ("", STOPPING), ("", CLOSING),
        ("str", CLOSING), ("tlf", CLOSED),
        ("", CLOSING), ("", CLOSING), ("", CLOSING), ("", CLOSING), ("sta", CLOSING), ("tlf", CLOSED),
        ("scj", CLOSING), ("", CLOSING), ("tlf", CLOSED), ("", CLOSING),
    ],
    STOPPING: [
        ILLEGAL, ("", STARTING), ("", STOPPING), ("", CLOSING),
        ("str", STOPPING), ("tlf", STOPPED),
        ("", STOPPING), ("", STOPPING), ("", STOPPING), ("", STOPPING), ("sta", STOPPING), ("tlf", STOPPED),
        ("scj", STOPPING), ("", STOPPING), ("tlf", STOPPED), ("", STOPPING),
    ],
    REQ_SENT: [
        ILLEGAL, ("", STARTING), ("", REQ_SENT), ("irc str", CLOSING),
        ("scr", REQ_SENT), ("tlf", STOPPED),
        ("sca", ACK_SENT), ("scn", REQ_SENT), ("irc", ACK_RCVD), ("irc scr", REQ_SENT), ("sta", REQ_SENT),
        ("", REQ_SENT), ("scj", REQ_SENT), ("", REQ_SENT), ("tlf", STOPPED), ("", REQ_SENT),
    ],
    ACK_RCVD: [
        ILLEGAL, ("", STARTING), ("", ACK_RCVD), ("irc str", CLOSING),
        ("scr", REQ_SENT), ("tlf", STOPPED),
        ("sca tlu", OPENED), ("scn", ACK_RCVD), ("scr", REQ_SENT), ("scr", REQ_SENT), ("sta", REQ_SENT),
        ("", REQ_SENT), ("scj", ACK_RCVD), ("", REQ_SENT), ("tlf", STOPPED), ("", ACK_RCVD),
    ],
    ACK_SENT: [
        ILLEGAL, ("", STARTING), ("", ACK_SENT), ("irc str", CLOSING),
        ("scr", ACK_SENT), ("tlf", STOPPED),
        ("sca", ACK_SENT), ("scn", REQ_SENT), ("irc tlu", OPENED), ("irc scr", ACK_SENT), ("sta", REQ_SENT),
        ("", ACK_SENT), ("scj", ACK_SENT), ("", ACK_SENT), ("tlf", STOPPED), ("", ACK_SENT),
    ],
    OPENED: [
        ILLEGAL, ("tld", STARTING), ("", OPENED), ("tld irc str", CLOSING),
        ILLEGAL, ILLEGAL,
        ("tld scr sca", ACK_SENT), ("tld scr scn", REQ_SENT), ("tld scr", REQ_SENT), ("tld scr", REQ_SENT),
        ("tld zrc sta", STOPPING), ("tld scr", REQ_SENT), ("scj", OPENED), ("", OPENED), ("tld irc str", STOPPING),
        ("ser", OPENED),
    ],
}  # fmt: skip
CELLS = [(state, event, EXPECTED[state][event]) for state in State for event in Event]


class StateTransitionTableTests:
    """4.1. State Transition Table."""

    @pytest.mark.parametrize(("state", "event", "expected"), CELLS, ids=lambda value: str(value))
    def test_cell(self, state, event, expected):
        automaton = Recorder(state)
        outputs = automaton.fire(event, 0.0)
        if expected == ILLEGAL:
            assert [type(output) for output in outputs] == [Note]
            assert automaton.state is state
            return
        actions, new = expected
        assert (" ".join(automaton.actions), automaton.state) == (actions, new)

    @pytest.mark.parametrize(("state", "event", "expected"), CELLS, ids=lambda value: str(value))
    def test_cell_speaks(self, state, event, expected):
        """4.4. Actions: each leaves exactly its trace, in order."""
        if expected == ILLEGAL:
            return
        traces = {
            "tlu": LayerUp, "tld": LayerDown, "tls": LayerStarted, "tlf": LayerFinished,
            "scr": Code.CONFIGURE_REQUEST, "sca": Code.CONFIGURE_ACK, "scn": Code.CONFIGURE_ACK,
            "str": Code.TERMINATE_REQUEST, "sta": Code.TERMINATE_ACK, "scj": Code.CODE_REJECT,
        }  # fmt: skip
        outputs = Recorder(state).fire(event, 0.0)
        heard = [output.packet.code if isinstance(output, Send) else type(output) for output in outputs]
        assert heard == [traces[action] for action in expected[0].split() if action in traces]

    def test_table_is_total(self):
        assert len(TABLE) == 160

    def test_restart_timer_runs_in_the_states_with_timeout_events(self):
        assert {CLOSING, STOPPING, REQ_SENT, ACK_RCVD, ACK_SENT} == TIMED

    @pytest.mark.parametrize(("state", "event", "expected"), CELLS, ids=lambda value: str(value))
    def test_restart_timer_stops_where_it_has_no_meaning(self, state, event, expected):
        automaton = Recorder(state)
        automaton._arm(1.0, 0.0)
        automaton.fire(event, 0.0)
        assert (automaton.deadline is not None) == (automaton.state in TIMED or expected == ILLEGAL)

    def test_a_cut_table_is_no_table(self):
        assert len(parse_table("      |    0    1\n Up   |    2    irc,scr/6\n")) == 2

"""Every cell of the automaton, and what its timers and counters do."""

from itertools import pairwise

import pytest

from openpptp.errors import EndReason, PeerViolation
from openpptp.machine import Note
from openpptp.ppp.fsm import (
    MAX_CODE_REJECTS,
    MAX_CONFIGURE,
    MAX_ROUNDS,
    MAX_TERMINATE,
    RENEGOTIATIONS,
    TABLE,
    TIMED,
    Automaton,
    Event,
    LayerDown,
    LayerFinished,
    LayerStarted,
    LayerUp,
    RestartTimer,
    Send,
    State,
    parse_table,
)
from openpptp.ppp.options import ACK, REJECT, Nak, NegotiableOption
from openpptp.wire.ppp import Code, Packet, Protocol

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


class Number(NegotiableOption):
    """An option of two octets that likes even numbers."""

    type = 9

    def __init__(self):
        super().__init__()
        self.value = b"\0\x02"

    def ask(self):
        return self.value

    def judge(self, value):
        if len(value) != 2:
            return REJECT
        return ACK if value[1] % 2 == 0 else Nak(b"\0\x04")

    def nakked(self, value):
        self.value = value

    def rejected(self):
        self.value = None


class Recorder(Automaton):
    """An automaton that writes its actions down."""

    protocol = Protocol.IPCP

    def __init__(self, state=State.INITIAL):
        super().__init__(RestartTimer())
        self.state = state
        self.actions = []
        self._answer = Packet(Code.CONFIGURE_ACK, 1)
        self._received = Packet(99, 7, b"data")
        self._restart_counter = 5

    def new_options(self):
        self.option = Number()
        return (self.option,)

    def fire(self, event, now):
        for name in TABLE[event, self.state].actions:
            self.actions.append(name.rstrip("_"))
        return super().fire(event, now)


REQUEST = Packet(Code.CONFIGURE_REQUEST, 1, b"\x09\x04\0\x06")


def sent(outputs):
    return [output.packet for output in outputs if isinstance(output, Send)]


def opened():
    """Return an automaton in Opened, its request having had Identifier 1."""
    automaton = Recorder()
    automaton.open(0.0)
    (request,) = sent(automaton.up(0.0))
    automaton.receive(REQUEST, 0.0)
    automaton.receive(Packet(Code.CONFIGURE_ACK, request.identifier, request.data), 0.0)
    assert automaton.state is OPENED
    automaton.actions.clear()
    return automaton


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


class RestartCounterTests:
    """4.6. Counters and Timers."""

    def test_ten_requests_then_this_layer_finished(self):
        automaton = Recorder()
        outputs = automaton.open(0.0) + automaton.up(0.0)
        times = [0.0]
        while automaton.deadline is not None:
            when = automaton.deadline.when
            fresh = automaton.tick(when)
            outputs += fresh
            times += [when] * len(sent(fresh))
        requests = sent(outputs)
        assert len(requests) == MAX_CONFIGURE
        assert len(set(requests)) == 1, "a repetition keeps its Identifier"
        assert outputs[-1] == LayerFinished()
        gaps = [round(later - earlier, 3) for earlier, later in pairwise(times)]
        assert gaps == [0.3, 0.6, 1.2, 2.4, 3.0, 3.0, 3.0, 3.0, 3.0]

    def test_two_terminate_requests_then_this_layer_finished(self):
        automaton = opened()
        outputs = automaton.close(0.0)
        while automaton.deadline is not None:
            outputs += automaton.tick(automaton.deadline.when)
        assert [packet.code for packet in sent(outputs)] == [Code.TERMINATE_REQUEST] * MAX_TERMINATE
        assert outputs[-1] == LayerFinished()

    def test_terminated_end_waits_one_timer_for_the_ack_to_arrive(self):
        automaton = opened()
        automaton.receive(Packet(Code.TERMINATE_REQUEST, 9), 10.0)
        assert automaton.tick(10.9) == []
        assert automaton.tick(11.0) == [LayerFinished()]

    def test_early_tick_does_nothing(self):
        automaton = Recorder()
        automaton.open(0.0)
        automaton.up(0.0)
        assert automaton.tick(0.29) == []

    def test_peer_that_acks_but_never_asks_is_asked_ever_more_slowly_and_not_for_ever(self):
        automaton = Recorder()
        automaton.open(0.0)
        packets = sent(automaton.up(0.0))
        now = 0.0
        caught = None
        while caught is None:
            automaton.receive(Packet(Code.CONFIGURE_ACK, packets[-1].identifier, packets[-1].data), now)
            now = automaton.deadline.when
            try:
                packets += sent(automaton.tick(now))
            except PeerViolation as violation:
                caught = violation
        assert caught.reason is EndReason.NEGOTIATION_FAILED
        assert len(packets) == MAX_ROUNDS
        assert now > 90


class ConfigureRequestTests:
    """5.1. Configure-Request."""

    def test_identifier_changes_once_a_reply_was_valid(self):
        automaton = Recorder()
        automaton.open(0.0)
        (first,) = sent(automaton.up(0.0))
        (second,) = sent(automaton.receive(Packet(Code.CONFIGURE_NAK, first.identifier, b"\x09\x04\0\x08"), 0.0))
        assert second.identifier != first.identifier
        assert second.data == b"\x09\x04\0\x08"

    def test_repeated_request_in_opened_is_acked_again_without_going_down(self):
        automaton = opened()
        assert automaton.receive(REQUEST, 0.0) == [Send(Packet(Code.CONFIGURE_ACK, 1, REQUEST.data))]
        assert automaton.state is OPENED

    def test_request_repeated_twice_in_opened_is_a_new_negotiation(self):
        automaton = opened()
        automaton.receive(REQUEST, 0.0)
        automaton.receive(REQUEST, 0.0)
        assert automaton.actions == ["tld", "scr", "sca"]

    def test_new_request_in_opened_is_a_new_negotiation(self):
        automaton = opened()
        automaton.receive(Packet(Code.CONFIGURE_REQUEST, 2, REQUEST.data), 0.0)
        assert (automaton.actions, automaton.state) == (["tld", "scr", "sca"], ACK_SENT)

    def test_unreadable_request_in_opened_changes_nothing(self):
        automaton = opened()
        (note,) = automaton.receive(Packet(Code.CONFIGURE_REQUEST, 2, b"\x09\x00"), 0.0)
        assert isinstance(note, Note)
        assert automaton.state is OPENED
        assert automaton.option.ours is not None

    def test_b066_renegotiation_without_end_ends_the_session(self):
        automaton = opened()

        def renegotiate(number):
            request = sent(automaton.receive(Packet(Code.CONFIGURE_REQUEST, number, REQUEST.data), 0.0))[0]
            automaton.receive(Packet(Code.CONFIGURE_ACK, request.identifier, request.data), 0.0)

        for number in range(RENEGOTIATIONS):
            renegotiate(number + 2)
        with pytest.raises(PeerViolation) as caught:
            renegotiate(99)
        assert caught.value.reason is EndReason.FLOODED
        assert automaton.actions.count("tld") == RENEGOTIATIONS

    def test_b066_renegotiation_now_and_then_is_welcome(self):
        automaton = opened()
        for number in range(2, 50):
            outputs = automaton.receive(Packet(Code.CONFIGURE_REQUEST, number, REQUEST.data), number * 15.0)
            request = sent(outputs)[0]
            automaton.receive(Packet(Code.CONFIGURE_ACK, request.identifier, request.data), number * 15.0)
        assert automaton.state is OPENED

    def test_b065_negotiation_without_end_ends_the_session(self):
        automaton = Recorder()
        automaton.open(0.0)
        automaton.up(0.0)
        for number in range(MAX_ROUNDS):
            automaton.receive(Packet(Code.CONFIGURE_REQUEST, number, b"\x63\x02"), 0.0)
        with pytest.raises(PeerViolation) as caught:
            automaton.receive(Packet(Code.CONFIGURE_REQUEST, 99, b"\x63\x02"), 0.0)
        assert caught.value.reason is EndReason.NEGOTIATION_FAILED

    def test_first_request_of_a_late_peer_starts_the_backoff_over(self):
        automaton = Recorder()
        automaton.open(0.0)
        automaton.up(0.0)
        while automaton.deadline.when < 4:
            automaton.tick(automaton.deadline.when)
        outputs = automaton.receive(REQUEST, 3.9)
        assert [packet.code for packet in sent(outputs)] == [Code.CONFIGURE_ACK, Code.CONFIGURE_REQUEST]


class ConfigureAnswerTests:
    """5.2 to 5.4. Configure-Ack, Configure-Nak, Configure-Reject."""

    @pytest.mark.parametrize("code", [Code.CONFIGURE_ACK, Code.CONFIGURE_NAK, Code.CONFIGURE_REJECT])
    def test_b067_wrong_identifier_is_dropped(self, code):
        automaton = Recorder()
        automaton.open(0.0)
        (request,) = sent(automaton.up(0.0))
        automaton.receive(Packet(code, request.identifier + 1, request.data), 0.0)
        assert automaton.state is REQ_SENT
        assert automaton.actions == ["tls", "irc", "scr"]

    @pytest.mark.parametrize("code", [Code.CONFIGURE_ACK, Code.CONFIGURE_REJECT])
    @pytest.mark.parametrize("data", [b"", b"\x09\x04\0\x03", b"\x09\x04\0\x02\x09\x04\0\x02", b"\x08\x04\0\x02"])
    def test_b067_changed_options_are_dropped(self, code, data):
        automaton = Recorder()
        automaton.open(0.0)
        (request,) = sent(automaton.up(0.0))
        automaton.receive(Packet(code, request.identifier, data), 0.0)
        assert automaton.state is REQ_SENT
        assert automaton.actions == ["tls", "irc", "scr"]

    def test_second_ack_for_the_same_request_is_dropped(self):
        automaton = Recorder()
        automaton.open(0.0)
        (request,) = sent(automaton.up(0.0))
        ack = Packet(Code.CONFIGURE_ACK, request.identifier, request.data)
        automaton.receive(ack, 0.0)
        automaton.receive(ack, 0.0)
        assert automaton.state is ACK_RCVD

    def test_stray_answers_in_stopped_and_opened(self):
        stopped = Recorder(STOPPED)
        assert sent(stopped.receive(Packet(Code.CONFIGURE_ACK, 3), 0.0)) == [Packet(Code.TERMINATE_ACK, 3)]
        assert isinstance(opened().receive(Packet(Code.CONFIGURE_ACK, 3), 0.0)[0], Note)

    def test_packets_before_the_lower_layer_is_up_are_dropped(self):
        (note,) = Recorder(STARTING).receive(REQUEST, 0.0)
        assert isinstance(note, Note)

    def test_down_before_up_is_nothing(self):
        assert Recorder(STARTING).down(0.0) == []
        assert opened().down(0.0) == [LayerDown()]

    def test_open_in_closed_begins_anew(self):
        assert sent(Recorder(CLOSED).open(0.0))[0].code == Code.CONFIGURE_REQUEST


class TerminateAckTests:
    """5.5. Terminate-Request and Terminate-Ack."""

    def test_request_put_off_with_terminate_ack_is_repeated_when_told(self):
        automaton = Recorder()
        automaton.open(0.0)
        (request,) = sent(automaton.up(0.0))
        automaton.receive(Packet(Code.TERMINATE_ACK, request.identifier), 0.0)
        assert sent(automaton.ask_again(0.1)) == [request]
        assert automaton.deadline.when == pytest.approx(0.4)
        assert automaton.ask_again(0.1) == []

    def test_request_nobody_put_off_is_not_repeated(self):
        automaton = Recorder()
        automaton.open(0.0)
        automaton.up(0.0)
        assert automaton.ask_again(0.1) == []

    def test_terminate_ack_in_opened_begins_anew(self):
        automaton = opened()
        automaton.receive(Packet(Code.TERMINATE_ACK, 1), 0.0)
        assert (automaton.actions, automaton.state) == (["tld", "scr"], REQ_SENT)


class CodeRejectTests:
    """5.6. Code-Reject."""

    def test_r079_unknown_code_is_rejected_with_the_packet(self):
        automaton = opened()
        (reject,) = sent(automaton.receive(Packet(99, 7, b"data"), 0.0))
        assert (reject.code, reject.data) == (Code.CODE_REJECT, Packet(99, 7, b"data").encode())

    def test_b070_code_rejects_are_bounded_in_length_and_number(self):
        automaton = opened()
        rejects = [sent(automaton.receive(Packet(0, 7, bytes(3000)), 0.0)) for _ in range(100)]
        assert len(rejects[0][0].encode()) <= 1500
        assert sum(map(len, rejects)) == MAX_CODE_REJECTS

    def test_b068_code_reject_of_configure_request_ends_the_protocol(self):
        automaton = opened()
        outputs = automaton.receive(Packet(Code.CODE_REJECT, 1, b"\x01\x01\0\x04"), 0.0)
        assert outputs[0] == LayerDown()
        assert automaton.state is STOPPING

    @pytest.mark.parametrize("data", [b"", b"\x09\x01\0\x04"])
    def test_code_reject_of_an_extension_is_remembered(self, data):
        automaton = opened()
        assert automaton.receive(Packet(Code.CODE_REJECT, 1, data), 0.0) == []
        assert automaton.state is OPENED

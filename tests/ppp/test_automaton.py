"""Timers, counters and packets of the automaton."""

from itertools import pairwise

import pytest
from tests.ppp.recorder import REQUEST, Recorder, opened, sent

from openpptp.errors import EndReason, PeerViolation
from openpptp.machine import Note
from openpptp.ppp.automaton import (
    MAX_CODE_REJECTS,
    MAX_CONFIGURE,
    MAX_ROUNDS,
    MAX_TERMINATE,
    RENEGOTIATIONS,
    Automaton,
    LayerDown,
    LayerFinished,
    RestartTimer,
    Send,
)
from openpptp.ppp.fsm import State
from openpptp.wire.ppp import Code, Packet

INITIAL, STARTING, CLOSED, STOPPED, CLOSING, STOPPING, REQ_SENT, ACK_RCVD, ACK_SENT, OPENED = State


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

    def test_request_in_stopped_begins_anew(self):
        automaton = Recorder(STOPPED)
        assert [packet.code for packet in sent(automaton.receive(REQUEST, 0.0))] == [1, 2]

    def test_a_protocol_must_name_its_options(self):
        with pytest.raises(NotImplementedError):
            Automaton(RestartTimer())

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

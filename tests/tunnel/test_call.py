"""Calls: the four automata, the messages they send, the words they end with."""

from dataclasses import replace

import pytest
from tests.tunnel.messages import PEER, samples

from openpptp.errors import EndReason
from openpptp.machine import Output
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel.call import Call, CallCleared, CallConnected, CallOffered, OutOfStep, classify
from openpptp.tunnel.call_tables import TABLES, Action, Event, State
from openpptp.tunnel.control import SendMessage
from openpptp.tunnel.settings import CallKind, Dialling, Role, TunnelSettings
from openpptp.wire.control import (
    Bearer,
    CallClearRequest,
    CallDisconnectNotify,
    Framing,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    OutgoingCallReply,
    OutgoingCallRequest,
)

OURS = 0x1111
SETTINGS = TunnelSettings(link=LinkSettings(), call_timeout=30.0, receive_window=64, connect_speed_bps=1_000_000)
OUTGOING_REQUEST = OutgoingCallRequest(PEER, 1, 300, 100_000_000)
INCOMING_REQUEST = IncomingCallRequest(PEER, 1)
CELLS = [(*ends, state) for ends, table in TABLES.items() for state in table.states]


def call(role: Role, kind: CallKind, state: State = State.IDLE) -> Call:
    """Return a call led into a state at time 0."""
    machine = Call(role, kind, OURS, SETTINGS, serial_number=5)
    if state is State.IDLE:
        return machine
    match role, kind:
        case Role.PNS, CallKind.OUTGOING:
            machine.place(0.0)
            good = OutgoingCallReply(PEER, OURS, 1)
        case Role.PAC, CallKind.INCOMING:
            machine.place(0.0)
            good = IncomingCallReply(PEER, OURS, 1)
        case Role.PAC, CallKind.OUTGOING:
            machine.receive(OUTGOING_REQUEST, 0.0)
            good = None
        case _:
            machine.receive(INCOMING_REQUEST, 0.0)
            good = IncomingCallConnected(OURS, 64000, 64)
    if state not in {State.WAIT_REPLY, State.WAIT_CS_ANS, State.WAIT_CONNECT}:
        _ = machine.answer(0.0) if good is None else machine.receive(good, 0.0)
    if state in {State.WAIT_DISCONNECT, State.ENDED}:
        machine.hang_up(EndReason.USER_REQUEST, 0.0)
    if state is State.ENDED:
        machine.abandon()
    assert machine.state is state
    return machine


def messages(outputs: list[Output]) -> list[object]:
    return [output.message for output in outputs if isinstance(output, SendMessage)]


def cleared(outputs: list[Output]) -> CallCleared:
    (output,) = [output for output in outputs if isinstance(output, CallCleared)]
    assert output.detail
    return output


class EveryCellTests:
    """3.2. Call States: every message in every state has its outcome (B-008)."""

    @pytest.mark.parametrize(("role", "kind", "state"), CELLS)
    @pytest.mark.parametrize("message", samples(OURS), ids=str)
    def test_b008_every_message_in_every_state_follows_the_table(self, role, kind, state, message):
        machine = call(role, kind, state)
        event = classify(message)
        outputs = machine.receive(message, 1.0)
        if event is None:
            assert (outputs, machine.state) == ([], state)
            return
        row = TABLES[role, kind][state, event]
        assert machine.state is row.new_state
        if row.action is Action.IGNORE:
            assert not messages(outputs)
        assert (machine.deadline is None) == (machine.state in {State.IDLE, State.ESTABLISHED, State.ENDED}), (
            "a transient state, and no other, has its time"
        )

    @pytest.mark.parametrize(("role", "kind", "state"), CELLS)
    def test_our_hanging_up_ends_or_waits_in_every_state(self, role, kind, state):
        machine = call(role, kind, state)
        machine.hang_up(EndReason.USER_REQUEST, 1.0)
        assert machine.state in {State.IDLE, State.WAIT_DISCONNECT, State.ENDED}
        assert machine.hang_up(EndReason.USER_REQUEST, 1.0) == []

    @pytest.mark.parametrize(("role", "kind", "state"), CELLS)
    def test_every_transient_state_ends_in_time(self, role, kind, state):
        machine = call(role, kind, state)
        if machine.deadline is None:
            assert machine.tick(1000.0) == []
            return
        assert machine.tick(29.9) == []
        machine.tick(30.0)
        if machine.state is State.WAIT_DISCONNECT:
            assert isinstance(machine.tick(60.0)[-1], OutOfStep)
        assert machine.state is State.ENDED
        assert machine.tick(1000.0) == []

    def test_every_action_is_there_and_used(self):
        used = {row.action for table in TABLES.values() for row in table}
        assert used == set(Call._ACTIONS)
        assert used | {Action.IGNORE} == set(Action)

    def test_no_event_is_without_a_use(self):
        assert {row.event for table in TABLES.values() for row in table} == set(Event)


class OutgoingCallPnsTests:
    """3.2.4.2. PNS Outgoing Call States."""

    def test_the_request_carries_our_call_id_and_settings(self):
        (request,) = messages(call(Role.PNS, CallKind.OUTGOING).place(0.0))
        assert request == OutgoingCallRequest(OURS, 5, 300, 100_000_000, 3, 3, 64)

    def test_the_request_asks_for_what_a_carrier_modem_wants(self):
        wanted = Dialling("RELAY_PPP1", "7", Bearer.DIGITAL, Framing.SYNCHRONOUS, 2400, 10_000)
        machine = Call(Role.PNS, CallKind.OUTGOING, OURS, replace(SETTINGS, dialling=wanted))
        (request,) = messages(machine.place(0.0))
        assert request == OutgoingCallRequest(OURS, 0, 2400, 10_000, 2, 2, 64, 0, "RELAY_PPP1", b"7")

    def test_a_good_reply_connects(self):
        machine = call(Role.PNS, CallKind.OUTGOING, State.WAIT_REPLY)
        assert machine.receive(OutgoingCallReply(0, OURS, 1), 0.0) == [CallConnected(0)]
        assert machine.peer_call_id == 0

    @pytest.mark.parametrize(
        ("result", "error", "words"),
        [
            (2, 4, "general error (result 2(general-error), error 4(no-resource))"),
            (3, 0, "no carrier"),
            (4, 0, "busy"),
            (5, 0, "no dial tone"),
            (6, 0, "not answered in time"),
            (7, 0, "does not accept"),
            (0, 0, "result 0"),
            (255, 255, "result 255, error 255"),
        ],
    )
    def test_r014_a_refusal_is_said_in_words(self, result, error, words):
        machine = call(Role.PNS, CallKind.OUTGOING, State.WAIT_REPLY)
        over = cleared(machine.receive(OutgoingCallReply(0, OURS, result, error), 0.0))
        assert over.reason is EndReason.CALL_REFUSED
        assert words in over.detail

    def test_r018_hanging_up_sends_our_call_id_and_waits(self):
        machine = call(Role.PNS, CallKind.OUTGOING, State.ESTABLISHED)
        assert messages(machine.hang_up(EndReason.USER_REQUEST, 0.0)) == [CallClearRequest(OURS)]
        assert machine.deadline == (30.0, "Call-Disconnect-Notify")
        assert machine.receive(CallDisconnectNotify(PEER, 4), 0.0) == []
        assert machine.state is State.ENDED

    def test_r031_no_reply_in_time_clears_the_call(self):
        machine = call(Role.PNS, CallKind.OUTGOING, State.WAIT_REPLY)
        outputs = machine.tick(30.0)
        assert messages(outputs) == [CallClearRequest(OURS)]
        assert cleared(outputs) == CallCleared(EndReason.SETUP_TIMEOUT, "no Outgoing-Call-Reply came in time")

    @pytest.mark.parametrize(
        ("message", "detail"),
        [
            (CallDisconnectNotify(PEER, 0), "the peer ended the call"),
            (CallDisconnectNotify(PEER, 3), "the peer ended the call: 3(admin-shutdown)"),
            (CallDisconnectNotify(PEER, 2, 6), "the peer ended the call: 2(general-error), error 6(pac-error)"),
            (CallClearRequest(PEER), "the peer ended the call"),
        ],
    )
    def test_q11_the_peer_ends_the_call_with_whatever_it_says(self, message, detail):
        machine = call(Role.PNS, CallKind.OUTGOING, State.ESTABLISHED)
        assert machine.receive(message, 0.0) == [CallCleared(EndReason.PEER_REQUEST, detail)]


class OutgoingCallPacTests:
    """3.2.4.1. PAC Outgoing Call States."""

    def test_r015_the_call_is_offered_and_our_answer_names_both_call_ids(self):
        machine = call(Role.PAC, CallKind.OUTGOING)
        assert machine.receive(OUTGOING_REQUEST, 0.0) == [CallOffered()]
        outputs = machine.answer(0.0)
        reply = OutgoingCallReply(OURS, PEER, 1, connect_speed=1_000_000, packet_receive_window_size=64)
        assert outputs == [SendMessage(reply), CallConnected(PEER)]

    def test_an_incomplete_call_is_answered_with_an_error(self):
        machine = call(Role.PAC, CallKind.OUTGOING, State.WAIT_CS_ANS)
        assert messages(machine.hang_up(EndReason.RESOURCES, 0.0)) == [OutgoingCallReply(0, PEER, 2, 6)]

    def test_a_line_that_does_not_answer_is_a_time_out(self):
        machine = call(Role.PAC, CallKind.OUTGOING, State.WAIT_CS_ANS)
        outputs = machine.tick(30.0)
        assert messages(outputs) == [OutgoingCallReply(0, PEER, 6)]
        assert cleared(outputs).reason is EndReason.SETUP_TIMEOUT

    def test_r035_a_clear_is_answered_with_a_disconnect_at_once(self):
        outputs = call(Role.PAC, CallKind.OUTGOING, State.ESTABLISHED).receive(CallClearRequest(PEER), 0.0)
        assert messages(outputs) == [CallDisconnectNotify(OURS, 4)]
        assert cleared(outputs).reason is EndReason.PEER_REQUEST

    @pytest.mark.parametrize(
        ("reason", "result", "error"),
        [
            (EndReason.USER_REQUEST, 4, 0),
            (EndReason.SHUTDOWN, 3, 0),
            (EndReason.PEER_SILENT, 1, 0),
            (EndReason.AUTHENTICATION_REFUSED, 2, 6),
            (EndReason.NO_ADDRESS, 2, 4),
        ],
    )
    def test_r019_hanging_up_says_our_call_id_and_why(self, reason, result, error):
        machine = call(Role.PAC, CallKind.OUTGOING, State.ESTABLISHED)
        assert messages(machine.hang_up(reason, 0.0)) == [CallDisconnectNotify(OURS, result, error)]
        assert machine.state is State.ENDED


class IncomingCallTests:
    """3.2.3. Incoming Calls."""

    def test_r016_the_pac_asks_is_accepted_and_says_connected(self):
        machine = call(Role.PAC, CallKind.INCOMING)
        assert messages(machine.place(0.0)) == [IncomingCallRequest(OURS, 5)]
        outputs = machine.receive(IncomingCallReply(PEER, OURS, 1), 0.0)
        assert outputs == [SendMessage(IncomingCallConnected(PEER, 1_000_000, 64)), CallConnected(PEER)]

    def test_r016_the_pns_accepts_and_waits_for_connected(self):
        machine = call(Role.PNS, CallKind.INCOMING)
        outputs = machine.receive(INCOMING_REQUEST, 0.0)
        assert outputs == [SendMessage(IncomingCallReply(OURS, PEER, 1, packet_receive_window_size=64))]
        assert machine.deadline == (30.0, "Incoming-Call-Connected")
        assert machine.receive(IncomingCallConnected(OURS, 64000, 64), 0.0) == [CallConnected(PEER)]

    @pytest.mark.parametrize(
        ("result", "words"), [(2, "2(general-error), error 4"), (3, "3(do-not-accept)"), (77, "77")]
    )
    def test_r017_a_refusal_is_said_in_words(self, result, words):
        error = 4 if result == 2 else 0
        machine = call(Role.PAC, CallKind.INCOMING, State.WAIT_REPLY)
        over = cleared(machine.receive(IncomingCallReply(0, OURS, result, error), 0.0))
        assert over.reason is EndReason.CALL_REFUSED
        assert words in over.detail

    def test_the_pac_gives_up_with_a_disconnect(self):
        outputs = call(Role.PAC, CallKind.INCOMING, State.WAIT_REPLY).tick(30.0)
        assert messages(outputs) == [CallDisconnectNotify(OURS, 1)]
        assert cleared(outputs).reason is EndReason.SETUP_TIMEOUT


class RoleTests:
    """1.2. PNS and PAC."""

    @pytest.mark.parametrize(("role", "kind"), TABLES)
    def test_who_placed_the_call_follows_from_role_and_kind(self, role, kind):
        assert call(role, kind).placed_by_us == (
            (role, kind) in {(Role.PNS, CallKind.OUTGOING), (Role.PAC, CallKind.INCOMING)}
        )

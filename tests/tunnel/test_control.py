"""The control connection: both automata, keep-alive, collision, stop."""

import pytest
from tests.tunnel.messages import START_REPLY, START_REQUEST, samples

from openpptp.errors import EndReason
from openpptp.machine import Output
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import control
from openpptp.tunnel.control import (
    CallMessage,
    CallsEnd,
    ControlConnection,
    Ended,
    Established,
    SendMessage,
    classify,
)
from openpptp.tunnel.control_tables import INITIATOR, RESPONDER, Action, Event, State
from openpptp.tunnel.settings import Side, TunnelSettings
from openpptp.wire.control import (
    EchoReply,
    EchoRequest,
    OutgoingCallRequest,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
)

SETTINGS = TunnelSettings(link=LinkSettings(), host_name="here", vendor_name="Us", maximum_calls=9)
OUR_START_REPLY = StartControlConnectionReply(0x0100, 1, maximum_channels=9, host_name="here", vendor_name="Us")


def connection(state: State, side: Side = Side.RESPONDER, **addresses: int) -> ControlConnection:
    """Return a connection led into a state by messages only, at time 0."""
    machine = ControlConnection(SETTINGS, side, **addresses)
    if state is State.IDLE:
        return machine
    machine.connected(0.0)
    if state is State.WAIT_CTL_REPLY:
        return machine
    machine.receive(START_REPLY if side is Side.INITIATOR else START_REQUEST, 0.0)
    if state is State.WAIT_STOP_REPLY:
        machine.stop(EndReason.USER_REQUEST, "", 0.0)
    if state is State.CLOSED:
        machine.stream_closed(0.0)
    assert machine.state is state
    return machine


def messages(outputs: list[Output]) -> list[object]:
    return [output.message for output in outputs if isinstance(output, SendMessage)]


def ending(outputs: list[Output]) -> EndReason:
    (ended,) = [output for output in outputs if isinstance(output, Ended)]
    assert outputs[-1] is ended
    assert ended.detail
    return ended.reason


REACHABLE = [
    (side, state)
    for side, table in ((Side.INITIATOR, INITIATOR), (Side.RESPONDER, RESPONDER))
    for state in table.states
]


class EveryCellTests:
    """3.1. Control Connection States: every event in every state has its outcome (B-008)."""

    @pytest.mark.parametrize(("side", "state"), REACHABLE)
    @pytest.mark.parametrize("message", samples(1), ids=str)
    def test_b008_every_message_in_every_state_follows_the_table(self, side, state, message):
        machine = connection(state, side)
        row = (INITIATOR if side is Side.INITIATOR else RESPONDER)[state, classify(message)]
        outputs = machine.receive(message, 1.0)
        assert machine.state is row.new_state
        over = [output for output in outputs if isinstance(output, Ended)]
        assert len(over) == (row.new_state is State.CLOSED and state is not State.CLOSED)
        if row.action is Action.IGNORE:
            assert not messages(outputs)

    @pytest.mark.parametrize(("side", "state"), REACHABLE)
    def test_the_end_of_the_stream_ends_every_state_once(self, side, state):
        machine = connection(state, side)
        first, second = machine.stream_closed(1.0), machine.stream_closed(1.0)
        assert sum(isinstance(output, Ended) for output in first) == (state is not State.CLOSED)
        assert second == []
        assert machine.deadline is None

    @pytest.mark.parametrize("table", [INITIATOR, RESPONDER])
    def test_every_action_of_the_tables_is_there_and_every_state_can_end(self, table):
        assert {row.action for row in table} <= set(ControlConnection._ACTIONS)
        for state in table.states:
            if state is not State.CLOSED:
                assert table[state, Event.TCP_CLOSED].new_state is State.CLOSED

    def test_no_action_is_without_a_use(self):
        used = {row.action for table in (INITIATOR, RESPONDER) for row in table}
        assert used | {Action.IGNORE} == set(Action)


class OriginatorTests:
    """3.1.1. Control Connection Originator."""

    def test_the_request_goes_out_when_tcp_is_open(self):
        machine = ControlConnection(SETTINGS, Side.INITIATOR)
        assert messages(machine.connected(0.0)) == [StartControlConnectionRequest(host_name="here", vendor_name="Us")]
        assert machine.state is State.WAIT_CTL_REPLY

    def test_a_good_reply_establishes(self):
        machine = connection(State.WAIT_CTL_REPLY, Side.INITIATOR)
        assert machine.receive(START_REPLY, 0.0) == [Established("there", "Somebody")]

    def test_r025_an_older_version_is_stopped_and_the_reply_waited_for(self):
        machine = connection(State.WAIT_CTL_REPLY, Side.INITIATOR)
        assert messages(machine.receive(StartControlConnectionReply(0x0001, 1), 0.0)) == [
            StopControlConnectionRequest(2)
        ]
        assert ending(machine.receive(StopControlConnectionReply(1), 0.0)) is EndReason.PROTOCOL_ERROR

    @pytest.mark.parametrize(
        ("result", "words"),
        [(2, "general-error"), (3, "channel-exists"), (4, "not-authorized"), (5, "version"), (99, "99")],
    )
    def test_a_refusal_is_said_in_words(self, result, words):
        (ended,) = connection(State.WAIT_CTL_REPLY, Side.INITIATOR).receive(
            StartControlConnectionReply(0x0100, result, 4), 0.0
        )
        assert ended.reason is EndReason.CALL_REFUSED
        assert words in ended.detail

    def test_no_reply_in_time_ends(self):
        machine = connection(State.WAIT_CTL_REPLY, Side.INITIATOR)
        assert machine.deadline == (10.0, "Start-Control-Connection-Reply")
        assert machine.tick(9.9) == []
        assert ending(machine.tick(10.0)) is EndReason.SETUP_TIMEOUT


class ReceiverTests:
    """3.1.2. Control Connection Receiver."""

    def test_a_request_is_answered_and_establishes(self):
        machine = connection(State.IDLE)
        outputs = machine.receive(START_REQUEST, 0.0)
        assert outputs == [SendMessage(OUR_START_REPLY), Established("there", "Somebody")]

    def test_b019_the_request_has_one_deadline_from_the_open_connection_on(self):
        machine = connection(State.IDLE)
        machine.connected(0.0)
        machine.receive(EchoRequest(1), 9.0)
        assert machine.deadline == (10.0, "Start-Control-Connection-Request")
        assert ending(machine.tick(10.0)) is EndReason.SETUP_TIMEOUT

    def test_b021_a_second_request_is_refused_and_the_first_kept(self):
        machine = connection(State.ESTABLISHED)
        (reply,) = messages(machine.receive(START_REQUEST, 1.0))
        assert (reply.result_code, machine.state) == (3, State.ESTABLISHED)

    @pytest.mark.parametrize(("version", "result"), [(0x0000, 5), (0x00FF, 5), (0x0100, 1), (0x0101, 1), (0x0200, 1)])
    def test_b022_versions_from_1_0_on_are_answered_with_ours_and_older_refused(self, version, result):
        machine = connection(State.IDLE)
        outputs = machine.receive(StartControlConnectionRequest(protocol_version=version), 0.0)
        (reply,) = messages(outputs)
        assert (reply.protocol_version, reply.result_code) == (0x0100, result)
        assert machine.state is (State.ESTABLISHED if result == 1 else State.CLOSED)
        assert machine.state is State.ESTABLISHED or ending(outputs) is EndReason.PROTOCOL_ERROR

    def test_b023_a_call_before_the_start_ends_the_connection(self):
        outputs = connection(State.IDLE).receive(OutgoingCallRequest(1, 1, 300, 300), 0.0)
        assert messages(outputs) == []
        assert ending(outputs) is EndReason.PROTOCOL_ERROR

    def test_b027_names_are_escaped(self):
        outputs = connection(State.IDLE).receive(StartControlConnectionRequest(host_name="a\x1b[2J\n%n\xff"), 0.0)
        assert outputs[-1] == Established("a\\x1b[2J\\x0a%n\\xff", "")


class StopTests:
    """2.3. Stop-Control-Connection-Request, R-026 and R-027."""

    @pytest.mark.parametrize("side", Side)
    @pytest.mark.parametrize(
        ("reason", "code"), [(EndReason.USER_REQUEST, 1), (EndReason.PROTOCOL_ERROR, 2), (EndReason.SHUTDOWN, 3)]
    )
    def test_r026_ours_is_sent_and_its_reply_waited_for(self, side, reason, code):
        machine = connection(State.ESTABLISHED, side)
        assert messages(machine.stop(reason, "", 5.0)) == [StopControlConnectionRequest(code)]
        assert machine.stop(EndReason.IDLE, "", 5.0) == []
        assert ending(machine.receive(StopControlConnectionReply(1), 5.1)) is reason

    def test_its_reply_is_not_waited_for_long(self):
        machine = connection(State.WAIT_STOP_REPLY)
        assert ending(machine.tick(control.STOP_WAIT)) is EndReason.USER_REQUEST

    def test_r027_b033_the_peers_ends_the_calls_first_and_then_is_answered(self):
        outputs = connection(State.ESTABLISHED).receive(StopControlConnectionRequest(3), 0.0)
        assert [type(output) for output in outputs] == [CallsEnd, SendMessage, Ended]
        assert messages(outputs) == [StopControlConnectionReply(1)]
        assert ending(outputs) is EndReason.PEER_REQUEST
        assert "stop-local-shutdown" in outputs[-1].detail

    def test_when_both_stop_the_peers_is_answered_and_ours_counts(self):
        machine = connection(State.ESTABLISHED)
        machine.stop(EndReason.SHUTDOWN, "going down", 0.0)
        outputs = machine.receive(StopControlConnectionRequest(1), 0.0)
        assert messages(outputs) == [StopControlConnectionReply(1)]
        assert ending(outputs) is EndReason.SHUTDOWN

    @pytest.mark.parametrize("side", Side)
    def test_before_the_start_there_is_nothing_to_stop(self, side):
        machine = ControlConnection(SETTINGS, side)
        machine.connected(0.0)
        outputs = machine.stop(EndReason.USER_REQUEST, "", 0.0)
        assert messages(outputs) == []
        assert ending(outputs) is EndReason.USER_REQUEST


class CollisionTests:
    """3.1.3. Start Control Connection Initiation Request Collision (R-028)."""

    LOW, HIGH = 0xC0212D11, 0xC0212D59  # 192.33.45.17 and 192.33.45.89, the RFC's example

    @pytest.mark.parametrize(
        ("side", "ours", "peer", "closed"),
        [
            (Side.INITIATOR, LOW, HIGH, True),
            (Side.INITIATOR, HIGH, LOW, False),
            (Side.RESPONDER, LOW, HIGH, False),
            (Side.RESPONDER, HIGH, LOW, True),
        ],
    )
    def test_what_the_lower_address_dialled_is_closed_without_a_word(self, side, ours, peer, closed):
        machine = ControlConnection(SETTINGS, side, our_address=ours, peer_address=peer)
        machine.connected(0.0)
        outputs = machine.collide(0.0)
        assert messages(outputs) == []
        assert (machine.state is State.CLOSED) is closed
        assert not closed or ending(outputs) is EndReason.CONNECTION_LOST

    @pytest.mark.parametrize("side", Side)
    def test_an_established_connection_is_left_alone(self, side):
        machine = connection(State.ESTABLISHED, side, our_address=self.HIGH, peer_address=self.LOW)
        assert machine.collide(1.0) == []
        assert machine.state is State.ESTABLISHED


class KeepAliveTests:
    """3.1.4. Keep Alives and Timers (R-030)."""

    def test_r030_after_a_minute_of_silence_an_echo_is_asked_for_and_after_another_it_is_over(self):
        machine = connection(State.ESTABLISHED)
        assert machine.tick(59.9) == []
        assert messages(machine.tick(60.0)) == [EchoRequest(1)]
        assert machine.deadline == (120.0, "Echo-Reply")
        assert machine.tick(119.9) == []
        assert ending(machine.tick(120.0)) is EndReason.PEER_SILENT

    def test_the_reply_begins_another_minute(self):
        machine = connection(State.ESTABLISHED)
        machine.tick(60.0)
        machine.receive(EchoReply(1), 61.0)
        assert messages(machine.tick(121.0)) == [EchoRequest(2)]

    def test_any_message_is_a_sign_of_life(self):
        machine = connection(State.ESTABLISHED)
        machine.tick(60.0)
        machine.receive(EchoRequest(5), 119.0)
        assert machine.tick(120.0) == []

    @pytest.mark.parametrize("identifier", [0, 2, 0xFFFFFFFF])
    def test_b029_an_echo_reply_nobody_asked_for_is_none(self, identifier):
        machine = connection(State.ESTABLISHED)
        machine.receive(EchoReply(identifier), 30.0)
        assert messages(machine.tick(60.0)) == [EchoRequest(1)]
        machine.receive(EchoReply(identifier), 90.0)
        assert ending(machine.tick(120.0)) is EndReason.PEER_SILENT

    def test_r011_a_request_is_answered_with_its_identifier(self):
        assert messages(connection(State.ESTABLISHED).receive(EchoRequest(0xABCD), 1.0)) == [EchoReply(0xABCD, 1, 0)]

    def test_b028_a_flood_is_answered_in_part_and_later_again(self):
        machine = connection(State.ESTABLISHED)
        answered = sum(len(machine.receive(EchoRequest(i), 1.0 + i / 10_000)) for i in range(10_000))
        assert answered <= control.ECHO_BURST + control.ECHO_RATE
        assert messages(machine.receive(EchoRequest(1), 10.0)) == [EchoReply(1)]

    def test_call_messages_are_passed_on(self):
        request = OutgoingCallRequest(1, 1, 300, 300)
        assert connection(State.ESTABLISHED).receive(request, 1.0) == [CallMessage(request)]


class FaultTests:
    """1.4. Loss of synchronization must result in immediate closing."""

    def test_r002_b016_what_is_no_message_ends_the_connection_without_a_word(self):
        outputs = connection(State.ESTABLISHED).fault("no cookie", 0.0)
        assert outputs == [Ended(EndReason.PROTOCOL_ERROR, "no cookie")]

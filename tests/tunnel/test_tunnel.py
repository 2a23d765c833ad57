"""Tunnels: octets in, outputs out; routing, limits, stopping, and everything a peer can do wrong."""

from dataclasses import replace
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.machine import need_captures
from tests.pcap import tcp_streams
from tests.sim.ppp_pair import client, pseudo_random, server
from tests.sim.world import Place
from tests.tunnel.messages import PEER, START_REPLY, START_REQUEST, samples

from openpptp.credentials import Refused
from openpptp.errors import EndReason
from openpptp.machine import Note
from openpptp.tunnel import tunnel as module
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.outputs import (
    ClosePath,
    CloseStream,
    Connected,
    ConnectPath,
    OpenPath,
    SendStream,
    SessionEnded,
    TunnelEnded,
)
from openpptp.tunnel.settings import CallKind, Side, TunnelSettings
from openpptp.tunnel.tunnel import Tunnel
from openpptp.wire.control import (
    MESSAGES,
    CallClearRequest,
    CallDisconnectNotify,
    ControlMessage,
    EchoReply,
    EchoRequest,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
    WanErrorNotify,
)

AT_SERVER = TunnelSettings(link=server(), maximum_calls=4)
CALL = OutgoingCallRequest(PEER, 1, 300, 100_000_000)
COOKIE = 0x1A2B3C4D


class Table:
    """A tunnel on the test's table, at a time the test tells."""

    def __init__(self, settings: TunnelSettings = AT_SERVER, side: Side = Side.RESPONDER, **more: object) -> None:
        self.call_ids = CallIds(pseudo_random(3), **more)  # type: ignore[arg-type]
        self.tunnel = Tunnel(settings, self.call_ids, pseudo_random(4), side=side)
        self.place = Place("here", self.tunnel)
        self.now = 0.0
        self.run("connected")

    def run(self, step: str, *arguments: object) -> list[object]:
        """Do one input, keep a driver's books, and return what came out."""
        outputs = getattr(self.tunnel, step)(*arguments, self.now)
        for output in outputs:
            self.place.keep(output)
        return outputs

    def hears(self, *messages: ControlMessage) -> list[ControlMessage]:
        """Feed messages in one piece and return those that were answered."""
        before = len(self.place.sent)
        self.run("receive", b"".join(message.encode() for message in messages))
        return self.place.sent[before:]

    def established(self) -> "Table":
        self.hears(START_REQUEST)
        return self

    def called(self, peer_call_id: int = PEER) -> int:
        """Have the peer place a call, and return the Call ID we gave it."""
        (reply,) = self.hears(replace(CALL, call_id=peer_call_id))
        assert isinstance(reply, OutgoingCallReply)
        assert reply.result_code == 1
        return reply.call_id

    def ended(self) -> EndReason:
        return self.place.only(TunnelEnded).reason


def client_table(kind: CallKind | None = CallKind.OUTGOING) -> Table:
    table = Table(TunnelSettings(link=client(), accepts=frozenset()), Side.INITIATOR)
    table.hears(START_REPLY)
    if kind is not None:
        table.run("place_call", kind, client())
    return table


class BeginningTests:
    """2.1. Start-Control-Connection-Request, as far as the driver sees it."""

    def test_start_and_call_in_one_segment_are_both_answered(self):
        start, call = Table().hears(START_REQUEST, CALL)
        assert (start.result_code, call.result_code, call.peer_call_id) == (1, 1, PEER)

    def test_who_is_there_is_said(self):
        table = Table().established()
        assert table.place.only(Connected) == Connected("there", "Somebody")

    def test_a_call_placed_early_waits_for_the_start(self):
        table = Table(TunnelSettings(link=client()), Side.INITIATOR)
        assert table.run("place_call", CallKind.OUTGOING, client()) == []
        (request,) = table.hears(START_REPLY)
        assert isinstance(request, OutgoingCallRequest)
        assert request.call_id in table.place.paths

    def test_r013_serial_numbers_count_up(self):
        table = client_table()
        table.run("place_call", CallKind.OUTGOING, client())
        first, second = table.place.sent[-2:]
        assert second.call_serial_number == (first.call_serial_number + 1) & 0xFFFF

    def test_as_pac_an_incoming_call_is_asked_for(self):
        assert isinstance(client_table(CallKind.INCOMING).place.sent[-1], IncomingCallRequest)

    def test_a_collision_closes_the_lower_end_s_connection_without_a_word(self):
        tunnel = Tunnel(AT_SERVER, CallIds(pseudo_random(1)), pseudo_random(1), side=Side.INITIATOR, local=1, peer=2)
        tunnel.connected(0.0)
        outputs = tunnel.collide(0.0)
        assert [type(output) for output in outputs] == [CloseStream, TunnelEnded]

    def test_in_lines_for_a_person(self):
        table = Table()
        assert table.tunnel.describe() == ["control connection idle, waits for Start-Control-Connection-Request"]
        table.established().called()
        connection, call = table.tunnel.describe()
        assert connection.startswith("control connection established")
        assert "outgoing PAC established, waits for LCP" in call
        assert table.tunnel.deadline is not None
        assert table.tunnel.state == "established"


class BadStreamTests:
    """1.4. Message Format: what is no message closes this connection, at once and without an answer."""

    @staticmethod
    def header(length: int, kind: int = 1, cookie: int = COOKIE, control_type: int = 5) -> bytes:
        return pack("!HHIHH", length, kind, cookie, control_type, 0)

    def assert_closed(self, data: bytes) -> None:
        table = Table().established()
        call_id = table.called()
        sent = len(table.place.sent)
        table.run("receive", data)
        assert table.ended() is EndReason.PROTOCOL_ERROR
        assert table.place.only(SessionEnded).call_id == call_id
        assert len(table.place.sent) == sent
        assert table.run("receive", EchoRequest(1).encode()) == []
        assert len(table.call_ids) == 0

    @pytest.mark.parametrize("length", [0, 1, 11, 12, 15, 17, 65535])
    def test_b001_a_length_that_does_not_fit(self, length):
        self.assert_closed(self.header(length) + bytes(16))

    @pytest.mark.parametrize("control_type", [0, 16, 0xFFFF])
    def test_b002_b003_b016_an_unknown_type_of_any_length(self, control_type):
        for length in (0, 12, 16):
            self.assert_closed(self.header(length, control_type=control_type))

    def test_b016_a_wrong_cookie_or_message_type(self):
        self.assert_closed(self.header(16, cookie=0x4D3C2B1A) + bytes(4))
        self.assert_closed(self.header(16, kind=2) + bytes(4))

    @pytest.mark.parametrize("kind", MESSAGES.values(), ids=lambda kind: kind.__name__)
    def test_b006_b007_b017_every_type_with_every_other_length(self, kind):
        for length in (*range(300), 4096, 65535):
            if length == kind.size():
                continue
            tunnel = Tunnel(AT_SERVER, CallIds(pseudo_random(1), last=9), pseudo_random(1))
            tunnel.connected(0.0)
            outputs = tunnel.receive(self.header(length, control_type=kind.TYPE) + bytes(length), 0.0)
            assert isinstance(outputs[-1], TunnelEnded)
            assert not any(isinstance(output, SendStream) for output in outputs)

    def test_b018_what_came_whole_before_the_fault_counts(self):
        table = Table()
        table.run("receive", START_REQUEST.encode() + CALL.encode() + b"garbage that is no header")
        assert [type(message) for message in table.place.sent] == [StartControlConnectionReply, OutgoingCallReply]
        assert table.ended() is EndReason.PROTOCOL_ERROR

    def test_b018_half_a_message_and_the_end(self):
        table = Table()
        table.run("receive", START_REQUEST.encode()[:100])
        table.run("stream_closed")
        assert table.ended() is EndReason.CONNECTION_LOST

    @given(st.lists(st.integers(1, 40), max_size=40))
    def test_b018_every_cut_gives_the_same_answers(self, cuts):
        conversation = [START_REQUEST, CALL, EchoRequest(1), SetLinkInfo(1), CallClearRequest(PEER), EchoRequest(2)]
        data = b"".join(message.encode() for message in conversation)
        whole, pieces = Table(), Table()
        whole.run("receive", data)
        for size in cuts:
            pieces.run("receive", data[:size])
            data = data[size:]
        pieces.run("receive", data)
        assert pieces.place.sent == whole.place.sent

    def test_b019_one_octet_every_five_seconds_has_ten_seconds(self):
        table = Table()
        for octet in START_REQUEST.encode()[:2]:
            table.now += 5.0
            table.run("receive", bytes((octet,)))
        table.run("tick")
        assert table.ended() is EndReason.SETUP_TIMEOUT


class BadOrderTests:
    """Messages that are well formed and out of place."""

    def test_b010_start_call_and_clear_at_once(self):
        table = Table()
        _, reply, notify = table.hears(START_REQUEST, CALL, CallClearRequest(0))
        assert isinstance(notify, CallDisconnectNotify)
        assert notify.call_id == reply.call_id
        assert table.place.only(SessionEnded).reason is EndReason.PEER_REQUEST
        table.now += 1
        assert table.called()

    def test_b021_a_second_start_keeps_the_first(self):
        table = Table().established()
        call_id = table.called()
        (reply,) = table.hears(START_REQUEST)
        assert reply.result_code == 3
        assert call_id in table.place.paths

    def test_b022_an_older_version_is_told_ours_and_closed(self):
        table = Table()
        (reply,) = table.hears(StartControlConnectionRequest(protocol_version=0x0000))
        assert (reply.protocol_version, reply.result_code) == (0x0100, 5)
        assert table.ended() is EndReason.PROTOCOL_ERROR

    def test_b023_a_call_before_the_start_leases_nothing(self):
        table = Table()
        assert table.hears(CALL) == []
        assert table.ended() is EndReason.PROTOCOL_ERROR
        assert not table.place.all(OpenPath)

    def test_b024_a_flood_of_calls_is_busy_and_leases_no_more_than_allowed(self):
        table = Table().established()
        replies = table.hears(*(replace(CALL, call_id=number) for number in range(3000)))
        assert [reply.result_code for reply in replies] == [1] * 4 + [4] * 2996
        assert len(table.call_ids) == 4
        assert len(table.place.all(Note)) <= module.REFUSALS_LOGGED

    def test_b024_a_full_house_for_incoming_calls_is_general_error_4(self):
        table = Table(replace(AT_SERVER, maximum_calls=0)).established()
        assert table.hears(IncomingCallRequest(PEER, 1)) == [IncomingCallReply(0, PEER, 2, 4)]

    def test_b024_no_call_id_left_is_general_error_4(self):
        table = Table(first=1, last=1).established()
        table.called()
        assert table.hears(replace(CALL, call_id=9)) == [OutgoingCallReply(0, 9, 2, 4)]

    def test_b024_an_ended_call_makes_room(self):
        table = Table(replace(AT_SERVER, maximum_calls=1)).established()
        table.called()
        table.hears(CallClearRequest(PEER))
        table.called()

    def test_b025_the_same_peer_call_id_twice_is_a_bad_call_id(self):
        table = Table().established()
        table.called()
        assert table.hears(CALL) == [OutgoingCallReply(0, PEER, 2, 5)]

    def test_b026_phone_numbers_and_subaddresses_are_escaped_where_they_are_shown(self):
        table = Table(replace(AT_SERVER, maximum_calls=0)).established()
        table.hears(replace(CALL, phone_number="\x1b[2J\n%n", subaddress=b"\xff" * 64))
        assert table.place.all(Note)[0].text.isprintable()
        assert table.place.all(Note)[0].text.isascii()

    def test_b027_names_are_escaped(self):
        table = Table()
        table.hears(StartControlConnectionRequest(host_name="a\x00b\n", vendor_name="\x1b"))
        assert table.place.only(Connected) == Connected("a", "\\x1b")

    def test_b028_b029_a_flood_of_echoes_is_answered_in_part_and_replies_never_asked_for_are_not(self):
        table = Table().established()
        assert len(table.hears(*(EchoRequest(n) for n in range(1000)), *(EchoReply(n) for n in range(1000)))) <= 30

    def test_b030_set_link_info_for_any_call_is_taken_without_a_word(self):
        table = Table().established()
        call_id = table.called()
        before = len(table.place.outputs)
        assert table.hears(*(SetLinkInfo(n, 0xDEADBEEF, 0) for n in (call_id, PEER, 0, 0xFFFF) * 250)) == []
        assert len(table.place.outputs) == before

    def test_b031_another_connection_s_call_ids_mean_nothing(self):
        table, other = Table().established(), Table().established()
        mine = [table.called(number) for number in (1, 2)]
        theirs = [other.called(number) for number in (11, 12)]
        for call_id in (*theirs, 11, 12):
            if call_id not in mine:
                table.hears(CallClearRequest(call_id), CallDisconnectNotify(call_id, 1))
        assert not table.place.all(SessionEnded)
        assert not other.place.all(SessionEnded)

    def test_b032_wan_errors_and_incoming_calls_in_the_wrong_role(self):
        table = client_table()
        (ours,) = table.place.paths
        assert table.hears(WanErrorNotify(ours, 1, 2, 3), IncomingCallConnected(ours, 64000, 64)) == []
        assert table.hears(IncomingCallReply(PEER, ours, 1)) == []
        assert table.hears(CALL, IncomingCallRequest(PEER, 1)) == [
            OutgoingCallReply(0, PEER, 7),
            IncomingCallReply(0, PEER, 3),
        ]
        assert not table.place.all(SessionEnded)

    @pytest.mark.parametrize("message", samples(7), ids=str)
    @pytest.mark.parametrize("side", Side)
    def test_b008_every_message_before_during_and_after(self, side, message):
        for before in ([], [START_REQUEST, START_REPLY], [START_REQUEST, START_REPLY, StopControlConnectionRequest(1)]):
            table = Table(side=side)
            table.hears(*before)
            table.hears(message, message)
            table.run("stream_closed")
            assert table.ended()


class CaptureTests:
    """What real peers sent, played to ours (one capture per known peer)."""

    CLIENTS = (
        ("john-lulu.pcap", 0x0B74, "Windows 7"),
        ("asleap-pptp.dump", 0, "Windows XP, with uninitialised memory as its vendor name (B-027)"),
        ("packetlife-pptp-negotiation.cap", 1, "Ixia"),
        ("ndpi-pptp.pcap", 0, "pptp-linux, which clears the call and goes"),
        ("tcpdump-pptp.pcap", 0, "Windows NT"),
    )
    SERVERS = (
        ("john-lulu.pcap", 0x0B74, 0x0100, "pptpd"),
        ("asleap-pptp.dump", 0, 4, "Colubris"),
        ("packetlife-pptp-negotiation.cap", 1, 0x18, "Cisco IOS"),
        ("ndpi-pptp.pcap", 0, 0x2DEB, "Windows RRAS behind an address translator that rewrote the Call ID"),
        ("tcpdump-pptp.pcap", 0, 0, "MoretonBay pptpd"),
    )

    @staticmethod
    def stream(name: str, *, to_server: bool) -> bytes:
        streams = tcp_streams(need_captures() / name, 1723)
        (found,) = [data for (_, _, _, port), data in streams.items() if (port == 1723) == to_server]
        return found

    @pytest.mark.parametrize(("name", "call_id", "who"), CLIENTS)
    def test_a_real_client_gets_its_call(self, name, call_id, who):
        table = Table()
        table.run("receive", self.stream(name, to_server=True))
        start, reply, *rest = table.place.sent
        assert (start.result_code, reply.result_code, reply.peer_call_id) == (1, 1, call_id)
        (connected,) = table.place.all(ConnectPath)
        assert connected.peer_call_id == call_id
        assert table.place.only(Connected).peer_vendor_name.isprintable()
        table.run("stream_closed")
        ended = table.place.only(SessionEnded).reason
        if name == "ndpi-pptp.pcap":
            assert ended is EndReason.PEER_REQUEST
            assert isinstance(rest[0], CallDisconnectNotify)
        else:
            assert ended is EndReason.CONNECTION_LOST

    @pytest.mark.parametrize(("name", "ours", "theirs", "who"), SERVERS)
    def test_a_real_server_takes_our_call(self, name, ours, theirs, who):
        table = Table(TunnelSettings(link=client(), accepts=frozenset()), Side.INITIATOR, first=ours, last=ours)
        table.run("place_call", CallKind.OUTGOING, client())
        table.run("receive", self.stream(name, to_server=False))
        assert table.place.only(ConnectPath) == ConnectPath(ours, theirs)
        if name == "ndpi-pptp.pcap":
            assert table.place.only(SessionEnded).reason is EndReason.PEER_REQUEST
        else:
            assert table.place.paths == {ours: theirs}


class LenientTests:
    """2.12 and 2.13: whose Call ID a clear or disconnect carries."""

    @pytest.mark.parametrize("message", [CallClearRequest, lambda number: CallDisconnectNotify(number, 0)])
    def test_q11_q12_either_call_id_among_several_calls(self, message):
        table = Table().established()
        first, second = table.called(1001), table.called(1002)
        table.hears(message(1001))
        assert [ended.call_id for ended in table.place.all(SessionEnded)] == [first]
        third = table.called(1003)
        table.hears(message(third))
        assert [ended.call_id for ended in table.place.all(SessionEnded)] == [first, third]
        assert list(table.place.paths) == [second]

    def test_q11_any_call_id_when_there_is_one_call_only(self):
        table = client_table()
        (ours,) = table.place.paths
        table.hears(OutgoingCallReply(PEER, ours, 1))
        table.hears(CallDisconnectNotify(0x7777, 0))
        assert table.place.only(SessionEnded).reason is EndReason.PEER_REQUEST

    def test_q15_a_disconnect_for_no_call_is_noted_and_no_more(self):
        table = Table().established()
        assert table.hears(CallDisconnectNotify(5, 1)) == []
        assert "names no call" in table.place.only(Note).text


class StoppingTests:
    """2.3. Stop-Control-Connection-Request; calls down first, one end, nothing after it."""

    def test_b033_the_peer_stops_with_live_calls(self):
        table = Table().established()
        table.called(1)
        table.called(2)
        before = len(table.place.outputs)
        table.hears(StopControlConnectionRequest(3))
        kinds = [type(output) for output in table.place.outputs[before:]]
        assert kinds == [ClosePath, SessionEnded, ClosePath, SessionEnded, SendStream, CloseStream, TunnelEnded]
        assert table.place.sent[-1] == StopControlConnectionReply(1)
        assert len(table.call_ids) == 0

    def test_as_pac_calls_are_disconnected_and_the_connection_stopped(self):
        table = Table().established()
        table.called(1)
        table.called(2)
        before = len(table.place.sent)
        table.run("stop", EndReason.SHUTDOWN)
        kinds = [type(message) for message in table.place.sent[before:]]
        assert kinds == [CallDisconnectNotify, CallDisconnectNotify, StopControlConnectionRequest]
        assert {ended.reason for ended in table.place.all(SessionEnded)} == {EndReason.SHUTDOWN}
        table.hears(StopControlConnectionReply(1))
        assert table.ended() is EndReason.SHUTDOWN

    def test_q14_as_pns_the_disconnect_is_waited_for_but_not_long(self):
        table = client_table()
        (ours,) = table.place.paths
        table.hears(OutgoingCallReply(PEER, ours, 1))
        table.run("stop", EndReason.USER_REQUEST)
        assert table.place.sent[-1] == CallClearRequest(ours)
        assert table.tunnel.deadline == (module.HANG_UP_WAIT, "Call-Disconnect-Notify")
        table.now = module.HANG_UP_WAIT
        table.run("tick")
        assert table.place.sent[-1] == StopControlConnectionRequest(1)
        table.now += 2.0
        table.run("tick")
        assert table.ended() is EndReason.USER_REQUEST
        assert len(table.call_ids) == 0

    def test_a_peer_that_stops_when_we_have_waited_long_enough_ends_it(self):
        table = client_table()
        (ours,) = table.place.paths
        table.hears(OutgoingCallReply(PEER, ours, 1))
        table.run("stop", EndReason.USER_REQUEST)
        table.now = module.HANG_UP_WAIT
        table.run("tick")
        assert table.hears(StopControlConnectionRequest(1)) == [StopControlConnectionReply(1)]
        assert table.ended() is EndReason.USER_REQUEST
        assert len(table.call_ids) == 0

    def test_both_stop_at_once(self):
        table = client_table()
        table.run("stop", EndReason.USER_REQUEST)
        assert table.hears(StopControlConnectionRequest(1)) == [StopControlConnectionReply(1)]
        assert table.ended() is EndReason.USER_REQUEST

    def test_new_calls_are_not_taken_any_more(self):
        table = client_table()
        table.run("stop", EndReason.USER_REQUEST)
        assert table.run("place_call", CallKind.OUTGOING, client()) == []
        (reply,) = table.hears(CALL)
        assert reply.result_code == 7
        assert table.run("stop", EndReason.SHUTDOWN) == []

    def test_before_the_start_the_connection_is_just_closed(self):
        table = Table()
        table.run("stop", EndReason.SHUTDOWN)
        assert table.place.sent == []
        assert table.ended() is EndReason.SHUTDOWN

    def test_b009_b034_nothing_follows_the_end(self):
        table = Table().established()
        call_id = table.called()
        table.run("stream_closed")
        assert table.ended() is EndReason.CONNECTION_LOST
        table.now = 1000.0
        for step, *arguments in (
            ("stream_closed",),
            ("receive", CALL.encode()),
            ("tick",),
            ("stop", EndReason.SHUTDOWN),
            ("collide",),
            ("place_call", CallKind.OUTGOING, client()),
            ("frame_received", call_id, b"\xff\x03"),
            ("encryption_lost", call_id, True),
            ("credentials_checked", call_id, Refused("late")),
            ("disconnect", call_id, EndReason.IDLE),
        ):
            assert table.run(step, *arguments) == []
        assert table.tunnel.deadline is None

    def test_b034_clear_and_end_in_one_segment(self):
        table = Table().established()
        table.called()
        table.hears(CallClearRequest(PEER))
        table.run("stream_closed")
        assert table.place.only(SessionEnded).reason is EndReason.PEER_REQUEST

    def test_r031_a_peer_that_answers_neither_call_nor_clear_loses_the_connection(self):
        table = client_table()
        table.now = 30.0
        table.run("tick")
        assert table.place.only(SessionEnded).reason is EndReason.SETUP_TIMEOUT
        assert isinstance(table.place.sent[-1], CallClearRequest)
        table.hears(EchoRequest(1))
        table.now = 60.0
        table.run("tick")
        assert isinstance(table.place.sent[-1], StopControlConnectionRequest)
        table.run("stream_closed")
        assert table.ended() is EndReason.PEER_SILENT

    def test_no_call_id_left_for_our_own_call_stops(self):
        table = Table(TunnelSettings(link=client()), Side.INITIATOR, first=1, last=1)
        table.hears(START_REPLY)
        table.run("place_call", CallKind.OUTGOING, client())
        table.run("place_call", CallKind.OUTGOING, client())
        table.run("stream_closed")
        assert table.ended() is EndReason.RESOURCES


NUMBERS = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("hear"), st.integers(0, len(samples(0)) - 1), NUMBERS),
    st.tuples(st.just("tick"), st.floats(0, 40), NUMBERS),
    st.tuples(st.just("frame"), st.binary(max_size=24), NUMBERS),
    st.tuples(st.just("place"), st.sampled_from(CallKind), NUMBERS),
    st.tuples(st.just("disconnect"), st.sampled_from(EndReason), NUMBERS),
    st.tuples(st.just("lost"), st.booleans(), NUMBERS),
    st.tuples(st.just("stop"), st.sampled_from(EndReason), NUMBERS),
    st.tuples(st.just("garbage"), st.binary(max_size=40), NUMBERS),
)


class AnyOrderTests:
    """B-008 and B-009: whatever comes in whatever order, the driver's books balance."""

    @given(st.sampled_from(Side), st.lists(STEPS, max_size=40))
    def test_b008_b009_every_sequence_ends_with_nothing_left(self, side, steps):
        table = Table(replace(AT_SERVER, maximum_calls=2), side)
        for what, value, number in steps:
            if table.place.over:
                break
            self.step(table, what, value, number)
            deadline = table.tunnel.deadline
            assert deadline is None or deadline.reason
            assert table.tunnel.describe()
        table.run("stream_closed")
        assert table.place.over
        assert len(table.call_ids) == 0
        assert len(table.place.all(SessionEnded)) == len(table.place.all(OpenPath)) == len(table.place.all(ClosePath))

    def step(self, table: Table, what: str, value: object, number: int) -> None:
        ours = list(table.place.paths)
        call_id = ours[number % len(ours)] if ours else number
        match what:
            case "hear":
                assert isinstance(value, int)
                message = samples(call_id)[value]
                if hasattr(message, "call_id"):
                    message = replace(message, call_id=PEER + number)
                table.hears(message)
            case "tick":
                assert isinstance(value, float)
                table.now += value
                table.run("tick")
            case "frame":
                table.run("frame_received", call_id, value)
            case "place":
                table.run("place_call", value, client())
            case "disconnect":
                table.run("disconnect", call_id, value)
            case "lost":
                table.run("encryption_lost", call_id, value)
            case "stop":
                table.run("stop", value)
            case "garbage":
                table.run("receive", value)

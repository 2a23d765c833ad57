"""Sessions: what a call and a link together ask of the driver, with a link that says what the test wants."""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

import pytest
from tests.tunnel.messages import PEER

from openpptp.credentials import Accepted, AuthMethod, Encryption, PapPresented, Refused
from openpptp.errors import EndReason
from openpptp.machine import Deadline, Level, Note, Output
from openpptp.ppp import outputs as ppp
from openpptp.ppp.link import Phase
from openpptp.ppp.settings import EncryptionPolicy, LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call import Call
from openpptp.tunnel.control import SendMessage
from openpptp.tunnel.layers import ENCRYPTION_GRACE, NETWORK_GRACE
from openpptp.tunnel.session import FAREWELL, Session
from openpptp.tunnel.settings import CallKind, Role, TunnelSettings
from openpptp.wire.control import (
    CallClearRequest,
    CallDisconnectNotify,
    IncomingCallConnected,
    IncomingCallRequest,
    OutgoingCallReply,
    OutgoingCallRequest,
)

OURS = 0x1111
OPTIONAL = EncryptionPolicy(required=False)
OFF = EncryptionPolicy(enabled=False, required=False)
OPENED = ppp.LinkOpened(1400, compress_address_control=True, compress_protocol=False)
PROVED = ppp.PeerAuthenticated("bob", AuthMethod.MSCHAP_V2)
KEYS = ppp.EncryptionUp(Encryption(b"s" * 16, 128, False), Encryption(b"r" * 16, 128, False))
IPV4 = ppp.Ipv4Up(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), (IPv4Address("10.0.0.53"),))
IPV6 = ppp.Ipv6Up(b"ourident", b"itsident")


@dataclass
class FakeLink:
    """A link that answers every input with what was put in next, and writes down what it was asked."""

    next: list[Output] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    deadline: Deadline | None = None
    phase: Phase = Phase.NETWORK
    ending: ppp.LinkEnded | None = None

    def _answer(self, *asked: object) -> list[Output]:
        self.asked.append(asked)
        answer, self.next = self.next, []
        return answer

    def start(self, now: float) -> list[Output]:
        return self._answer("start")

    def receive(self, frame: bytes, now: float) -> list[Output]:
        return self._answer("receive", frame)

    def credentials_checked(self, answer: object, now: float) -> list[Output]:
        return self._answer("credentials_checked", answer)

    def request_encryption_reset(self, now: float) -> list[Output]:
        return self._answer("request_encryption_reset")

    def tick(self, now: float) -> list[Output]:
        return self._answer("tick")

    def close(self, reason: EndReason, now: float) -> list[Output]:
        self.asked.append(("close", reason))
        self.ending = self.ending or ppp.LinkEnded(reason, reason.value.sentence)
        return [ppp.Ipv4Down(), ppp.SendFrame(b"terminate-request")]

    def lower_down(self, now: float) -> list[Output]:
        self.asked.append(("lower_down",))
        lost = EndReason.CONNECTION_LOST
        return [self.ending or ppp.LinkEnded(lost, lost.value.sentence)]


class Stage:
    """A session whose link is played by the test."""

    def __init__(self, link: LinkSettings | None = None, *, path_mru: int = 1460, accept: bool = True) -> None:
        self.link = FakeLink()
        settings = TunnelSettings(link=LinkSettings(), path_mru=path_mru)
        call = Call(Role.PAC if accept else Role.PNS, CallKind.OUTGOING, OURS, settings)
        self.session = Session(call, self.link, link or LinkSettings(), settings)  # type: ignore[arg-type]
        self.start = self.session.accept(OutgoingCallRequest(PEER, 1, 300, 300), 0.0) if accept else []

    def says(self, *outputs: Output, now: float = 1.0) -> list[Output]:
        """Have the link say something, and return what the session makes of it."""
        self.link.next = list(outputs)
        return self.session.frame_received(b"frame", now)

    def up(self) -> "Stage":
        self.says(OPENED, PROVED, KEYS, IPV4)
        assert self.session.interface is not None
        return self


def kinds(outputs: list[Output]) -> list[str]:
    return [type(output).__name__ for output in outputs]


def ended(outputs: list[Output]) -> tell.SessionEnded:
    assert isinstance(outputs[-1], tell.SessionEnded)
    assert sum(isinstance(output, tell.SessionEnded) for output in outputs) == 1
    return outputs[-1]


class BeginningTests:
    """From the request to the link's start."""

    def test_a_call_of_the_peer_opens_the_path_before_the_reply_and_starts_the_link(self):
        stage = Stage()
        assert kinds(stage.start) == ["OpenPath", "SendMessage", "ConnectPath"]
        assert stage.link.asked == [("start",)]

    def test_our_own_call_opens_the_path_when_its_call_id_first_leaves(self):
        stage = Stage(accept=False)
        assert kinds(stage.session.place(0.0)) == ["OpenPath", "SendMessage"]
        assert kinds(stage.session.receive(OutgoingCallReply(PEER, OURS, 1), 0.5)) == ["ConnectPath"]
        assert stage.link.asked == [("start",)]

    def test_b056_frames_that_overtake_the_reply_are_kept_and_replayed(self):
        stage = Stage(accept=False)
        stage.session.place(0.0)
        assert stage.session.frame_received(b"one", 0.1) == []
        assert stage.session.frame_received(b"two", 0.2) == []
        stage.session.receive(OutgoingCallReply(PEER, OURS, 1), 0.5)
        assert stage.link.asked == [("start",), ("receive", b"one"), ("receive", b"two")]

    def test_b056_not_more_than_eight_and_not_longer_than_a_second(self):
        stage = Stage(accept=False)
        stage.session.place(0.0)
        for number in range(20):
            stage.session.frame_received(bytes((number,)), 0.1)
        stage.session.receive(OutgoingCallReply(PEER, OURS, 1), 0.2)
        assert len(stage.link.asked) == 1 + 8
        late = Stage(accept=False)
        late.session.place(0.0)
        late.session.frame_received(b"old", 0.1)
        late.session.receive(OutgoingCallReply(PEER, OURS, 1), 1.2)
        assert late.link.asked == [("start",)]

    def test_an_incoming_call_connects_with_its_third_message(self):
        settings = TunnelSettings(link=LinkSettings())
        link = FakeLink()
        call = Call(Role.PNS, CallKind.INCOMING, OURS, settings)
        session = Session(call, link, LinkSettings(), settings)  # type: ignore[arg-type]
        assert kinds(session.accept(IncomingCallRequest(PEER, 1), 0.0)) == ["OpenPath", "SendMessage"]
        assert session.waits_for() == "Incoming-Call-Connected"
        assert kinds(session.receive(IncomingCallConnected(OURS, 64000, 64), 0.1)) == ["ConnectPath"]


class InterfaceTests:
    """When data may flow."""

    def test_it_waits_for_addresses_and_required_encryption(self):
        stage = Stage()
        assert kinds(stage.says(OPENED, PROVED, IPV4)) == []
        assert "encryption" in (stage.session.waits_for() or "")
        assert kinds(stage.says(KEYS)) == ["EncryptionUp", "InterfaceUp"]
        assert stage.session.interface == tell.InterfaceUp(
            OURS, "bob", IPV4.our_address, IPV4.peer_address, IPV4.dns, (), None, None, 1396, 128, True, True, False
        )
        assert stage.session.waits_for() is None

    def test_encryption_first_waits_for_addresses(self):
        stage = Stage()
        assert kinds(stage.says(OPENED, PROVED, KEYS)) == ["EncryptionUp"]
        assert "IPCP" in (stage.session.waits_for() or "")
        assert kinds(stage.says(IPV4)) == ["InterfaceUp"]

    def test_the_client_is_named_by_its_own_user_name(self):
        stage = Stage(LinkSettings(our_name="carol"))
        stage.says(OPENED, ppp.WeAuthenticated(AuthMethod.MSCHAP_V2), KEYS, IPV4)
        assert stage.session.interface is not None
        assert stage.session.interface.user == "carol"

    def test_without_encryption_nothing_is_waited_for_and_the_mtu_is_the_mru(self):
        stage = Stage(LinkSettings(encryption=OFF))
        stage.says(OPENED, PROVED, IPV4)
        assert stage.session.interface is not None
        assert (stage.session.interface.mtu, stage.session.interface.encryption_required) == (1400, False)

    @pytest.mark.parametrize(
        ("peer_mru", "path_mru", "mtu"), [(1400, 1460, 1396), (1500, 1460, 1456), (1400, 1300, 1296)]
    )
    def test_q48_the_mtu_leaves_room_for_mppe(self, peer_mru, path_mru, mtu):
        stage = Stage(path_mru=path_mru)
        stage.says(replace(OPENED, peer_mru=peer_mru), PROVED, KEYS, IPV4)
        assert stage.session.interface is not None
        assert stage.session.interface.mtu == mtu

    def test_renegotiation_takes_the_interface_down_first_and_up_again(self):
        stage = Stage().up()
        assert kinds(stage.says(ppp.Ipv4Down(), ppp.EncryptionDown(), now=50.0)) == ["InterfaceDown", "EncryptionDown"]
        assert stage.session.deadline == (110.0, "the session's set-up")
        assert kinds(stage.says(OPENED, PROVED, IPV4, KEYS, now=51.0)) == ["EncryptionUp", "InterfaceUp"]

    def test_encryption_that_goes_down_alone_takes_the_interface_along(self):
        assert kinds(Stage().up().says(ppp.EncryptionDown())) == ["InterfaceDown", "EncryptionDown"]

    def test_a_reset_request_flushes(self):
        assert Stage().up().says(ppp.EncryptionFlush()) == [tell.EncryptionFlush(OURS)]


class OptionalEncryptionTests:
    """Data is not sent in clear just before CCP opens, and does not wait for ever."""

    def stage(self) -> Stage:
        stage = Stage(LinkSettings(encryption=OPTIONAL))
        assert kinds(stage.says(OPENED, PROVED, IPV4)) == []
        return stage

    def test_it_goes_up_when_ccp_opens_and_then_nothing_passes_in_clear(self):
        stage = self.stage()
        assert stage.session.waits_for() == "optional encryption (CCP)"
        assert kinds(stage.says(KEYS)) == ["EncryptionUp", "InterfaceUp"]
        assert stage.session.interface is not None
        assert stage.session.interface.encryption_required

    def test_it_goes_up_in_clear_when_ccp_is_declined(self):
        assert kinds(self.stage().says(ppp.EncryptionDeclined())) == ["InterfaceUp"]

    def test_it_goes_up_in_clear_when_ccp_says_nothing_for_a_while(self):
        stage = self.stage()
        assert stage.session.deadline == (1.0 + ENCRYPTION_GRACE, "optional encryption (CCP)")
        assert stage.session.tick(1.0 + ENCRYPTION_GRACE - 0.1) == []
        assert kinds(stage.session.tick(1.0 + ENCRYPTION_GRACE)) == ["InterfaceUp"]

    def test_ccp_that_opens_later_still_takes_over(self):
        stage = self.stage()
        stage.session.tick(1.0 + ENCRYPTION_GRACE)
        assert kinds(stage.says(KEYS, now=6.0)) == ["EncryptionUp", "InterfaceDown", "InterfaceUp"]

    def test_without_keys_there_is_nothing_to_wait_for(self):
        stage = Stage(LinkSettings(encryption=OPTIONAL))
        pap = ppp.PeerAuthenticated("bob", AuthMethod.PAP)
        assert kinds(stage.says(OPENED, pap, IPV4)) == ["InterfaceUp"]


class TwoProtocolsTests:
    """IPCP and IPv6CP side by side."""

    def stage(self) -> Stage:
        stage = Stage(LinkSettings(ipv6=True))
        assert kinds(stage.says(OPENED, PROVED, KEYS, IPV4)) == ["EncryptionUp"]
        return stage

    def test_both_go_up_as_one(self):
        stage = self.stage()
        assert kinds(stage.says(IPV6)) == ["InterfaceUp"]
        assert stage.session.interface is not None
        assert stage.session.interface.peer_identifier == b"itsident"

    def test_one_goes_up_alone_after_a_moment(self):
        stage = self.stage()
        assert stage.session.waits_for() == "the other network protocol"
        assert kinds(stage.session.tick(1.0 + NETWORK_GRACE)) == ["InterfaceUp"]

    def test_the_other_may_come_later_and_go_again(self):
        stage = self.stage()
        stage.session.tick(1.0 + NETWORK_GRACE)
        assert kinds(stage.says(IPV6, now=9.0)) == ["InterfaceDown", "InterfaceUp"]
        assert kinds(stage.says(ppp.Ipv6Down(), now=10.0)) == ["InterfaceDown", "InterfaceUp"]
        assert kinds(stage.says(ppp.Ipv4Down(), now=11.0)) == ["InterfaceDown"]


class QuestionTests:
    """Questions go out with our Call ID, answers come back."""

    def test_credentials_are_asked_for_and_the_answer_passed_on(self):
        stage = Stage()
        presented = PapPresented(b"bob", b"secret")
        assert stage.says(ppp.CheckCredentials(presented)) == [tell.CheckCredentials(OURS, presented)]
        stage.session.credentials_checked(Refused("no"), 2.0)
        assert stage.link.asked[-1] == ("credentials_checked", Refused("no"))

    def test_an_answer_after_the_end_is_dropped(self):
        stage = Stage()
        stage.session.disconnect(EndReason.USER_REQUEST, "", 2.0)
        asked = list(stage.link.asked)
        assert stage.session.credentials_checked(Accepted("bob"), 3.0) == []
        assert stage.session.frame_received(b"late", 3.0) == []
        assert stage.session.encryption_lost(True, 3.0) == []
        assert stage.session.tick(1000.0) == []
        assert stage.link.asked == asked

    def test_lost_encryption_asks_for_a_reset_and_ends_when_it_is_hopeless(self):
        stage = Stage().up()
        stage.session.encryption_lost(False, 2.0)
        assert stage.link.asked[-1] == ("request_encryption_reset",)
        assert ended(stage.session.encryption_lost(True, 2.0)).reason is EndReason.ENCRYPTION_LOST

    def test_a_note_names_its_call(self):
        assert Stage().says(Note("hm", Level.DEBUG)) == [Note(f"call {OURS}: hm", Level.DEBUG)]


class EndingTests:
    """One order for every end."""

    ORDER = ("SendMessage", "InterfaceDown", "ClosePath", "SessionEnded")

    def test_q14_from_our_side_the_link_ends_before_the_call(self):
        stage = Stage().up()
        outputs = stage.session.disconnect(EndReason.ADMIN_DISCONNECT, "", 2.0)
        assert outputs == [tell.InterfaceDown(OURS), tell.SendFrame(OURS, b"terminate-request")]
        outputs = stage.says(stage.link.ending, now=2.1)
        assert kinds(outputs) == ["SendMessage", "ClosePath", "SessionEnded"]
        assert outputs[0] == SendMessage(CallDisconnectNotify(OURS, 3))
        assert outputs[-1] == tell.SessionEnded(
            OURS, "bob", EndReason.ADMIN_DISCONNECT, "disconnected by the administrator"
        )

    def test_q14_a_terminate_ack_that_does_not_come_is_waited_for_briefly(self):
        session = Stage().up().session
        session.disconnect(EndReason.ADMIN_DISCONNECT, "", 2.0)
        assert session.deadline == (2.0 + FAREWELL, "Terminate-Ack")
        assert session.tick(2.0 + FAREWELL / 2) == []
        assert ended(session.tick(2.0 + FAREWELL)).reason is EndReason.ADMIN_DISCONNECT

    def test_q50_a_call_clear_ends_at_once_without_a_terminate_request(self):
        outputs = Stage().up().session.receive(CallClearRequest(PEER), 2.0)
        assert tuple(kinds(outputs)) == self.ORDER
        assert ended(outputs).reason is EndReason.PEER_REQUEST

    def test_the_links_own_end_hangs_up_the_call(self):
        stage = Stage().up()
        outputs = stage.says(ppp.Ipv4Down(), ppp.LinkEnded(EndReason.PEER_SILENT, "four echoes"))
        assert kinds(outputs) == ["InterfaceDown", "SendMessage", "ClosePath", "SessionEnded"]
        assert (ended(outputs).reason, ended(outputs).detail) == (EndReason.PEER_SILENT, "four echoes")

    def test_the_reason_the_link_had_first_is_told(self):
        stage = Stage()
        stage.says(OPENED)
        stage.link.ending = ppp.LinkEnded(EndReason.AUTHENTICATION_REFUSED, "wrong password")
        over = ended(stage.session.receive(CallClearRequest(PEER), 2.0))
        assert (over.reason, over.detail) == (EndReason.AUTHENTICATION_REFUSED, "wrong password")

    def test_without_a_control_connection_not_a_word_is_said(self):
        outputs = Stage().up().session.abandon(EndReason.CONNECTION_LOST, "", 2.0)
        assert kinds(outputs) == ["InterfaceDown", "ClosePath", "SessionEnded"]

    def test_it_ends_once(self):
        session = Stage().up().session
        session.disconnect(EndReason.USER_REQUEST, "", 2.0)
        assert session.disconnect(EndReason.USER_REQUEST, "", 2.0) == []
        assert ended(session.abandon(EndReason.CONNECTION_LOST, "", 2.0)).reason is EndReason.USER_REQUEST
        assert session.abandon(EndReason.CONNECTION_LOST, "", 2.0) == []
        assert session.ended
        assert session.over

    def test_as_pns_the_call_id_stays_taken_until_the_disconnect_comes(self):
        stage = Stage(accept=False)
        stage.session.place(0.0)
        stage.session.receive(OutgoingCallReply(PEER, OURS, 1), 0.1)
        assert ended(stage.session.disconnect(EndReason.USER_REQUEST, "", 1.0))
        assert (stage.session.ended, stage.session.over) == (True, False)
        assert stage.session.deadline == (31.0, "Call-Disconnect-Notify")
        assert stage.session.receive(CallDisconnectNotify(PEER, 4), 1.1) == []
        assert stage.session.over

    def test_nothing_the_link_says_after_its_end_is_performed(self):
        stage = Stage().up()
        outputs = stage.says(ppp.LinkEnded(EndReason.LOOPED, "x"), ppp.SendFrame(b"more"))
        assert ended(outputs).reason is EndReason.LOOPED


class PatienceTests:
    """What a session waits for, and how long."""

    def test_q38_no_gre_at_all(self):
        stage = Stage()
        assert stage.session.deadline == (10.0, "the first GRE packet")
        assert stage.session.tick(10.0) == [tell.SendFrame(stage.session.call_id, b"terminate-request")]
        assert stage.session.deadline == (10.5, "Terminate-Ack")
        assert ended(stage.session.tick(10.5)).reason is EndReason.GRE_BLOCKED

    def test_q38_the_peer_that_lost_patience_first_tells_the_same(self):
        over = ended(Stage().session.receive(CallDisconnectNotify(PEER, 1), 9.9))
        assert over.reason is EndReason.GRE_BLOCKED
        assert "lost-carrier" in over.detail

    def test_q38_a_link_that_gives_up_unheard_tells_the_same(self):
        stage = Stage()
        stage.link.deadline = Deadline(5.0, "LCP restart timer")
        stage.link.next = [ppp.LinkEnded(EndReason.PEER_SILENT, "no answer")]
        assert ended(stage.session.tick(5.0)).reason is EndReason.GRE_BLOCKED

    @pytest.mark.parametrize(
        ("phase", "words"),
        [(Phase.ESTABLISH, "LCP"), (Phase.AUTHENTICATE, "authentication"), (Phase.NETWORK, "encryption (CCP)")],
    )
    def test_set_up_that_takes_too_long_says_what_it_waited_for(self, phase, words):
        stage = Stage()
        stage.link.phase = phase
        stage.says()
        stage.link.deadline = Deadline(70.0, "a restart timer")
        assert stage.session.deadline == (60.0, "the session's set-up")
        over = ended(stage.session.tick(60.0))
        assert over.reason is EndReason.SETUP_TIMEOUT
        assert f"it waited for {words}: a restart timer" in over.detail

    def test_once_up_only_the_links_own_time_runs(self):
        stage = Stage().up()
        assert stage.session.deadline is None
        stage.link.deadline = Deadline(20.0, "LCP Echo-Request")
        assert stage.session.deadline == (20.0, "LCP Echo-Request")
        stage.session.tick(20.0)
        assert stage.link.asked[-1] == ("tick",)

    def test_one_line_describes_it(self):
        assert Stage().up().session.describe() == f"call {OURS}/{PEER} outgoing PAC established, user bob, up"
        waiting = Stage(accept=False)
        waiting.session.place(0.0)
        assert waiting.session.describe() == f"call {OURS}/- outgoing PNS wait_reply, waits for Outgoing-Call-Reply"

"""Both sides of every method against each other, on good paths and bad ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ppp.auth.exchange import PASSWORD, Pair, client, counted, judge, server, told

from openpptp.credentials import AuthMethod
from openpptp.errors import EndReason, Misuse
from openpptp.ppp.auth.outputs import AuthenticationFailed, PeerProved, WeProved
from openpptp.ppp.auth.registry import authenticator, peer
from openpptp.ppp.outputs import CheckCredentials
from openpptp.wire.ppp import Packet

every_method = pytest.mark.parametrize("method", AuthMethod, ids=lambda method: method.value)
with_keys = pytest.mark.parametrize("method", [AuthMethod.MSCHAP_V1, AuthMethod.MSCHAP_V2], ids=lambda m: m.value)

# Fates, one per packet: lost, once, late, twice. Fewer than the ten transmissions after which a side gives up.
FATES = st.lists(st.sampled_from([(), (0.01,), (0.4,), (1.7,), (0.01, 0.02), (0.01, 2.5)]), max_size=8)


class GoodPathTests:
    """RFC 1334 section 2.2, RFC 1994 section 4, RFC 2433, RFC 2759."""

    @every_method
    def test_the_right_password_lets_the_peer_in(self, method):
        pair = Pair(method).run()
        (proved,), (we,) = pair.heard
        assert isinstance(proved, PeerProved)
        assert proved.accepted.user == "User"
        assert isinstance(we, WeProved)
        assert len(pair.questions) == 1
        assert pair.now < 0.1
        assert [machine.method for machine in pair.ends] == [method, method]

    @every_method
    def test_a_result_the_peer_shows_no_sign_of_is_sent_again_for_a_while(self, method):
        ours, theirs = Pair(method).ends
        packets = [*ours.start(0.0), *theirs.start(0.0)]
        while not (questions := [output for output in packets if isinstance(output, CheckCredentials)]):
            packets = [o for p in packets for end in (theirs, ours) for o in end.receive(p.packet, 0.0)]
        result, proved = ours.credentials_checked(judge(questions[0].presented), 0.0)
        assert isinstance(proved, PeerProved)
        assert [ours.tick(now) for now in (0.9, 1.0, 3.0, 6.0, 9.0)] == [[], [result], [result], [result], []]
        assert ours.deadline is None

    @every_method
    def test_a_peer_that_moved_on_is_not_told_again(self, method):
        pair = Pair(method).run()
        assert pair.ends[0].deadline is None
        assert pair.ends[0].tick(1.0) == []

    @with_keys
    def test_both_ends_hold_the_same_keys(self, method):
        (proved,), (we,) = Pair(method).run().heard
        assert proved.accepted.keys.send == we.keys.receive
        assert proved.accepted.keys.receive == we.keys.send
        assert proved.accepted.keys.send_short == we.keys.receive_short
        assert proved.accepted.keys.receive_short == we.keys.send_short

    @every_method
    def test_the_wrong_password_is_refused_on_both_sides_after_the_delay(self, method):
        pair = Pair(method, password=PASSWORD + "x").run()
        (failed,), (ours,) = pair.heard
        assert failed == AuthenticationFailed(EndReason.AUTHENTICATION_REFUSED, "wrong password for user 'User'")
        assert ours.reason is EndReason.AUTHENTICATION_REFUSED
        assert pair.now == pytest.approx(1.0, abs=0.1)

    @every_method
    @pytest.mark.parametrize("check_time", [0.0, 0.3, 0.9])
    def test_refusal_takes_the_same_time_whatever_the_check_took(self, method, check_time):
        pair = Pair(method, password="wrong", check_time=check_time).run()
        assert pair.now == pytest.approx(Pair(method, password="wrong").run().now)

    @every_method
    def test_a_check_slower_than_the_delay_is_refused_at_once(self, method):
        pair = Pair(method, password="wrong", check_time=2.5).run()
        assert pair.now == pytest.approx(2.5, abs=0.1)
        assert len(pair.questions) == 1


class BadPathTests:
    """The same over a path that loses, delays, doubles and so reorders."""

    @every_method
    @given(fates=FATES, wrong=st.booleans())
    def test_a_bad_path_changes_when_but_not_what(self, method, fates, wrong):
        left = list(fates)
        pair = Pair(
            method,
            password="wrong" if wrong else PASSWORD,
            fate=lambda: left.pop(0) if left else (0.01,),
            check_time=0.2,
        ).run()
        (first,), (second,) = pair.heard
        assert len(pair.questions) == 1
        if not wrong:
            assert (type(first), type(second)) == (PeerProved, WeProved)
        else:
            assert first.reason is second.reason is EndReason.AUTHENTICATION_REFUSED

    @every_method
    def test_a_dead_path_ends_both_sides_as_silent(self, method):
        pair = Pair(method, fate=lambda: ()).run()
        for (failed,) in pair.heard:
            assert failed.reason is EndReason.PEER_SILENT
        assert 20 < pair.now <= 60


class MachineTests:
    """What holds for every machine."""

    @every_method
    @pytest.mark.parametrize("make", [server, client])
    def test_a_machine_starts_once(self, make, method):
        machine = make(method)
        machine.start(0.0)
        with pytest.raises(Misuse):
            machine.start(1.0)

    @every_method
    @pytest.mark.parametrize("make", [server, client])
    @given(
        code=st.integers(0, 255),
        identifier=st.integers(0, 255),
        data=st.binary(max_size=80) | st.sampled_from([b"", b"\x00", b"\xff", b"\x31" + bytes(49)]),
        started=st.booleans(),
    )
    def test_b077_no_packet_raises(self, make, method, code, identifier, data, started):
        machine = make(method)
        if started:
            machine.start(0.0)
        machine.receive(Packet(code, identifier, data), 0.1)

    @every_method
    @pytest.mark.parametrize("make", [server, client])
    def test_an_early_tick_does_nothing(self, make, method):
        machine = make(method)
        assert machine.tick(100.0) == []
        machine.start(0.0)
        assert machine.tick(0.5) == []

    @every_method
    def test_b072_nothing_is_answered_before_the_start(self, method):
        for machine in (server(method), client(method)):
            for code in range(1, 5):
                assert told(machine.receive(Packet(code, 1, b"\x10" + bytes(16) + b"x"), 0.0)) == []

    @every_method
    def test_an_answer_nobody_asked_for_is_ignored(self, method):
        from tests.ppp.auth.exchange import ACCEPTED

        for machine in (server(method), client(method)):
            machine.start(0.0)
            assert told(machine.credentials_checked(ACCEPTED, 0.1)) == []

    @every_method
    def test_names_and_passwords_that_do_not_fit_are_our_own_mistake(self, method):
        with pytest.raises(Misuse):
            peer(method, name="x" * 256, password="p", random=counted())
        with pytest.raises(Misuse):
            authenticator(method, name="x" * 256, refusal_delay=1.0, random=counted())
        with pytest.raises(Misuse):
            peer(method, name="x", password="p" * 257, random=counted())

    def test_pap_carries_255_octets_of_password(self):
        with pytest.raises(Misuse):
            client(AuthMethod.PAP, password="é" * 128)
        with pytest.raises(Misuse):
            client(AuthMethod.PAP, password="\ud83d")

"""Whole tunnels: our client against our server in a simulated world of loss, duplication and reordering."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.notation import frame
from tests.sim.ppp_pair import client, server
from tests.sim.world import Place, World, lossy

from openpptp.credentials import AuthMethod
from openpptp.errors import EndReason
from openpptp.ppp.settings import EncryptionPolicy
from openpptp.tunnel.outputs import EncryptionUp, InterfaceDown, InterfaceUp, SendFrame, SessionEnded, TunnelEnded
from openpptp.tunnel.settings import CallKind, TunnelSettings
from openpptp.wire.notation import describe_frame

AT_SERVER = TunnelSettings(link=server(), maximum_calls=8)
AT_CLIENT = TunnelSettings(link=client(), accepts=frozenset())
CARRIERS = st.builds(
    lossy,
    st.integers(0, 2**32),
    loss=st.floats(0, 0.2),
    duplicate=st.floats(0, 0.2),
    jitter=st.floats(0, 0.05),
)


def world(**changes: object) -> World:
    return World(**{"server_settings": AT_SERVER, "client_settings": AT_CLIENT, **changes})


def reasons(place: Place) -> list[EndReason]:
    return [ended.reason for ended in place.all(SessionEnded)]


def peer_side(one: World, call_id: int) -> int:
    """Return the server's Call ID of the client's call."""
    peer = one.client.paths[call_id]
    assert peer is not None
    return peer


def assert_mirrored(one: World, calls: int = 1) -> None:
    """Both ends of every call agree on addresses and keys."""
    assert len(one.client.up) == len(one.server.up) == calls
    for call_id, ours in one.client.up.items():
        theirs = one.server.up[peer_side(one, call_id)]
        assert (ours.our_address, ours.peer_address) == (theirs.peer_address, theirs.our_address)
        assert (ours.mtu, ours.encryption_required) == (theirs.mtu, theirs.encryption_required) == (1396, True)
        keys, mirrored = one.client.keys[call_id], one.server.keys[peer_side(one, call_id)]
        assert (keys.send, keys.receive) == (mirrored.receive, mirrored.send)
        assert keys.send.key_bits == 128


class ReachTests:
    """A client always gets in."""

    def test_on_a_good_day_in_a_few_round_trips(self):
        one = world()
        one.dial()
        one.run(until=one.both_up, limit=30.0)
        assert_mirrored(one)
        assert one.now < 0.05

    @given(CARRIERS, st.sampled_from(CallKind), st.integers(1, 40), st.integers(0, 1000))
    def test_under_loss_duplication_and_reordering_within_30_seconds(self, carrier, kind, cut, seed):
        one = world(carrier=carrier, cut=cut, seed=seed)
        one.dial(kind)
        one.run(until=one.both_up, limit=30.0)
        assert one.both_up(), "\n".join(one.trace)
        assert_mirrored(one)

    @given(CARRIERS, st.integers(2, 6), st.sampled_from(CallKind))
    def test_several_calls_share_a_connection(self, carrier, calls, kind):
        one = world(carrier=carrier)
        one.dial(kind, calls=calls)
        one.run(until=lambda: len(one.client.up) == len(one.server.up) == calls, limit=30.0)
        assert_mirrored(one, calls)

    def test_both_stay_up_for_an_hour(self):
        one = world()
        one.dial()
        one.run(limit=3600.0)
        assert_mirrored(one)

    @given(CARRIERS)
    def test_a_link_that_is_negotiated_anew_goes_down_and_comes_up_again_at_both_ends(self, carrier):
        one = world(carrier=carrier)
        one.dial()
        one.run(until=one.both_up, limit=30.0)
        ((call_id, _),) = one.server.up.items()
        again = frame("[LCP ConfReq id=0x77 <mru 1400> <magic 0x12345678>]")
        one.take(one.server, one.server.tunnel.frame_received(call_id, again, one.now))
        assert not one.server.up
        one.run(until=lambda: one.both_up() and len(one.client.all(InterfaceUp)) > 1, limit=one.now + 30)
        assert_mirrored(one)
        assert not one.server.all(SessionEnded)

    def test_b036_two_users_behind_one_address_do_not_meet(self):
        one, other = world(seed=1), world(seed=2)
        for each in (one, other):
            each.dial()
            each.run(until=each.both_up)
        assert set(one.server.up).isdisjoint(other.client.up)


class EndTests:
    """Whoever ends, and how: each side hears of it once."""

    @given(CARRIERS, st.booleans(), st.booleans(), st.floats(0, 2), st.sampled_from(CallKind))
    def test_ending_from_either_side_at_any_time_ends_both_once(self, carrier, by_client, whole, when, kind):
        one = world(carrier=carrier)
        place = one.client if by_client else one.server
        one.dial(kind)
        one.run(limit=when)
        if whole:
            one.take(place, place.tunnel.stop(EndReason.USER_REQUEST, one.now))
        else:
            for session in place.tunnel.sessions:
                one.take(place, place.tunnel.disconnect(session.call_id, EndReason.ADMIN_DISCONNECT, one.now))
        began = bool(place.all(SessionEnded))
        one.run(limit=when + 10)
        wanted = EndReason.USER_REQUEST if whole else EndReason.ADMIN_DISCONNECT
        if whole:
            assert one.both_over(), "\n".join(one.trace)
        if began:
            assert reasons(place) == [wanted]
            assert set(reasons(one.other(place))) <= {EndReason.PEER_REQUEST, EndReason.CALL_REFUSED}
            assert not one.client.paths
            assert not one.server.paths
            assert [len(ids) for ids in one.call_ids] == [0, 0]

    @given(CARRIERS, st.booleans(), st.floats(0, 2))
    def test_b009_b034_the_stream_breaks_at_any_time(self, carrier, by_client, when):
        one = world(carrier=carrier)
        one.dial()
        one.run(limit=when)
        place = one.client if by_client else one.server
        one._closed(place)
        one.break_stream(place)
        one.run(limit=when + 1)
        assert one.both_over()
        for each in one.places:
            assert each.only(TunnelEnded).reason is EndReason.CONNECTION_LOST
            assert set(reasons(each)) <= {EndReason.CONNECTION_LOST}
        assert [len(ids) for ids in one.call_ids] == [0, 0]

    def test_q14_the_client_says_good_bye_in_windows_order(self):
        one = world()
        one.dial()
        one.run(until=one.both_up)
        before = len(one.client.outputs)
        one.take(one.client, one.client.tunnel.stop(EndReason.USER_REQUEST, one.now))
        one.run(until=one.both_over)
        names = [type(output).__name__ for output in one.client.outputs[before:]]
        assert names == [
            "InterfaceDown",
            "EncryptionDown",
            "SendFrame",
            "SendStream",
            "ClosePath",
            "SessionEnded",
            "SendStream",
            "CloseStream",
            "TunnelEnded",
        ]
        said = [type(message).__name__ for message in one.client.sent[-2:]]
        assert said == ["CallClearRequest", "StopControlConnectionRequest"]
        assert one.now < 1.0
        acknowledged = next(o for o in one.client.outputs[before:] if isinstance(o, SendFrame))
        assert describe_frame(acknowledged.frame).startswith("[LCP TermReq")

    def test_a_peer_that_does_not_acknowledge_the_end_is_not_waited_for_long(self):
        one = world(carrier=lambda _number: () if one.now > 1.0 else (0.001,))
        one.dial()
        one.run(limit=2.0)
        one.take(one.client, one.client.tunnel.stop(EndReason.USER_REQUEST, one.now))
        one.run(until=one.both_over)
        assert one.now < 2.0 + 1.0
        assert reasons(one.client) == [EndReason.USER_REQUEST]

    def test_a_server_that_stops_tells_every_call(self):
        one = world()
        one.dial(calls=3)
        one.run(until=lambda: len(one.client.up) == 3)
        one.take(one.server, one.server.tunnel.stop(EndReason.SHUTDOWN, one.now))
        one.run(until=one.both_over)
        assert reasons(one.server) == [EndReason.SHUTDOWN] * 3
        assert reasons(one.client) == [EndReason.PEER_REQUEST] * 3
        assert all(
            "shutting down" in ended.detail or "admin-shutdown" in ended.detail
            for ended in one.client.all(SessionEnded)
        )

    def test_one_call_ends_and_the_other_stays(self):
        one = world()
        one.dial(calls=2)
        one.run(until=lambda: len(one.client.up) == len(one.server.up) == 2)
        first, second = one.client.up
        one.take(one.client, one.client.tunnel.disconnect(first, EndReason.USER_REQUEST, one.now))
        one.run(limit=one.now + 300)
        assert list(one.client.up) == [second]
        assert len(one.server.up) == 1


class FailureTests:
    """What goes wrong is said in the right words on both sides."""

    def test_a_wrong_password_is_refused_at_both_ends(self):
        one = world()
        one.dial(link=client(our_password="wrong"))
        one.run(until=lambda: bool(reasons(one.client) and reasons(one.server)), limit=100.0)
        assert reasons(one.client) == reasons(one.server) == [EndReason.AUTHENTICATION_REFUSED]
        assert not one.client.all(InterfaceUp)
        assert not one.server.all(InterfaceUp)

    @pytest.mark.parametrize("deaf", ["client", "server"])
    def test_q38_no_gre_at_all_is_called_by_its_name(self, deaf):
        one = world(carrier=lambda _: ())
        place = one.client if deaf == "client" else one.server
        one.dial()
        one.run(until=lambda: bool(reasons(place)), limit=60.0)
        assert place.only(SessionEnded).reason is EndReason.GRE_BLOCKED
        assert "GRE" in place.only(SessionEnded).detail
        assert one.now <= 11.0

    def test_a_link_that_dies_is_noticed(self):
        broken = []
        one = world(carrier=lambda _: () if broken else (0.001,))
        one.dial()
        one.run(until=one.both_up)
        broken.append(True)
        one.run(until=lambda: bool(reasons(one.client)), limit=300.0)
        assert EndReason.PEER_SILENT in {*reasons(one.client), *reasons(one.server)}

    def test_set_up_has_a_limit_and_says_what_it_waited_for(self):
        settings = replace(AT_SERVER, session_timeout=5.0)
        one = world(server_settings=settings, answer_delay=50.0)
        one.dial()
        one.run(until=lambda: bool(reasons(one.server)), limit=60.0)
        ended = one.server.only(SessionEnded)
        assert ended.reason is EndReason.SETUP_TIMEOUT
        assert "authentication" in ended.detail

    def test_an_answer_that_comes_after_the_end_is_ignored(self):
        one = world(answer_delay=20.0)
        one.dial()
        one.run(limit=1.0)
        one.take(one.client, one.client.tunnel.stop(EndReason.USER_REQUEST, one.now))
        one.run(limit=60.0)
        assert one.both_over()
        assert not one.server.all(InterfaceUp)

    def test_a_second_call_beyond_the_limit_is_busy(self):
        one = world(server_settings=replace(AT_SERVER, maximum_calls=1))
        one.dial(calls=2)
        one.run(until=one.both_up)
        one.run(limit=one.now + 1)
        assert len(one.client.up) == 1
        (ended,) = one.client.all(SessionEnded)
        assert ended.reason is EndReason.CALL_REFUSED
        assert "busy" in ended.detail

    @pytest.mark.parametrize("kind", CallKind)
    def test_a_kind_of_call_that_is_not_taken_is_refused(self, kind):
        one = world(server_settings=replace(AT_SERVER, accepts=frozenset(CallKind) - {kind}))
        one.dial(kind)
        one.run(until=lambda: bool(reasons(one.client)), limit=5.0)
        assert reasons(one.client) == [EndReason.CALL_REFUSED]
        assert "accept" in one.client.only(SessionEnded).detail
        assert not one.server.all(SessionEnded)


class EncryptionTests:
    """When data may flow, and how long a packet may be."""

    OFF = EncryptionPolicy(enabled=False, required=False)
    OPTIONAL = EncryptionPolicy(enabled=True, required=False)

    @pytest.mark.parametrize(
        ("at_server", "at_client", "mtu"), [(OFF, OFF, 1400), (OPTIONAL, OPTIONAL, 1396), (OPTIONAL, OFF, 1400)]
    )
    def test_optional_encryption_is_waited_for_and_never_for_long(self, at_server, at_client, mtu):
        one = world(server_settings=replace(AT_SERVER, link=server(encryption=at_server)))
        one.dial(link=client(encryption=at_client))
        one.run(until=one.both_up, limit=30.0)
        assert [one.client.only(InterfaceUp).mtu, one.server.only(InterfaceUp).mtu] == [mtu, mtu]
        assert one.client.only(InterfaceUp).encryption_required == (mtu == 1396)
        one.run(limit=one.now + 60)
        assert not one.server.all(InterfaceDown)

    @given(CARRIERS)
    def test_no_data_flows_in_clear_just_before_optional_encryption_opens(self, carrier):
        one = world(carrier=carrier, server_settings=replace(AT_SERVER, link=server(encryption=self.OPTIONAL)))
        one.dial(link=client(encryption=self.OPTIONAL))
        one.run(until=one.both_up, limit=30.0)
        for place in one.places:
            first = place.all(InterfaceUp)[0]
            if not place.all(EncryptionUp):
                continue
            up = place.outputs.index(place.all(EncryptionUp)[0])
            assert first.encryption_required or place.outputs.index(first) > up or one.now > 3.0

    @pytest.mark.parametrize("method", [AuthMethod.PAP, AuthMethod.CHAP_MD5])
    def test_without_keys_nothing_is_waited_for(self, method):
        link = server(encryption=self.OPTIONAL, authenticate_peer=(method,))
        one = world(server_settings=replace(AT_SERVER, link=link))
        one.dial(link=client(encryption=self.OPTIONAL, answer_with=(method,)))
        one.run(until=one.both_up, limit=30.0)
        assert one.now < 0.1

    def test_the_way_may_carry_less_than_the_mru(self):
        one = world(server_settings=replace(AT_SERVER, path_mru=1300))
        one.dial()
        one.run(until=one.both_up)
        assert one.server.only(InterfaceUp).mtu == 1296

    def test_ipv4_and_ipv6_go_up_together(self):
        one = world(server_settings=replace(AT_SERVER, link=server(ipv6=True)))
        one.dial(link=client(ipv6=True))
        one.run(until=one.both_up, limit=30.0)
        ours, theirs = one.client.only(InterfaceUp), one.server.only(InterfaceUp)
        assert ours.our_identifier == theirs.peer_identifier is not None
        assert ours.our_address == theirs.peer_address is not None

    def test_a_peer_without_ipv6_gets_ipv4(self):
        one = world(server_settings=replace(AT_SERVER, link=server(ipv6=True)))
        one.dial()
        one.run(until=one.both_up, limit=30.0)
        assert one.server.only(InterfaceUp).our_identifier is None


class StreamTests:
    """B-018: how the stream is cut changes nothing."""

    @pytest.mark.parametrize("cut", [1, 2, 7, 156, None])
    def test_b018_every_cut_gives_the_same_conversation(self, cut):
        one, whole = world(cut=cut), world()
        for each in (one, whole):
            each.dial(calls=2)
            each.run(until=lambda each=each: len(each.client.up) == len(each.server.up) == 2)
        assert one.client.sent == whole.client.sent
        assert one.server.sent == whole.server.sent
        assert len(one.client.all(SendFrame)) == len(whole.client.all(SendFrame))

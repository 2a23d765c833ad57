"""Two Links over a carrier that loses, repeats and reorders: both open, agree, and stay polite."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.sim.ppp_pair import GRANT, Pair, client, good, server

from openpptp.credentials import AuthMethod
from openpptp.errors import EndReason
from openpptp.ppp.outputs import EncryptionUp, Ipv4Down, Ipv4Up, Ipv6Up, LinkEnded
from openpptp.ppp.settings import Caller, EncryptionPolicy

DELAYS = (0.001, 0.004, 0.03, 0.2, 1.2)
FATES = st.lists(st.sampled_from(DELAYS), max_size=2).map(tuple)  # none: lost; two: repeated; the mix reorders
WHIMS = st.lists(FATES, max_size=40)


def carrier(whims):
    return lambda number: whims[number] if number < len(whims) else good(number)


def mirrored(pair):
    theirs, ours = pair.authenticator.last(EncryptionUp), pair.peer.last(EncryptionUp)
    return theirs.send == ours.receive and theirs.receive == ours.send


class LossyCarrierTests:
    """RFC 1661 section 4.6: counters and timers bring both ends to Opened."""

    @given(WHIMS)
    @settings(max_examples=100)
    @example([()] * 6)
    def test_both_ends_open_and_agree(self, whims):
        pair = Pair(server(echo_interval=0), client(echo_interval=0), carrier(whims))
        pair.run(until=pair.both_open, limit=100, frames=300)
        assert pair.both_open(), "\n".join(pair.trace)
        pair.run(limit=pair.now + 20, frames=400)
        assert pair.both_open(), "\n".join(pair.trace)
        assert mirrored(pair)
        assert pair.authenticator.last(Ipv4Up).peer_address == GRANT.peer_address
        assert pair.peer.last(Ipv4Up) == Ipv4Up(GRANT.peer_address, GRANT.our_address, GRANT.dns)

    @given(WHIMS, st.sampled_from(["authenticator", "peer"]), st.integers(0, 30))
    @settings(max_examples=60)
    def test_closing_ends_both_sides_once(self, whims, closer, frames):
        pair = Pair(server(echo_interval=5.0), client(echo_interval=5.0), carrier(whims))
        pair.run(until=lambda: pair.carried >= frames, limit=30)
        end = getattr(pair, closer)
        pair.take(end, end.link.close(EndReason.USER_REQUEST, pair.now))
        pair.run(until=lambda: end.has(LinkEnded), limit=pair.now + 5)
        assert end.only(LinkEnded).reason is EndReason.USER_REQUEST
        assert end.link.deadline is None

    @given(st.binary(min_size=0, max_size=64), st.integers(0, 20))
    @settings(max_examples=60)
    def test_random_frames_raise_nothing(self, octets, frames):
        pair = Pair(server(), client())
        pair.run(until=lambda: pair.carried >= frames, limit=5)
        for protocol in (b"\xc0\x21", b"\xc2\x23", b"\x80\xfd", b"\x80\x21", b"\x80\x57", b""):
            for end in pair.ends:
                if not end.has(LinkEnded):
                    pair.take(end, end.link.receive(b"\xff\x03" + protocol + octets, pair.now))


class GoodCarrierTests:
    """Finding 3 and 16: no step waits for a timer."""

    def test_everything_is_open_after_six_round_trips(self):
        pair = Pair(server(), client(), answer_delay=0.0)
        pair.run(until=pair.both_open)
        assert pair.now < 0.0125, "\n".join(pair.trace)

    def test_the_first_request_of_a_late_peer_is_answered_at_once(self):
        pair = Pair(server(), client(), peer_starts=2.5)
        pair.run(until=pair.both_open)
        assert pair.now < 2.6

    @pytest.mark.parametrize("method", AuthMethod)
    def test_every_method_opens_the_link(self, method):
        free = EncryptionPolicy(enabled=False)
        pair = Pair(
            server(authenticate_peer=(method,), encryption=free), client(answer_with=(method,), encryption=free)
        )
        pair.run(until=lambda: all(end.has(Ipv4Up) for end in pair.ends), limit=10)
        assert all(end.has(Ipv4Up) for end in pair.ends)

    @pytest.mark.parametrize("bits", [40, 56, 128])
    @pytest.mark.parametrize("method", [AuthMethod.MSCHAP_V1, AuthMethod.MSCHAP_V2])
    def test_every_strength_gives_mirrored_keys(self, bits, method):
        policy = EncryptionPolicy(key_bits=frozenset({bits}))
        pair = Pair(
            server(authenticate_peer=(method,), encryption=policy), client(answer_with=(method,), encryption=policy)
        )
        pair.run(until=pair.both_open, limit=10)
        up = pair.authenticator.only(EncryptionUp)
        assert (up.send.key_bits, len(up.send.start_key)) == (bits, 16 if bits == 128 else 8)
        assert mirrored(pair)

    @pytest.mark.parametrize("sender", ["authenticator", "peer"])
    def test_r195_stateful_one_way_and_stateless_the_other(self, sender):
        stateful = EncryptionPolicy(stateful=True, prefer_stateful=True)
        allowing = EncryptionPolicy(stateful=True)
        policies = (allowing, stateful) if sender == "authenticator" else (stateful, allowing)
        pair = Pair(server(encryption=policies[0]), client(encryption=policies[1]))
        pair.run(until=pair.both_open, limit=10)
        up = getattr(pair, sender).only(EncryptionUp)
        assert (up.send.stateful, up.receive.stateful) == (True, False)
        assert mirrored(pair)

    def test_stateful_both_ways(self):
        policy = EncryptionPolicy(stateful=True, prefer_stateful=True)
        pair = Pair(server(encryption=policy), client(encryption=policy))
        pair.run(until=pair.both_open, limit=10)
        assert all(end.only(EncryptionUp).receive.stateful for end in pair.ends)

    def test_both_ends_prove_themselves(self):
        two_way = {"authenticate_peer": (AuthMethod.MSCHAP_V2,), "our_name": "alice", "our_password": "correct horse"}
        pair = Pair(server(**two_way), client(**two_way, caller=Caller.WE))
        pair.run(until=pair.both_open, limit=10)
        assert pair.both_open()
        assert mirrored(pair)

    def test_without_any_authentication_the_network_phase_comes_at_once(self):
        free = EncryptionPolicy(enabled=False)
        bare = replace(server(), authenticate_peer=(), encryption=free, our_ipv4=GRANT.our_address)
        pair = Pair(bare, replace(bare, our_ipv4=GRANT.peer_address))
        pair.run(until=lambda: all(end.has(Ipv4Up) for end in pair.ends), limit=10)
        assert pair.authenticator.only(Ipv4Up).peer_address == GRANT.peer_address

    def test_ipv6_runs_beside_ipv4(self):
        pair = Pair(server(ipv6=True), client(ipv6=True))
        pair.run(until=lambda: all(end.has(Ipv6Up) for end in pair.ends), limit=10)
        ours, theirs = pair.authenticator.only(Ipv6Up), pair.peer.only(Ipv6Up)
        assert (ours.our_identifier, ours.peer_identifier) == (theirs.peer_identifier, theirs.our_identifier)
        assert ours.our_identifier[0] & 2 == 0

    def test_a_silent_peer_is_found_by_echo(self):
        pair = Pair(server(), client())
        pair.run(until=pair.both_open)
        pair._carrier = lambda _: ()
        pair.run(until=pair.both_over, limit=200)
        ended = pair.authenticator.only(LinkEnded)
        assert ended.reason is EndReason.PEER_SILENT
        assert 80 < pair.now < 110
        assert pair.authenticator.has(Ipv4Down)

    def test_an_idle_link_stays_open_for_an_hour(self):
        pair = Pair(server(), client())
        pair.run(until=lambda: False, limit=3600)
        assert pair.both_open()
        assert pair.carried < 800

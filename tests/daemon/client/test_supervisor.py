"""The client's supervisor: what it does when, by a clock that is passed in."""

from ipaddress import IPv4Address
from itertools import pairwise

import pytest

from openpptp.daemon.client.supervisor import (
    KNOCKING,
    STEADY,
    Call,
    Drop,
    End,
    HangUp,
    Resolve,
    State,
    Supervisor,
    TunnelDown,
    Waiting,
)
from openpptp.daemon.connect_request import Reconnect
from openpptp.errors import EndReason

FIRST, SECOND = IPv4Address("203.0.113.1"), IPv4Address("203.0.113.2")
LOST, REFUSED = EndReason.CONNECTION_LOST, EndReason.AUTHENTICATION_REFUSED
NO_JITTER = bytes((0xFF, 0xFF))


def supervisor(when="after-success", *, random=NO_JITTER, longest=60.0) -> Supervisor:
    return Supervisor(Reconnect(when, longest), lambda _: random, timeout=10.0, silence=100.0)


def calling(*addresses: IPv4Address, when="after-success", **how) -> Supervisor:
    """Return one that calls the first of its addresses, at second 0."""
    made = supervisor(when, **how)
    assert made.start(0.0) == [Resolve()]
    assert made.resolved(addresses or (FIRST,), 0.0) == [Call((addresses or (FIRST,))[0], 10.0)]
    return made


def up(*addresses: IPv4Address, when="after-success", **how) -> Supervisor:
    """Return one whose session is up, at second 0."""
    made = calling(*addresses, when=when, **how)
    assert made.answered(0.0) == []
    assert made.session_up(0.0) == []
    assert made.state is State.UP
    return made


def next_call(made: Supervisor) -> tuple[float, list[object]]:
    """Let the time pass until its deadline; return how long that was to the caller, and what it does."""
    assert made.deadline is not None
    when = made.deadline.when
    return when, made.tick(when)


class FirstAttemptTests:
    """Before it was ever up."""

    def test_every_address_has_its_turn(self):
        made = calling(FIRST, SECOND, FIRST)
        assert made.over(LOST, "first is silent", 3.0) == [Call(SECOND, 10.0)]
        assert made.over(LOST, "second is silent", 6.0) == [End(LOST, "first is silent; second is silent")]
        assert made.state is State.OVER

    def test_a_name_nobody_knows_ends_it(self):
        made = supervisor()
        made.start(0.0)
        assert made.unresolved("no such name", 1.0) == [End(LOST, "no such name")]

    def test_always_waits_for_the_name_as_well(self):
        made = supervisor("always")
        made.start(0.0)
        (waiting,) = made.unresolved("no such name", 1.0)
        assert isinstance(waiting, Waiting)
        assert made.tick(10.0) == [Resolve()]
        assert made.resolved([FIRST], 11.0) == [Call(FIRST, 10.0)]

    @pytest.mark.parametrize("when", ["never", "after-success", "always"])
    def test_a_refused_password_is_never_repeated(self, when):
        made = calling(FIRST, SECOND, when=when)
        made.answered(0.1)
        assert made.over(REFUSED, "wrong password", 1.0) == [End(REFUSED, "wrong password")]

    @pytest.mark.parametrize(
        "reason",
        [EndReason.SERVER_NOT_GENUINE, EndReason.ENCRYPTION_UNSUITABLE, EndReason.AUTHENTICATION_UNSUITABLE],
    )
    def test_nor_is_what_settings_forbid(self, reason):
        made = up(when="always")
        assert made.over(reason, "no", 500.0) == [End(reason, "no")]

    def test_always_goes_on(self):
        made = calling(when="always")
        (waiting,) = made.over(LOST, "nobody", 3.0)
        assert (made.state, waiting.detail) == (State.WAITING, "nobody")


class ReconnectTests:
    """After it was up."""

    def test_the_same_address_is_called_without_looking_it_up(self):
        made = up(FIRST, SECOND)
        down, waiting = made.over(LOST, "it broke", 100.0)
        assert down == TunnelDown("it broke")
        assert waiting.seconds == pytest.approx(1.0, abs=0.01)
        assert made.tick(101.0) == [Call(FIRST, 3.0)]

    def test_the_one_that_worked_comes_first(self):
        made = calling(FIRST, SECOND)
        made.over(LOST, "silent", 3.0)
        made.answered(3.1)
        made.session_up(3.2)
        made.over(LOST, "it broke", 100.0)
        assert made.tick(101.0) == [Call(SECOND, 3.0)]
        assert made.over(LOST, "silent", 102.0) == [Call(FIRST, 3.0)]

    def test_a_server_that_nobody_hears_is_knocked_at_every_two_seconds(self):
        made = up()
        made.over(LOST, "it broke", 100.0)
        calls = []
        for _ in range(20):
            when, outputs = next_call(made)
            assert outputs[-1] == Call(FIRST, 3.0)
            calls.append(when)
            made.over(LOST, "refused", when + 0.01)
        gaps = [later - earlier for earlier, later in pairwise(calls)]
        assert max(gaps) == pytest.approx(2.0, abs=0.01)

    def test_and_after_ten_minutes_once_a_minute(self):
        made = up()
        made.over(LOST, "it broke", 100.0)
        when = 100.0
        while when < 100.0 + KNOCKING:
            when, _ = next_call(made)
            made.over(LOST, "refused", when)
        assert next_call(made)[0] - when == pytest.approx(60.0, abs=0.1)

    def test_log_ins_that_fail_become_rarer(self):
        made = up()
        made.over(EndReason.CALL_REFUSED, "busy", 100.0)
        waits = []
        for _ in range(9):
            when, outputs = next_call(made)
            assert outputs[-1] == Call(FIRST, 3.0)
            made.answered(when)
            (waiting,) = made.over(EndReason.CALL_REFUSED, "busy", when)
            waits.append(round(waiting.seconds))
        assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60]

    def test_a_session_that_does_not_last_counts_as_a_log_in_that_failed(self):
        made, when, waits = up(), 1.0, []
        for _ in range(3):
            _, waiting = made.over(EndReason.PEER_REQUEST, "go away", when)
            waits.append(round(waiting.seconds))
            when, _ = next_call(made)
            made.answered(when)
            made.session_up(when)
        assert waits == [1, 2, 4]
        _, waiting = made.over(EndReason.PEER_REQUEST, "go away", when + STEADY)
        assert round(waiting.seconds) == 1

    def test_half_of_each_wait_is_by_lot(self):
        made = up(random=bytes(2))
        _, waiting = made.over(LOST, "it broke", 100.0)
        assert waiting.seconds == pytest.approx(0.5)

    def test_what_it_may_wait_at_most_is_the_users_choice(self):
        made = up(longest=3.0)
        made.over(EndReason.CALL_REFUSED, "busy", 100.0)
        for _ in range(5):
            when, _ = next_call(made)
            made.answered(when)
            (waiting,) = made.over(EndReason.CALL_REFUSED, "busy", when)
        assert waiting.seconds == pytest.approx(3.0, abs=0.01)

    def test_a_name_that_is_not_found_now_leads_to_the_addresses_of_before(self):
        """The name server itself may lie behind the tunnel."""
        made = up(FIRST)
        made.over(LOST, "it broke", 100.0)
        when, _ = next_call(made)
        made.over(LOST, "refused", when)
        assert made.tick(when + 5.0) == [Resolve(), Call(FIRST, 3.0)]
        assert made.unresolved("no name server answers", when + 15.0) == []
        assert made.resolved([SECOND], when + 15.0) == []
        made.over(LOST, "refused", when + 16.0)
        assert made.tick(when + 20.0) == [Resolve(), Call(SECOND, 3.0)]

    def test_never_means_never(self):
        assert up(when="never").over(LOST, "it broke", 100.0) == [End(LOST, "it broke")]

    def test_a_word_that_comes_late_changes_nothing(self):
        made = up()
        made.over(LOST, "it broke", 100.0)
        assert made.over(LOST, "again", 100.1) == []
        assert made.answered(100.1) == []
        assert made.session_up(100.1) == []
        assert made.resolved([SECOND], 100.1) == []
        assert made.unresolved("no", 100.1) == []
        assert made.tick(100.2) == []
        assert made.state is State.WAITING


class SurroundingsTests:
    """The network changes; the system sleeps."""

    def test_when_the_network_comes_back_it_calls_at_once(self):
        made = up()
        made.over(EndReason.CALL_REFUSED, "busy", 100.0)
        for _ in range(8):
            when, _ = next_call(made)
            made.answered(when)
            made.over(EndReason.CALL_REFUSED, "busy", when)
        assert made.network_changed(when + 5.0) == []
        assert made.deadline.when == pytest.approx(when + 5.1)

    def test_but_never_twice_within_a_second(self):
        made = up()
        made.over(LOST, "it broke", 100.0)
        for _ in range(2):
            when, _ = next_call(made)
            made.over(LOST, "unreachable", when)
        for _ in range(10):
            made.network_changed(when)
        assert made.deadline.when == when + 1.0

    def test_a_call_that_hangs_is_made_anew_on_the_new_network(self):
        made = calling(FIRST, SECOND)
        assert made.network_changed(0.5) == []
        assert made.network_changed(2.0) == [Drop()]
        assert made.network_changed(2.0) == []
        assert made.over(LOST, "cancelled", 2.1) == [Call(FIRST, 10.0)]

    def test_a_session_whose_address_has_gone_is_made_anew_at_once(self):
        made = up()
        assert made.network_changed(100.0) == []
        assert made.carrier_gone("no address", 100.0) == [Drop()]
        down, waiting = made.over(LOST, "the control connection broke", 100.0)
        assert down == TunnelDown("no address")
        assert waiting.seconds < 0.2
        assert made.tick(101.0) == [Call(FIRST, 3.0)]
        made.answered(101.0)
        made.session_up(101.0)
        assert made.over(LOST, "it broke", 200.0)[0] == TunnelDown("it broke")

    def test_after_a_long_sleep_the_server_has_forgotten_us(self):
        made = up()
        assert made.woke(20.0, 50.0) == []
        assert made.woke(3600.0, 60.0) == [Drop()]
        assert made.over(LOST, "broke", 60.0)[0] == TunnelDown("this system slept for 3600 seconds")

    def test_who_waits_when_the_system_wakes_calls_at_once(self):
        made = calling(when="always")
        made.over(LOST, "nobody", 3.0)
        made.woke(60.0, 3.0)
        assert made.deadline.when == 3.0

    def test_with_nothing_at_stake_nothing_happens(self):
        made = supervisor()
        assert made.carrier_gone("no address", 0.0) == []
        assert made.network_changed(0.0) == []
        assert made.woke(100.0, 0.0) == []


class EndTests:
    """Its user ends it, or this host does not let it be."""

    def test_from_a_session_in_good_order(self):
        made = up()
        assert made.stop(100.0) == [HangUp(EndReason.USER_REQUEST)]
        assert made.stop(100.1) == []
        assert made.over(LOST, "whatever", 100.2) == [End(EndReason.USER_REQUEST, "ended by request")]

    def test_a_server_that_takes_no_leave_is_dropped(self):
        made = up()
        made.stop(100.0)
        assert made.tick(104.0) == []
        assert made.tick(105.0) == [Drop()]

    def test_from_a_call_at_once(self):
        made = calling()
        assert made.stop(1.0) == [Drop()]
        assert made.over(LOST, "cancelled", 1.0) == [End(EndReason.USER_REQUEST, "ended by request")]

    def test_from_a_wait_at_once(self):
        made = calling(when="always")
        made.over(LOST, "nobody", 3.0)
        assert made.stop(4.0) == [End(EndReason.USER_REQUEST, "ended by request")]
        assert made.deadline is None
        assert made.stop(4.0) == []

    def test_a_host_that_refuses_ends_it_with_its_own_words(self):
        made = up()
        assert made.host_refused("no such device", 1.0) == [HangUp(EndReason.RESOURCES)]
        assert made.over(LOST, "whatever", 1.1) == [End(EndReason.RESOURCES, "no such device")]

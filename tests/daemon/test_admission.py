from ipaddress import IPv4Address

from openpptp.daemon.admission import (
    DEBTORS_REMEMBERED,
    Admission,
    AdmissionLimits,
    LoginGuard,
    LoginLimits,
)

LIMITS = LoginLimits()
HERE, THERE = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")


class AdmissionTests:
    """B-020: a flood of half-open connections."""

    def test_b020_one_source_is_capped_and_another_still_enters(self):
        door = Admission(AdmissionLimits(waiting=100, waiting_per_source=3))
        for _ in range(3):
            assert door.refusal(HERE) is None
            door.enter(HERE)
        assert "3 connections from this address" in str(door.refusal(HERE))
        assert door.refusal(THERE) is None

    def test_leaving_makes_room(self):
        door = Admission(AdmissionLimits(waiting=100, waiting_per_source=1))
        door.enter(HERE)
        assert door.refusal(HERE)
        door.leave(HERE)
        assert door.refusal(HERE) is None

    def test_b020_it_is_crowded_above_the_total_from_any_number_of_sources(self):
        door = Admission(AdmissionLimits(waiting=10, waiting_per_source=10))
        crowded = []
        for number in range(12):
            door.enter(IPv4Address(number))
            crowded.append(door.crowded)
        assert crowded == [False] * 10 + [True] * 2
        door.leave(IPv4Address(0))
        door.leave(IPv4Address(1))
        assert not door.crowded

    def test_b020_the_largest_crowd_is_known(self):
        door = Admission(AdmissionLimits(waiting=10, waiting_per_source=10))
        for source in (HERE, HERE, THERE):
            door.enter(source)
        assert [door.waiting_of(source) for source in (HERE, THERE, IPv4Address(9))] == [2, 1, 0]
        assert door.largest_crowd == 2


class LoginGuardTests:
    """B-086, P-16: brute force."""

    def test_b086_of_2000_guesses_of_one_password_in_five_minutes_at_most_10_are_looked_at(self):
        guard, looked_at = LoginGuard(LIMITS), 0
        for attempt in range(2000):
            now = attempt * 0.15
            if guard.may_try(HERE, b"anna", now):
                looked_at += 1
                guard.failed(HERE, b"anna", now)
        assert LIMITS.failures_per_user <= looked_at <= 10
        assert guard.may_connect(HERE, 300.0)

    def test_b086_p16_of_2000_users_tried_in_five_minutes_at_most_20_are_looked_at(self):
        guard, looked_at = LoginGuard(LIMITS), 0
        for attempt in range(2000):
            now, user = attempt * 0.15, b"%d" % attempt
            if guard.may_try(HERE, user, now):
                looked_at += 1
                guard.failed(HERE, user, now)
        assert LIMITS.failures_per_source <= looked_at <= 20

    def test_b086_another_source_is_untouched(self):
        guard = LoginGuard(LIMITS)
        for _ in range(100):
            guard.failed(HERE, b"anna", 0.0)
        assert not guard.may_try(HERE, b"anna", 0.0)
        assert not guard.may_connect(HERE, 0.0)
        assert guard.may_try(THERE, b"anna", 0.0)

    def test_one_device_with_an_old_password_does_not_shut_out_its_neighbours(self):
        guard = LoginGuard(LIMITS)
        for attempt in range(10_000):
            now = attempt * 5.0
            if guard.may_try(HERE, b"till 7", now):
                guard.failed(HERE, b"till 7", now)
            assert guard.may_try(HERE, b"till 8", now)

    def test_a_source_is_forgiven_with_time(self):
        guard = LoginGuard(LIMITS)
        for number in range(LIMITS.failures_per_source):
            guard.failed(HERE, b"%d" % number, 0.0)
        assert not guard.may_connect(HERE, LIMITS.source_forgiven_after - 5)
        assert guard.may_connect(HERE, LIMITS.source_forgiven_after + 1)

    def test_other_limits_count_at_once_also_for_what_failed_before(self):
        guard = LoginGuard(LIMITS)
        for number in range(LIMITS.failures_per_source):
            guard.failed(HERE, b"%d" % number, 0.0)
        guard.limits = LoginLimits(failures_per_source=100)
        assert guard.may_connect(HERE, 0.0)
        guard.limits = LoginLimits(source_forgiven_after=1.0)
        assert guard.may_connect(HERE, 1.0)

    def test_memory_is_bounded(self):
        guard = LoginGuard(LIMITS)
        for number in range(DEBTORS_REMEMBERED + 500):
            guard.failed(IPv4Address(number), b"anna", 0.0)
        assert len(guard._sources) == len(guard._users) == DEBTORS_REMEMBERED

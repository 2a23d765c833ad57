"""RFC 2637 section 4: sequence and acknowledgement numbers, order, duplicates.

A native twin subclasses these and overrides window and sender.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.datapath.seam import Counters
from openpptp.datapath.window import (
    ACK_DELAY,
    HOLD_LEAST,
    HOLD_MOST,
    MAX_HELD,
    MAX_JUMP,
    MAX_WINDOW,
    RESYNC_AHEAD,
    RESYNC_BEHIND,
    WINDOW,
    Place,
    ReceiveWindow,
    SendWindow,
    clamp_window,
)

TURN = 1 << 32


class Subject:
    """Where the reference is made; a twin makes its own."""

    def window(self, size: int = WINDOW) -> ReceiveWindow[int]:
        return ReceiveWindow(Counters(), size)

    def sender(self, first: int = 0) -> SendWindow:
        return SendWindow(first)

    def give(self, window: ReceiveWindow[int], *sequences: int, now: float = 0.0) -> list[int]:
        """Offer packets that carry their own number; return what is handed on."""
        handed: list[int] = []
        for sequence in sequences:
            if window.place(sequence, now) in (Place.AHEAD, Place.RESYNCHRONISED):
                handed += window.accept(sequence, sequence, now)
        return handed


class OrderTests(Subject):
    """4.3. Out-of-sequence packets."""

    @pytest.mark.parametrize("first", [0, 1, 430001, TURN - 1])
    def test_q20_any_first_number_will_do(self, first):
        window = self.window()
        following = [(first + n) % TURN for n in range(3)]
        assert self.give(window, *following) == following
        assert window.counters.lost == 0

    def test_p10_the_sequence_wraps(self):
        numbers = [n % TURN for n in range(TURN - 16, TURN + 17)]
        window = self.window()
        assert self.give(window, *numbers) == numbers
        assert (window.highest, window.counters.lost) == (16, 0)

    def test_p10_reordering_and_loss_across_the_wrap(self):
        window = self.window()
        assert self.give(window, TURN - 2, 0, TURN - 1, 2) == [TURN - 2, TURN - 1, 0]
        assert window.expire(1.0) == [2]
        assert window.counters.lost == 1

    def test_b050_a_duplicate_is_dropped_handed_on_or_held(self):
        window = self.window()
        self.give(window, 0, 1, 2, 5)
        assert [window.place(n, 0.0) for n in (0, 1, 2, 5)] == [Place.DUPLICATE] * 4
        assert [window.place(n, 0.0) for n in (3, 4, 6)] == [Place.AHEAD] * 3

    def test_b051_reordered_packets_are_held_and_handed_on_in_order(self):
        window = self.window()
        assert self.give(window, 0, 3, 1, 2, 4) == [0, 1, 2, 3, 4]
        assert (window.counters.late_recovered, window.counters.lost) == (2, 0)

    def test_b051_what_does_not_come_in_time_is_lost_and_late_when_it_comes(self):
        window = self.window()
        assert self.give(window, 0, 2, 3) == [0]
        assert window.expire(0.999 * HOLD_MOST) == []
        assert window.expire(HOLD_MOST) == [2, 3]
        assert window.counters.lost == 1
        assert window.place(1, 0.06) is Place.LATE
        assert window.counters.lost == 0
        assert window.place(1, 0.06) is Place.DUPLICATE

    def test_each_gap_waits_its_own_time(self):
        window = self.window()
        self.give(window, 0, 2, now=0.0)
        self.give(window, 4, now=0.03)
        assert window.expire(0.05) == [2]
        assert window.expire(0.07) == []
        assert window.expire(0.08) == [4]

    def test_no_more_than_a_few_are_held(self):
        window = self.window()
        assert self.give(window, 0, *range(2, 2 + MAX_HELD)) == [0]
        assert self.give(window, 2 + MAX_HELD) == list(range(2, 3 + MAX_HELD))
        assert window.deadline is None or window.deadline.reason == "owed acknowledgement"

    def test_the_hold_becomes_short_on_a_path_that_only_loses_and_long_on_one_that_reorders(self):
        window = self.window()
        now, sequence = 0.0, 0
        self.give(window, sequence, now=now)
        for _ in range(50):
            sequence += 2
            self.give(window, sequence, now=now)
            now += 1
            window.expire(now)
        self.give(window, sequence + 2, now=now)
        window.acknowledgement()
        assert window.deadline.when == pytest.approx(now + HOLD_LEAST)
        window.expire(now + HOLD_LEAST)
        assert window.place(sequence + 1, now + 0.02) is Place.LATE
        self.give(window, sequence + 4, now=now + 0.03)
        window.acknowledgement()
        assert window.deadline.when == pytest.approx(now + 0.03 + 0.03)

    def test_b049_a_far_number_is_believed_only_after_some_in_step(self):
        window = self.window()
        self.give(window, 0, 1)
        far = 2 + MAX_JUMP + 1
        assert [window.place(far + n, 0.0) for n in range(RESYNC_AHEAD)] == [Place.FAR] * 3 + [Place.RESYNCHRONISED]
        assert window.accept(far + 3, 7, 0.0) == [7]
        assert window.counters.lost == far + 1
        assert self.give(window, far + 4, far + 6, far + 5) == [far + 4, far + 5, far + 6]

    def test_b049_half_a_turn_ahead_or_behind(self):
        window = self.window()
        self.give(window, 0)
        assert window.place(1 << 31, 0.0) is Place.FAR
        assert window.place((1 << 31) + 7_000_000, 0.0) is Place.FAR
        assert self.give(window, 1) == [1]

    def test_b049_far_numbers_out_of_step_or_between_real_packets_are_never_believed(self):
        window = self.window()
        self.give(window, 0)
        for n in range(1, 100):
            assert window.place(5000 + 100 * n, 0.0) is Place.FAR
        for n in range(1, 100):
            assert window.place(1_000_000 + n, 0.0) is Place.FAR
            assert self.give(window, n) == [n]

    def test_b049_a_peer_that_starts_again_is_followed(self):
        window = self.window()
        self.give(window, *range(1000, 1200))
        handed = self.give(window, *range(100))
        assert handed == list(range(RESYNC_BEHIND - 1, 100))

    def test_b049_held_packets_are_handed_on_before_a_jump(self):
        window = self.window()
        assert self.give(window, 0, 2, *range(9000, 9004)) == [0, 2, 9003]

    def test_a_number_never_accepted_changes_nothing(self):
        window = self.window()
        self.give(window, 0)
        for n in range(1, MAX_JUMP):
            assert window.place(n, 0.0) is Place.AHEAD
        assert window.highest == 0
        assert self.give(window, 1) == [1]

    @given(
        first=st.sampled_from([0, 1, TURN - 50, 77777]),
        fates=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 8)), min_size=1, max_size=120),
    )
    def test_p07_model_loss_reordering_up_to_eight_and_duplicates(self, first, fates):
        """Against the naive model: sort all that came; each is handed on once, in order, and none is lost on the way.

        Ten packets come in a millisecond, so that the shortest hold suffices.
        Fate 0 is lost, 1 doubled, 2 and 3 delayed by some packets.
        """
        arrivals = []
        for n, (fate, delay) in enumerate(fates):
            if fate == 0:
                continue
            arrivals.append((n + (delay if fate in (2, 3) else 0), n))
            if fate == 1:
                arrivals.append((n + delay, n))
        window = self.window()
        handed = []
        for when, n in sorted(arrivals, key=lambda arrival: arrival[0]):
            now = when / 10_000
            handed += window.expire(now)
            handed += self.give(window, (first + n) % TURN, now=now)
            highest = window.acknowledgement()
            assert highest is None or (highest - first) % TURN < len(fates)
        handed += window.expire(10.0)
        came = sorted({n for _, n in arrivals})
        offsets = [(number - first) % TURN for number in handed]
        # Numbers before the first to arrive are behind the peer's own beginning, as far as anyone can see.
        begin = min(arrivals, key=lambda arrival: arrival[0])[1] if arrivals else 0
        assert offsets == [n for n in came if n >= begin]
        assert len(handed) + window.counters.lost == (max(came) + 1 - begin if came else 0)


class AcknowledgementTests(Subject):
    """4.4. Acknowledgements."""

    def test_nothing_is_owed_before_anything_came(self):
        window = self.window()
        assert (window.highest, window.acknowledgement(), window.deadline) == (None, None, None)
        assert not window.acknowledgement_due(1e9)

    def test_the_highest_number_is_acknowledged_once(self):
        window = self.window()
        self.give(window, 0, 3, 1)
        assert window.acknowledgement() == 3
        assert window.acknowledgement() is None

    def test_b054_within_a_hundred_milliseconds(self):
        window = self.window()
        self.give(window, 0, now=5.0)
        self.give(window, 1, now=5.09)
        assert window.deadline == (5.0 + ACK_DELAY, "owed acknowledgement")
        assert not window.acknowledgement_due(5.099)
        assert window.acknowledgement_due(5.0 + ACK_DELAY)

    @pytest.mark.parametrize(("size", "half"), [(64, 32), (3, 1), (1, 1), (0, WINDOW // 2), (65535, MAX_WINDOW // 2)])
    def test_b054_or_half_the_window(self, size, half):
        window = self.window(size)
        for n in range(half):
            assert not window.acknowledgement_due(0.0)
            self.give(window, n)
        assert window.acknowledgement_due(0.0)

    def test_b048_duplicates_and_late_packets_ask_for_no_acknowledgement(self):
        window = self.window()
        self.give(window, 10)
        window.acknowledgement()
        self.give(window, 10, 9, 8, 10_000)
        assert window.deadline is None

    @pytest.mark.parametrize(("size", "usable"), [(0, WINDOW), (1, 1), (3, 3), (64, 64), (65535, MAX_WINDOW)])
    def test_b055_windows_are_clamped(self, size, usable):
        assert clamp_window(size) == usable


class SendingTests(Subject):
    """4.2. The sliding window, advisory."""

    def test_the_first_number_is_0(self):
        sender = self.sender()
        assert [sender.number() for _ in range(3)] == [0, 1, 2]

    def test_p10_it_wraps(self):
        sender = self.sender(TURN - 1)
        assert [sender.number(), sender.number()] == [TURN - 1, 0]
        assert sender.acknowledged(TURN - 1)
        assert sender.acknowledged(0)
        assert sender.unacknowledged == 0

    def test_b052_a_wrong_acknowledgement_is_ignored(self):
        sender = self.sender()
        assert not sender.acknowledged(0xFFFFFFFF - 1)
        for _ in range(5):
            sender.number()
        assert sender.acknowledged(2)
        assert [sender.acknowledged(n) for n in (5, 1, 0xFFFFFFF0, 1 << 31)] == [False] * 4
        assert sender.unacknowledged == 2

    def test_q21_an_acknowledgement_of_nothing_yet_is_harmless(self):
        sender = self.sender()
        sender.number()
        sender.acknowledged(0xFFFFFFFF)
        assert sender.unacknowledged == 1

    def test_b053_a_peer_that_never_acknowledges_stalls_nothing(self):
        sender = self.sender()
        assert [sender.number() for _ in range(5000)] == list(range(5000))

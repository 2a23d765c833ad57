"""What one call may carry in one direction.

A native twin subclasses this and overrides bucket.
"""

from hypothesis import given
from hypothesis import strategies as st

from openpptp.datapath.bucket import Bucket
from openpptp.datapath.seam import Rate


class BucketTests:
    """A token bucket."""

    def bucket(self, bits_per_second: int, burst_octets: int = 0) -> Bucket:
        return Bucket(Rate(bits_per_second, burst_octets))

    def test_the_burst_comes_at_once_and_the_rest_at_the_rate(self):
        bucket = self.bucket(80_000, 4000)
        assert [bucket.take(1000, 50.0) for _ in range(5)] == [True] * 4 + [False]
        assert not bucket.take(1000, 50.09)
        assert bucket.take(1000, 50.1)
        assert not bucket.take(1, 50.1)

    def test_what_is_refused_costs_nothing(self):
        bucket = self.bucket(8000, 1500)
        assert not bucket.take(1501, 1.0)
        assert bucket.take(1500, 1.0)

    def test_silence_saves_up_no_more_than_the_burst(self):
        bucket = self.bucket(8_000_000, 3000)
        assert bucket.take(3000, 1.0)
        assert bucket.take(3000, 1000.0)
        assert not bucket.take(1, 1000.0)

    def test_a_burst_that_is_not_said_is_an_eighth_of_a_second_and_two_packets_at_least(self):
        assert self.bucket(8_000_000).take(125_000, 0.0)
        assert not self.bucket(8_000_000).take(125_001, 0.0)
        assert self.bucket(8000).take(3000, 0.0)
        assert not self.bucket(8000).take(3001, 0.0)

    def test_a_rate_of_0_is_no_limit(self):
        bucket = self.bucket(0, 1)
        assert all(bucket.take(1600, 0.0) for _ in range(100))

    @given(
        st.integers(8, 10**10),
        st.integers(1, 10**6),
        st.lists(st.tuples(st.integers(0, 1600), st.floats(0, 1, allow_subnormal=False)), max_size=100),
    )
    def test_no_more_passes_than_rate_and_burst_allow(self, bits_per_second, burst, packets):
        bucket = self.bucket(bits_per_second, burst)
        now, passed = 0.0, 0
        for octets, pause in packets:
            now += pause
            if bucket.take(octets, now):
                passed += octets
            assert passed <= (burst + now * bits_per_second / 8) * (1 + 1e-9)

"""native/bucket.c beside datapath/bucket.py."""

from hypothesis import given
from hypothesis import strategies as st
from tests.native.parts import part

from openpptp.datapath.bucket import Bucket
from openpptp.datapath.seam import Rate

_PART = part(
    """
    struct engine_rate { uint64_t bits_per_second; uint64_t burst_octets; };
    struct bucket { double level; ...; };
    void bucket_begin(struct bucket *bucket, const struct engine_rate *rate);
    bool bucket_take(struct bucket *bucket, size_t octets, double now);
    """,
    "bucket.c",
    include='#include "bucket.h"',
)
ffi, lib = _PART.ffi, _PART.lib

rates = st.sampled_from([0, 1, 8, 64_000, 1_000_000]) | st.integers(0, 10**11)


class BucketTests:
    @given(
        rates,
        st.sampled_from([0, 1, 1500, 10**6]),
        st.lists(st.tuples(st.integers(0, 1600), st.floats(0, 10, allow_subnormal=False)), max_size=60),
    )
    def test_it_decides_as_the_reference_does(self, bits_per_second, burst_octets, packets):
        reference = Bucket(Rate(bits_per_second, burst_octets))
        native = ffi.new("struct bucket *")
        lib.bucket_begin(native, ffi.new("struct engine_rate *", (bits_per_second, burst_octets)))
        now = 0.0
        for octets, pause in packets:
            now += pause
            assert lib.bucket_take(native, octets, now) == reference.take(octets, now)

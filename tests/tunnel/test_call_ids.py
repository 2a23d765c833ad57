"""Call IDs: unpredictable, unique, rested before they come again."""

import random

from openpptp.tunnel.call_ids import QUARANTINE, CallIds


def call_ids(**limits: int) -> CallIds:
    return CallIds(random.Random(7).randbytes, **limits)


class CallIdsTests:
    """3.2.2. Call ID Values."""

    def test_every_call_id_is_leased_once_and_then_none_is_left(self):
        store = call_ids()
        leased = [store.lease(0.0) for _ in range(0xFFFF)]
        assert set(leased) == set(range(1, 0x10000))
        assert store.lease(0.0) is None
        assert len(store) == 0xFFFF

    def test_they_come_in_no_order(self):
        store = call_ids()
        leased = [store.lease(0.0) for _ in range(100)]
        assert leased != sorted(leased)

    def test_b056_a_released_call_id_rests_before_it_is_leased_again(self):
        store = call_ids(first=5, last=5)
        assert store.lease(0.0) == 5
        store.release(5, 10.0)
        assert store.lease(10.0 + QUARANTINE - 0.001) is None
        assert store.lease(10.0 + QUARANTINE) == 5

    def test_releasing_twice_does_not_lease_twice(self):
        store = call_ids(first=1, last=2)
        first = store.lease(0.0)
        assert first is not None
        store.release(first, 0.0)
        store.release(first, 0.0)
        assert {store.lease(100.0), store.lease(100.0), store.lease(100.0)} == {1, 2, None}

    def test_releasing_what_was_never_leased_does_nothing(self):
        store = call_ids(first=1, last=1)
        store.release(9, 0.0)
        assert [store.lease(100.0), store.lease(100.0)] == [1, None]

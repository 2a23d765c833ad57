"""Addresses: what a pool holds, who gets which, what is free on this system."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openpptp.backends.pools import AddressPool, free_pool
from openpptp.backends.ranges import parse_range
from openpptp.errors import SetupError


def drain(pool: AddressPool) -> list[str]:
    return [str(address) for address in iter(lambda: pool.lease("u"), None)]


class RangeTests:
    """What a pool is made of."""

    def test_several_ranges_make_one_pool(self):
        assert drain(AddressPool(map(parse_range, ["10.9.0.8/31", "10.9.0.2", "10.9.0.4-5"]))) == [
            *("10.9.0.2", "10.9.0.4", "10.9.0.5", "10.9.0.8", "10.9.0.9")
        ]

    def test_a_network_without_its_network_and_broadcast_address_and_ours(self):
        pool = AddressPool(map(parse_range, ["10.9.0.0/24"]), our_address=IPv4Address("10.9.0.1"))
        assert len(pool) == 253
        for number in (0, 1, 255):
            assert IPv4Address(f"10.9.0.{number}") not in pool
        assert IPv4Address("10.9.0.2") in pool

    @pytest.mark.parametrize("specs", [[], ["10.9.0.1"]])
    def test_a_pool_of_nothing(self, specs):
        with pytest.raises(SetupError, match="empty"):
            AddressPool(map(parse_range, specs), our_address=IPv4Address("10.9.0.1"))


class LeaseTests:
    """Who gets which address."""

    def test_two_leases_are_two_addresses_until_there_is_none(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1-10.9.0.3"]))
        assert drain(pool) == ["10.9.0.1", "10.9.0.2", "10.9.0.3"]
        assert pool.leased == 3
        assert pool.lease("late") is None

    def test_a_numbered_network_gives_its_lowest_free_address_inside_the_pool_or_not(self):
        pool = AddressPool([parse_range("10.9.0.2-10.9.0.9")], our_address=IPv4Address("10.9.0.1"))
        network = IPv4Network("10.9.0.0/29")
        leased = [pool.lease(user, numbered=network) for user in ("a", "b")]
        pool.release(leased[0])
        leased.append(pool.lease("c", numbered=network))
        assert list(map(str, leased)) == ["10.9.0.2", "10.9.0.3", "10.9.0.2"]
        assert str(pool.lease("d", numbered=IPv4Network("10.8.0.0/30"))) == "10.8.0.1"

    def test_a_full_numbered_network_leaves_the_rest_of_the_pool(self):
        pool = AddressPool([parse_range("10.9.0.2-10.9.0.9")])
        network = IPv4Network("10.7.0.0/30")
        assert [str(pool.lease("a", numbered=network)) for _ in range(3)] == ["10.7.0.1", "10.7.0.2", "10.9.0.2"]

    def test_a_user_comes_back_to_the_same_address(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1-10.9.0.9"]))
        ann, bob = pool.lease("ann"), pool.lease("bob")
        pool.release(ann)
        pool.release(bob)
        assert (pool.lease("bob"), pool.lease("ann")) == (bob, ann)

    def test_an_address_rests_as_long_as_there_are_others(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1-10.9.0.3"]))
        first = pool.lease("ann")
        pool.release(first)
        assert [pool.lease("bob"), pool.lease("carl"), pool.lease("dora")][-1] == first

    def test_who_lost_an_address_to_another_gets_a_new_one(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1-10.9.0.2"]))
        home = pool.lease("ann")
        pool.release(home)
        pool.lease("bob")
        assert pool.lease("carl") == home
        assert pool.lease("ann") is None
        pool.release(home)
        assert pool.lease("carl") == home

    def test_memory_of_users_is_bounded_by_the_pool(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1-10.9.0.4"]))
        for number in range(1000):
            pool.release(pool.lease(f"user{number}"))
        assert len(pool._home) <= len(pool)
        assert len(pool._last_user) <= len(pool)

    def test_the_wanted_address_comes_first(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1-10.9.0.9"]))
        wanted = IPv4Address("10.9.0.7")
        assert pool.lease("ann", wanted=wanted) == wanted
        assert pool.lease("bob", wanted=wanted) == IPv4Address("10.9.0.1")

    def test_a_wanted_address_outside_the_pool_is_leased_once(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1"]))
        outside = IPv4Address("172.16.0.5")
        assert pool.lease("ann", wanted=outside, allowed=outside.__eq__) == outside
        assert pool.lease("ann", wanted=outside, allowed=outside.__eq__) is None
        pool.release(outside)
        assert outside not in pool
        assert drain(pool) == ["10.9.0.1"]
        assert pool.lease("ann", wanted=outside) == outside

    def test_our_own_address_is_never_leased(self):
        ours = IPv4Address("10.9.0.1")
        pool = AddressPool(map(parse_range, ["10.9.0.0/30"]), our_address=ours)
        assert pool.lease("ann", wanted=ours) == IPv4Address("10.9.0.2")

    def test_only_allowed_addresses_are_leased(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1-10.9.0.9"]))
        allowed = {IPv4Address("10.9.0.4"), IPv4Address("10.9.0.6")}
        got = {pool.lease("ann", allowed=allowed.__contains__) for _ in range(3)}
        assert got == {*allowed, None}
        assert pool.lease("bob", allowed=lambda _: False, wanted=IPv4Address("10.9.0.1")) is None

    def test_releasing_twice_or_what_was_never_out_changes_nothing(self):
        pool = AddressPool(map(parse_range, ["10.9.0.1-10.9.0.2"]))
        address = pool.lease("ann")
        for _ in range(2):
            pool.release(address)
        pool.release(IPv4Address("10.9.0.2"))
        pool.release(IPv4Address("192.0.2.1"))
        assert drain(pool) == ["10.9.0.2", "10.9.0.1"]


class PoolMachine(RuleBasedStateMachine):
    """Any order of leases and releases keeps the books straight."""

    def __init__(self):
        super().__init__()
        self.pool = AddressPool(map(parse_range, ["10.9.0.0/29"]), our_address=IPv4Address("10.9.0.1"))
        self.out = {}

    @rule(user=st.sampled_from("abc"), wanted=st.none() | st.integers(0, 9))
    def lease(self, user, wanted):
        address = self.pool.lease(user, wanted=wanted and IPv4Address("10.9.0.0") + wanted)
        if address is None:
            assert sum(a in self.pool for a in self.out) == len(self.pool)
        else:
            assert address not in self.out
            self.out[address] = user

    @rule(data=st.data())
    def release(self, data):
        if self.out:
            address = data.draw(st.sampled_from(sorted(self.out)))
            del self.out[address]
            self.pool.release(address)

    @invariant()
    def books_agree(self):
        assert self.pool.leased == len(self.out)
        assert sum(map(len, self.pool._free.values())) == len(self.pool) - sum(a in self.pool for a in self.out)
        assert IPv4Address("10.9.0.1") not in self.out


StatefulPoolTests = PoolMachine.TestCase


networks = st.builds(
    lambda number, length: IPv4Network((number, length), strict=False), st.integers(0, 2**32 - 1), st.integers(9, 32)
)


class NamedPoolTests:
    """Pools beside the one of everybody."""

    @staticmethod
    def pools() -> AddressPool:
        named = {"office": [parse_range("10.8.0.2-10.8.0.3")], "empty": []}
        return AddressPool([parse_range("10.9.0.2-10.9.0.3")], our_address=IPv4Address("10.9.0.1"), named=named)

    def test_each_gives_its_own_addresses_only(self):
        pool = self.pools()
        assert [str(pool.lease(name, pool="office")) for name in "abc"] == ["10.8.0.2", "10.8.0.3", "None"]
        assert str(pool.lease("d")) == "10.9.0.2"

    def test_one_that_is_empty_or_unknown_gives_none(self):
        assert self.pools().lease("a", pool="empty") is None
        assert self.pools().lease("a", pool="cellar") is None

    def test_an_address_goes_back_to_its_own_and_to_its_last_user(self):
        pool = self.pools()
        address = pool.lease("a", pool="office")
        pool.release(address)
        assert pool.lease("b", pool="office") != address
        assert pool.lease("a", pool="office") == address

    def test_who_moves_gets_an_address_of_the_new_one(self):
        pool = self.pools()
        pool.release(pool.lease("a"))
        assert str(pool.lease("a", pool="office")) == "10.8.0.2"

    def test_all_of_them_lie_in_the_pool(self):
        pool = self.pools()
        assert IPv4Address("10.8.0.3") in pool
        assert len(pool) == 4

    def test_a_fixed_address_of_another_pool_is_given_to_nobody_else(self):
        pool = self.pools()
        assert pool.lease("a", wanted=IPv4Address("10.8.0.2")) == IPv4Address("10.8.0.2")
        assert pool.lease("b", pool="office") == IPv4Address("10.8.0.3")


class FreePoolTests:
    """A /24 that collides with nothing this system knows."""

    def test_the_same_each_time_and_none_of_the_common_ones(self):
        pool = free_pool([])
        assert pool == free_pool([])
        assert pool.is_private
        assert pool.prefixlen == 24
        for common in ("192.168.0.0/23", "10.0.0.0/15", "10.8.0.0/16", "172.17.0.0/16"):
            assert not pool.overlaps(IPv4Network(common))

    def test_a_default_route_is_no_collision(self):
        assert free_pool([IPv4Network("0.0.0.0/0")]) == free_pool([])

    @pytest.mark.parametrize(
        ("taken", "chosen_in"),
        [(["10.0.0.0/8"], "172.16.0.0/12"), (["10.0.0.0/8", "172.16.0.0/12"], "192.168.0.0/16")],
    )
    def test_the_next_range_when_one_is_taken(self, taken, chosen_in):
        assert free_pool(map(IPv4Network, taken)).subnet_of(IPv4Network(chosen_in))

    def test_everything_taken(self):
        with pytest.raises(SetupError, match="set pool"):
            free_pool(map(IPv4Network, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]))

    @given(st.lists(networks, max_size=20))
    def test_never_one_that_is_known(self, known):
        pool = free_pool(known)
        assert not any(pool.overlaps(network) for network in known)

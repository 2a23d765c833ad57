"""Addresses for peers: leased in constant time, kept for the user who had them before where possible."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from types import MappingProxyType

from openpptp.backends.ranges import AddressRange
from openpptp.errors import SetupError

MAX_ADDRESSES = 65536  # ours: as many calls as Call IDs exist
NAMELESS = ""
"The pool of whoever is given no other."


class AddressPool:
    """Leases addresses of the pool, of pools with a name beside it, and fixed ones outside all of them."""

    def __init__(
        self,
        ranges: Iterable[AddressRange],
        *,
        our_address: IPv4Address | None = None,
        named: Mapping[str, Iterable[AddressRange]] = MappingProxyType({}),
    ) -> None:
        """Fill the pools with their ranges, without our_address; raise SetupError when the one without name is empty.

        The ranges have no address in common.
        """
        self._reserved = None if our_address is None else int(our_address)
        pools = {
            name: sorted({number for first, last in each for number in range(int(first), int(last) + 1)})
            for name, each in {**named, NAMELESS: ranges}.items()
        }
        self._pool = {number: name for name, numbers in pools.items() for number in numbers if number != self._reserved}
        "The pool each address is of."
        self._free: dict[str, OrderedDict[int, None]] = {name: OrderedDict() for name in pools}
        "Longest unused first, so that an address rests before somebody else gets it."
        for number, name in self._pool.items():
            self._free[name][number] = None
        if not self._free[NAMELESS]:
            raise SetupError("the address pool is empty", exit_code=2)
        self._leases: dict[int, str] = {}
        self._last_user: dict[int, str] = {}
        self._home: dict[str, int] = {}
        "Where a user was last; never more entries than addresses in the pool."

    def __len__(self) -> int:
        return len(self._pool)

    def __contains__(self, address: IPv4Address) -> bool:
        return int(address) in self._pool

    @property
    def leased(self) -> int:
        """How many addresses are out."""
        return len(self._leases)

    def lease(
        self,
        user: str,
        *,
        allowed: Callable[[IPv4Address], bool] = lambda _: True,
        wanted: IPv4Address | None = None,
        numbered: IPv4Network | None = None,
        pool: str = NAMELESS,
    ) -> IPv4Address | None:
        """Lease wanted, or the user's last address, or the one unused longest; None when none is free and allowed.

        The last two are of one pool; one that does not exist has none. numbered puts the lowest free address of a
        network before them, as pppd's address/length+ does. wanted and numbered may lie outside the
        pools; it is then the operator's matter that nobody else has them.
        """
        for number in self._candidates(user, wanted, numbered, self._free.get(pool, OrderedDict())):
            if allowed(IPv4Address(number)):
                self._take(number, user)
                return IPv4Address(number)
        return None

    def release(self, address: IPv4Address) -> None:
        """Take an address back; one that is not out stays as it is."""
        if self._leases.pop(int(address), None) is not None and int(address) in self._pool:
            self._free[self._pool[int(address)]][int(address)] = None

    def _candidates(
        self, user: str, wanted: IPv4Address | None, numbered: IPv4Network | None, free_of_pool: OrderedDict[int, None]
    ) -> Iterator[int]:
        if wanted is not None and int(wanted) != self._reserved and int(wanted) not in self._leases:
            yield int(wanted)
        if numbered is not None:
            hosts = range(int(numbered[0]) + 1, int(numbered[-1]))
            free = (number for number in hosts if number != self._reserved and number not in self._leases)
            yield from islice(free, 1)
        home = self._home.get(user)
        if home is not None and home in free_of_pool:
            yield home
        yield from free_of_pool

    def _take(self, number: int, user: str) -> None:
        self._leases[number] = user
        if number not in self._pool:
            return
        del self._free[self._pool[number]][number]
        before = self._last_user.get(number)
        if before is not None and self._home.get(before) == number:
            del self._home[before]
        self._last_user[number] = user
        self._home[user] = number


def free_pool(routes: Iterable[IPv4Network]) -> IPv4Network:
    """Return a private /24 that touches none of the networks this system knows; the same each time.

    Ranges home routers and other VPNs prefer (192.168.0, 192.168.1, 10.0.0, 10.8.0) are never chosen: the client's
    own network is likely to be one of them. A default route counts for nothing. Raise SetupError when all is taken.
    """
    known = [network for network in routes if network.prefixlen > 0]
    for candidate in _preferred_pools():
        if not any(candidate.overlaps(network) for network in known):
            return candidate
    raise SetupError("no private network is free for the address pool; set pool in [network]", exit_code=2)


def _preferred_pools() -> Iterator[IPv4Network]:
    for second in (91, 73, 119, 147, 205, 233):
        yield from (IPv4Network(f"10.{second}.{third}.0/24") for third in (*range(9, 256), *range(9)))
    yield from (IPv4Network(f"172.{second}.{third}.0/24") for second in range(31, 15, -1) for third in range(9, 250))
    yield from (IPv4Network(f"192.168.{third}.0/24") for third in range(249, 99, -1) if third != 178)

"""What a user is given for his session, and what is taken back from him: an address, servers, routes."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from structlog.typing import FilteringBoundLogger

from openpptp.backends.known import Admitted
from openpptp.backends.policy import Policy
from openpptp.backends.pools import NAMELESS, AddressPool
from openpptp.credentials import NetworkGrant
from openpptp.daemon.calls import inside
from openpptp.daemon.config import Settings
from openpptp.daemon.policy_rules import rates
from openpptp.daemon.session_record import SessionRecord
from openpptp.datapath.seam import Inside
from openpptp.tunnel.outputs import InterfaceUp

RouteNetwork = Callable[[IPv4Network, bool], None]
"Leads a network, or an address outside the pools, into the tunnel (True), or no longer (False)."


def inside_of(record: SessionRecord, output: InterfaceUp, *, clamp_segment_size: bool = True) -> Inside:
    """Return what a session may carry: from its address and the networks behind it, as fast as its policy allows."""
    rate_in, rate_out = rates(record.policy)
    return replace(
        inside(output, record.address),
        routed_ipv4=record.routes,
        rate_in=rate_in,
        rate_out=rate_out,
        clamp_segment_size=clamp_segment_size,
    )


class Grants:
    """Leases addresses and leads routes, each for as long as somebody has it."""

    def __init__(self, settings: Settings, pool: AddressPool, route: RouteNetwork) -> None:
        """Begin with nothing given; the pool and our address stay those of the start."""
        self._pool = pool
        self._route = route
        self._our_address = settings.network.our_address()
        self._led: Counter[IPv4Network] = Counter()
        self.adopt(settings)

    def adopt(self, settings: Settings) -> None:
        """Take the servers to name to whoever comes from now on."""
        self._dns, self._wins = settings.network.dns, settings.network.wins

    def give(self, admitted: Admitted, policy: Policy, log: FilteringBoundLogger) -> NetworkGrant | None:
        """Lease an address, and return it with what goes with it; None, and the reason in the log, without one."""
        address = self._lease(admitted, policy)
        if address is None:
            whence = f"pool {policy.pool}" if policy.pool is not None else "the pool"
            log.warning("no free address for this user", user=admitted.user, wanted=str(policy.address or whence))
            return None
        dns = () if "dns" in policy.lifted else policy.dns or self._dns
        wins = () if "wins" in policy.lifted else policy.wins or self._wins
        return NetworkGrant(self._our_address, address, dns, wins)

    def lead(self, record: SessionRecord) -> None:
        """Lead what a session was given outside the pools into the tunnel."""
        for network in self._networks(record):
            self._led[network] += 1
            if self._led[network] == 1:
                self._route(network, True)

    def take_back(self, record: SessionRecord) -> None:
        """Take back what a session was given."""
        self._pool.release(record.address)
        for network in self._networks(record):
            self._led[network] -= 1
            if not self._led[network]:
                del self._led[network]
                self._route(network, False)

    def _lease(self, admitted: Admitted, policy: Policy) -> IPv4Address | None:
        fixed = policy.address

        def allowed(address: IPv4Address) -> bool:
            return fixed in {None, address} and admitted.allowed_address(address)

        return self._pool.lease(
            admitted.user,
            allowed=allowed,
            wanted=fixed or admitted.fixed_address,
            numbered=admitted.numbered_network,
            pool=policy.pool or NAMELESS,
        )

    def _networks(self, record: SessionRecord) -> list[IPv4Network]:
        outside = [] if record.address in self._pool else [IPv4Network(record.address)]
        return [*outside, *record.routes]

"""All that the server changes on its host, as pieces: made at each start, undone at its end or at the next start.

Another process looks on with examined(settings), whether a server runs or not.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from ipaddress import IPv4Network, collapse_addresses, summarize_address_range
from typing import NamedTuple

import structlog
from structlog.typing import FilteringBoundLogger

from openpptp.backends.ranges import AddressRange
from openpptp.daemon.config import Settings
from openpptp.daemon.data_path import Doors
from openpptp.daemon.host_links import LanNeighbours, PoolRoutes, TunnelDevice
from openpptp.daemon.host_packets import FirewallTable, PacketForwarding
from openpptp.daemon.host_passage import Passage
from openpptp.daemon.host_piece import Piece
from openpptp.net.firewall import TABLE, Firewall, plan
from openpptp.net.forwarding import Forwarding
from openpptp.net.journal import Journal
from openpptp.net.links import HostNetwork, Links
from openpptp.net.proxy_arp import ProxyArp
from openpptp.net.tun import Tun
from openpptp.wire.ppp import MPPE_OVERHEAD

QUEUE_PACKETS = 8000  # ours: TUN's own 500 overflow when a thousand sessions send at once, 2000 still do


def pieces(settings: Settings, journal: Journal, links: Links, log: FilteringBoundLogger | None = None) -> list[Piece]:
    """Return what these settings want of the host, in the order of applying; undo in the opposite one.

    journal is the one that links has. The TUN device itself lives as long as the process that opened it: open it first.
    """
    return [piece for wanted, piece in _all(settings, journal, links, log) if wanted]


@contextmanager
def examined(settings: Settings) -> Iterator[list[Piece]]:
    """Give the pieces to describe and to verify, beside a server that runs or not; nothing is locked or changed."""
    journal = Journal.as_left(settings.server.runtime_directory)
    with closing(Links(journal)) as links:
        yield pieces(settings, journal, links)


def undo_left(settings: Settings) -> list[str]:
    """Undo what a server that was killed left on the host; return a sentence for each thing that stays.

    Raises SetupError while a server runs.
    """
    with closing(Journal(settings.server.runtime_directory)) as journal, closing(Links(journal)) as links:
        return _undo_all(settings, journal, links)


class Prepared(NamedTuple):
    """What the server goes on changing while it runs."""

    links: Links
    tun: Tun
    proxy: ProxyArp


def prepare(settings: Settings, log: FilteringBoundLogger, doors: Doors, undo: AsyncExitStack) -> Prepared:
    """Undo what a killed server left, open the device and apply all pieces; the stack undoes each of them."""
    journal = Journal(settings.server.runtime_directory)
    undo.callback(journal.close)
    links = Links(journal)
    undo.callback(links.close)
    for problem in _undo_all(settings, journal, links):
        log.warning(problem, origin="left by a server that was killed")
    tun = doors.open_tun(settings.server.interface)
    for piece in pieces(settings, journal, links, log):
        undo.callback(_take_back, piece, log)
        piece.apply()
    return Prepared(links, tun, ProxyArp(links, journal, own=tun.name))


def _undo_all(settings: Settings, journal: Journal, links: Links) -> list[str]:
    # Also what is no longer wanted: the settings may have been others when that server started.
    every = [piece for _, piece in _all(settings, journal, links)]
    return [problem for piece in reversed(every) for problem in piece.undo()]


def _take_back(piece: Piece, log: FilteringBoundLogger) -> None:
    for problem in piece.undo():
        log.warning(problem, origin="left behind")


def _all(
    settings: Settings, journal: Journal, links: Links, log: FilteringBoundLogger | None = None
) -> list[tuple[bool, Piece]]:
    """Return every piece there is, and whether these settings want it."""
    network, device, ours = settings.network, settings.server.interface, settings.network.our_address()
    proxy = ProxyArp(links, journal, own=device)
    lans = [HostNetwork(address.network, lan) for address, lan in proxy.networks()]
    pools = pool_networks(settings, [lan.network for lan in lans])
    table = firewall_table(device)
    transaction = plan(device=device, pools=pools, masquerade=network.nat, clamp=network.mss_clamp, table=table)
    firewall = Firewall(journal, table=table)
    return [
        (True, TunnelDevice(links, device, ours, device_mtu(settings), QUEUE_PACKETS, settings.ppp.ipv6)),
        (True, PoolRoutes(links, device, ours, pools, lans)),
        (network.forward, PacketForwarding(Forwarding(journal))),
        (proxies(settings), LanNeighbours(proxy, pools)),
        (network.nat or network.mss_clamp, FirewallTable(firewall, transaction)),
        (
            True,
            Passage(
                links,
                device,
                settings.server.port,
                network.leases()[0].first,
                network.forward,
                firewall.name,
                log or structlog.get_logger(),
            ),
        ),
    ]


def proxies(settings: Settings) -> bool:
    """Return whether ARP is answered for clients; without forwarding the kernel does not."""
    return settings.network.proxy_arp and settings.network.forward


def device_mtu(settings: Settings) -> int:
    """Return the longest packet, in octets, that the device takes for any session."""
    return settings.ppp.mru - (MPPE_OVERHEAD if settings.encryption().enabled else 0)


def firewall_table(interface: str) -> str:
    """Return the name of our nftables table; it carries the interface's, so that two servers have one each."""
    return f"{TABLE}_{re.sub('[^A-Za-z0-9]', '_', interface)}"


def pool_networks(settings: Settings, lans: Sequence[IPv4Network] = ()) -> list[IPv4Network]:
    """Return the pool as the fewest networks; our own address may be among them, the host knows it before any route."""
    ranges = settings.network.ranges()
    return list(collapse_addresses(network for entry in ranges for network in networks_of(entry, lans)))


def networks_of(entry: AddressRange, lans: Sequence[IPv4Network] = ()) -> list[IPv4Network]:
    """Return a range as networks; a range that is all hosts of a network counts as that network.

    So a pool of 10.0.0.0/24 makes one route, not the fourteen that leave out its first and last address. Within one of
    the lans these two may be hosts of others, and are left out.
    """
    bits = (int(entry.first) ^ int(entry.last)).bit_length()
    network = IPv4Network((int(entry.first) >> bits << bits, 32 - bits))
    is_part = any(lan != network and lan.supernet_of(network) for lan in lans)
    if not is_part and int(entry.first) - int(network[0]) <= 1 and int(network[-1]) - int(entry.last) <= 1:
        return [network]
    return list(summarize_address_range(entry.first, entry.last))

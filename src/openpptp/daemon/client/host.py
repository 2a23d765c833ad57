"""What the client changes on its host: the way of the carrier, address, routes, DNS; each is undone at the end.

What a killed client left behind, the next start undoes from the journal.
"""

import asyncio
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.client.granted import Granted, granted
from openpptp.daemon.connect_request import ConnectRequest, Dns
from openpptp.errors import SetupError
from openpptp.net.client_links import Carrier, ClientLinks
from openpptp.net.journal import Journal
from openpptp.net.links import MAIN_TABLE
from openpptp.net.resolv_conf import ResolvConf
from openpptp.net.resolver import Nameservers, Resolver
from openpptp.net.rules import Rules
from openpptp.tunnel.outputs import InterfaceUp

EVERYTHING = IPv4Network("0.0.0.0/0")
HALVES = (IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1"))
"The default route in two: the host's own default stays as it is and is back the moment the tunnel goes."
BLOCKED = 1 << 23  # ours: metric of the routes that refuse while the tunnel is down


@dataclass(frozen=True, slots=True)
class Configured:
    """What the host was given for a session."""

    address: IPv4Address | None
    peer: IPv4Address | None
    ipv6: IPv6Address | None
    mtu: int
    routes: tuple[IPv4Network, ...]
    dns: tuple[IPv4Address, ...] = ()
    dns_by: str = ""
    "What was told of the DNS servers."


class Host(Protocol):
    """What the client asks of the host; the methods wait beside the event loop."""

    async def carry(self, server: IPv4Address) -> Carrier:
        """Return the way of the tunnel's own packets to a server; raise SetupError when there is none."""

    async def carrier_gone(self, local: IPv4Address) -> str:
        """Say why what leaves from our address local reaches the server no more; empty when it may."""

    async def up(self, output: InterfaceUp) -> Configured:
        """Set up what the server granted; raise SetupError in words."""

    async def down(self) -> None:
        """Treat what would go through the tunnel as the user wants it while there is none."""

    def undo(self) -> list[str]:
        """Take back all that was changed; return a sentence per failure."""


class HostSettings:
    """All of it, for one tunnel; the methods wait for netlink and for programs, beside the event loop."""

    def __init__(
        self, request: ConnectRequest, journal: Journal, links: ClientLinks, rules: Rules, log: FilteringBoundLogger
    ) -> None:
        """Change nothing yet; links and rules have the same journal."""
        self._request = request
        self._links = links
        self._rules = rules
        self._resolver = Resolver(journal, request.interface, file=request.resolv_conf)
        self._log = log
        self._table = request.mark if request.mark is not None else MAIN_TABLE
        self._pinned: IPv4Address | None = None
        self._carrier: Carrier | None = None
        self._now: Configured | None = None

    async def carry(self, server: IPv4Address) -> Carrier:
        """Lead the tunnel's own packets to a server around the tunnel; again after the host's network changed.

        Without this they would enter the tunnel as soon as it is the way to everywhere. Raises SetupError when there
        is no way.
        """
        links, request = self._links, self._request
        if request.mark is not None and self._pinned is None:
            await self._rules.later(self._rules.undo)
            await self._rules.later(self._rules.lead_unmarked, request.mark, avoid=request.interface)
        if self._pinned not in (None, server):
            await links.later(links.unpin, self._pinned, avoid=request.interface)
        self._pinned = server
        self._carrier = await links.later(links.pin_carrier, server, avoid=request.interface, mark=request.mark)
        return self._carrier

    async def carrier_gone(self, local: IPv4Address) -> str:
        """Say why what leaves from our address local reaches the server no more, after a change; empty when it may.

        A way that was lost with its device is led anew; while there is none at all, it may come back.
        """
        links, server, before = self._links, self._pinned, self._carrier
        if not await links.later(links.has_address, local):
            return f"{local} is no longer an address of this machine"
        if server is None or await links.later(links.is_pinned, server, avoid=self._request.interface):
            return ""
        try:
            now = await self.carry(server)
        except SetupError:
            return ""
        same = before is None or now.device == before.device
        return "" if same else f"the way to {server} leads through {now.device} now"

    async def up(self, output: InterfaceUp) -> Configured:
        """Give the interface what the server granted, and lead there what the user wants; raise SetupError in words."""
        links, name, before = self._links, self._request.interface, self._now
        given = await self._granted(output)
        if given.address is not None:
            address = IPv4Interface(given.address)
            await links.later(links.device_up, name, address=address, peer=given.peer, mtu=output.mtu)
        else:
            await links.later(links.device_up, name, mtu=output.mtu)
        if before is not None and before.address not in (None, given.address):
            await links.later(links.leave_address, name, before.address)
        ipv6 = None
        if output.our_identifier is not None:
            ipv6 = await links.later(links.set_link_local, name, output.our_identifier)
        servers = name_servers(self._request.dns, given.dns, self._log)
        networks = (*self._networks(), *(IPv4Network(each) for each in servers if each != self._pinned))
        for network in networks:
            await links.later(links.add_route, network, name, table=self._table)
            await links.later(links.remove_route, network, "")
        dns_by = await self._set_dns(servers)
        dns = servers if dns_by else ()
        self._now = Configured(given.address, given.peer, ipv6, output.mtu, networks, dns, dns_by)
        return self._now

    async def _granted(self, output: InterfaceUp) -> Granted:
        """Return what of the server's grant this host can take."""
        owned = await self._links.later(self._links.addresses)
        others = [(address, device) for address, device in owned if device != self._request.interface]
        result = granted(output, self._pinned, others)
        for warning in result.warnings:
            self._log.warning(warning)
        return result

    async def down(self) -> None:
        """Treat what would go through the tunnel as the user wants it while there is none."""
        if self._now is None or self._request.while_down == "hold":
            return  # the data path drops it
        links = self._links
        for network in self._now.routes:
            if self._request.while_down == "block":
                await links.later(links.refuse_route, network, metric=BLOCKED, table=self._table)
            await links.later(links.remove_route, network, self._request.interface)
        if self._request.while_down == "pass":
            for problem in await asyncio.to_thread(self._resolver.undo):
                self._log.warning(problem)

    def undo(self) -> list[str]:
        """Take back all that was changed; return a sentence per failure."""
        return [*self._resolver.undo(), *self._links.undo(), *self._rules.undo()]

    def _networks(self) -> tuple[IPv4Network, ...]:
        everything = HALVES if self._table == MAIN_TABLE else (EVERYTHING,)
        return (*self._request.routes, *(everything if self._request.default_route else ()))

    async def _set_dns(self, servers: tuple[IPv4Address, ...]) -> str:
        """Return by what way they were set; empty when they were not."""
        wanted = self._request.dns
        if wanted is None or not servers:
            return ""
        try:
            return await asyncio.to_thread(self._resolver.apply, self._nameservers(wanted, servers))
        except SetupError as error:  # the tunnel is worth having without
            self._log.warning(str(error))
            return ""

    def _nameservers(self, wanted: Dns, servers: tuple[IPv4Address, ...]) -> Nameservers:
        return Nameservers(servers, wanted.search, everything=self._request.default_route or not wanted.search)


def name_servers(
    wanted: Dns | None, named: tuple[IPv4Address, ...], log: FilteringBoundLogger
) -> tuple[IPv4Address, ...]:
    """Return the DNS servers to ask, those that were named to us before those the server grants."""
    if wanted is None:
        return ()
    if wanted.of_server and not named:
        log.warning("the server names no DNS servers; name one yourself with --dns ADDRESS")
    return tuple(dict.fromkeys([*wanted.servers, *(named if wanted.of_server else ())]))


def take_back_left_overs(request: ConnectRequest, log: FilteringBoundLogger) -> None:
    """Undo what clients changed that were killed, whatever interface they used."""
    for left in sorted(request.runtime_directory.glob("*/undo.json")):
        _take_back(request, left.parent.name, log)
    # After a power cut the journal is gone, and the file is still ours.
    owner = ResolvConf(request.resolv_conf).owner()
    if owner is not None and "/" not in owner:
        _take_back(request, owner, log)


def _take_back(request: ConnectRequest, interface: str, log: FilteringBoundLogger) -> None:
    try:
        with (
            closing(Journal(request.runtime_directory / interface)) as journal,
            closing(ClientLinks(journal)) as links,
            closing(Rules(journal)) as rules,
        ):
            resolver = Resolver(journal, interface, file=request.resolv_conf)
            for problem in (*resolver.undo(), *links.undo(), *rules.undo()):
                log.warning(problem)
            ResolvConf(request.resolv_conf).restore(interface)
    except SetupError as error:  # most likely it runs
        log.debug(str(error))

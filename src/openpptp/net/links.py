"""Addresses, routes and MTU of this host, by netlink; everything added is written down and taken back at the end.

Each method blocks until done; `await links.later(links.add_route, ...)` does not.
"""

import contextlib
import errno
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from socket import AF_INET
from typing import Any, NamedTuple

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from openpptp.errors import SetupError
from openpptp.net.journal import Entry, Journal
from openpptp.net.netlink import NetlinkThread, doing, in_thread

OUR_PROTOCOL = 47  # ours: marks routes we made; iproute2's rt_protos leaves this number free
MAIN_TABLE = 254
IFF_UP = 0x1  # linux/if.h
IFF_WITHOUT_ARP = 0x8 | 0x10 | 0x80  # IFF_LOOPBACK, IFF_POINTOPOINT, IFF_NOARP
UNICAST = 1  # RTN_UNICAST
BROADEST_PREFIX = 2  # ours: 0.0.0.0/0 and the two halves of it hold every pool, so they collide with none


class Route(NamedTuple):
    """How this host reaches an address."""

    gateway: IPv4Address | None
    "None: it is on the device's own network."
    device: str
    source: IPv4Address | None


class HostNetwork(NamedTuple):
    """A network that this host has an address in or a route to."""

    network: IPv4Network
    device: str


class Device(NamedTuple):
    """A network device as it is now."""

    up: bool
    mtu: int
    arp: bool
    "Whether hosts are found there by ARP."


class Links(NetlinkThread):
    """Change and read the host's network; undo() takes back all that was added, the newest first."""

    def __init__(self, journal: Journal | None = None, *, netlink: Callable[[], Any] = IPRoute) -> None:
        """Work with this journal; one that an earlier process left is undone by undo() as well."""
        super().__init__(netlink)
        self._journal = journal or Journal()

    @in_thread
    def device_up(
        self,
        device: str,
        *,
        address: IPv4Interface | None = None,
        peer: IPv4Address | None = None,
        mtu: int | None = None,
        queue_packets: int | None = None,
        ipv6: bool = False,
    ) -> None:
        """Give a device its settings and switch it on; IPv6 stays off on it unless asked for.

        mtu is in octets. peer makes it point-to-point.
        """
        with doing(f"set up the device {device}"):
            if not ipv6:
                # An inside that speaks IPv6 by itself leaks router solicitations; each device also costs routes.
                with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
                    Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").write_text("1", encoding="ascii")
            wishes = {"mtu": mtu, "txqlen": queue_packets}
            settings = {key: value for key, value in wishes.items() if value is not None}
            self.netlink.link("set", index=self.index_of(device), state="up", **settings)
        if address is not None:
            self.add_address(device, address, peer=peer)

    @in_thread
    def add_address(self, device: str, address: IPv4Interface, *, peer: IPv4Address | None = None) -> bool:
        """Add an address; False when the device had it already."""
        facts = {
            "index": self.index_of(device),
            "device": device,
            "address": str(address.ip),
            "prefix": 32 if peer is not None else address.network.prefixlen,
            "peer": str(peer) if peer is not None else None,
        }
        return self._add("address", facts, f"give {address} to {device}")

    @in_thread
    def add_route(
        self,
        network: IPv4Network,
        device: str,
        *,
        gateway: IPv4Address | None = None,
        source: IPv4Address | None = None,
        metric: int | None = None,
        table: int = MAIN_TABLE,
    ) -> bool:
        """Add a route; False when the same one was there before us.

        Raises SetupError when another route to that network has the same metric.
        """
        facts = {
            "index": self.index_of(device),
            "device": device,
            "network": str(network),
            "gateway": str(gateway) if gateway is not None else None,
            "source": str(source) if source is not None else None,
            "metric": metric,
            "table": table,
        }
        return self._add("route", facts, f"route {network} through {device}")

    @in_thread
    def refuse_route(self, network: IPv4Network, *, metric: int, table: int = MAIN_TABLE) -> bool:
        """Refuse at once what would go to a network, unless a route with a lower metric leads there.

        remove_route with an empty device takes it back.
        """
        facts = {"index": None, "device": "", "network": str(network), "gateway": None, "source": None}
        return self._add("route", {**facts, "metric": metric, "table": table}, f"refuse what goes to {network}")

    @in_thread
    def remove_route(self, network: IPv4Network, device: str) -> bool:
        """Remove a route of ours; False when there was none."""
        removed = False
        for entry in self._journal.entries("route"):
            if entry["network"] == str(network) and entry["device"] == device:
                removed |= self._take_back(entry)
        return removed

    @in_thread
    def pin(self, server: IPv4Address, *, avoid: str = "") -> bool:
        """Pin a host route to a server on the way it takes now; False when it was pinned already.

        Repeat it after the host's network changed. The index of the device avoid is the route's metric, so that two
        tunnels to one server have a route each, and the first to end does not take the other's. Raises SetupError
        when the way leads through the device avoid: a tunnel cannot carry itself.
        """
        route = self.route_to(server)
        if avoid and route.device == avoid:
            raise SetupError(f"the only way to {server} leads through {avoid}, the tunnel itself; is the network down?")
        metric = self.index_of(avoid) if avoid else None
        return self.add_route(IPv4Network(server), route.device, gateway=route.gateway, metric=metric)

    @in_thread
    def route_to(self, address: IPv4Address) -> Route:
        """Return how this host reaches an address; raise SetupError when it does not."""
        with doing(f"reach {address}"):
            (message,) = self.netlink.route("get", dst=str(address))
            gateway, source = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_PREFSRC")
            return Route(
                IPv4Address(gateway) if gateway else None,
                self.device_at(message.get_attr("RTA_OIF")),
                IPv4Address(source) if source else None,
            )

    @in_thread
    def addresses(self) -> list[tuple[IPv4Interface, str]]:
        """Return this host's IPv4 addresses with their networks and devices."""
        with doing("read the host's addresses"):
            return [
                (
                    IPv4Interface(f"{message.get_attr('IFA_LOCAL')}/{message['prefixlen']}"),
                    self.device_at(message["index"]),
                )
                for message in self.netlink.get_addr(family=AF_INET)
            ]

    @in_thread
    def networks(self) -> list[HostNetwork]:
        """Return every network a new pool must not overlap: addresses and routes, default routes left out."""
        found = [HostNetwork(address.network, device) for address, device in self.addresses()]
        with doing("read the host's routes"):
            for message in self.netlink.get_routes(family=AF_INET):
                if message["dst_len"] < BROADEST_PREFIX or message["type"] != UNICAST:
                    continue
                network = IPv4Network(f"{message.get_attr('RTA_DST')}/{message['dst_len']}")
                found.append(HostNetwork(network, self.device_at(message.get_attr("RTA_OIF"))))
        return sorted(set(found))

    @in_thread
    def device(self, name: str) -> Device | None:
        """Return what a device is like; None when there is none of that name."""
        with doing(f"find the device {name}"):
            found = self.netlink.link_lookup(ifname=name)
            if not found:
                return None
            (message,) = self.netlink.get_links(found[0])
        flags = message["flags"]
        return Device(bool(flags & IFF_UP), int(message.get_attr("IFLA_MTU")), not flags & IFF_WITHOUT_ARP)

    @in_thread
    def has_route(self, network: IPv4Network, device: str) -> bool:
        """Tell whether a route of ours to that network through that device is there."""
        entries = self._journal.entries("route")
        with doing("read the host's routes"):
            return any(
                entry["network"] == str(network) and entry["device"] == device and self._has_route(entry, ours=True)
                for entry in entries
            )

    @in_thread
    def undo(self, *kinds: str) -> list[str]:
        """Take back what was added and is still as we added it, the newest first; return a sentence per failure.

        kinds are "route" and "address"; none of them means both.
        """
        problems: list[str] = []
        for entry in self._journal.entries(*(kinds or ("route", "address"))):
            try:
                self._take_back(entry)
            except SetupError as error:
                problems.append(str(error))
        return problems

    def _add(self, kind: str, facts: Entry, what: str) -> bool:
        # What was added before may have gone with its device, and is added anew then.
        noted = next((each for each in self._journal.entries(kind) if each == {"kind": kind, **facts}), None)
        entry = noted or self._journal.remember(kind, **facts)
        try:
            with doing(what):
                self._change("add", entry)
        except SetupError as error:
            if noted is None:
                self._journal.forget(entry)
            already = isinstance(error.__cause__, NetlinkError) and error.__cause__.code == errno.EEXIST
            if already and self._is_there(entry):
                return False
            raise
        return True

    def _take_back(self, entry: Entry) -> bool:
        """Undo one change when it is still there as we made it; True when there was something to undo."""
        there = False
        # KeyError: a journal of another version.
        with doing(f"undo {entry}"), contextlib.suppress(KeyError):
            there = self._is_there(entry, ours=True)
            if there:
                self._change("del", entry)
        self._journal.forget(entry)
        return there

    def _change(self, verb: str, entry: Entry) -> None:
        if entry["kind"] == "route":
            self._change_route(verb, entry)
        else:
            self._change_address(verb, entry)

    def _is_there(self, entry: Entry, *, ours: bool = False) -> bool:
        return self._has_route(entry, ours=ours) if entry["kind"] == "route" else self._has_address(entry)

    def _change_address(self, verb: str, entry: Entry) -> None:
        local = {"local": entry["address"]} if entry["peer"] else {}
        address = entry["peer"] or entry["address"]
        self.netlink.addr(verb, index=entry["index"], address=address, prefixlen=entry["prefix"], **local)

    def _change_route(self, verb: str, entry: Entry) -> None:
        wishes = {"gateway": entry["gateway"], "prefsrc": entry["source"], "priority": entry["metric"]}
        settings = {key: value for key, value in wishes.items() if value is not None}
        if entry["index"] is None:
            settings["type"] = "unreachable"
        else:
            settings["oif"] = entry["index"]
            if entry["gateway"] is None:
                settings["scope"] = "link"
        if entry.get("table", MAIN_TABLE) != MAIN_TABLE:
            settings["table"] = entry["table"]
        network = "default" if entry["network"] == "0.0.0.0/0" else entry["network"]
        self.netlink.route(verb, family=AF_INET, dst=network, proto=OUR_PROTOCOL, **settings)

    def _has_address(self, entry: Entry) -> bool:
        return any(
            message["prefixlen"] == entry["prefix"]
            and message.get_attr("IFA_LOCAL") == entry["address"]
            and message.get_attr("IFA_ADDRESS") == (entry["peer"] or entry["address"])
            for message in self.netlink.get_addr(family=AF_INET, index=entry["index"])
        )

    def _has_route(self, entry: Entry, *, ours: bool) -> bool:
        network = IPv4Network(entry["network"])
        return any(
            IPv4Network((message.get_attr("RTA_DST") or 0, message["dst_len"])) == network
            and message.get_attr("RTA_OIF") == entry["index"]
            and message.get_attr("RTA_GATEWAY") == entry["gateway"]
            and message.get_attr("RTA_PRIORITY") == entry["metric"]
            and message.get_attr("RTA_TABLE") == entry.get("table", MAIN_TABLE)
            and (message["proto"] == OUR_PROTOCOL or not ours)
            for message in self.netlink.get_routes(family=AF_INET)
        )

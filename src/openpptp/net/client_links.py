"""What the client, beyond what all need, asks of this host's links: the way to the server without the tunnel."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import Any, NamedTuple

from openpptp.errors import SetupError
from openpptp.net.journal import Entry
from openpptp.net.links import MAIN_TABLE, OUR_PROTOCOL, UNICAST, Links
from openpptp.net.netlink import doing, in_thread

SECOND, THIRD = 1 << 16, 2 << 16  # ours: metrics of pinned routes, so that a new one is there before the old one goes
FLOOR = 1 << 24  # ours: metric of the route that refuses below it
DEAD = 0x01 | 0x10  # RTNH_F_DEAD, RTNH_F_LINKDOWN
ADDRESS_GENERATION_NONE = 1  # linux/if_link.h: IN6_ADDR_GEN_MODE_NONE
LINK_LOCAL_PREFIX = bytes.fromhex("fe80000000000000")


class Carrier(NamedTuple):
    """The way a tunnel's own packets take."""

    device: str
    gateway: IPv4Address | None
    mtu: int
    "Octets of an IP packet that passes in one piece, as far as this host knows."

    def describe(self) -> dict[str, str | int | None]:
        """Return it for JSON."""
        return {"device": self.device, "gateway": str(self.gateway) if self.gateway else None, "mtu": self.mtu}


class ClientLinks(Links):
    """Links, and the way that carries the tunnel."""

    @in_thread
    def pin_carrier(self, server: IPv4Address, *, avoid: str, mark: int | None = None) -> Carrier:
        """Pin a host route to the server on the way it would take without us; one on another way goes.

        Repeat it after the host's network changed. Below it lies a route that refuses: where the pinned one is lost
        with its device, the tunnel's packets must not enter the tunnel. Raises SetupError when there is no way.
        """
        network, index = IPv4Network(server), self.index_of(avoid)
        way = self._way(server, avoid, mark)
        pins = self._pins(server, index)
        if any(self._leads(entry, way) for entry in pins):
            stale = [entry for entry in pins if not self._leads(entry, way)]
        else:
            stale = pins
            taken = {entry["metric"] for entry in pins}
            metric = min({index, SECOND + index, THIRD + index} - taken)
            self.add_route(network, way.device, gateway=way.gateway, metric=metric)
        for entry in stale:
            self._take_back(entry)
        self.refuse_route(network, metric=FLOOR + index)
        return way

    @in_thread
    def unpin(self, server: IPv4Address, *, avoid: str) -> None:
        """Take the host routes to a server back."""
        index = self.index_of(avoid)
        for entry in self._pins(server, index):
            self._take_back(entry)
        for entry in self._journal.entries("route"):
            if entry["network"] == f"{server}/32" and entry["metric"] == FLOOR + index:
                self._take_back(entry)

    @in_thread
    def is_pinned(self, server: IPv4Address, *, avoid: str) -> bool:
        """Tell whether a host route to the server still leads there; the kernel removes it with its device."""
        way = self._asked(server, None)
        pins = self._pins(server, self.index_of(avoid))
        return way is not None and any(_is_on(entry, way) for entry in pins)

    @in_thread
    def way_to(self, server: IPv4Address, *, mark: int | None = None) -> Carrier:
        """Return the way to the server as it is; raise SetupError when there is none."""
        way = self._asked(server, mark)
        if way is None:
            raise SetupError(f"there is no way to {server}; is the network down?")
        return way

    @in_thread
    def has_address(self, address: IPv4Address) -> bool:
        """Tell whether an address is one of this host's."""
        return any(interface.ip == address for interface, _ in self.addresses())

    @in_thread
    def leave_address(self, device: str, address: IPv4Address) -> None:
        """Take an address of ours back; the others of the device stay, and with them its routes."""
        # Two addresses with one peer are primary and secondary to the kernel: it would remove both.
        path = Path(f"/proc/sys/net/ipv4/conf/{device}/promote_secondaries")
        with doing(f"take {address} from {device}"):
            path.write_text("1", encoding="ascii")
        for entry in self._journal.entries("address"):
            if entry["device"] == device and entry["address"] == str(address):
                self._take_back(entry)

    @in_thread
    def set_link_local(self, device: str, identifier: bytes) -> IPv6Address:
        """Give a device the link-local address of an interface identifier and no other; it dies with the device.

        One of the kernel's own choice would not pass the server's check of sources.
        """
        address = IPv6Address(LINK_LOCAL_PREFIX + identifier)
        with doing(f"give {address} to {device}"):
            index = self.index_of(device)
            for switch, value in (("addr_gen_mode", ADDRESS_GENERATION_NONE), ("disable_ipv6", 1), ("disable_ipv6", 0)):
                Path(f"/proc/sys/net/ipv6/conf/{device}/{switch}").write_text(f"{value}", encoding="ascii")
            self.netlink.addr("add", index=index, address=str(address), prefixlen=64, family=AF_INET6)
        return address

    def _pins(self, server: IPv4Address, index: int) -> list[Entry]:
        metrics = {index, SECOND + index, THIRD + index}
        routes = self._journal.entries("route")
        return [each for each in routes if each["network"] == f"{server}/32" and each["metric"] in metrics]

    def _way(self, server: IPv4Address, avoid: str, mark: int | None) -> Carrier:
        """Return the way to the server as if none of our routes to it were there."""
        way = self._asked(server, mark) if not self._pins(server, self.index_of(avoid)) else None
        if way is None or way.device == avoid:
            way = self._longest_match(server, avoid)
        if way is None:
            raise SetupError(f"there is no way to {server} outside the tunnel; is the network down?")
        return way

    def _asked(self, server: IPv4Address, mark: int | None) -> Carrier | None:
        """Ask the kernel for the way; None when there is none."""
        try:
            with doing(f"reach {server}"):
                marked = {"mark": mark} if mark is not None else {}
                (message,) = self.netlink.route("get", dst=str(server), **marked)
        except SetupError as error:
            if error.exit_code != 1:
                raise
            return None
        return self._carrier(message)

    def _longest_match(self, server: IPv4Address, avoid: str) -> Carrier | None:
        """Find the way in the main table by hand: the kernel itself cannot be asked to leave our routes out."""
        found: list[tuple[int, int, Any]] = []
        with doing("read the host's routes"):
            for message in self.netlink.get_routes(family=AF_INET, table=MAIN_TABLE):
                network = IPv4Network((message.get_attr("RTA_DST") or 0, message["dst_len"]))
                usable = message["type"] == UNICAST and message["proto"] != OUR_PROTOCOL and not message["flags"] & DEAD
                if usable and server in network:
                    found.append((-message["dst_len"], message.get_attr("RTA_PRIORITY") or 0, message))
        for _, _, message in sorted(found, key=lambda each: each[:2]):
            way = self._carrier(message)
            if way.device != avoid:
                return way
        return None

    def _carrier(self, message: Any) -> Carrier:
        hops = message.get_attr("RTA_MULTIPATH")
        if hops:
            gateway, index = hops[0].get_attr("RTA_GATEWAY"), hops[0]["oif"]
        else:
            gateway, index = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_OIF")
        metrics = message.get_attr("RTA_METRICS")
        of_route = metrics.get_attr("RTAX_MTU") if metrics is not None else None
        (link,) = self.netlink.get_links(index)
        device = str(link.get_attr("IFLA_IFNAME"))
        of_device = int(link.get_attr("IFLA_MTU"))
        return Carrier(device, IPv4Address(gateway) if gateway else None, min(of_route or of_device, of_device))

    def _leads(self, entry: Entry, way: Carrier) -> bool:
        """Tell whether a pinned route is there and leads this way."""
        with doing("read the host's routes"):
            return _is_on(entry, way) and self._is_there(entry, ours=True)


def _is_on(entry: Entry, way: Carrier) -> bool:
    """Tell whether a route was made for this way."""
    return bool(entry["device"] == way.device and entry["gateway"] == (str(way.gateway) if way.gateway else None))

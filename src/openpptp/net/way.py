"""The way a packet of this host takes to an address: the device, what it carries, and whether it is a tunnel."""

from ipaddress import IPv4Address
from typing import Any, NamedTuple

from openpptp.net.links import Links
from openpptp.net.netlink import doing, in_thread

TUNNELS = frozenset({"tun", "wireguard", "ipip", "gre", "gretap", "sit", "vti", "xfrm", "ip6tnl", "erspan"})
"Kinds of devices that carry packets in other packets, as the kernel names them."


class Way(NamedTuple):
    """How this host reaches an address."""

    device: str
    kind: str
    "Of the device, as the kernel names it; empty for an ordinary one."
    mtu: int
    "Octets; of the route where it has one of its own, else of the device."
    gateway: IPv4Address | None
    "None: it is on the device's own network."
    source: IPv4Address | None
    "The address of this host that is named as the sender's."

    @property
    def is_tunnel(self) -> bool:
        """Whether the packets travel in another tunnel."""
        return self.kind in TUNNELS


class Ways(Links):
    """Looks ways up; changes nothing and needs no privilege."""

    @in_thread
    def way_to(self, address: IPv4Address) -> Way:
        """Return how this host reaches an address; raise SetupError when it does not."""
        with doing(f"reach {address}"):
            (route,) = self.netlink.route("get", dst=str(address))
            (link,) = self.netlink.get_links(route.get_attr("RTA_OIF"))
        gateway, source = route.get_attr("RTA_GATEWAY"), route.get_attr("RTA_PREFSRC")
        return Way(
            str(link.get_attr("IFLA_IFNAME")),
            _kind(link),
            _mtu(route) or int(link.get_attr("IFLA_MTU")),
            IPv4Address(gateway) if gateway else None,
            IPv4Address(source) if source else None,
        )


def _kind(link: Any) -> str:
    information = link.get_attr("IFLA_LINKINFO")
    return str(information.get_attr("IFLA_INFO_KIND") or "") if information is not None else ""


def _mtu(route: Any) -> int | None:
    metrics = route.get_attr("RTA_METRICS")
    found = metrics.get_attr("RTAX_MTU") if metrics is not None else None
    return int(found) if found else None

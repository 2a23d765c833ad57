"""The pieces of the host that netlink changes: the tunnel device and the routes of the pools."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from openpptp.daemon.host_piece import Condition
from openpptp.errors import SetupError
from openpptp.net.links import HostNetwork, Links
from openpptp.net.proxy_arp import ProxyArp

START = "start the server: openpptp serve"


@dataclass(frozen=True, slots=True)
class TunnelDevice:
    """The one TUN device of all sessions, with our address; it goes with the process that opened it."""

    links: Links
    device: str
    address: IPv4Address
    mtu: int
    queue_packets: int
    ipv6: bool
    name: str = "tunnel device"

    def describe(self) -> list[str]:
        """Say which device, with what settings."""
        ipv6 = "on" if self.ipv6 else "off"
        return [
            f"interface {self.device}: TUN, MTU {self.mtu}, queue of {self.queue_packets} packets, IPv6 {ipv6}",
            f"address {self.address}/32 on {self.device}",
        ]

    def apply(self) -> None:
        """Give the open device its settings and switch it on."""
        self.links.device_up(
            self.device,
            address=IPv4Interface(self.address),
            mtu=self.mtu,
            queue_packets=self.queue_packets,
            ipv6=self.ipv6,
        )

    def verify(self) -> Condition:
        """Look for the device, its MTU and its address."""
        found = self.links.device(self.device)
        if found is None:
            return Condition(self.name, "missing", f"there is no interface {self.device}", START)
        restart = "restart the server, and find what configures its interface (NetworkManager, systemd-networkd)"
        if not found.up:
            return Condition(self.name, "overridden", f"somebody switched {self.device} off", restart)
        if found.mtu != self.mtu:
            sentence = f"somebody set the MTU of {self.device} to {found.mtu} in place of {self.mtu}"
            return Condition(self.name, "overridden", sentence, restart)
        if (self.address, self.device) not in {(address.ip, device) for address, device in self.links.addresses()}:
            sentence = f"somebody took the address {self.address} from {self.device}"
            return Condition(self.name, "overridden", sentence, restart)
        return Condition(self.name, "present", f"{self.device} is up with {self.address} and MTU {self.mtu}")

    def undo(self) -> list[str]:
        """Take the address back; the device ends with the process that holds it."""
        return self.links.undo("address")


@dataclass(frozen=True, slots=True)
class PoolRoutes:
    """The way to every client: one route for each network of the pool, and those of addresses beyond it."""

    links: Links
    device: str
    address: IPv4Address
    networks: Sequence[IPv4Network]
    lans: Sequence[HostNetwork] = ()
    name: str = "routes"

    def describe(self) -> list[str]:
        """Give each route as ip(8) writes it."""
        return [f"route {network} dev {self.device} scope link src {self.address}" for network in self.networks]

    def apply(self) -> None:
        """Add them."""
        for lan in self.lans:
            if lan.network in self.networks:
                raise SetupError(
                    f"network.pool: {lan.network} is all of the network on {lan.device}; leave addresses to the hosts "
                    "there, or give clients a network of their own",
                    exit_code=2,
                )
        for network in self.networks:
            self.links.add_route(network, self.device, source=self.address)

    def verify(self) -> Condition:
        """Ask the host which way it takes to each network."""
        for network in self.networks:
            if not self.links.has_route(network, self.device):
                return Condition(self.name, "missing", f"{network} is not routed through {self.device}", START)
            client = next((address for address in network if address != self.address), None)
            way = self._way_to(client) if client is not None else self.device
            if way != self.device:
                sentence = f"{network} is routed through {self.device}, but packets to {client} leave through {way}"
                remedy = f"see which rule or route leads there: ip rule; ip route get {client}"
                return Condition(self.name, "overridden", sentence, remedy)
        return Condition(self.name, "present", f"{', '.join(map(str, self.networks))} through {self.device}")

    def undo(self) -> list[str]:
        """Take back each one that is still as we made it."""
        return self.links.undo("route")

    def _way_to(self, client: IPv4Address) -> str:
        try:
            return self.links.route_to(client).device
        except SetupError:
            return "no device"


@dataclass(frozen=True, slots=True)
class LanNeighbours:
    """ARP answered for clients whose addresses lie in a network of this host; begun and ended with each session."""

    proxy: ProxyArp
    networks: Sequence[IPv4Network]
    name: str = "proxy ARP"

    def describe(self) -> list[str]:
        """Say on which devices, for clients of which networks."""
        return [f"proxy ARP on {device} for each client within {network}" for network, device in self._lans()]

    def apply(self) -> None:
        """Nothing yet: there are no clients."""

    def verify(self) -> Condition:
        """Look for every entry that was made."""
        present, gone = self.proxy.state()
        if gone:
            which = ", ".join(f"{entry['address']} on {entry['device']}" for entry in gone)
            sentence = f"somebody took away what answers ARP for {which}"
            return Condition(self.name, "overridden", sentence, "let these clients connect again")
        lans = self._lans()
        if not lans:
            return Condition(self.name, "present", "no client's address lies in a network of this host")
        devices = ", ".join(sorted({device for _, device in lans}))
        return Condition(self.name, "present", f"ARP is answered on {devices} for {len(present)} clients")

    def undo(self) -> list[str]:
        """Answer for nobody any longer."""
        return self.proxy.undo()

    def _lans(self) -> list[tuple[IPv4Network, str]]:
        lans = ((address.network, device) for address, device in self.proxy.networks())
        return [(lan, device) for lan, device in lans if any(lan.overlaps(network) for network in self.networks)]

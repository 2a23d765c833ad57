"""The client's host where it has none: with ports of the program's own nothing of the system is changed."""

from ipaddress import IPv4Address, IPv6Address

from openpptp.daemon.client.host import Configured
from openpptp.net.client_links import Carrier
from openpptp.tunnel.outputs import InterfaceUp

LINK_LOCAL_PREFIX = bytes.fromhex("fe80000000000000")
ETHERNET = 1500
"Octets the way to the server is taken to carry; only the program that gives the ports could know better."


class NoHost:
    """Takes what the server grants, and changes nothing."""

    async def carry(self, server: IPv4Address) -> Carrier:
        """Return that the packets go where the ports lead them."""
        return Carrier("", None, ETHERNET)

    async def carrier_gone(self, local: IPv4Address) -> str:
        """Say that nothing has changed."""
        return ""

    async def up(self, output: InterfaceUp) -> Configured:
        """Return what the server grants."""
        identifier = output.our_identifier
        ipv6 = None if identifier is None else IPv6Address(LINK_LOCAL_PREFIX + identifier)
        return Configured(output.our_address, output.peer_address, ipv6, output.mtu, (), output.dns)

    async def down(self) -> None:
        """Leave it at that: the data path drops what comes meanwhile."""

    def undo(self) -> list[str]:
        """Take nothing back."""
        return []

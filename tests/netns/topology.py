"""A small internet of namespaces for tests with real packets.

                 203.0.113.0/24 is "the internet"
    world                server                    nat                     client
 +----------+        +-------------+         +-------------+          +-------------+
 |  server0 |--------| world0      |         |             |          |             |
 |      .10 |        | .1    nat0  |---------| server0     |          |             |
 +----------+        |       .1    |         | .2  client0 |----------| nat0        |
 198.51.100.0/24     +-------------+         |     .1      |          | .2          |
                                             +-------------+          +-------------+
                                                         192.168.100.0/24

A device is named after the namespace it leads to. A second client is client1 at the NAT box, 192.168.101.0/24, and so
on. The client's default route leads to the NAT box, whose default route leads to the server. The world knows
198.51.100.0/24 only: what is not masqueraded by the server never gets an answer. NAT is nftables' masquerade, with or
without the pptp connection tracking helper; without it the kernel drops every GRE answer.
"""

from ipaddress import IPv4Address, IPv4Network

from tests.netns.namespace import Namespace, join


class Topology:
    """World, server, NAT box and clients, joined as the picture above shows."""

    WORLD = IPv4Address("198.51.100.10")
    SERVER = IPv4Address("203.0.113.1")
    SERVER_TO_WORLD = IPv4Address("198.51.100.1")
    NAT = IPv4Address("203.0.113.2")
    INTERNET = IPv4Network("203.0.113.0/24")

    def __init__(self, *, clients: int = 1, helper: bool = True) -> None:
        self._made: list[Namespace] = []
        try:
            self.world, self.server, self.nat = (self._make(label) for label in ("world", "server", "nat"))
            self.clients = [self._make(f"client{number}") for number in range(clients)]
            join(self.server, f"{self.SERVER_TO_WORLD}/24", self.world, f"{self.WORLD}/24")
            join(self.server, f"{self.SERVER}/24", self.nat, f"{self.NAT}/24")
            self.nat.ip(f"route add default via {self.SERVER}")
            for number, client in enumerate(self.clients):
                network = f"192.168.{100 + number}"
                join(self.nat, f"{network}.1/24", client, f"{network}.2/24", suffix=number)
                client.ip(f"route add default via {network}.1")
            self.nat.sysctl("net/ipv4/ip_forward", "1")
            self.masquerade(helper=helper)
        except BaseException:
            self.close()
            raise

    @property
    def client(self) -> Namespace:
        return self.clients[0]

    def masquerade(self, *, helper: bool) -> None:
        """Make the NAT box hide its clients, with the pptp helper or without."""
        helping = 'tcp dport 1723 ct helper set "pptp"' if helper else ""
        self.nat.nft(
            "table ip box {}\ndelete table ip box\n"
            'table ip box {\n ct helper pptp {\n type "pptp" protocol tcp;\n }\n'
            f" chain helping {{\n type filter hook prerouting priority filter;\n {helping}\n }}\n"
            ' chain hiding {\n type nat hook postrouting priority srcnat;\n oifname "server0" masquerade\n }\n}\n'
        )

    def close(self) -> None:
        while self._made:
            self._made.pop().close()

    def _make(self, label: str) -> Namespace:
        namespace = Namespace(label)
        self._made.append(namespace)
        return namespace

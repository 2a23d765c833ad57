"""The rules that let nothing out of this host but one tunnel and what carries it: a table of their own.

It belongs to the kernel, not to a process: whoever put it up may die. It looks at packets where they leave the IP
stack, for IPv4 and IPv6, in three places: what programs send, before anybody else's rules; what is forwarded; and once
more after all routing, where a rule of others may have led a packet to another device. What comes in is not looked at:
its answer does not get out.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from openpptp.errors import SetupError
from openpptp.net.firewall import FAMILY, element, removal
from openpptp.net.rtnetlink import news_socket

TABLE = "openpptp-kill-switch"
"One on a host: two would cut each other's tunnel off."

# linux/netlink.h, linux/netfilter/nfnetlink.h
NETLINK_NETFILTER = 12
NFNLGRP_NFTABLES = 7

# RFC 1918, link-local, local multicast, broadcast; RFC 4193, RFC 4291 and its multicast up to the site.
LAN_IPV4 = "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, 224.0.0.0/24, 239.255.0.0/16, 255.255.255.255"
LAN_IPV6 = "fc00::/7, fe80::/10, ff01::/16, ff02::/16, ff05::/16"
NAMES = "53, 853"
"DNS's ports: a name asked of the box at home is a name told."

# DHCP, and what IPv6 needs to find its neighbours; ARP is not the IP stack's. Ports below 1024 are root's.
LINK = """\
        udp sport 68 udp dport 67 accept
        meta nfproto ipv6 udp sport 546 udp dport 547 accept
        icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept
"""
RULES = """\
    set servers {{
        type ipv4_addr;
        elements = {{ {servers} }}
    }}
    chain tunnel {{
        oifname "{device}" accept
        iifname "{device}" accept
    }}
    chain carrier {{
        oifname "lo" accept
        ip daddr @servers tcp dport {port} accept
        ip daddr @servers meta l4proto gre accept
{link}    }}
    chain lan {{
{lan}    }}
    chain sent {{
        type filter hook output priority -310; policy drop;
        jump tunnel
        jump carrier
        jump lan
    }}
    chain forwarded {{
        type filter hook forward priority -310; policy drop;
        jump tunnel
        jump lan
    }}
    chain leaving {{
        type filter hook postrouting priority 310; policy drop;
        jump tunnel
        jump carrier
        jump lan
    }}
"""
LAN = """\
        meta l4proto {{ tcp, udp }} th dport {{ {names} }} return
{tunnelled}        ip daddr {{ {ipv4} }} accept
        ip6 daddr {{ {ipv6} }} accept
"""


def plan(
    *,
    device: str,
    servers: Sequence[IPv4Address],
    port: int,
    lan: bool = False,
    tunnelled: Sequence[IPv4Network] = (),
) -> str:
    """Return the whole transaction that puts the table in place, in nft's own notation; the old one holds until then.

    device is the tunnel's, port that of the servers' control connection. lan lets out what goes to private addresses
    as well, but for DNS and for the networks tunnelled, which are to be reached through the tunnel or not at all.
    """
    networks = ", ".join(element(each) for each in collapse_addresses(tunnelled))
    refused = f"        ip daddr {{ {networks} }} return\n" if networks else ""
    rules = RULES.format(
        servers=", ".join(map(str, servers)),
        device=device,
        port=port,
        link=LINK,
        lan=LAN.format(names=NAMES, tunnelled=refused, ipv4=LAN_IPV4, ipv6=LAN_IPV6) if lan else "",
    )
    return f"{removal(TABLE)}table {FAMILY} {TABLE} {{\n{rules}}}\n"


def rules_news() -> socket.socket:
    """Open a socket that tells of each change of nftables' rules, whoever makes it; raise SetupError."""
    try:
        return news_socket(NETLINK_NETFILTER, 1 << (NFNLGRP_NFTABLES - 1))
    except OSError as error:
        raise SetupError(f"cannot watch the rules of nftables: {error.strerror}", exit_code=3) from error

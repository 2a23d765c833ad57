"""What netlink tells about the host's links, neighbours and routes, for those who send beside the IP stack.

All of it blocks; it belongs in the thread of net/ethernet.py. Addresses are IPv4 numbers.
"""

import contextlib
import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from openpptp.net.rtnetlink import NETLINK_XFRM, Message, Netlink, attribute, attributes, messages, news_socket

# linux/rtnetlink.h, linux/neighbour.h, linux/fib_rules.h, linux/xfrm.h, linux/if.h
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_GETROUTE = 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTM_GETRULE = 34
XFRM_MSG_GETPOLICY = 21
GROUPS = 0x001 | 0x004 | 0x010 | 0x040 | 0x080  # links, neighbours, IPv4 addresses, routes, rules
RTNLGRP_NEXTHOP = 32
XFRM_GROUPS = 0x008  # policies

LINK = Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
IFLA_ADDRESS, IFLA_MTU, IFLA_MASTER = 1, 4, 10
ARPHRD_ETHER = 1
IFF_UP, IFF_LOOPBACK, IFF_POINTOPOINT, IFF_NOARP, IFF_LOWER_UP = 0x1, 0x8, 0x10, 0x80, 0x10000
IFF_FIT = IFF_UP | IFF_LOWER_UP
IFF_UNFIT = IFF_LOOPBACK | IFF_POINTOPOINT | IFF_NOARP

ROUTE = Struct("=8BI")  # struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_METRICS = 1, 2, 4, 5, 8
RTA_MULTIPATH, RTA_VIA, RTA_ENCAP_TYPE, RTA_ENCAP = 9, 18, 21, 22
RTAX_MTU = 2
RTN_UNICAST = 1
RTM_F_FIB_MATCH = 0x2000  # the route itself, not what comes of it for this pair

NEIGHBOUR = Struct("=B3xiHBB")  # struct ndmsg: family, index, state, flags, type
NDA_DST, NDA_LLADDR = 1, 2
NTF_USE = 0x01
NUD_STALE = 0x04
NUD_VALID = 0x02 | NUD_STALE | 0x08 | 0x10 | 0x40 | 0x80  # REACHABLE, STALE, DELAY, PROBE, NOARP, PERMANENT

RULE = Struct("=8BI")  # struct fib_rule_hdr: family, dst_len, src_len, tos, table, 2 reserved, action, flags
# A lookup by source and destination follows rules that have no more than these: destination, source, goto, priority,
# suppressors, table, who made it.
RULE_ATTRIBUTES = frozenset({1, 2, 4, 6, 13, 14, 15, 21})

NUMBER = Struct("=I")
ADDRESS = Struct("!I")
ADDRESS_OCTETS = 6  # of an Ethernet address

Pair = tuple[int, int]
"Peer and our address."
Place = tuple[int, int]
"Interface index and next hop: where a neighbour is."


class Link(NamedTuple):
    """An Ethernet device frames can leave by."""

    address: bytes
    mtu: int


class Neighbour(NamedTuple):
    """Who answers for an address on a device."""

    state: int
    address: bytes


class Way(NamedTuple):
    """What the IP stack decides for a pair."""

    place: Place
    mtu: int
    "Of the route; 0 when it says none."


@dataclass
class News:
    """What may have changed."""

    places: set[Place] = field(default_factory=set)
    interfaces: set[int] = field(default_factory=set)
    routes: bool = False
    "Any route, rule or policy."


class Surroundings:
    """Links and neighbours are kept, as the news tell them; routes are asked for."""

    def __init__(self) -> None:
        """Open the sockets; raises OSError."""
        self._stack = contextlib.ExitStack()
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        self.links: dict[int, Link] = {}
        self.neighbours: dict[Place, Neighbour] = {}

    def _open(self) -> None:
        self._netlink = Netlink()
        self._stack.callback(self._netlink.close)
        self._xfrm: Netlink | None = None
        self.news = [self._stack.enter_context(news_socket(socket.NETLINK_ROUTE, GROUPS, (RTNLGRP_NEXTHOP,)))]
        "Readable when there is something for take_news()."
        try:
            self._xfrm = Netlink(NETLINK_XFRM)
        except OSError as error:
            if error.errno != errno.EPROTONOSUPPORT:
                raise
            return  # a kernel without IPsec
        self._stack.callback(self._xfrm.close)
        self.news.append(self._stack.enter_context(news_socket(NETLINK_XFRM, XFRM_GROUPS)))

    def close(self) -> None:
        """Close for good."""
        self._stack.close()

    def learn(self) -> None:
        """Read all links and neighbours."""
        self.links.clear()
        self.neighbours.clear()
        news = News()
        for body in self._netlink.dump(RTM_GETLINK, LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
            self._learn_link(Message(RTM_NEWLINK, 0, body), news)
        for body in self._netlink.dump(RTM_GETNEIGH, NEIGHBOUR.pack(socket.AF_INET, 0, 0, 0, 0)):
            self._learn_neighbour(Message(RTM_NEWNEIGH, 0, body), news)

    def take_news(self) -> News:
        """Learn from what has been told since."""
        news = News()
        for source in self.news:
            with contextlib.suppress(BlockingIOError):
                while True:
                    try:
                        told = source.recv(1 << 18)
                    except OSError as error:
                        if error.errno != errno.ENOBUFS:
                            raise
                        self._learn_what_was_missed(news)
                        continue
                    for message in messages(told):
                        self._learn_message(message, news)
        return news

    def _learn_what_was_missed(self, news: News) -> None:
        before = {*self.neighbours}, {*self.links}
        self.learn()
        news.places |= before[0] | {*self.neighbours}
        news.interfaces |= before[1] | {*self.links}
        news.routes = True

    def _learn_message(self, message: Message, news: News) -> None:
        if message.kind in (RTM_NEWLINK, RTM_DELLINK):
            self._learn_link(message, news)
        elif message.kind in (RTM_NEWNEIGH, RTM_DELNEIGH):
            self._learn_neighbour(message, news)
        else:
            news.routes = True

    def _learn_link(self, message: Message, news: News) -> None:
        family, kind, index, flags, _ = LINK.unpack_from(message.body)
        if family != socket.AF_UNSPEC:
            return  # a bridge tells of its ports by messages of its own family
        known = attributes(message.body, LINK.size)
        link = Link(known.get(IFLA_ADDRESS, b""), NUMBER.unpack(known.get(IFLA_MTU, bytes(4)))[0])
        fit = (
            message.kind == RTM_NEWLINK
            and kind == ARPHRD_ETHER
            and flags & IFF_FIT == IFF_FIT
            and not flags & IFF_UNFIT
            and len(link.address) == ADDRESS_OCTETS
            and IFLA_MASTER not in known  # a master (VRF, bridge, bond) hands packets over under its own name
        )
        if self.links.get(index) != (link if fit else None):
            news.interfaces.add(index)
            news.routes = True
        if fit:
            self.links[index] = link
        else:
            self.links.pop(index, None)

    def _learn_neighbour(self, message: Message, news: News) -> None:
        family, index, state, _, _ = NEIGHBOUR.unpack_from(message.body)
        if family != socket.AF_INET:
            return
        known = attributes(message.body, NEIGHBOUR.size)
        place = index, ADDRESS.unpack(known.get(NDA_DST, bytes(4)))[0]
        address = known.get(NDA_LLADDR, b"")
        if message.kind == RTM_NEWNEIGH and state & NUD_VALID and len(address) == ADDRESS_OCTETS:
            self.neighbours[place] = Neighbour(state, address)
        else:
            self.neighbours.pop(place, None)
        news.places.add(place)

    def is_plain(self) -> bool:
        """Tell whether the host routes by destination and source alone, and has no IPsec policies."""
        for body in self._netlink.dump(RTM_GETRULE, RULE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
            if RULE.unpack_from(body)[3] or not {*attributes(body, RULE.size)} <= RULE_ATTRIBUTES:
                return False
        if self._xfrm is None:
            return True
        try:
            return not self._xfrm.dump(XFRM_MSG_GETPOLICY, b"")
        except OSError:  # we may not know
            return False

    def ways(self, pairs: Sequence[Pair]) -> list[Way | None]:
        """Return how the IP stack reaches each peer from our address; None when by anything but a plain route."""
        answers = self._netlink.ask(RTM_GETROUTE, [_question(pair, 0) for pair in pairs])
        routes = self._netlink.ask(RTM_GETROUTE, [_question(pair, RTM_F_FIB_MATCH) for pair in pairs])
        return [_way(pair[0], answer, route) for pair, answer, route in zip(pairs, answers, routes, strict=True)]

    def refresh(self, place: Place) -> None:
        """Let the kernel ask a neighbour again that it has not heard of for long: our frames do not tell it to."""
        neighbour = self.neighbours.get(place)
        if neighbour is None or neighbour.state != NUD_STALE:
            return
        index, next_hop = place
        body = NEIGHBOUR.pack(socket.AF_INET, index, 0, NTF_USE, 0) + attribute(NDA_DST, ADDRESS.pack(next_hop))
        with contextlib.suppress(OSError):  # it is gone: the news will tell
            self._netlink.tell(RTM_NEWNEIGH, body)


def _question(pair: Pair, flags: int) -> bytes:
    peer, local = (ADDRESS.pack(address) for address in pair)
    head = ROUTE.pack(socket.AF_INET, 32, 32, 0, 0, 0, 0, 0, flags)
    return head + attribute(RTA_DST, peer) + attribute(RTA_SRC, local)


def _way(peer: int, answer: bytes | None, route: bytes | None) -> Way | None:
    if answer is None or route is None or ROUTE.unpack_from(answer)[7] != RTN_UNICAST:
        return None
    known, matched = attributes(answer, ROUTE.size), attributes(route, ROUTE.size)
    if {RTA_MULTIPATH, RTA_VIA, RTA_ENCAP_TYPE, RTA_ENCAP} & (known.keys() | matched.keys()):
        return None
    if RTA_OIF not in known or RTA_OIF not in matched:
        return None
    (index,) = NUMBER.unpack(known[RTA_OIF])
    next_hop = ADDRESS.unpack(known[RTA_GATEWAY])[0] if RTA_GATEWAY in known else peer
    metrics = attributes(known.get(RTA_METRICS, b""))
    return Way((index, next_hop), NUMBER.unpack(metrics.get(RTAX_MTU, bytes(4)))[0])

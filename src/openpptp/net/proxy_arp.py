"""ARP answered in this host's networks for addresses that are reached through it (`ip neigh add proxy`).

One entry for each address, on the device of the network it lies in, instead of the switch proxy_arp, which answers for
everything this host has a route to.
"""

import contextlib
import errno
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv4Interface

from openpptp.errors import SetupError
from openpptp.net.journal import Entry, Journal
from openpptp.net.links import Links
from openpptp.net.rtnetlink import Netlink, attribute, attributes
from openpptp.net.surroundings import NDA_DST, NEIGHBOUR, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH

KIND = "proxy ARP"
NTF_PROXY = 0x08  # linux/neighbour.h
POINT_TO_POINT = 31  # the longest prefix of a network with somebody else in it, RFC 3021
KNOWN_FOR = 5.0  # ours: seconds; to ask the kernel anew for each of hundreds of log-ins a second takes a processor


class ProxyArp:
    """The entries of one server. Each method blocks until done; `await links.later(proxy.answer, ...)` does not."""

    def __init__(
        self, links: Links, journal: Journal, *, own: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Write down in this journal; own is the device behind which the addresses are."""
        self._links = links
        self._journal = journal
        self._own = own
        self._clock = clock
        self._known: tuple[float, list[tuple[IPv4Interface, str]]] | None = None
        "When the networks were read, and what they were."

    def networks(self) -> list[tuple[IPv4Interface, str]]:
        """Return our addresses, each with its network and device, in networks whose hosts ask by ARP."""
        return [
            (address, device)
            for address, device in self._links.addresses()
            if device != self._own and address.network.prefixlen < POINT_TO_POINT and self._asks(device)
        ]

    def answer(self, address: IPv4Address) -> list[str]:
        """Answer for an address wherever it lies; return the devices on which that is new."""
        began = []
        for ours, device in self._lately():
            if address == ours.ip or address not in ours.network:
                continue
            index = self._links.index_of(device)
            if (index, address) in _entries():  # somebody else's, or ours from before a renegotiation
                continue
            entry = self._journal.remember(KIND, index=index, device=device, address=str(address))
            try:
                _tell(RTM_NEWNEIGH, entry, f"answer ARP for {address} on {device}")
            except SetupError:
                self._journal.forget(entry)
                raise
            began.append(device)
        return began

    def _lately(self) -> list[tuple[IPv4Interface, str]]:
        now = self._clock()
        if self._known is None or now - self._known[0] > KNOWN_FOR:
            self._known = now, self.networks()
        return self._known[1]

    def stop(self, address: IPv4Address) -> None:
        """Answer for it no longer, where we began to."""
        for entry in self._journal.entries(KIND):
            if entry["address"] == str(address):
                self._take_back(entry)

    def undo(self) -> list[str]:
        """Take every entry of ours back; return a sentence for each that stays."""
        problems = []
        for entry in self._journal.entries(KIND):
            try:
                self._take_back(entry)
            except SetupError as error:
                problems.append(str(error))
        return problems

    def state(self) -> tuple[list[Entry], list[Entry]]:
        """Return the entries that are there as we made them, and those that somebody took away."""
        there = _entries()
        present: list[Entry] = []
        gone: list[Entry] = []
        for entry in self._journal.entries(KIND):
            (present if (entry["index"], IPv4Address(entry["address"])) in there else gone).append(entry)
        return present, gone

    def _asks(self, device: str) -> bool:
        found = self._links.device(device)
        return found is not None and found.arp

    def _take_back(self, entry: Entry) -> None:
        _tell(RTM_DELNEIGH, entry, f"stop answering ARP for {entry['address']} on {entry['device']}")
        self._journal.forget(entry)


@contextlib.contextmanager
def _netlink(what: str) -> Iterator[Netlink]:
    try:
        with closing(Netlink()) as netlink:
            yield netlink
    except PermissionError as error:
        raise SetupError(f"this process may not {what}; run as root or grant CAP_NET_ADMIN", exit_code=3) from error
    except OSError as error:
        raise SetupError(f"cannot {what}: {error.strerror}") from error


def _tell(kind: int, entry: Entry, what: str) -> None:
    address = attribute(NDA_DST, IPv4Address(entry["address"]).packed)
    with _netlink(what) as netlink:
        try:
            netlink.tell(kind, NEIGHBOUR.pack(socket.AF_INET, entry["index"], 0, NTF_PROXY, 0) + address)
        except OSError as error:
            # Taken away already, perhaps with its device: that is what undoing wants.
            if kind != RTM_DELNEIGH or error.errno not in (errno.ENOENT, errno.ENODEV):
                raise


def _entries() -> set[tuple[int, IPv4Address]]:
    """Return what the host answers for, whoever asked it to: index of the device and address."""
    with _netlink("read for which addresses this host answers ARP") as netlink:
        bodies = netlink.dump(RTM_GETNEIGH, NEIGHBOUR.pack(socket.AF_INET, 0, 0, NTF_PROXY, 0))
    found = set()
    for body in bodies:
        address = attributes(body, NEIGHBOUR.size).get(NDA_DST)
        if address is not None:
            found.add((NEIGHBOUR.unpack_from(body)[1], IPv4Address(address)))
    return found

"""A raw GRE socket that shows all that passes it, and the ICMP messages that come back for it."""

import socket
from collections.abc import Callable
from typing import Protocol

from openpptp.net.error_queue import IcmpError, take_errors, watch_errors
from openpptp.net.gre import IP_MTU_DISCOVER, IP_PMTUDISC_DONT, RawGrePort
from openpptp.net.ports import Datagram

IP_PMTUDISC_PROBE = 3  # linux/in.h: DF set, and what ICMP said of the path is not obeyed
IPV4_HEADER = 20


class GreWitness(Protocol):
    """Who is shown what passes."""

    def gre_received(self, datagram: Datagram, time_to_live: int) -> None:
        """See a datagram before anybody acts on it."""

    def gre_sent(self, payload: bytes, peer: int, *, taken: bool) -> None:
        """See a packet the system took, or did not."""

    def icmp_received(self, error: IcmpError) -> None:
        """See an ICMP message about a packet of ours."""


class ProbingGrePort(RawGrePort):
    """A GrePort for a few packets a second."""

    def __init__(self, witness: GreWitness) -> None:
        """Open the socket; raises SetupError when this process may not."""
        super().__init__()
        self._witness = witness
        watch_errors(self._socket)

    def receive(self, limit: int = 64) -> list[Datagram]:
        """Return what has arrived, at most limit datagrams, each shown first."""
        self._take_errors()
        arrived: list[Datagram] = []
        for _ in range(limit):
            time_to_live = self._time_to_live()
            one = super().receive(1)
            if not one:
                break
            self._witness.gre_received(one[0], time_to_live)
            arrived += one
        return arrived

    def send(self, payload: bytes, peer: int, local: int) -> bool:
        """Send from local to peer; False when the system did not take it."""
        self._take_errors()  # else the next call fails in place of the packet it is about
        taken = self._attempt(payload, peer, local)
        self._witness.gre_sent(payload, peer, taken=taken)
        return taken

    def whole(self, send: Callable[[], None]) -> None:
        """Do what sends, with DF set on its packets: they pass in one piece or not at all."""
        self._set_discovery(IP_PMTUDISC_PROBE)
        try:
            send()
        finally:
            self._set_discovery(IP_PMTUDISC_DONT)

    def _attempt(self, payload: bytes, peer: int, local: int) -> bool:
        for _ in range(2):
            try:
                return super().send(payload, peer, local)
            except OSError:  # an ICMP message that came in this instant
                self._take_errors()
        return False

    def _take_errors(self) -> None:
        for error in take_errors(self._socket):
            self._witness.icmp_received(error)

    def _time_to_live(self) -> int:
        try:
            header = self._socket.recv(IPV4_HEADER, socket.MSG_PEEK)
        except OSError:  # nothing waits, or an error does
            return 0
        return header[8] if len(header) == IPV4_HEADER else 0

    def _set_discovery(self, how: int) -> None:
        self._socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, how)

"""What lengths of packets the way to the server carries, found with LCP Echo-Requests of growing length; pure.

RFC 1661 section 5.8: an echo comes back with its data, and LCP answers echoes as soon as it is open, before anybody
has logged in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from openpptp.errors import BadMessage
from openpptp.net.error_queue import IcmpError
from openpptp.tunnel.settings import OVERHEAD
from openpptp.wire.ppp import Code, Packet, Protocol, decode_frame, encode_frame

IPV4_HEADER = 20
FIRST_IDENTIFIER = 129  # ours: above those LCP itself has reached by then
USUAL = (576, 1280, 1360, 1400, 1420, 1440, 1460, 1492)  # octets: what links and tunnels on the way leave, mostly
BETWEEN = 6  # ours: lengths tried between the longest that passed and the shortest that did not
FILLING = b"openpptp doctor "
TOO_BIG = (3, 4)  # RFC 1191: fragmentation needed and DF set


@dataclass(slots=True)
class Echo:
    """One Echo-Request."""

    sent_at: float
    length: int
    "Octets of the whole IPv4 packet."
    answered_after: float | None = None


class Echoes:
    """The Echo-Requests of an examination, and what came back."""

    def __init__(self) -> None:
        """Begin with none."""
        self.told: tuple[int, IPv4Address] | None = None
        "What an ICMP message said the way carries, and who sent it."
        self._sent: dict[int, Echo] = {}
        self._identifier = FIRST_IDENTIFIER

    def request(self, length: int) -> tuple[int, bytes]:
        """Return an Echo-Request for a packet of at most length octets, and its identifier.

        Its Magic-Number is zero, as that of an end that has none: a peer takes its own for a looped link. Where an
        acknowledgement rides along, the packet has all of the length, else four octets less.
        """
        identifier = self._identifier
        self._identifier = identifier % 255 + 1
        filling = max(0, length - OVERHEAD - 8)
        data = bytes(4) + (FILLING * (filling // len(FILLING) + 1))[:filling]
        return identifier, encode_frame(Protocol.LCP, Packet(Code.ECHO_REQUEST, identifier, data).encode())

    def answered(self, identifier: int) -> Echo | None:
        """Return the echo that came back; None when it did not."""
        echo = self._sent.get(identifier)
        return echo if echo is not None and echo.answered_after is not None else None

    def frame_sent(self, frame: bytes, gre_length: int, now: float, *, taken: bool) -> None:
        """See a frame of ours in a GRE packet of that length."""
        identifier = _echo(frame, Code.ECHO_REQUEST)
        if identifier is not None and taken:
            self._sent[identifier] = Echo(now, gre_length + IPV4_HEADER)

    def frame_received(self, frame: bytes, now: float) -> None:
        """See a frame of the server."""
        echo = self._sent.get(_echo(frame, Code.ECHO_REPLY) or 0)
        if echo is not None and echo.answered_after is None:
            echo.answered_after = now - echo.sent_at

    def icmp_received(self, error: IcmpError) -> None:
        """See an ICMP message."""
        if (error.type, error.code) == TOO_BIG and (self.told is None or error.mtu < self.told[0]):
            self.told = error.mtu, error.source


def first_lengths(limit: int) -> list[int]:
    """Return the lengths to begin with, in octets: the usual ones below the limit, and the limit."""
    return [*(length for length in USUAL if length < limit), limit]


def lengths_between(passed: int, lost: int) -> list[int]:
    """Return what to try to come nearer to the longest that passes."""
    step = max(1, (lost - passed) // (BETWEEN + 1))
    return list(range(passed + step, lost, step))[:BETWEEN]


def boundary(passed: Iterable[int], tried: Iterable[int]) -> tuple[int, int | None]:
    """Return the longest that passed and the shortest above it that was tried in vain; lost packets are none."""
    largest = max(passed, default=0)
    return largest, min((length for length in tried if length > largest), default=None)


def _echo(frame: bytes, code: Code) -> int | None:
    try:
        protocol, information = decode_frame(frame)
        packet = Packet.decode(information) if protocol == Protocol.LCP else None
    except BadMessage:
        return None
    return packet.identifier if packet is not None and packet.code == code else None

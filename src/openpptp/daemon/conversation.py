"""What was said on a call's PPP link lately, and how long the peer takes to answer an echo."""

from collections import deque
from typing import NamedTuple

from openpptp.errors import BadMessage
from openpptp.wire.notation import PROVING, describe_frame
from openpptp.wire.ppp import Code, Protocol, decode_frame

FRAMES_REMEMBERED = 40  # ours: a whole log-in of either end, with a few repetitions
OCTETS_REMEMBERED = 256  # ours: of one frame; a sane one is below 100
ECHOES = frozenset({Code.ECHO_REQUEST, Code.ECHO_REPLY, Code.DISCARD_REQUEST})
"Never remembered: every twenty seconds one, they would push out what led to the session."


class Line(NamedTuple):
    """One packet of a negotiation."""

    when: float
    "Monotonic seconds."
    direction: str
    "rcvd or sent, as in pppd's log."
    packet: str
    "In pppd's notation, without anything a password could be tried out with."


class Conversation:
    """The last control-protocol frames of one call."""

    def __init__(self) -> None:
        """Begin with silence."""
        self.round_trip: float | None = None
        "Seconds the peer took to answer our last LCP Echo-Request; None before the first."
        self._frames: deque[tuple[float, str, bytes | str]] = deque(maxlen=FRAMES_REMEMBERED)
        self._asked: tuple[int, float] | None = None

    def received(self, frame: bytes, now: float) -> None:
        """Remember what the peer said."""
        self._remember("rcvd", frame, now)

    def sent(self, frame: bytes, now: float) -> None:
        """Remember what we said."""
        self._remember("sent", frame, now)

    def lines(self) -> list[Line]:
        """Return what is remembered, the oldest first."""
        return [
            Line(when, direction, told if isinstance(told, str) else describe_frame(told))
            for when, direction, told in self._frames
        ]

    def _remember(self, direction: str, frame: bytes, now: float) -> None:
        try:
            protocol, information = decode_frame(frame)
        except BadMessage:
            protocol, information = 0, b""
        if protocol == Protocol.LCP and len(information) >= 2 and information[0] in ECHOES:
            self._time_echo(direction, information[0], information[1], now)
            return
        # What may hold a password is put into words at once, which leave it out: none is kept in memory for this.
        told = describe_frame(frame) if protocol in PROVING else frame[:OCTETS_REMEMBERED]
        self._frames.append((now, direction, told))

    def _time_echo(self, direction: str, code: int, identifier: int, now: float) -> None:
        if direction == "sent" and code == Code.ECHO_REQUEST:
            self._asked = identifier, now
        elif direction == "rcvd" and code == Code.ECHO_REPLY and self._asked is not None:
            asked, when = self._asked
            if asked == identifier:
                self.round_trip, self._asked = now - when, None


class Conversations(dict[int, Conversation]):
    """The conversation of each call of one control connection."""

    def of(self, call_id: int) -> Conversation:
        """Return a call's conversation, begun when there is none."""
        return self.setdefault(call_id, Conversation())

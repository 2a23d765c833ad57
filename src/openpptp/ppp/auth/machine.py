"""What the machines of all authentication methods have in common.

RFC 1661 section 3.5: one method, one direction, one machine. A machine is handed every packet of its protocol and
leaves alone the codes that belong to the other direction, so both directions of CHAP can run side by side.
"""

from typing import Final, Protocol

from openpptp.credentials import Answer, AuthMethod
from openpptp.machine import Deadline, Level, Note, Output
from openpptp.wire.ppp import Packet

RETRANSMISSION: Final = (1.0, 2.0, 3.0)
"Seconds until the first, second, third and any later repetition; a lost packet must not cost 3 s at once."
MAX_TRANSMISSIONS: Final = 10  # of a Challenge, Response or Authenticate-Request, as pppd
PATIENCE: Final = 30.0  # ours: seconds an idle side waits for the other's first packet


class AuthenticationMachine(Protocol):
    """One direction of authentication with one method."""

    @property
    def method(self) -> AuthMethod:
        """The method this machine speaks."""

    @property
    def deadline(self) -> Deadline | None:
        """The next moment this machine must be ticked."""

    def start(self, now: float) -> list[Output]:
        """Begin; LCP has opened."""

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a packet of this method's protocol, in the authenticate phase or later."""

    def credentials_checked(self, answer: Answer, now: float) -> list[Output]:
        """Take the answer to CheckCredentials; ignored when no question is open."""

    def peer_moved_on(self) -> None:
        """Learn that the other end counts authentication as done: it speaks network protocols."""

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""

    def issued_challenge(self, challenge: bytes) -> bool:
        """Tell whether this machine sent that Challenge; False for machines that send none."""


def retransmission_delay(sent: int) -> float:
    """Return how many seconds to wait after the packet was sent that many times."""
    return RETRANSMISSION[min(sent, len(RETRANSMISSION)) - 1]


def ignored(what: str) -> list[Output]:
    """Return the trace of a packet that is dropped silently."""
    return [Note(f"ignored: {what}", Level.DEBUG)]


def printable_text(text: str) -> str:
    """Return a peer's message for a person: control characters escaped, cut to 200 characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:200]).strip()

"""Challenge Handshake Authentication Protocol, both sides, for any algorithm (RFC 1994).

What differs between CHAP-MD5, MS-CHAPv1 and MS-CHAPv2 stands in their own files as an Algorithm.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol as Interface

from openpptp.credentials import Accepted, AuthMethod, MppeStartKeys, Presented, Refused, UnreadablePresented
from openpptp.errors import BadMessage, EndReason, Misuse
from openpptp.machine import Deadline, Output, Random
from openpptp.ppp.auth.authenticator import Authenticator, Phase
from openpptp.ppp.auth.machine import MAX_TRANSMISSIONS, PATIENCE, ignored, retransmission_delay
from openpptp.ppp.auth.outputs import SendPacket
from openpptp.ppp.auth.peer import Peer, Standing
from openpptp.wire.auth import ChapCode, ChapValue
from openpptp.wire.ppp import Packet, Protocol

REMEMBERED_CHALLENGES = 10  # ours: what a lossy path leaves open; bounds what a flood makes us keep
IsOurChallenge = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One Challenge and the Response to it."""

    identifier: int
    challenge: bytes = field(repr=False)
    response: bytes = field(repr=False)
    "The Value field."


class Algorithm(Interface):
    """What one kind of CHAP adds; without memory of its own."""

    @property
    def method(self) -> AuthMethod:
        """The method's name."""

    @property
    def challenge_length(self) -> int | None:
        """Octets of a Challenge; None where any length from 1 will do."""

    def presented(self, attempt: Attempt, name: bytes) -> Presented:
        """Return the question about a Response; raise BadMessage when its size is not the algorithm's."""

    def success(self, attempt: Attempt, accepted: Accepted) -> bytes | Refused:
        """Return the message of a Success, or why this answer cannot become one."""

    def failure(self, refused: Refused, random: Random) -> bytes:
        """Return the message of a Failure."""


class Responder(Interface):
    """What one kind of CHAP adds on the peer's side; it holds the password."""

    @property
    def method(self) -> AuthMethod:
        """The method's name."""

    @property
    def challenge_length(self) -> int | None:
        """Octets of a Challenge; None where any length from 1 will do."""

    def respond(self, identifier: int, challenge: bytes) -> bytes:
        """Return the Value of a Response."""

    def is_genuine(self, attempt: Attempt, message: bytes) -> bool:
        """Tell whether a Success proves that the authenticator knows the password, where the algorithm can."""

    def keys(self, attempt: Attempt) -> MppeStartKeys | None:
        """Return the MPPE start keys of a successful attempt, as the peer sees them."""

    def refusal(self, message: bytes) -> str:
        """Return for a person what a Failure says."""


class ChapAuthenticator(Authenticator):
    """Challenge the peer until it responds (RFC 1994 section 4)."""

    def __init__(self, algorithm: Algorithm, name: str, refusal_delay: float, random: Random) -> None:
        super().__init__(refusal_delay)
        self.method = algorithm.method
        self._algorithm = algorithm
        self._name = name.encode()
        self._random = random
        self._first = random(1)[0]
        self._challenges: list[bytes] = []
        self._attempt: Attempt | None = None

    def start(self, now: float) -> list[Output]:
        """Send the first Challenge."""
        self._begin()
        return self._challenge(now)

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Ask about the first Response to the current Challenge; give a repeated one the result there is."""
        if packet.code != ChapCode.RESPONSE:
            return []
        match self._phase:
            case Phase.WAITING if packet.identifier == self._identifier:
                return self._responded(packet, now)
            case Phase.PROVED | Phase.REFUSED if packet.identifier == self._identifier and self._result:
                # Section 4.1: the code returned before, so that nobody can try names and secrets one by one.
                return [self._result]
            case _:
                return ignored("CHAP Response out of turn")

    def issued_challenge(self, challenge: bytes) -> bool:
        """Tell whether we sent that Challenge (RFC 1994 section 2.3: a peer may reflect it)."""
        return challenge in self._challenges

    @property
    def _identifier(self) -> int:
        return (self._first + len(self._challenges) - 1) % 256

    def _challenge(self, now: float) -> list[Output]:
        # Section 4.1: Identifier and Value both change. Only the newest counts: older pppd checks Success against
        # its newest Response, whatever the Identifier.
        self._challenges.append(self._random(self._algorithm.challenge_length or 16))
        sent = len(self._challenges)
        self.deadline = Deadline(now + retransmission_delay(sent), "repeat CHAP Challenge")
        data = ChapValue(self._challenges[-1], self._name).encode()
        return [SendPacket(Protocol.CHAP, Packet(ChapCode.CHALLENGE, self._identifier, data))]

    def _responded(self, packet: Packet, now: float) -> list[Output]:
        try:
            response = ChapValue.decode(packet.data)
        except BadMessage as error:
            return ignored(str(error))
        self._attempt = Attempt(packet.identifier, self._challenges[-1], response.value)
        try:
            presented = self._algorithm.presented(self._attempt, response.name)
        except BadMessage as error:
            presented = UnreadablePresented(response.name, str(error))
        return self._ask(presented, now)

    def _acceptance(self, accepted: Accepted) -> SendPacket | Refused:
        if self._attempt is None:
            raise Misuse("accepted before a Response")
        message = self._algorithm.success(self._attempt, accepted)
        if isinstance(message, Refused):
            return message
        return SendPacket(Protocol.CHAP, Packet(ChapCode.SUCCESS, self._identifier, message))

    def _refusal(self, refused: Refused) -> SendPacket:
        message = self._algorithm.failure(refused, self._random)
        return SendPacket(Protocol.CHAP, Packet(ChapCode.FAILURE, self._identifier, message))

    def _waited(self, now: float) -> list[Output]:
        if len(self._challenges) < MAX_TRANSMISSIONS:
            return self._challenge(now)
        return self._give_up(f"the peer agreed to {self.method.value} but answered no Challenge")


class ChapPeer(Peer):
    """Answer Challenges, in the authenticate phase and later (RFC 1994 section 4)."""

    def __init__(self, responder: Responder, name: str, is_our_challenge: IsOurChallenge) -> None:
        super().__init__()
        self.method = responder.method
        self._responder = responder
        self._name = name.encode()
        self._is_our_challenge = is_our_challenge
        self._attempts: deque[Attempt] = deque(maxlen=REMEMBERED_CHALLENGES)

    def start(self, now: float) -> list[Output]:
        """Wait: with CHAP the authenticator speaks first."""
        self._begin()
        self.deadline = Deadline(now + PATIENCE, f"wait for {self.method.value} Challenge")
        return []

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Answer a Challenge; judge a Success or Failure to any Response of ours that is remembered."""
        if packet.code not in (ChapCode.CHALLENGE, ChapCode.SUCCESS, ChapCode.FAILURE):
            return []
        if self._standing not in (Standing.ASKING, Standing.PROVED):
            return ignored("CHAP before we are ready for it or after it failed")
        if packet.code == ChapCode.CHALLENGE:
            return self._challenged(packet, now)
        attempt = next((a for a in reversed(self._attempts) if a.identifier == packet.identifier), None)
        if attempt is None:
            return ignored("CHAP result for a Response not sent")
        if packet.code == ChapCode.SUCCESS:
            return self._succeeded(attempt, packet.data)
        return self._fail(EndReason.AUTHENTICATION_REFUSED, self._responder.refusal(packet.data))

    def tick(self, now: float) -> list[Output]:
        """Repeat the Response, or give up."""
        if self.deadline is None or now < self.deadline.when:
            return []
        if not self._attempts:
            return self._fail(EndReason.PEER_SILENT, f"the server agreed to {self.method.value} but sent no Challenge")
        if self._sent < MAX_TRANSMISSIONS:
            # Newest first, but in turn: reordering may have made an outdated Challenge the last to arrive.
            return self._respond(self._attempts[-1 - (self._sent - 1) % len(self._attempts)], now)
        return self._fail(EndReason.PEER_SILENT, f"the server did not answer our {self.method.value} Response")

    def _challenged(self, packet: Packet, now: float) -> list[Output]:
        try:
            challenge = ChapValue.decode(packet.data).value
        except BadMessage as error:
            return ignored(str(error))
        expected = self._responder.challenge_length
        if expected is not None and len(challenge) != expected:
            detail = f"a Challenge of {len(challenge)} octets; {self.method.value} has {expected}"
            return self._fail(EndReason.PROTOCOL_ERROR, detail)
        if self._is_our_challenge(challenge):
            detail = "the server sent our own Challenge back to have it answered by us"
            return self._fail(EndReason.SERVER_NOT_GENUINE, detail)
        for attempt in self._attempts:
            if (attempt.identifier, attempt.challenge) == (packet.identifier, challenge):
                return self._respond(attempt, now)
        response = self._responder.respond(packet.identifier, challenge)
        attempt = Attempt(packet.identifier, challenge, response)
        self._attempts.append(attempt)
        self._sent = 0
        return self._respond(attempt, now)

    def _respond(self, attempt: Attempt, now: float) -> list[Output]:
        self._sent += 1
        if self._standing is Standing.ASKING:
            # Once we are in, a lost Response is the authenticator's to miss: it challenges again.
            self.deadline = Deadline(now + retransmission_delay(self._sent), "repeat CHAP Response")
        data = ChapValue(attempt.response, self._name).encode()
        return [SendPacket(Protocol.CHAP, Packet(ChapCode.RESPONSE, attempt.identifier, data))]

    def _succeeded(self, attempt: Attempt, message: bytes) -> list[Output]:
        if not self._responder.is_genuine(attempt, message):
            detail = "the server's Success does not prove that it knows the password; it may be an impostor"
            return self._fail(EndReason.SERVER_NOT_GENUINE, detail)
        if self._standing is Standing.PROVED:
            return []  # RFC 3079 section 3: the keys stay those of the first authentication
        return self._prove(self._responder.keys(attempt))

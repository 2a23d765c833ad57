"""The authenticator's side that PAP and all kinds of CHAP share: one question, one result, refusals held back."""

from abc import ABC, abstractmethod
from enum import Enum

from openpptp.credentials import Accepted, Answer, Presented, Refused
from openpptp.errors import EndReason, Misuse
from openpptp.machine import Deadline, Output
from openpptp.ppp.auth.machine import ignored, retransmission_delay
from openpptp.ppp.auth.outputs import AuthenticationFailed, PeerProved, SendPacket
from openpptp.ppp.outputs import CheckCredentials

MAX_RESULTS = 4  # ours: times a result is sent to a peer that shows no sign of having got it


class Phase(Enum):
    """How far an authenticator has come."""

    INITIAL = "initial"
    WAITING = "waiting for the peer"
    CHECKING = "waiting for the answer to CheckCredentials"
    HOLDING = "holding the refusal back"
    PROVED = "proved"
    REFUSED = "refused"
    SILENT = "the peer stayed silent"


class Authenticator(ABC):
    """Ask once, decide once, and let every refusal take the same time.

    A refusal leaves refusal_delay seconds after the peer presented its credentials, whatever the check took, so that
    an unknown user, a wrong password and a malformed Response look alike.
    """

    def __init__(self, refusal_delay: float) -> None:
        self.deadline: Deadline | None = None
        self._refusal_delay = refusal_delay
        self._phase = Phase.INITIAL
        self._presented_at = 0.0
        self._refused: Refused | None = None
        self._result: SendPacket | None = None
        self._results = 0

    @abstractmethod
    def _acceptance(self, accepted: Accepted) -> SendPacket | Refused:
        """Return the packet that lets the peer in, or why this answer cannot."""

    @abstractmethod
    def _refusal(self, refused: Refused) -> SendPacket:
        """Return the packet that refuses the peer."""

    def _begin(self) -> None:
        if self._phase is not Phase.INITIAL:
            raise Misuse("an authenticator starts once")
        self._phase = Phase.WAITING

    def _ask(self, presented: Presented, now: float) -> list[Output]:
        self._phase, self._presented_at, self.deadline = Phase.CHECKING, now, None
        return [CheckCredentials(presented)]

    def credentials_checked(self, answer: Answer, now: float) -> list[Output]:
        """Let the peer in at once, or hold the refusal until it is due."""
        if self._phase is not Phase.CHECKING:
            # A question of an earlier authentication on this link may be answered after LCP opened anew.
            return ignored("an answer to a question no longer asked")
        if isinstance(answer, Refused):
            return self._hold(answer, self._presented_at, now)
        packet = self._acceptance(answer)
        if isinstance(packet, Refused):
            return self._hold(packet, self._presented_at, now)
        self._phase, self._result = Phase.PROVED, packet
        return [*self._repeat_result(packet, now), PeerProved(answer)]

    def issued_challenge(self, challenge: bytes) -> bool:
        """Tell whether we sent that Challenge; PAP has none."""
        return False

    def peer_moved_on(self) -> None:
        """Learn that the peer has got our result: it speaks network protocols."""
        if self._phase is Phase.PROVED:
            self.deadline = None

    def _repeat_result(self, result: SendPacket, now: float) -> list[Output]:
        """Send the result that lets the peer in.

        RFC 1994 section 4.2 leaves a lost Success to the peer's repeated Response, which pppd and Windows never send.
        """
        self._results += 1
        again = self._results < MAX_RESULTS
        self.deadline = Deadline(now + retransmission_delay(self._results), "repeat the result") if again else None
        return [result]

    def _hold(self, refused: Refused, presented_at: float, now: float) -> list[Output]:
        self._phase, self._refused = Phase.HOLDING, refused
        self.deadline = Deadline(presented_at + self._refusal_delay, "hold the refusal")
        return self.tick(now)

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        if self.deadline is None or now < self.deadline.when:
            return []
        if self._phase is Phase.PROVED and self._result is not None:
            return self._repeat_result(self._result, now)
        if self._phase is not Phase.HOLDING or self._refused is None:
            return self._waited(now)
        self._phase, self.deadline = Phase.REFUSED, None
        self._result = self._refusal(self._refused)
        return [self._result, AuthenticationFailed(EndReason.AUTHENTICATION_REFUSED, self._refused.detail)]

    @abstractmethod
    def _waited(self, now: float) -> list[Output]:
        """Act on the end of a wait for the peer."""

    def _give_up(self, detail: str) -> list[Output]:
        self._phase, self.deadline = Phase.SILENT, None
        return [AuthenticationFailed(EndReason.PEER_SILENT, detail)]

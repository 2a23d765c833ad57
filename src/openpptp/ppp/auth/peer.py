"""The peer's side that PAP and all kinds of CHAP share: it asks no questions, and comes to one end."""

from enum import Enum

from openpptp.credentials import Answer, MppeStartKeys
from openpptp.errors import EndReason, Misuse
from openpptp.machine import Deadline, Output
from openpptp.ppp.auth.machine import ignored
from openpptp.ppp.auth.outputs import AuthenticationFailed, WeProved


class Standing(Enum):
    """How far a peer has come."""

    INITIAL = "initial"
    ASKING = "asking to be let in"
    PROVED = "proved"
    FAILED = "failed"


class Peer:
    """What proves us to the other end."""

    def __init__(self) -> None:
        self.deadline: Deadline | None = None
        self._standing = Standing.INITIAL
        self._sent = 0

    def credentials_checked(self, answer: Answer, now: float) -> list[Output]:
        """Ignore: a peer asks no questions."""
        return ignored("an answer to a question never asked")

    def peer_moved_on(self) -> None:
        """Ignore: what we wait for is the authenticator's word."""

    def issued_challenge(self, challenge: bytes) -> bool:
        """Return False: a peer sends no Challenges."""
        return False

    def _begin(self) -> None:
        if self._standing is not Standing.INITIAL:
            raise Misuse("a peer starts once")
        self._standing = Standing.ASKING

    def _prove(self, keys: MppeStartKeys | None) -> list[Output]:
        self._standing, self.deadline = Standing.PROVED, None
        return [WeProved(keys)]

    def _fail(self, reason: EndReason, detail: str) -> list[Output]:
        self._standing, self.deadline = Standing.FAILED, None
        return [AuthenticationFailed(reason, detail)]

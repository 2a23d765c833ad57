"""Two Links on a simulated carrier with a simulated clock: delay, loss, duplication and reordering by decree.

    pair = Pair(server(), client())
    pair.run(until=pair.both_open)
    pair.authenticator.only(Ipv4Up)

Deterministic: the carrier's whims come from `carrier(frame_number) -> delays of the copies`, an empty tuple loses the
frame. The clock jumps from event to event and never passes `limit` seconds.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Address
from itertools import count
from random import Random as PseudoRandom
from typing import TypeVar

from openpptp import crypto
from openpptp.credentials import (
    Accepted,
    Answer,
    AuthMethod,
    ChapMd5Presented,
    MppeStartKeys,
    MsChapV1Presented,
    MsChapV2Presented,
    NetworkGrant,
    PapPresented,
    Presented,
    Refused,
    UnreadablePresented,
)
from openpptp.machine import Note, Output
from openpptp.ppp.link import Link
from openpptp.ppp.outputs import (
    CheckCredentials,
    EncryptionDown,
    EncryptionUp,
    Ipv4Down,
    Ipv4Up,
    LinkEnded,
    SendFrame,
)
from openpptp.ppp.settings import LinkSettings
from openpptp.wire.notation import describe_frame

USER = "alice"
PASSWORD = "correct horse"
GRANT = NetworkGrant(
    IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), dns=(IPv4Address("10.9.0.53"), IPv4Address("10.9.0.54"))
)
Carrier = Callable[[int], tuple[float, ...]]
Kind = TypeVar("Kind", bound=Output)


def server(**changes: object) -> LinkSettings:
    """Return an authenticator's settings."""
    return replace(LinkSettings(authenticate_peer=(AuthMethod.MSCHAP_V2,), our_name="server"), **changes)


def client(**changes: object) -> LinkSettings:
    """Return a peer's settings."""
    return replace(LinkSettings(our_name=USER, our_password=PASSWORD, request_dns=True), **changes)


def good(_number: int) -> tuple[float, ...]:
    """Carry every frame in a millisecond."""
    return (0.001,)


def pseudo_random(seed: int) -> Callable[[int], bytes]:
    """Return a source of octets that repeats itself."""
    return PseudoRandom(seed).randbytes


def check(presented: Presented, grant: NetworkGrant | None = GRANT, password: str = PASSWORD) -> Answer:
    """Answer as a backend with one user would."""
    password_hash = crypto.nt_password_hash(password)
    hash_hash = crypto.hash_nt_password_hash(password_hash)
    keys: MppeStartKeys | None = None
    response = b""
    match presented:
        case PapPresented(user, given):
            right = given == password.encode()
        case ChapMd5Presented(user, identifier, challenge, given):
            right = given == hashlib.md5(bytes((identifier,)) + password.encode() + challenge).digest()
        case MsChapV1Presented(user, challenge, _, given, _):
            right = given == crypto.challenge_response(challenge, password_hash)
            keys = crypto.mschap_v1_start_keys(hash_hash, crypto.lm_password_hash(password), challenge)
        case MsChapV2Presented(user, challenge, peer_challenge, given):
            right = given == crypto.generate_nt_response(challenge, peer_challenge, user, password_hash)
            keys = crypto.mschap_v2_start_keys(hash_hash, given, authenticator=True)
            response = crypto.generate_authenticator_response(hash_hash, given, peer_challenge, challenge, user)
        case UnreadablePresented(user):
            right = False
    if not right or user.decode() != USER:
        return Refused("wrong password")
    return Accepted(USER, grant, response, keys)


@dataclass
class End:
    """One link and all it has said."""

    link: Link
    outputs: list[Output] = field(default_factory=list)

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Return every output of a kind."""
        return [output for output in self.outputs if isinstance(output, kind)]

    def only(self, kind: type[Kind]) -> Kind:
        """Return the one output of a kind."""
        (output,) = self.all(kind)
        return output

    def last(self, kind: type[Kind]) -> Kind:
        """Return the latest output of a kind."""
        return self.all(kind)[-1]

    def has(self, kind: type[Kind]) -> bool:
        """Tell whether an output of a kind has come."""
        return any(isinstance(output, kind) for output in self.outputs)

    def up(self, kind: type[Output], down: type[Output]) -> bool:
        """Tell whether the latest of two opposite outputs is the first."""
        told = [type(output) for output in self.outputs if isinstance(output, kind | down)]
        return bool(told) and told[-1] is kind

    @property
    def sent(self) -> list[str]:
        """Every frame sent, in pppd's notation."""
        return [describe_frame(output.frame) for output in self.all(SendFrame)]


class Pair:
    """An authenticator and a peer, joined by a carrier."""

    def __init__(
        self,
        authenticator: LinkSettings,
        peer: LinkSettings,
        carrier: Carrier = good,
        *,
        answer_delay: float = 0.002,
        grant: NetworkGrant | None = GRANT,
        peer_starts: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.authenticator = End(Link(authenticator, pseudo_random(seed)))
        self.peer = End(Link(peer, pseudo_random(seed + 1000)))
        self.trace: list[str] = []
        self.carried = 0
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._carrier = carrier
        self._answer_delay = answer_delay
        self._grant = grant
        for end, when in ((self.authenticator, 0.0), (self.peer, peer_starts)):
            self.at(when, lambda end=end: self.take(end, end.link.start(self.now)))

    @property
    def ends(self) -> tuple[End, End]:
        """Both."""
        return self.authenticator, self.peer

    def other(self, end: End) -> End:
        """Return the end on the other side."""
        return self.peer if end is self.authenticator else self.authenticator

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a time."""
        heapq.heappush(self.queue, (when, next(self._numbers), action))

    def take(self, end: End, outputs: list[Output]) -> None:
        """Perform what a link said."""
        assert not (end.has(LinkEnded) and outputs), f"{outputs} after LinkEnded"
        for output in outputs:
            end.outputs.append(output)
            name = "authenticator" if end is self.authenticator else "peer"
            if isinstance(output, SendFrame):
                self.trace.append(f"{self.now:8.3f} {name:13} {describe_frame(output.frame)}")
                for delay in self._carrier(self.carried):
                    self.at(self.now + delay, partial(self.arrive, self.other(end), output.frame))
                self.carried += 1
            else:
                self.trace.append(f"{self.now:8.3f} {name:13} {output.text if isinstance(output, Note) else output}")
            if isinstance(output, CheckCredentials):
                answer = check(output.presented, self._grant if end is self.authenticator else None)
                self.at(self.now + self._answer_delay, lambda a=answer: self._answered(end, a))

    def arrive(self, end: End, frame: bytes) -> None:
        """Hand a frame to a link."""
        self.take(end, end.link.receive(frame, self.now))

    def _answered(self, end: End, answer: Answer) -> None:
        self.take(end, end.link.credentials_checked(answer, self.now))

    def both_open(self) -> bool:
        """Tell whether both ends may pass data, encrypted where they said so."""
        return all(end.up(Ipv4Up, Ipv4Down) and end.up(EncryptionUp, EncryptionDown) for end in self.ends)

    def both_over(self) -> bool:
        """Tell whether both ends have ended."""
        return all(end.has(LinkEnded) for end in self.ends)

    def run(self, until: Callable[[], bool] = lambda: False, limit: float = 120.0, frames: int = 2000) -> None:
        """Let time pass until something holds or the limit is reached; too many frames fail."""
        while not until():
            deadlines = [(d.when, end) for end in self.ends if (d := end.link.deadline) is not None]
            when, ticked = min(deadlines, key=lambda pair: pair[0], default=(limit, None))
            if self.queue and self.queue[0][0] <= when:
                when, _, action = heapq.heappop(self.queue)
                ticked = None
            else:
                action = None
            if when >= limit:
                self.now = limit
                return
            self.now = max(self.now, when)
            if action is not None:
                action()
            elif ticked is not None:
                self.take(ticked, ticked.link.tick(self.now))
            assert self.carried <= frames, "the ends never stop talking:\n" + "\n".join(self.trace[-40:])

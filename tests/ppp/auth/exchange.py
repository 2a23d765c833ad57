"""Drives authentication machines in tests: counted randomness, a backend that knows one user, a lossy path."""

from collections.abc import Callable, Iterable
from functools import partial

from openpptp import crypto
from openpptp.credentials import (
    Accepted,
    Answer,
    AuthMethod,
    ChapMd5Presented,
    MsChapV1Presented,
    MsChapV2Presented,
    PapPresented,
    Presented,
    Refused,
    UnreadablePresented,
)
from openpptp.machine import Note, Output
from openpptp.ppp.auth.machine import AuthenticationMachine
from openpptp.ppp.auth.outputs import AuthenticationFailed, PeerProved, SendPacket, WeProved
from openpptp.ppp.auth.registry import authenticator, peer
from openpptp.ppp.outputs import CheckCredentials
from openpptp.wire.ppp import Packet

USER, PASSWORD = "User", "clientPass"
ACCEPTED = Accepted(USER, authenticator_response=bytes(20))
REFUSED = Refused("wrong password for user 'User'")


def counted(first: int = 0) -> Callable[[int], bytes]:
    """Return a source of octets that counts, so that no two draws are equal."""
    drawn = first

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return drawn.to_bytes(max(length, 4), "big")[-length:]

    return draw


def server(method: AuthMethod, refusal_delay: float = 1.0) -> AuthenticationMachine:
    return authenticator(method, name="server", refusal_delay=refusal_delay, random=counted())


def client(method: AuthMethod, name: str = USER, password: str = PASSWORD) -> AuthenticationMachine:
    return peer(method, name=name, password=password, random=counted(1000))


def told(outputs: Iterable[Output]) -> list[Output]:
    """Return the outputs without the notes."""
    return [output for output in outputs if not isinstance(output, Note)]


def sent(outputs: Iterable[Output]) -> Packet:
    """Return the one packet among the outputs."""
    (packet,) = [output.packet for output in outputs if isinstance(output, SendPacket)]
    return packet


def judge(presented: Presented, password: str = PASSWORD) -> Answer:
    """Answer as a backend that knows one user."""
    password_hash = crypto.nt_password_hash(password)
    twice = crypto.hash_nt_password_hash(password_hash)
    match presented:
        case PapPresented(user, given):
            return Accepted(user.decode()) if given == password.encode() else REFUSED
        case ChapMd5Presented(user, identifier, challenge, response):
            right = crypto.chap_md5_response(identifier, password.encode(), challenge)
            return Accepted(user.decode()) if response == right else REFUSED
        case MsChapV1Presented(user, challenge, _, response, use):
            if not use or response != crypto.nt_challenge_response(challenge, password_hash):
                return REFUSED
            keys = crypto.mschap_v1_start_keys(twice, crypto.lm_password_hash(password), challenge)
            return Accepted(user.decode(), keys=keys)
        case MsChapV2Presented(user, challenge, peer_challenge, response):
            if response != crypto.generate_nt_response(challenge, peer_challenge, user, password_hash):
                return REFUSED
            proof = crypto.generate_authenticator_response(twice, response, peer_challenge, challenge, user)
            keys = crypto.mschap_v2_start_keys(twice, response, authenticator=True)
            return Accepted(user.decode(), authenticator_response=proof, keys=keys)
        case UnreadablePresented():
            return REFUSED


class Pair:
    """An authenticator and a peer with a path between them whose every packet a test decides about.

    fate is asked once per packet and says how many copies arrive, each after how many seconds.
    """

    def __init__(
        self,
        method: AuthMethod,
        password: str = PASSWORD,
        fate: Callable[[], tuple[float, ...]] = lambda: (0.01,),
        check_time: float = 0.0,
    ) -> None:
        self.ends = (server(method), client(method, password=password))
        self.heard: tuple[list[Output], list[Output]] = ([], [])
        self.questions: list[Presented] = []
        self.now = 0.0
        self._fate = fate
        self._check_time = check_time
        self._due: list[tuple[float, int, int, Callable[[], list[Output]]]] = []
        self._count = 0

    def _plan(self, when: float, end: int, action: Callable[[], list[Output]]) -> None:
        self._count += 1
        self._due.append((when, self._count, end, action))

    def _perform(self, end: int, outputs: list[Output]) -> None:
        other = self.ends[1 - end]
        for output in outputs:
            match output:
                case SendPacket(_, packet):
                    for delay in self._fate():
                        self._plan(self.now + delay, 1 - end, lambda p=packet: other.receive(p, self.now))
                case CheckCredentials(presented):
                    self.questions.append(presented)
                    reply = partial(self.ends[end].credentials_checked, judge(presented))
                    self._plan(self.now + self._check_time, end, lambda r=reply: r(self.now))
                case WeProved():
                    self.heard[end].append(output)
                    other.peer_moved_on()  # as its first network protocol packet tells
                case PeerProved() | AuthenticationFailed():
                    self.heard[end].append(output)

    def run(self, seconds: float = 120.0) -> "Pair":
        """Let time pass until nothing is left to do, or seconds are over."""
        for end in (0, 1):
            self._perform(end, self.ends[end].start(self.now))
        while True:
            timers = [
                (machine.deadline.when, 0, end, lambda m=machine: m.tick(self.now))
                for end, machine in enumerate(self.ends)
                if machine.deadline is not None
            ]
            events = sorted([*self._due, *timers], key=lambda event: event[:2])
            if not events or events[0][0] > seconds:
                return self
            when, number, end, action = events[0]
            self._due = [event for event in self._due if event[1] != number]
            self.now = max(self.now, when)
            self._perform(end, action())

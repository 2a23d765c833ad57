"""The authenticate phase of a link: one machine for each direction that was agreed on (RFC 1661 section 3.5)."""

from collections.abc import Callable

from openpptp.credentials import Accepted, Answer, AuthMethod, MppeStartKeys
from openpptp.machine import Deadline, Level, Note, Output, Random, earliest
from openpptp.ppp.auth.machine import AuthenticationMachine
from openpptp.ppp.auth.outputs import PeerProved, WeProved
from openpptp.ppp.auth.registry import authenticator, peer
from openpptp.ppp.outputs import PeerAuthenticated, WeAuthenticated
from openpptp.ppp.settings import Caller, LinkSettings
from openpptp.wire.ppp import Packet, Protocol

PROTOCOLS = frozenset({Protocol.PAP, Protocol.CHAP, Protocol.EAP})


class Authentication:
    """Both directions of authentication from one opening of LCP to its closing.

    The machines live on in the network phase: a repeated Response is answered again, a new Challenge too.
    """

    def __init__(
        self, settings: LinkSettings, of_peer: AuthMethod | None, of_us: AuthMethod | None, random: Random
    ) -> None:
        self.accepted: Accepted | None = None
        "What the backend granted the peer."
        self._their_keys: MppeStartKeys | None = None
        self._our_keys: MppeStartKeys | None = None
        self._caller = settings.caller
        self._theirs: AuthenticationMachine | None = None
        self._ours: AuthenticationMachine | None = None
        if of_peer is not None:
            self._theirs = authenticator(
                of_peer, name=settings.our_name, refusal_delay=settings.refusal_delay, random=random
            )
        if of_us is not None:
            password = settings.our_password or ""
            if self._theirs is None:
                self._ours = peer(of_us, name=settings.our_name, password=password, random=random)
            else:
                is_ours = self._theirs.issued_challenge
                self._ours = peer(
                    of_us, name=settings.our_name, password=password, random=random, is_our_challenge=is_ours
                )
        self._peer_proved = of_peer is None
        self._we_proved = of_us is None

    @property
    def done(self) -> bool:
        """Whether every direction that was agreed on has succeeded."""
        return self._peer_proved and self._we_proved

    @property
    def keys(self) -> MppeStartKeys | None:
        """Start keys of the first success of each direction, the caller's before the other's (RFC 3079 section 3)."""
        if self._caller is Caller.WE:
            return self._our_keys or self._their_keys
        return self._their_keys or self._our_keys

    @property
    def proves_us(self) -> bool:
        """Whether we prove ourselves to the peer, as who dials in does."""
        return self._ours is not None

    @property
    def methods(self) -> tuple[AuthMethod, ...]:
        """The methods agreed on."""
        return tuple(machine.method for machine in (self._theirs, self._ours) if machine is not None)

    @property
    def deadline(self) -> Deadline | None:
        """The next moment this must be ticked."""
        return earliest(*(machine.deadline for machine in (self._theirs, self._ours) if machine is not None))

    def start(self, now: float) -> list[Output]:
        """Begin; LCP has opened."""
        return self._each(lambda machine: machine.start(now))

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        return self._each(lambda machine: machine.tick(now))

    def receive(self, protocol: int, packet: Packet, now: float) -> list[Output]:
        """Take a packet; one of a protocol not agreed on is dropped silently, unsolicited EAP for one."""
        return self._each(lambda machine: machine.receive(packet, now), protocol)

    def credentials_checked(self, answer: Answer, now: float) -> list[Output]:
        """Hand the backend's answer to the machine that asked."""
        if self._theirs is None:
            return []
        return self._translate(self._theirs, self._theirs.credentials_checked(answer, now))

    def peer_moved_on(self) -> None:
        """Learn that the peer speaks network protocols, so it has got our result."""
        if self._theirs is not None:
            self._theirs.peer_moved_on()

    def _each(self, step: Callable[[AuthenticationMachine], list[Output]], protocol: int | None = None) -> list[Output]:
        outputs: list[Output] = []
        for machine in (self._theirs, self._ours):
            if machine is not None and protocol in {None, _protocol(machine)}:
                outputs += self._translate(machine, step(machine))
        return outputs

    def _translate(self, machine: AuthenticationMachine, outputs: list[Output]) -> list[Output]:
        translated: list[Output] = []
        for output in outputs:
            match output:
                case PeerProved(accepted) if not self._peer_proved:
                    self._peer_proved = True
                    self.accepted = accepted
                    self._their_keys = accepted.keys
                    translated.append(PeerAuthenticated(accepted.user, machine.method))
                case WeProved(keys) if not self._we_proved:
                    self._we_proved = True
                    self._our_keys = keys
                    translated.append(WeAuthenticated(machine.method))
                case PeerProved() | WeProved():
                    translated.append(Note("authentication repeated; keys and addresses stay", Level.DEBUG))
                case _:
                    translated.append(output)
        return translated


def _protocol(machine: AuthenticationMachine) -> Protocol:
    return Protocol.PAP if machine.method is AuthMethod.PAP else Protocol.CHAP

"""IPv6 Control Protocol (RFC 5072 section 4)."""

from typing import ClassVar

from openpptp.machine import Random
from openpptp.ppp.automaton import Automaton, RestartTimer
from openpptp.ppp.options import ACK, Judgement, Nak, NegotiableOption
from openpptp.ppp.outputs import Ipv6Up
from openpptp.wire.ppp import Ipv6cpOption, Protocol

_ZERO = bytes(8)
_UNIVERSAL = 0x02  # the "u" bit, in the first octet (RFC 5072 section 4.1)


def random_identifier(random: Random, *others: bytes) -> bytes:
    """Return an interface identifier that is not zero, not one of others and has its u bit clear (section 4.1)."""
    while True:
        octets = random(8)
        identifier = bytes((octets[0] & ~_UNIVERSAL & 0xFF,)) + octets[1:]
        if identifier != _ZERO and identifier not in others:
            return identifier


class InterfaceIdentifier(NegotiableOption):
    """Interface-Identifier (RFC 5072 section 4.1)."""

    type: ClassVar[int] = Ipv6cpOption.INTERFACE_IDENTIFIER

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._own = random_identifier(random)
        self._asking = True
        self._appended = False

    def ask(self) -> bytes | None:
        """Name our identifier."""
        return self._own if self._asking else None

    def judge(self, value: bytes) -> Judgement:
        """Ack an identifier that is not zero and not ours; else suggest another (section 4.1).

        The section's fourth case, both zero, cannot arise: ours never is.
        """
        if len(value) == 8 and value not in {_ZERO, self._own}:
            return ACK
        return Nak(random_identifier(self._random, self._own))

    def nakked(self, value: bytes) -> None:
        """Take a suggestion unless it is zero; then choose anew."""
        suits = len(value) == 8 and value not in {_ZERO, self.theirs}
        self._own = value if suits else random_identifier(self._random, self._own)

    def rejected(self) -> None:
        """Leave ours unsaid."""
        self._asking = False

    def missing(self) -> bytes | None:
        """Append the option to one Nak, never again (section 4.1)."""
        if self._appended:
            return None
        self._appended = True
        return random_identifier(self._random, self._own)


class Ipv6cp(Automaton):
    """IPv6CP with interface identifiers; IPv6 header compression is rejected as unknown."""

    protocol = Protocol.IPV6CP

    def __init__(self, random: Random) -> None:
        self._random = random
        super().__init__(RestartTimer())

    def new_options(self) -> tuple[NegotiableOption, ...]:
        """Return the one option."""
        self._identifier_option = InterfaceIdentifier(self._random)
        return (self._identifier_option,)

    def agreed(self) -> Ipv6Up | None:
        """Return the identifiers; None when an end has none and so no address of its own (section 4.1)."""
        ours, theirs = self._identifier_option.ours, self._identifier_option.theirs
        return Ipv6Up(ours, theirs) if ours is not None and theirs is not None else None

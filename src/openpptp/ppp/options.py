"""Configure-* negotiation of options, shared by LCP, CCP, IPCP and IPv6CP.

RFC 1661 sections 5.1 to 5.4 and 6. An option is an object with five verbs; Negotiation does everything that is the
same for all of them and lives as long as one negotiation.
"""

from dataclasses import dataclass
from typing import ClassVar

from openpptp.machine import Level, Note
from openpptp.wire.ppp import Code, Option, Packet, decode_options, encode_options

MAX_FAILURE = 5  # RFC 1661 section 4.6: Naks without an Ack, then Reject
PACKET_LIMIT = 1496  # data of a packet that fits the default MRU of 1500 (RFC 1661 section 6.1)


@dataclass(frozen=True, slots=True)
class Ack:
    """The value suits us."""


@dataclass(frozen=True, slots=True)
class Reject:
    """The option is nothing we negotiate."""


@dataclass(frozen=True, slots=True)
class Nak:
    """Another value would suit us."""

    value: bytes


Judgement = Ack | Nak | Reject

ACK = Ack()
REJECT = Reject()


class NegotiableOption:
    """One configuration option in one negotiation; subclasses say what is special to it.

    Verbs that end the session raise PeerViolation.
    """

    type: ClassVar[int]

    def __init__(self) -> None:
        self.ours: bytes | None = None
        "The value of ours the peer last Acked; None when it was not in that request."
        self.theirs: bytes | None = None
        "The value of theirs we last Acked; None when it was not in that request."

    def ask(self) -> bytes | None:
        """Return the value for our Configure-Request, None to leave the option out (RFC 1661 section 5.1)."""
        return None

    def judge(self, value: bytes) -> Judgement:
        """Answer the peer's wish (RFC 1661 sections 5.2 to 5.4)."""
        raise NotImplementedError

    def nakked(self, value: bytes) -> None:
        """Learn that the peer prefers another value for what we asked (RFC 1661 section 5.3)."""

    def rejected(self) -> None:
        """Learn that the peer does not negotiate this; ask() must return None from here on (RFC 1661 section 5.4)."""

    def missing(self) -> bytes | None:
        """Return what to append to a Nak when the peer's request lacks the option, None when it may (section 5.3)."""
        return None

    def insisted(self) -> None:
        """Learn that the peer keeps a value we have Nakked Max-Failure times; it is rejected from here on."""


class Negotiation:
    """One run of requests and answers over a set of options."""

    def __init__(self, options: tuple[NegotiableOption, ...]) -> None:
        self._options = {option.type: option for option in options}
        self._asked: tuple[Option, ...] = ()
        self._naks_sent = 0
        self._nakked: tuple[Packet, Packet] | None = None
        "The last request that was answered by Configure-Nak, and that answer."
        self._naks_received = 0

    def ask(self) -> bytes:
        """Return the data of our next Configure-Request."""
        asked = [(number, option.ask()) for number, option in self._options.items()]
        self._asked = tuple(Option(number, value) for number, value in asked if value is not None)
        return encode_options(self._asked)

    def judge(self, request: Packet) -> tuple[Packet, list[Note]]:
        """Answer a Configure-Request: all Rejects, else all Naks, else an Ack of the very octets.

        A Reject never travels with a Nak (RFC 1661 section 5.4): Windows drops what is rejected and asks again.
        Raise BadMessage when the options cannot be read.
        """
        if self._nakked is not None and self._nakked[0] == request:
            return self._nakked[1], []  # our Nak was lost; that is not one more the peer did not heed
        notes: list[Note] = []
        rejects: list[Option] = []
        naks: list[Option] = []
        wishes: dict[int, bytes] = {}
        for wish in decode_options(request.data):
            if wish.type in wishes:
                notes.append(Note(f"option {wish.type} twice in one request: the first counts", Level.DEBUG))
                continue
            wishes[wish.type] = wish.value
            option = self._options.get(wish.type)
            judgement = REJECT if option is None else option.judge(wish.value)
            if isinstance(judgement, Nak):
                if option is not None and self._naks_sent >= MAX_FAILURE:
                    option.insisted()
                    rejects.append(wish)
                else:
                    naks.append(Option(wish.type, judgement.value))
            elif isinstance(judgement, Reject):
                rejects.append(wish)
        if rejects:
            return self._answer(Code.CONFIGURE_REJECT, request, rejects), notes
        naks += self._missing(wishes)
        if naks:
            self._naks_sent += 1
            answer = self._answer(Code.CONFIGURE_NAK, request, naks)
            self._nakked = (request, answer)
            return answer, notes
        self._naks_sent = 0
        for number, option in self._options.items():
            option.theirs = wishes.get(number)
        return Packet(Code.CONFIGURE_ACK, request.identifier, request.data), notes

    def _missing(self, wishes: dict[int, bytes]) -> list[Option]:
        appended = []
        for number, option in self._options.items():
            if number in wishes:
                continue
            value = option.missing()
            if value is None:
                continue
            if self._naks_sent >= MAX_FAILURE:  # RFC 1661 section 4.6: options the peer does not want are left out
                option.insisted()
            else:
                appended.append(Option(number, value))
        return appended

    @staticmethod
    def _answer(code: Code, request: Packet, options: list[Option]) -> Packet:
        """Return the answer, without the options that would make it longer than the default MRU."""
        size = 0
        fitting = []
        for option in options:
            size += len(option.value) + 2
            if size > PACKET_LIMIT:
                break
            fitting.append(option)
        return Packet(code, request.identifier, encode_options(fitting))

    def give_up(self) -> None:
        """Tell the options that were Nakked last that the peer insists; one it hangs on ends the session in its words.

        For a peer that says the same under the same Identifier again and again, as if it had never heard us.
        """
        for option in decode_options(self._nakked[1].data) if self._nakked is not None else ():
            self._options[option.type].insisted()

    def acked(self, data: bytes) -> bool:
        """Take a Configure-Ack; False when it does not repeat our request (RFC 1661 section 5.2)."""
        if data != encode_options(self._asked):
            return False
        values = {option.type: option.value for option in self._asked}
        for number, option in self._options.items():
            option.ours = values.get(number)
        self._naks_received = 0
        return True

    def nakked(self, data: bytes) -> bool:
        """Take a Configure-Nak; False when it names nothing at all. Raise BadMessage when it cannot be read.

        Options the peer adds of its own accord are not taken up. After Max-Failure Naks in a row a further one
        counts as Reject, or two stubborn ends would never finish.
        """
        wishes = decode_options(data)
        if not wishes:
            return False
        self._naks_received += 1
        asked = {option.type for option in self._asked}
        for wish in wishes:
            if wish.type in asked:
                asked.remove(wish.type)
                option = self._options[wish.type]
                if self._naks_received > MAX_FAILURE:
                    option.rejected()
                else:
                    option.nakked(wish.value)
        return True

    def rejected(self, data: bytes) -> bool:
        """Take a Configure-Reject; False when it holds what we did not ask in that form (RFC 1661 section 5.4)."""
        wishes = decode_options(data)
        remaining = iter(self._asked)
        if not wishes or not all(wish in remaining for wish in wishes):
            return False
        for wish in wishes:
            self._options[wish.type].rejected()
        return True

"""The configuration options of LCP (RFC 1661 section 6, RFC 1662 section 7.1) in the five verbs."""

from typing import ClassVar

from openpptp.credentials import AuthMethod
from openpptp.errors import NOTHING, EndReason, PeerViolation
from openpptp.machine import Random
from openpptp.ppp.options import ACK, MAX_FAILURE, REJECT, Judgement, Nak, NegotiableOption
from openpptp.ppp.settings import OTHER_END, LinkSettings
from openpptp.wire.ppp import CHAP_MD5, DEFAULT_MRU, MS_CHAP_V1, MS_CHAP_V2, LcpOption, Protocol

MIN_MRU = 128  # ours: below, not even our Terminate texts fit; nobody in the field asks for less than 576
LOOP_LIMIT = 4  # ours: requests with our own magic number until the link counts as looped (RFC 1661 section 6.4)

_METHODS = {
    AuthMethod.PAP: Protocol.PAP.to_bytes(2, "big"),
    AuthMethod.CHAP_MD5: Protocol.CHAP.to_bytes(2, "big") + bytes((CHAP_MD5,)),
    AuthMethod.MSCHAP_V1: Protocol.CHAP.to_bytes(2, "big") + bytes((MS_CHAP_V1,)),
    AuthMethod.MSCHAP_V2: Protocol.CHAP.to_bytes(2, "big") + bytes((MS_CHAP_V2,)),
}
_VALUES = {value: method for method, value in _METHODS.items()}


def method_name(value: bytes) -> str:
    """Return the name of an authentication protocol as it stands in the option."""
    method = _VALUES.get(value)
    if method is not None:
        return method.value
    return "EAP" if value[:2] == Protocol.EAP.to_bytes(2, "big") else f"authentication 0x{value.hex()}"


def _names(methods: tuple[AuthMethod, ...]) -> str:
    return " or ".join(method.value for method in methods)


class MaximumReceiveUnit(NegotiableOption):
    """Maximum-Receive-Unit (RFC 1661 section 6.1)."""

    type: ClassVar[int] = LcpOption.MAXIMUM_RECEIVE_UNIT

    def __init__(self, mru: int) -> None:
        super().__init__()
        self._mru = mru

    def ask(self) -> bytes | None:
        """Name ours unless it is the default."""
        return self._mru.to_bytes(2, "big") if self._mru != DEFAULT_MRU else None

    def judge(self, value: bytes) -> Judgement:
        """Take what the peer can receive, in octets, down to 128."""
        if len(value) != 2:
            return Nak(DEFAULT_MRU.to_bytes(2, "big"))
        return ACK if int.from_bytes(value, "big") >= MIN_MRU else Nak(MIN_MRU.to_bytes(2, "big"))

    def nakked(self, value: bytes) -> None:
        """Take the peer's suggestion where we can receive so much; 1500 we always can."""
        suggested = int.from_bytes(value, "big") if len(value) == 2 else 0
        if MIN_MRU <= suggested <= DEFAULT_MRU:
            self._mru = suggested

    def rejected(self) -> None:
        """Fall back to the default."""
        self._mru = DEFAULT_MRU

    @property
    def peer_mru(self) -> int:
        """What the peer receives, in octets."""
        return int.from_bytes(self.theirs, "big") if self.theirs is not None else DEFAULT_MRU


class ControlCharacterMap(NegotiableOption):
    """Async-Control-Character-Map (RFC 1662 section 7.1): means nothing here, yet pppd insists on an Ack."""

    type: ClassVar[int] = LcpOption.ASYNC_CONTROL_CHARACTER_MAP

    def judge(self, value: bytes) -> Judgement:
        """Ack any map."""
        return ACK if len(value) == 4 else Nak(bytes(4))


class Authentication(NegotiableOption):
    """Authentication-Protocol (RFC 1661 section 6.2), both what we demand and what is demanded of us."""

    type: ClassVar[int] = LcpOption.AUTHENTICATION_PROTOCOL

    def __init__(self, settings: LinkSettings, end: str) -> None:
        super().__init__()
        self._allowed = settings.authenticate_peer
        self._answers = settings.answer_with if settings.our_password is not None else ()
        self._suggestion = settings.suggest or (_METHODS[self._answers[0]] if self._answers else b"")
        self._end = end
        self._asked = self._allowed[0] if self._allowed else None
        self._demanded = b""
        self._refusals = 0

    def ask(self) -> bytes | None:
        """Demand one method (never several, section 6.2)."""
        return _METHODS[self._asked] if self._asked is not None else None

    def judge(self, value: bytes) -> Judgement:
        """Agree to a method we answer, suggest our first otherwise."""
        self._demanded = value
        if not self._suggestion:
            self._refusals += 1
            if self._refusals > MAX_FAILURE:
                self.insisted()
            return REJECT
        return ACK if _VALUES.get(value) in self._answers else Nak(self._suggestion)

    def nakked(self, value: bytes) -> None:
        """Turn to the method the peer names where it is allowed; nothing else is ever agreed to (B-082)."""
        method = _VALUES.get(value)
        if method not in self._allowed:
            self._unsuitable(f"offers only {method_name(value)}")
        self._asked = method

    def rejected(self) -> None:
        """End: a peer that must prove itself will not."""
        self._unsuitable("refuses to prove who it is")

    def insisted(self) -> None:
        """End: the peer wants a proof we do not give."""
        ability = f"answers only {_names(self._answers)}" if self._answers else "has no password to answer with"
        raise PeerViolation(
            EndReason.AUTHENTICATION_UNSUITABLE,
            f"{OTHER_END[self._end]} requires {method_name(self._demanded)}; this {self._end} {ability}",
            (method_name(self._demanded),),
        )

    def unasked(self) -> None:
        """End: the peer wants no proof, or none any more, and so gives none either."""
        if self.withdrawn:
            self.insisted()
        raise PeerViolation(
            EndReason.AUTHENTICATION_UNSUITABLE,
            f"{OTHER_END[self._end]} asks for no log-in, so that it proves nothing either; "
            f"this {self._end} answers only {_names(self._answers)}",
            (NOTHING,),
        )

    @property
    def withdrawn(self) -> bool:
        """Whether the peer demanded a proof we do not give and then went on without; pppd ends the link only later."""
        return bool(self._demanded) and self.theirs is None

    def _unsuitable(self, does: str) -> None:
        raise PeerViolation(
            EndReason.AUTHENTICATION_UNSUITABLE,
            f"{OTHER_END[self._end]} {does}; this {self._end} requires {_names(self._allowed)}",
        )

    @property
    def of_peer(self) -> AuthMethod | None:
        """How the peer proves itself; None: it need not."""
        return None if self.ours is None else _VALUES[self.ours]

    @property
    def of_us(self) -> AuthMethod | None:
        """How we prove ourselves; None: we need not."""
        return None if self.theirs is None else _VALUES[self.theirs]


class MagicNumber(NegotiableOption):
    """Magic-Number (RFC 1661 section 6.4)."""

    type: ClassVar[int] = LcpOption.MAGIC_NUMBER

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._asking = True
        self._magic = self._choose()
        self._equals = 0

    def ask(self) -> bytes | None:
        """Name our number."""
        return self._magic if self._asking else None

    def judge(self, value: bytes) -> Judgement:
        """Nak zero and our own number; end when our own keeps coming back."""
        if value == self._magic and self._asking:
            self._equals += 1
            if self._equals >= LOOP_LIMIT:
                raise PeerViolation(EndReason.LOOPED, "our own Configure-Requests come back to us")
            return Nak(self._choose())
        return ACK if len(value) == 4 and any(value) else Nak(self._choose())

    def nakked(self, value: bytes) -> None:
        """Choose anew; the peer's suggestion would, on a looped link, be our own."""
        self._magic = self._choose()

    def rejected(self) -> None:
        """Do without."""
        self._asking = False

    def _choose(self) -> bytes:
        while True:
            magic = self._random(4)
            if any(magic):
                return magic


class Compression(NegotiableOption):
    """Protocol- and Address-and-Control-Field-Compression (RFC 1661 sections 6.5 and 6.6): boolean options."""

    def __init__(self, number: LcpOption) -> None:
        super().__init__()
        self.type = number  # type: ignore[misc]  # one class for two options that differ in nothing else
        self._asking = True

    def ask(self) -> bytes | None:
        """Tell the peer that we understand compressed fields."""
        return b"" if self._asking else None

    def judge(self, value: bytes) -> Judgement:
        """Agree; there is no value another could be suggested for."""
        return REJECT if value else ACK

    def nakked(self, value: bytes) -> None:
        """Take a Nak, which makes no sense here, as Reject."""
        self._asking = False

    def rejected(self) -> None:
        """Do without."""
        self._asking = False

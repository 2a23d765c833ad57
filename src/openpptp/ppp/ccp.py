"""Compression Control Protocol, used for MPPE alone (RFC 1962, RFC 3078 section 2).

Which option governs which direction: RFC 1962 section 4 lets a Configure-Request name what its sender "is willing or
able to use to decompress data sent by the peer". So our option, once the peer has Acked it, says how we RECEIVE; the
peer's, once we have Acked it, how we SEND. pppd's ccp.c does the same (gotoptions sets up its decompressor, hisoptions
its compressor). The two need not be alike: stateful one way and stateless the other works.
"""

from dataclasses import replace
from typing import ClassVar

from openpptp.credentials import Encryption, MppeStartKeys
from openpptp.errors import NOTHING, EndReason, PeerViolation
from openpptp.machine import Output
from openpptp.ppp.automaton import Automaton, RestartTimer, Send
from openpptp.ppp.fsm import Event, State
from openpptp.ppp.options import ACK, REJECT, Judgement, Nak, NegotiableOption
from openpptp.ppp.outputs import EncryptionFlush
from openpptp.ppp.settings import OTHER_END, EncryptionPolicy
from openpptp.wire.ppp import CcpOption, Code, MppeBits, Packet, Protocol

RESETS_PER_SECOND = 10  # ours: honest loss asks for a reset at most once per round trip
EXCESS_RESETS = 100  # ours: forced resets make RC4 repeat its key stream (Schneier and Mudge 1998)
RESET_INTERVAL = 0.1  # ours: seconds between our own Reset-Requests, so that the answer can arrive

RESTART_TIMER = RestartTimer(first=1.0)
"""A Configure-Request repeated after pppd's CCP is open makes pppd give up MPPE and the link: be patient here."""

_STRENGTHS = ((128, MppeBits.BITS_128), (56, MppeBits.BITS_56), (40, MppeBits.BITS_40))


def supported_bits(key_bits: frozenset[int], *, stateless: bool) -> bytes:
    """Return the option's value for these strengths (RFC 3078 section 2)."""
    bits = sum(bit for strength, bit in _STRENGTHS if strength in key_bits)
    return (bits | (MppeBits.STATELESS if stateless else 0)).to_bytes(4, "big")


def describe_strengths(key_bits: frozenset[int]) -> str:
    """Return the strengths as a person reads them."""
    words = " or ".join(str(strength) for strength, _ in _STRENGTHS if strength in key_bits)
    return f"MPPE {words} bit" if words else "no encryption"


def not_encrypted(
    what: str, end: str, policy: EncryptionPolicy, offered: frozenset[int] = frozenset()
) -> PeerViolation:
    """Return why a link ends whose encryption is required; `end` is the word for this end, "server" or "client"."""
    detail = f"{what}; this {end} requires {describe_strengths(policy.key_bits)}"
    strengths = tuple(str(strength) for strength in sorted(offered, reverse=True))
    return PeerViolation(EndReason.ENCRYPTION_UNSUITABLE, detail, strengths or (NOTHING,))


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big") if len(value) == 4 else 0


def _strengths(bits: int) -> frozenset[int]:
    return frozenset(strength for strength, bit in _STRENGTHS if bits & bit)


class Mppe(NegotiableOption):
    """Microsoft Point-to-Point Encryption, option 18 (RFC 3078 section 2)."""

    type: ClassVar[int] = CcpOption.MPPE

    def __init__(self, policy: EncryptionPolicy, end: str) -> None:
        super().__init__()
        self._policy = policy
        self._end = end
        self._strengths = policy.key_bits
        self._stateless = not (policy.stateful and policy.prefer_stateful)
        self._wanted = policy.enabled
        self._offered: frozenset[int] = frozenset()
        "The peer's last unsuitable wish."

    def ask(self) -> bytes | None:
        """Offer all we allow (RFC 3078 section 2.1)."""
        return supported_bits(self._strengths, stateless=self._stateless) if self._wanted else None

    def judge(self, value: bytes) -> Judgement:
        """Ack exactly one strength we allow and nothing beside it; else Nak with that (RFC 3078 section 2).

        No Ack for a request with the MPPC, obsolete or unknown bits set: that would agree to what we cannot do.
        """
        if not self._wanted:
            return REJECT
        bits = _bits(value)
        common = _strengths(bits) & self._policy.key_bits
        strength = max(common or self._policy.key_bits)
        stateless = bool(bits & MppeBits.STATELESS) or not self._policy.stateful
        exact = supported_bits(frozenset({strength}), stateless=stateless or not common)
        if value == exact:
            return ACK
        self._offered = _strengths(bits)
        return Nak(exact)

    def nakked(self, value: bytes) -> None:
        """Take the strongest suggested strength we allow; stateful mode only where it is allowed."""
        bits = _bits(value)
        common = _strengths(bits) & self._policy.key_bits
        if not common:
            self._offered = _strengths(bits)
            self._give_up()
            return
        self._strengths = frozenset({max(common)})
        self._stateless = bool(bits & MppeBits.STATELESS) or not self._policy.stateful

    def rejected(self) -> None:
        """Do without, or end where encryption is required."""
        self._offered = frozenset()
        self._give_up()

    def missing(self) -> bytes | None:
        """Name the option to a peer that asks for none."""
        if not self._wanted or not self._policy.required:
            return None
        self._offered = frozenset()
        return supported_bits(frozenset({max(self._policy.key_bits)}), stateless=self._stateless)

    def insisted(self) -> None:
        """Do without, or end where encryption is required."""
        self._give_up()

    def _give_up(self) -> None:
        if self._policy.required:
            what = f"{OTHER_END[self._end]} offers {describe_strengths(self._offered)}"
            raise not_encrypted(what, self._end, self._policy, self._offered)
        self._wanted = False


class Ccp(Automaton):
    """CCP with MPPE and its Reset-Request (RFC 1962 section 3)."""

    protocol = Protocol.CCP

    def __init__(self, policy: EncryptionPolicy, keys: MppeStartKeys, end: str) -> None:
        """Negotiate by policy, with keys for one of its lengths at least.

        `end` is the word for this end in sentences, "server" or "client".
        """
        self._policy = replace(policy, key_bits=keys.lengths(policy.key_bits))
        self._keys = keys
        self._end = end
        self._resets: list[float] = []
        self._excess_resets = 0
        self._reset_sent: float | None = None
        super().__init__(RESTART_TIMER)

    def new_options(self) -> tuple[NegotiableOption, ...]:
        """Return the one option MPPE needs."""
        self._mppe = Mppe(self._policy, self._end)
        return (self._mppe,)

    def agreed(self) -> tuple[Encryption, Encryption] | None:
        """Return how we send and how we receive; None unless both directions are encrypted."""
        send, receive = self._mppe.theirs, self._mppe.ours
        if send is None or receive is None:
            return None
        keys = self._keys
        return (
            _encryption(send, keys.send, keys.send_short),
            _encryption(receive, keys.receive, keys.receive_short),
        )

    def request_reset(self, now: float) -> list[Output]:
        """Send a Reset-Request without data (RFC 3078 section 8.2), not again before an answer can have come."""
        if self.state is not State.OPENED:
            return []
        if self._reset_sent is not None and now - self._reset_sent < RESET_INTERVAL:
            return []
        self._reset_sent = now
        return [Send(Packet(Code.RESET_REQUEST, self._next_identifier()))]

    def receive_other(self, packet: Packet, now: float) -> list[Output]:
        """Take Reset-Request and Reset-Ack (RFC 1962 section 3.1), Code-Reject the rest."""
        if packet.code == Code.RESET_ACK:  # MPPE needs none: the flushed packet says it all (RFC 3078 section 8.2)
            return []
        if packet.code != Code.RESET_REQUEST:
            return super().receive_other(packet, now)
        if self.state is not State.OPENED:
            self._received = packet
            return self.fire(Event.RXR, now)
        return self._reset_requested(now)

    def _reset_requested(self, now: float) -> list[Output]:
        self._resets = [when for when in self._resets if now - when < 1.0]
        if len(self._resets) >= RESETS_PER_SECOND:
            self._excess_resets += 1
            if self._excess_resets >= EXCESS_RESETS:
                raise PeerViolation(EndReason.FLOODED, "the peer asks for encryption resets without end")
            return []
        self._resets.append(now)
        agreed = self.agreed()
        return [EncryptionFlush()] if agreed is not None and agreed[0].stateful else []


def _encryption(option: bytes, start_key: bytes, short_start_key: bytes) -> Encryption:
    bits = _bits(option)
    key_bits = max(_strengths(bits))
    key = start_key if key_bits == 128 else short_start_key
    return Encryption(key, key_bits, stateful=not bits & MppeBits.STATELESS)

"""A server of another maker as a script: what it answers, in pppd's notation, and how it treats GRE.

    on("[LCP ConfReq id={id} {options}]", "[LCP ConfAck id={id} {options}]")      when it hears this, it says that
    on("LCP up", '[CHAP Challenge id=0x1 <{challenge}>, name = "pptpd"]')         a moment is heard as well

`*` stands for any text, `{name}` for text that what is said may take up again, {id} for an Identifier. What the server
knows must be just that: {challenge}, {address}, which it gives, {user} and, once a Response was right, {proof}, or
{lower}, the same in lower case. The first rule that fits is the one that counts. What no rule fits is a complaint of
the server (server.py), so a script holds our client to exactly what is known of its maker's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from openpptp.wire.control import ControlMessage, DisconnectResult, OutgoingCallReply, StartControlConnectionReply

Saying = str | ControlMessage
"""A frame in pppd's notation or a control message."""
MOMENTS = frozenset({"call", "LCP up", "wrong response", "CCP up", "IPCP up"})
_SLOT = re.compile(r"(\*)|\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a server says when it hears something."""

    heard: str
    said: tuple[Saying, ...]
    times: int
    "How often it may be used; 0: always."
    before: str
    "The moment from which it holds no more."

    def fits(self, line: str, facts: Mapping[str, str]) -> Mapping[str, str] | None:
        """Return what stands in the slots when this is what was heard."""
        match = re.fullmatch(_pattern(self.heard, facts), line, re.DOTALL)
        return None if match is None else match.groupdict()


def on(heard: str, *said: Saying, times: int = 0, before: str = "") -> Rule:
    """Return a rule."""
    assert heard in MOMENTS or heard.startswith("["), heard
    assert before in MOMENTS | {""}, before
    return Rule(heard, said, times, before)


def filled(said: str, slots: Mapping[str, str]) -> str:
    """Return what is said with its slots filled."""
    return _SLOT.sub(lambda slot: slots[slot[2]] if slot[2] else slot[0], said)


def _pattern(heard: str, facts: Mapping[str, str]) -> str:
    parts, at, seen = [], 0, set()
    for slot in _SLOT.finditer(heard):
        parts.append(re.escape(heard[at : slot.start()]))
        at, name = slot.end(), slot[2]
        if name is None:
            parts.append(".*?")
        elif name in facts:
            parts.append(re.escape(facts[name]))
        else:
            text = "0x[0-9a-f]+" if name == "id" else ".*?"
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{text})")
            seen.add(name)
    return "".join([*parts, re.escape(heard[at:])])


@dataclass(frozen=True, slots=True)
class Gre:
    """How a server treats enhanced GRE."""

    first_sequence: int = 0
    ack_alone_after: float | None = 0.1
    "Seconds until an acknowledgement goes alone; None: it only ever rides along."
    ack_alone_every: int = 0
    "Packets after which one goes alone, whatever the time; 0: no number of them."
    nothing_yet: bool = False
    "Its first packet acknowledges 0xFFFFFFFF."
    loses_first: int = 0
    "Packets it does not hear, because it is not ready."
    send_window: int | None = None
    "Packets it sends without an acknowledgement; more are dropped. None: it keeps no window."
    wants_exact_acks: bool = False
    "A packet whose acknowledgement is none of a number sent is dropped whole."
    full_headers: bool = False
    "FF 03 and two octets of protocol on everything."
    short_inner_protocol: bool = False
    "One octet of protocol inside MPPE."


@dataclass(frozen=True, slots=True)
class Script:
    """One server."""

    name: str
    start: StartControlConnectionReply
    call: OutgoingCallReply
    "Its peer_call_id is filled in."
    rules: tuple[Rule, ...]
    gre: Gre = Gre()
    address: str = "10.9.0.2"
    "The one it gives us."
    after_call: tuple[ControlMessage, ...] = ()
    "Control messages behind Outgoing-Call-Reply."
    disconnect_result: int = DisconnectResult.REQUEST
    disconnect_names_peer: bool = False
    "Its Call-Disconnect-Notify names our Call ID instead of its own."
    slots: Mapping[str, str] = field(default_factory=dict)
    "Texts its rules take up, among them the challenge, where it shall be a certain one."

    def __str__(self) -> str:
        return self.name

"""A conversation with one machine as one expression, in pppd's notation.

    assert (play(Link(server(), random))
            >> "[LCP ConfReq id=0x1 <mru 1400> <callback CBCP>]"      the peer says this
            << "[LCP ConfReq id=0x1 <mru 1400> <auth chap MS-v2> <magic *> <pcomp> <accomp>]"   we say this, next
            << "[LCP ConfRej id=0x1 <callback CBCP>]")

`*` stands for any text. What we say is taken up in order; a conversation is true when nothing of it is left over.
`.wait(seconds)` lets the clock run, `.told(Kind)` takes up an output that is not a frame, `.do(call)` drives the
machine.
"""

import re
from collections.abc import Callable
from typing import Self

from tests.notation import frame

from openpptp.errors import PeerViolation
from openpptp.machine import Note, Output
from openpptp.ppp.automaton import Automaton, LayerStarted, Send
from openpptp.ppp.link import Link
from openpptp.ppp.outputs import SendFrame
from openpptp.wire.notation import describe_frame
from openpptp.wire.ppp import Packet, decode_frame, encode_frame


class Play:
    """One machine, its clock, and what it has said that nobody took up yet."""

    def __init__(self, machine: Link | Automaton) -> None:
        self.machine = machine
        self.now = 0.0
        self.frames: list[str] = []
        self.outputs: list[Output] = []
        self.trace: list[str] = []
        self.violation: PeerViolation | None = None

    def do(self, step: Callable[[float], list[Output]]) -> Self:
        """Drive the machine: `.do(lambda now: link.close(reason, now))`."""
        try:
            outputs = step(self.now)
        except PeerViolation as violation:
            self.violation = violation
            return self
        for output in outputs:
            if isinstance(output, SendFrame):
                self._said(output.frame)
            elif isinstance(output, Send):
                assert isinstance(self.machine, Automaton)
                self._said(encode_frame(self.machine.protocol, output.packet.encode()))
            elif not isinstance(output, Note | LayerStarted):
                self.outputs.append(output)
                self.trace.append(str(output))
        return self

    def _said(self, octets: bytes) -> None:
        self.frames.append(describe_frame(octets))
        self.trace.append(f"<< {self.frames[-1]}")

    def __rshift__(self, heard: str | bytes) -> Self:
        octets = frame(heard) if isinstance(heard, str) else heard
        self.trace.append(f">> {describe_frame(octets)}")
        if isinstance(self.machine, Link):
            return self.do(lambda now: self.machine.receive(octets, now))
        packet = Packet.decode(decode_frame(octets)[1])
        return self.do(lambda now: self.machine.receive(packet, now))

    def __lshift__(self, expected: str) -> Self:
        said = self.frames.pop(0) if self.frames else "nothing"
        pattern = ".*".join(map(re.escape, expected.split("*")))
        assert re.fullmatch(pattern, said, re.DOTALL), f"expected {expected}\nsaid     {said}\n" + "\n".join(self.trace)
        return self

    def told(self, expected: type[Output] | Output) -> Self:
        """Take up the next output that is no frame."""
        output = self.outputs.pop(0) if self.outputs else None
        matches = isinstance(output, expected) if isinstance(expected, type) else output == expected
        assert matches, f"expected {expected}, was told {output}\n" + "\n".join(self.trace)
        return self

    def hush(self) -> Self:
        """Forget everything said so far."""
        self.frames.clear()
        self.outputs.clear()
        return self

    def wait(self, seconds: float) -> Self:
        """Let the clock run, ticking whenever the machine wants it."""
        end = self.now + seconds
        while self.violation is None and (deadline := self._deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.do(self.machine.tick)
        self.now = end
        return self

    def _deadline(self) -> float | None:
        deadlines = [self.machine.deadline, getattr(self.machine, "echo_deadline", None)]
        return min((d.when for d in deadlines if d is not None), default=None)

    def __bool__(self) -> bool:
        assert not self.frames, "said and not expected:\n" + "\n".join([*self.frames, "all of it:", *self.trace])
        return True


def play(machine: Link | Automaton) -> Play:
    """Begin: the lower layer is up."""
    conversation = Play(machine)
    if isinstance(machine, Link):
        return conversation.do(machine.start)
    return conversation.do(machine.open).do(machine.up)

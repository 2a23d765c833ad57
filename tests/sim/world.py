"""Two Tunnels in a small simulated world: one clock, a TCP stream between them, a carrier for frames of each call.

    world = World(carrier=lossy(seed=1, loss=0.2))
    world.dial()
    world.run(until=world.both_up)
    world.client.only(InterfaceUp)

The carrier is that of ppp_pair: `carrier(frame_number) -> delays of the copies`. The stream delivers in order, cut into
pieces as `cut` says. The clock jumps from event to event and never passes `limit`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random as PseudoRandom
from typing import TypeVar

from tests.sim.ppp_pair import Carrier, check, client, good, pseudo_random, server

from openpptp.machine import Note, Output
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.outputs import (
    CheckCredentials,
    ClosePath,
    CloseStream,
    ConnectPath,
    EncryptionDown,
    EncryptionUp,
    InterfaceDown,
    InterfaceUp,
    OpenPath,
    SendFrame,
    SendStream,
    SessionEnded,
    TunnelEnded,
)
from openpptp.tunnel.settings import CallKind, Side, TunnelSettings
from openpptp.tunnel.tunnel import Tunnel
from openpptp.wire.control import ControlMessage, ControlStream
from openpptp.wire.notation import describe_frame

Said = TypeVar("Said", bound=Output)
STREAM_DELAY = 0.001


def lossy(seed: int, *, loss: float = 0.0, duplicate: float = 0.0, jitter: float = 0.0) -> Carrier:
    """Return a carrier that loses, doubles and delays; a frame delayed more than the next is overtaken by it."""
    chance = PseudoRandom(seed)

    def carry(_number: int) -> tuple[float, ...]:
        copies = 0 if chance.random() < loss else 2 if chance.random() < duplicate else 1
        return tuple(0.001 + chance.random() * jitter for _ in range(copies))

    return carry


@dataclass
class Place:
    """One Tunnel, all it has said, and what its driver would know."""

    name: str
    tunnel: Tunnel
    outputs: list[Output] = field(default_factory=list)
    paths: dict[int, int | None] = field(default_factory=dict)
    "Open paths: our Call ID -> the peer's."
    up: dict[int, InterfaceUp] = field(default_factory=dict)
    keys: dict[int, EncryptionUp] = field(default_factory=dict)
    stream_open: bool = True
    over: bool = False

    def all(self, kind: type[Said]) -> list[Said]:
        """Return every output of a kind."""
        return [output for output in self.outputs if isinstance(output, kind)]

    def only(self, kind: type[Said]) -> Said:
        """Return the one output of a kind."""
        (output,) = self.all(kind)
        return output

    @property
    def sent(self) -> list[ControlMessage]:
        """Every control message sent."""
        return ControlStream().feed(b"".join(output.data for output in self.all(SendStream)))

    def keep(self, output: Output) -> None:
        """Keep the books of a driver, and hold the tunnel to what it promised."""
        assert not self.over, f"{output} after TunnelEnded"
        self.outputs.append(output)
        match output:
            case OpenPath(call_id):
                assert call_id not in self.paths
                self.paths[call_id] = None
            case ConnectPath(call_id, peer_call_id):
                assert self.paths[call_id] is None
                self.paths[call_id] = peer_call_id
            case EncryptionUp():
                self.keys[output.call_id] = output
            case EncryptionDown(call_id):
                del self.keys[call_id]
            case InterfaceUp():
                assert output.call_id in self.paths
                assert output.call_id not in self.up
                assert output.call_id in self.keys or not output.encryption_required
                self.up[output.call_id] = output
            case InterfaceDown(call_id):
                del self.up[call_id]
            case ClosePath(call_id):
                assert call_id not in self.up
                del self.paths[call_id]
                self.keys.pop(call_id, None)
            case SessionEnded(call_id):
                assert call_id not in self.paths
                assert sum(ended.call_id == call_id for ended in self.all(SessionEnded)) == 1
                assert output.detail
            case TunnelEnded():
                assert not self.paths
                self.over = True


class World:
    """A client's and a server's tunnel and everything between them."""

    def __init__(
        self,
        *,
        carrier: Carrier = good,
        server_settings: TunnelSettings | None = None,
        client_settings: TunnelSettings | None = None,
        cut: int | None = None,
        answer_delay: float = 0.002,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.trace: list[str] = []
        self.carried = 0
        at_server = server_settings or TunnelSettings(link=server())
        at_client = client_settings or TunnelSettings(link=client())
        randoms = pseudo_random(seed), pseudo_random(seed + 1000)
        self.call_ids = CallIds(randoms[0]), CallIds(randoms[1])
        self.server = Place("server", Tunnel(at_server, self.call_ids[0], randoms[0]))
        self.client = Place("client", Tunnel(at_client, self.call_ids[1], randoms[1], side=Side.INITIATOR))
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._carrier = carrier
        self._cut = cut
        self._answer_delay = answer_delay
        self._stream_free = {"server": 0.0, "client": 0.0}

    @property
    def places(self) -> tuple[Place, Place]:
        """Both."""
        return self.server, self.client

    def other(self, place: Place) -> Place:
        """Return the place on the other side."""
        return self.client if place is self.server else self.server

    def dial(self, kind: CallKind = CallKind.OUTGOING, link: LinkSettings | None = None, calls: int = 1) -> None:
        """Open the TCP connection, and have the client place calls."""
        for place in self.places:
            self.take(place, place.tunnel.connected(self.now))
        for _ in range(calls):
            self.take(self.client, self.client.tunnel.place_call(kind, link or client(), self.now))

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a time."""
        heapq.heappush(self._queue, (when, next(self._numbers), action))

    def take(self, place: Place, outputs: list[Output]) -> None:
        """Perform what a tunnel said."""
        for output in outputs:
            place.keep(output)
            self._log(place, output)
            match output:
                case SendStream(data):
                    self._send(place, data)
                case CloseStream():
                    self.break_stream(place)
                case SendFrame(call_id, frame):
                    self._carry(place, call_id, frame)
                case CheckCredentials(call_id, presented):
                    answer = check(presented)
                    self.at(
                        self.now + self._answer_delay,
                        lambda c=call_id, a=answer: self.take(place, place.tunnel.credentials_checked(c, a, self.now)),
                    )

    def break_stream(self, place: Place) -> None:
        """Close the TCP connection from one side; what is on the way arrives first."""
        place.stream_open = False
        when = self._later(place)
        self.at(when, lambda: self._closed(self.other(place)))

    def _closed(self, place: Place) -> None:
        place.stream_open = False
        self.take(place, place.tunnel.stream_closed(self.now))

    def _later(self, place: Place) -> float:
        when = max(self.now + STREAM_DELAY, self._stream_free[place.name])
        self._stream_free[place.name] = when
        return when

    def _send(self, place: Place, data: bytes) -> None:
        if not place.stream_open:
            return
        size = self._cut or len(data)
        for start in range(0, len(data), size):
            self.at(self._later(place), lambda piece=data[start : start + size]: self._arrive(self.other(place), piece))

    def _arrive(self, place: Place, data: bytes) -> None:
        if place.stream_open:
            self.take(place, place.tunnel.receive(data, self.now))

    def _carry(self, place: Place, call_id: int, frame: bytes) -> None:
        peer_call_id = place.paths[call_id]
        assert peer_call_id is not None, "a frame before ConnectPath"
        for delay in self._carrier(self.carried):
            self.at(self.now + delay, lambda: self._frame(self.other(place), peer_call_id, frame))
        self.carried += 1

    def _frame(self, place: Place, call_id: int, frame: bytes) -> None:
        if call_id in place.paths:
            self.take(place, place.tunnel.frame_received(call_id, frame, self.now))

    def _log(self, place: Place, output: Output) -> None:
        match output:
            case SendStream(data):
                text = ", ".join(str(message) for message in ControlStream().feed(data))
            case SendFrame(_, frame):
                text = describe_frame(frame)
            case Note(text):
                pass
            case _:
                text = str(output)
        self.trace.append(f"{self.now:8.3f} {place.name:6} {text}")

    def both_up(self) -> bool:
        """Tell whether data may flow at both ends."""
        return bool(self.server.up) and bool(self.client.up)

    def both_over(self) -> bool:
        """Tell whether both tunnels have ended."""
        return self.server.over and self.client.over

    def run(self, until: Callable[[], bool] = lambda: False, limit: float = 120.0, steps: int = 20_000) -> None:
        """Let time pass until something holds or the limit is reached; a world that never rests fails."""
        for _ in range(steps):
            if until():
                return
            deadlines = [(d.when, place) for place in self.places if (d := place.tunnel.deadline) is not None]
            when, ticked = min(deadlines, key=lambda pair: pair[0], default=(limit, None))
            action = None
            if self._queue and self._queue[0][0] <= when:
                when, _, action = self._queue[0]
            if when >= limit:
                self.now = limit
                return
            self.now = max(self.now, when)
            if action is not None:
                heapq.heappop(self._queue)
                action()
            elif ticked is not None:
                self.take(ticked, ticked.tunnel.tick(self.now))
        raise AssertionError("the world never rests:\n" + "\n".join(self.trace[-40:]))

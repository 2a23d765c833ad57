"""The GRE side of a scripted server: sequence numbers, acknowledgements and windows as its maker keeps them."""

import asyncio
from collections.abc import Callable

from tests.servers.script import Gre

from openpptp.wire import gre
from openpptp.wire.gre import serial_add, serial_distance

NOTHING_YET = 0xFFFFFFFF


class Carriage:
    """One call's packets; what a strict peer would complain of is counted in complaints."""

    def __init__(self, habits: Gre, peer_call_id: int, send: Callable[[bytes], object]) -> None:
        self.complaints: list[str] = []
        self.acks: list[int] = []
        "How many of our packets each acknowledgement of the client took in."
        self.acknowledged = asyncio.Event()
        self._habits = habits
        self._peer_call_id = peer_call_id
        self._send = send
        self._next = habits.first_sequence
        self._acked = serial_add(habits.first_sequence, -1)
        self._highest: int | None = None
        self._owed = 0
        self._unheard = habits.loses_first
        self._timer: asyncio.TimerHandle | None = None

    @property
    def highest(self) -> int:
        """The client's highest sequence number."""
        assert self._highest is not None
        return self._highest

    @property
    def full(self) -> bool:
        """Whether the window is full: what would be sent now is dropped."""
        window = self._habits.send_window
        return window is not None and serial_distance(self._next, self._acked) > window

    def received(self, sequence: int | None, acknowledgement: int | None, payload: bytes) -> bytes | None:
        """Return the PPP frame that a packet brings; None when it brings none or is dropped."""
        if self._unheard and payload:
            self._unheard -= 1
            return None
        if acknowledgement is not None and not self._take_ack(acknowledgement) and self._habits.wants_exact_acks:
            return None
        if sequence is None:
            return None
        if self._highest is not None and serial_distance(sequence, self._highest) <= 0:
            self.complaints.append(f"late: {sequence} after {self._highest}")
            return None
        self._highest = sequence
        self._owed += 1
        if self._owed == self._habits.ack_alone_every:
            self._ack_alone()
        elif self._timer is None and self._habits.ack_alone_after is not None:
            self._timer = asyncio.get_running_loop().call_later(self._habits.ack_alone_after, self._ack_alone)
        return payload

    def send(self, frame: bytes) -> bool:
        """Send a PPP frame; False when the window is full and it was dropped."""
        if self.full:
            return False
        acknowledgement = self._owed_ack()
        if acknowledgement is None and self._habits.nothing_yet and self._highest is None:
            acknowledgement = NOTHING_YET
        self._send(gre.encode(self._peer_call_id, frame, self._next, acknowledgement))
        self._next = serial_add(self._next)
        return True

    def close(self) -> None:
        """Send no more by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _take_ack(self, number: int) -> bool:
        step = serial_distance(number, self._acked)
        if step < 0 or serial_distance(number, self._next) >= 0:
            self.complaints.append(f"acknowledges {number}; sent up to {self._next - 1}, had {self._acked}")
            return False
        if step:
            self.acks.append(step)
        self._acked = number
        self.acknowledged.set()
        return True

    def _owed_ack(self) -> int | None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._owed:
            return None
        self._owed = 0
        return self._highest

    def _ack_alone(self) -> None:
        self._send(gre.encode(self._peer_call_id, acknowledgement=self._owed_ack()))

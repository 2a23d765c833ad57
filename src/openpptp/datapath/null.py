"""A data path that carries nothing and remembers what it was asked: control tests without root."""

from ipaddress import IPv4Address

from openpptp.credentials import Encryption
from openpptp.datapath.seam import Counters, Inside
from openpptp.errors import Misuse


class NullDataPath:
    """Implements seam.DataPath by recording, in order, what the driver asks for."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        "Each request as (method name, *arguments)."
        self.open_calls: dict[int, Counters] = {}
        self.closed = False

    def _ask(self, method: str, call_id: int, *arguments: object) -> None:
        if call_id not in self.open_calls:
            raise Misuse(f"{method}: call {call_id} is not open")
        self.asked.append((method, call_id, *arguments))

    def frames(self, call_id: int) -> list[bytes]:
        """Return the frames the driver sent on a call so far."""
        return [
            entry[2] for entry in self.asked if entry[:2] == ("send_frame", call_id) and isinstance(entry[2], bytes)
        ]

    def open_call(self, call_id: int, peer: IPv4Address, local: IPv4Address) -> None:
        """Record that a call was opened."""
        if call_id in self.open_calls:
            raise Misuse(f"call {call_id} is open already")
        self.open_calls[call_id] = Counters()
        self._ask("open_call", call_id, peer, local)

    def connect_call(self, call_id: int, peer_call_id: int) -> None:
        """Record the peer's Call ID."""
        self._ask("connect_call", call_id, peer_call_id)

    def send_frame(self, call_id: int, frame: bytes) -> None:
        """Record a control-protocol frame."""
        self._ask("send_frame", call_id, frame)

    def encryption_up(self, call_id: int, send: Encryption, receive: Encryption) -> None:
        """Record the keys."""
        self._ask("encryption_up", call_id, send, receive)

    def encryption_down(self, call_id: int) -> None:
        """Record that the keys are to be forgotten."""
        self._ask("encryption_down", call_id)

    def encryption_flush(self, call_id: int) -> None:
        """Record a flush."""
        self._ask("encryption_flush", call_id)

    def interface_up(self, call_id: int, inside: Inside) -> None:
        """Record that data may flow."""
        self._ask("interface_up", call_id, inside)

    def interface_down(self, call_id: int) -> None:
        """Record that data may not flow."""
        self._ask("interface_down", call_id)

    def close_call(self, call_id: int) -> Counters:
        """Record that a call was closed and return its counters."""
        self._ask("close_call", call_id)
        return self.open_calls.pop(call_id)

    def counters(self, call_id: int) -> Counters:
        """Return the counters of an open call, which a test may set."""
        return self.open_calls[call_id]

    def unknown_packets(self) -> int:
        """Return 0: nothing ever comes."""
        return 0

    def close(self) -> None:
        """Record that the data path was stopped."""
        self.closed = True

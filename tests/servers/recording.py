"""What each side said in a capture of a PPTP session: for a script to say again, and to compare our client with."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests import pcap
from tests.notation import describe

from openpptp.wire import gre
from openpptp.wire.auth import ChapValue
from openpptp.wire.control import ControlMessage, ControlStream
from openpptp.wire.ppp import Packet, Protocol, decode_frame

Message = TypeVar("Message", bound=ControlMessage)


@dataclass(frozen=True, slots=True)
class Side:
    """One side; what was captured twice, as a radio repeats it, is there once."""

    messages: list[ControlMessage]
    frames: list[bytes]

    @property
    def lines(self) -> list[str]:
        """The frames in pppd's notation."""
        return [describe(frame) for frame in self.frames]

    @property
    def data(self) -> list[bytes]:
        """The data frames."""
        return [each for each in self.frames if decode_frame(each)[0] in (Protocol.MPPE, Protocol.IPV4)]

    def message(self, kind: type[Message]) -> Message:
        """Return the one message of a kind."""
        (found,) = [message for message in self.messages if isinstance(message, kind)]
        return found

    def chap(self, code: int) -> ChapValue:
        """Return the one Challenge or Response."""
        found = [Packet.decode(decode_frame(each)[1]) for each in self.frames if decode_frame(each)[0] == Protocol.CHAP]
        (value,) = [ChapValue.decode(packet.data) for packet in found if packet.code == code]
        return value


def recorded(file: Path) -> tuple[Side, Side]:
    """Return the server's side and the client's."""
    messages: dict[bool, list[ControlMessage]] = {True: [], False: []}
    server = ""
    for (source, port, destination, _), octets in pcap.tcp_streams(file, 1723).items():
        server = source if port == 1723 else destination
        messages[port == 1723] += ControlStream().feed(octets)
    frames: dict[bool, dict[int, bytes]] = {True: {}, False: {}}
    for packet in pcap.ipv4_packets(file):
        if packet.protocol == 47:
            _, sequence, _, payload = gre.decode(packet.payload)
            if sequence is not None:
                frames[packet.source == server][sequence] = payload
    return Side(messages[True], list(frames[True].values())), Side(messages[False], list(frames[False].values()))

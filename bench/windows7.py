"""A scripted Windows 7 client: its messages, options and order as recorded, driven by what the server says.

Run in a namespace of the client: `python -m bench.windows7 SERVER USER PASSWORD --times 10`. Prints JSON with the
milliseconds from the open TCP connection to IPCP opened in both directions, per log-in. The capture's own pauses (the
28 ms Windows takes before its first LCP request) are left out; that it ignores LCP until then is kept.
"""

import argparse
import json
import os
import select
import socket
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from openpptp import crypto
from openpptp.wire import control, gre
from openpptp.wire.auth import ChapCode, ChapValue, MsChapV2Response
from openpptp.wire.ppp import (
    Code,
    IpcpOption,
    LcpOption,
    Option,
    Packet,
    Protocol,
    decode_frame,
    decode_options,
    encode_frame,
    encode_options,
)

PATIENCE = 10.0
CALLBACK = Option(LcpOption.CALLBACK, b"\x06")
MPPE_128_STATELESS = Option(18, b"\x01\x00\x00\x40")
NOTHING = bytes(4)
BOTH = {"ours", "theirs"}
ASKED_OF_IPCP = (IpcpOption.IP_ADDRESS, 129, 130, 131, 132)


@dataclass
class Windows7:
    """One log-in."""

    server: str
    user: bytes
    password: str
    raw: socket.socket
    call_id: int
    stream: socket.socket = field(init=False)
    peer_call_id: int = 0
    sequence: int = 0
    received: int | None = None
    ready: bool = False
    magic: bytes = field(default_factory=lambda: os.urandom(4))
    lcp_acks: set[str] = field(default_factory=set)
    lcp_done: bool = False
    ipcp: dict[int, bytes] = field(default_factory=lambda: dict.fromkeys(ASKED_OF_IPCP, NOTHING))
    ipcp_acks: set[str] = field(default_factory=set)

    def log_in(self) -> float:
        """Return the milliseconds it took; raise TimeoutError when it came to nothing."""
        with socket.create_connection((self.server, 1723), PATIENCE) as stream:
            began = time.monotonic()
            self.stream = stream
            messages = control.ControlStream()
            stream.sendall(
                control.StartControlConnectionRequest(
                    framing_capabilities=1, bearer_capabilities=1, vendor_name="Microsoft"
                ).encode()
            )
            while self.ipcp_acks != BOTH:
                if time.monotonic() - began > PATIENCE:
                    raise TimeoutError(f"acknowledged so far: {self.ipcp_acks}, LCP {self.lcp_done}")
                readable, _, _ = select.select([stream, self.raw], [], [], 0.5)
                if stream in readable:
                    for message in messages.feed(stream.recv(4096)):
                        self.take_message(message)
                if self.raw in readable:
                    self.take_datagram(self.raw.recv(4096))
            took = (time.monotonic() - began) * 1000
            stream.sendall(control.CallClearRequest(self.call_id).encode())
            stream.sendall(control.StopControlConnectionRequest(control.StopReason.NONE).encode())
        return took

    def take_message(self, message: control.ControlMessage) -> None:
        if isinstance(message, control.StartControlConnectionReply):
            request = control.OutgoingCallRequest(self.call_id, 1, 300, 100_000_000, subaddress=os.urandom(16))
            self.stream.sendall(request.encode())
        elif isinstance(message, control.OutgoingCallReply):
            self.peer_call_id = message.call_id
            self.set_link_info()
            self.ready = True
            self.configure_lcp(0, (CALLBACK,))

    def set_link_info(self) -> None:
        self.stream.sendall(control.SetLinkInfo(self.peer_call_id, 0xFFFFFFFF, 0xFFFFFFFF).encode())

    def take_datagram(self, datagram: bytes) -> None:
        call_id, sequence, _, frame = gre.decode(datagram[(datagram[0] & 15) * 4 :])
        if call_id != self.call_id or sequence is None or not self.ready:
            return
        self.received = sequence
        protocol, information = decode_frame(frame)
        takers: dict[int, Callable[[Packet], None]] = {
            Protocol.LCP: self.take_lcp,
            Protocol.CHAP: self.take_chap,
            Protocol.CCP: self.take_ccp,
            Protocol.IPCP: self.take_ipcp,
        }
        if protocol in takers:
            takers[protocol](Packet.decode(information))

    def send(self, protocol: int, packet: Packet) -> None:
        compress = self.lcp_done and protocol != Protocol.LCP
        frame = encode_frame(protocol, packet.encode(), compress_address_control=compress)
        octets = gre.encode(self.peer_call_id, frame, self.sequence, self.received)
        self.sequence += 1
        self.raw.sendto(octets, (self.server, 0))

    def configure(self, protocol: int, code: int, identifier: int, options: tuple[Option, ...]) -> None:
        self.send(protocol, Packet(code, identifier, encode_options(options)))

    def configure_lcp(self, identifier: int, extra: tuple[Option, ...] = ()) -> None:
        options = (
            Option(LcpOption.MAXIMUM_RECEIVE_UNIT, (1400).to_bytes(2, "big")),
            Option(LcpOption.MAGIC_NUMBER, self.magic),
            Option(LcpOption.PROTOCOL_FIELD_COMPRESSION, b""),
            Option(LcpOption.ADDRESS_CONTROL_FIELD_COMPRESSION, b""),
            *extra,
        )
        self.configure(Protocol.LCP, Code.CONFIGURE_REQUEST, identifier, options)

    def acknowledge(self, protocol: int, request: Packet) -> None:
        self.send(protocol, Packet(Code.CONFIGURE_ACK, request.identifier, request.data))

    def take_lcp(self, packet: Packet) -> None:
        if packet.code == Code.CONFIGURE_REJECT:
            self.configure_lcp(1)
        elif packet.code == Code.CONFIGURE_REQUEST:
            self.acknowledge(Protocol.LCP, packet)
            self.half_open_lcp("theirs")
        elif packet.code == Code.CONFIGURE_ACK:
            self.half_open_lcp("ours")
        elif packet.code == Code.ECHO_REQUEST:
            self.send(Protocol.LCP, Packet(Code.ECHO_REPLY, packet.identifier, self.magic + packet.data[4:]))

    def half_open_lcp(self, half: str) -> None:
        self.lcp_acks.add(half)
        if self.lcp_done or self.lcp_acks != BOTH:
            return
        self.lcp_done = True
        self.set_link_info()
        for identifier, text in enumerate((b"MSRASV5.20", b"MSRAS-0-BENCH", os.urandom(16)), start=2):
            self.send(Protocol.LCP, Packet(Code.IDENTIFICATION, identifier, self.magic + text))

    def take_chap(self, packet: Packet) -> None:
        if packet.code == ChapCode.CHALLENGE:
            challenge, ours = ChapValue.decode(packet.data).value, os.urandom(16)
            proof = crypto.generate_nt_response(challenge, ours, self.user, crypto.nt_password_hash(self.password))
            value = MsChapV2Response(ours, proof, 0).encode()
            self.send(Protocol.CHAP, Packet(ChapCode.RESPONSE, packet.identifier, ChapValue(value, self.user).encode()))
        elif packet.code == ChapCode.SUCCESS:
            self.configure(Protocol.IPV6CP, Code.CONFIGURE_REQUEST, 5, (Option(1, os.urandom(8)),))
            self.configure(Protocol.CCP, Code.CONFIGURE_REQUEST, 6, (MPPE_128_STATELESS,))
            self.configure_ipcp(7)

    def take_ccp(self, packet: Packet) -> None:
        if packet.code == Code.CONFIGURE_REQUEST:
            self.acknowledge(Protocol.CCP, packet)

    def configure_ipcp(self, identifier: int) -> None:
        options = tuple(Option(kind, value) for kind, value in self.ipcp.items())
        self.configure(Protocol.IPCP, Code.CONFIGURE_REQUEST, identifier, options)

    def take_ipcp(self, packet: Packet) -> None:
        if packet.code == Code.CONFIGURE_REQUEST:
            self.acknowledge(Protocol.IPCP, packet)
            self.ipcp_acks.add("theirs")
        elif packet.code == Code.CONFIGURE_ACK:
            self.ipcp_acks.add("ours")
        elif packet.code in (Code.CONFIGURE_NAK, Code.CONFIGURE_REJECT):
            for option in decode_options(packet.data):
                if packet.code == Code.CONFIGURE_NAK:
                    self.ipcp[option.type] = option.value
                else:
                    self.ipcp.pop(option.type, None)
            self.configure_ipcp(packet.identifier + 1)


def main() -> None:
    """Log in several times and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("--times", type=int, default=10)
    given = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 47) as raw:
        took = [
            Windows7(given.server, given.user.encode(), given.password, raw, call_id).log_in()
            for call_id in range(1, given.times + 1)
        ]
    sys.stdout.write(json.dumps({"milliseconds": took, "median": statistics.median(took), "most": max(took)}) + "\n")


if __name__ == "__main__":
    main()

"""Runs a script: a PPTP server on a TCP listener and a GRE port, in memory or in the kernel.

    server = ScriptedServer(script, gre_port)
    await loop.create_server(server.protocol, host, port)
    await until(lambda: server.heard_inside)

It knows wire/ and MPPE and nothing else of the program: its rules are the script's. It answers each inside packet with
one of the other direction. What our client says that no rule fits, or that a strict peer would mind, is in complaints.
"""

import asyncio
import os
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Self

from tests import pcap
from tests.notation import describe, frame
from tests.servers.carriage import Carriage
from tests.servers.script import MOMENTS, Rule, Saying, Script, filled

from openpptp import crypto
from openpptp.credentials import Encryption
from openpptp.datapath.mppe import Decryptor, Encryptor, decryptor
from openpptp.net.ports import GrePort
from openpptp.wire import gre
from openpptp.wire.auth import ChapCode, ChapValue, MsChapV2Response
from openpptp.wire.control import (
    CallClearRequest,
    CallDisconnectNotify,
    ControlMessage,
    ControlStream,
    EchoReply,
    EchoRequest,
    OutgoingCallRequest,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
)
from openpptp.wire.ppp import CcpOption, Code, LcpOption, MppeBits, Packet, Protocol, decode_frame, decode_options
from openpptp.wire.ppp import encode_frame as ppp_frame

USER, PASSWORD = "alice", "correct horse"
KEY_BITS = {MppeBits.BITS_128: 128, MppeBits.BITS_56: 56, MppeBits.BITS_40: 40}


class ScriptedServer(asyncio.Protocol):
    """One server with one control connection and one call, and all it heard."""

    def __init__(self, script: Script, port: GrePort, *, user: str = USER, password: str = PASSWORD) -> None:
        self.script = script
        self.heard: list[str] = []
        "Frames in pppd's notation."
        self.heard_data: list[bytes] = []
        "Data frames as they came, encrypted or not."
        self.said: list[str] = []
        self.messages: list[ControlMessage] = []
        self.heard_inside: list[bytes] = []
        "Inside packets that came encrypted, or in clear where there is no MPPE."
        self.over = False
        self._port = port
        self._password_hash = crypto.nt_password_hash(password)
        self._used: dict[int, int] = {}
        self._complaints: list[str] = []
        self._transport: asyncio.Transport | None = None
        self._stream = ControlStream()
        self._peer_call_id = 0
        self._carriage: Carriage | None = None
        self._facts = {"challenge": os.urandom(16).hex(), "user": user, "address": script.address, **script.slots}
        self._slots: dict[str, str] = {}
        "What stood in those of the rule that fitted last."
        self._asked: dict[int, tuple[int, bytes]] = {}
        "Protocol -> Identifier and options of our last Configure-Request."
        self._ours: dict[int, bytes] = {}
        "Protocol -> options of ours that the client acknowledged, since it last asked anew."
        self._theirs: dict[int, bytes] = {}
        self._up: set[str] = set()
        self._nt_response = b""
        self._encryptor: Encryptor | None = None
        self._decryptor: Decryptor | None = None
        asyncio.get_running_loop().add_reader(port.fileno(), self._read_gre)

    def protocol(self) -> Self:
        """Return itself, for create_server."""
        return self

    @property
    def complaints(self) -> list[str]:
        """What a server of this make would not have taken."""
        return self._complaints + (self._carriage.complaints if self._carriage is not None else [])

    @property
    def carriage(self) -> Carriage:
        """The call's GRE."""
        assert self._carriage is not None
        return self._carriage

    def forget(self) -> None:
        """Begin the link anew: nothing is agreed on, and no rule was used."""
        for each in (self._used, self._asked, self._ours, self._theirs, self._up):
            each.clear()
        self._encryptor = self._decryptor = None

    def close(self) -> None:
        """Stop."""
        asyncio.get_running_loop().remove_reader(self._port.fileno())
        if self._carriage is not None:
            self._carriage.close()
        if self._transport is not None:
            self._transport.abort()

    # The control connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True

    def data_received(self, data: bytes) -> None:
        for message in self._stream.feed(data):
            self.messages.append(message)
            self._answer(message)

    def say(self, *sayings: Saying) -> None:
        """Say control messages and frames, outside every rule."""
        for saying in sayings:
            if isinstance(saying, str):
                self._send_frame(filled(saying, self._slots | self._facts))
            elif self._transport is not None:
                self._transport.write(saying.encode())

    def hang_up(self) -> None:
        """End the call."""
        call_id = self._peer_call_id if self.script.disconnect_names_peer else self.script.call.call_id
        self.say(CallDisconnectNotify(call_id, self.script.disconnect_result))

    def _answer(self, message: ControlMessage) -> None:
        match message:
            case StartControlConnectionRequest():
                self.say(self.script.start)
            case OutgoingCallRequest(call_id):
                self._connect(call_id)
            case CallClearRequest():
                self.hang_up()
            case EchoRequest(identifier):
                self.say(EchoReply(identifier))
            case StopControlConnectionRequest():
                self.say(StopControlConnectionReply(1))
                assert self._transport is not None
                self._transport.close()
            case _:
                self._complaints.append(str(message))

    def _connect(self, call_id: int) -> None:
        self._peer_call_id = call_id
        assert self._transport is not None
        peer = int(IPv4Address(self._transport.get_extra_info("peername")[0]))
        local = int(IPv4Address(self._transport.get_extra_info("sockname")[0]))
        self._carriage = Carriage(self.script.gre, call_id, lambda octets: self._port.send(octets, peer, local))
        reply = self.script.call
        self.say(replace(reply, peer_call_id=call_id), *self.script.after_call)
        self._moment("call")

    # Frames

    def _read_gre(self) -> None:
        for datagram in self._port.receive():
            call_id, sequence, acknowledgement, payload = gre.decode(datagram.payload)
            if self._carriage is None or call_id != self.script.call.call_id:
                self._complaints.append(f"GRE for call {call_id}")
                continue
            octets = self._carriage.received(sequence, acknowledgement, payload)
            if octets is not None:
                self._take_frame(octets)

    def _take_frame(self, octets: bytes) -> None:
        protocol, information = decode_frame(octets)
        if protocol in (Protocol.MPPE, Protocol.IPV4):
            self.heard_data.append(octets)
        if octets[:2] != b"\xff\x03" and not self._asked_for(LcpOption.ADDRESS_CONTROL_FIELD_COMPRESSION):
            self._complaints.append(f"FF 03 left out: {octets[:4].hex()}")
        if protocol == Protocol.MPPE and self._decryptor is not None:
            datagram, _ = self._decryptor.decrypt(information, self.carriage.highest, 0.0)
            if datagram is None:
                self._complaints.append("a packet that cannot be decrypted")
                return
            self._take_inside(*decode_frame(datagram))
        elif protocol == Protocol.IPV4:
            if self._encryptor is not None:
                self._complaints.append("data in clear")
            self._take_inside(protocol, information)
        else:
            self._take_control(protocol, octets, Packet.decode(information))

    def _take_control(self, protocol: int, octets: bytes, packet: Packet) -> None:
        line = describe(octets)
        self.heard.append(line)
        if protocol == Protocol.CHAP and packet.code == ChapCode.RESPONSE and not self._check(packet):
            self._moment("wrong response")
            return
        acked = packet.code == Code.CONFIGURE_ACK and protocol != Protocol.CHAP
        if acked and self._asked.get(protocol) == (packet.identifier, packet.data):
            self._ours[protocol] = packet.data
            self._perhaps_up(protocol)
        elif not self._react(line) and not acked:
            self._complaints.append(line)

    def _check(self, packet: Packet) -> bool:
        """Check a Response; what it proves goes into the slots."""
        given = ChapValue.decode(packet.data)
        response = MsChapV2Response.decode(given.value)
        facts = bytes.fromhex(self._facts["challenge"]), response.peer_challenge, given.name
        expected = crypto.generate_nt_response(*facts, self._password_hash)
        self._slots = {"id": hex(packet.identifier)}
        if given.name.decode() != self._facts["user"] or response.nt_response != expected:
            return False
        self._nt_response = response.nt_response
        proof = crypto.generate_authenticator_response(
            crypto.hash_nt_password_hash(self._password_hash), expected, facts[1], facts[0], given.name
        )
        self._facts |= {"proof": proof.hex().upper(), "lower": proof.hex()}
        return True

    # What the script says

    def _moment(self, moment: str) -> None:
        self._up.add(moment)
        self._react(moment)

    def _react(self, line: str) -> bool:
        """Do what the first rule that fits says; False when there is none."""
        for number, rule in enumerate(self.script.rules):
            slots = rule.fits(line, self._facts) if self._holds(number, rule) else None
            if slots is not None:
                self._used[number] = self._used.get(number, 0) + 1
                if line not in MOMENTS:  # at a moment, the packet that led to it still counts
                    self._slots = dict(slots)
                self.say(*rule.said)
                return True
        return False

    def _holds(self, number: int, rule: Rule) -> bool:
        return (not rule.times or self._used.get(number, 0) < rule.times) and rule.before not in self._up

    def _send_frame(self, line: str) -> None:
        self.said.append(line)
        octets = frame(line)
        protocol, information = decode_frame(octets)
        compression = {} if self.script.gre.full_headers else self._compression()
        if protocol != Protocol.LCP:
            octets = ppp_frame(protocol, information, **compression)
        elif compression.get("compress_address_control") and information[0] > Code.CODE_REJECT:
            octets = octets[2:]  # against RFC 1661 section 6.6, as Windows, pppd and the kernel do
        if not self.carriage.send(octets) or protocol not in (Protocol.LCP, Protocol.CCP, Protocol.IPCP):
            return
        packet = Packet.decode(information)
        if packet.code == Code.CONFIGURE_REQUEST:
            self._asked[protocol] = packet.identifier, packet.data
            self._ours.pop(protocol, None)
        elif packet.code == Code.CONFIGURE_ACK:
            self._theirs[protocol] = packet.data
            self._perhaps_up(protocol)

    def _perhaps_up(self, protocol: int) -> None:
        if protocol in self._ours and protocol in self._theirs:
            if protocol == Protocol.CCP:
                self._encrypt()
            self._moment(f"{Protocol(protocol).name} up")

    def _encrypt(self) -> None:
        hash_hash = crypto.hash_nt_password_hash(self._password_hash)
        keys = crypto.mschap_v2_start_keys(hash_hash, self._nt_response, authenticator=True)
        send, receive = (_mppe_bits(options[Protocol.CCP]) for options in (self._theirs, self._ours))
        sent, received = _key_bits(send), _key_bits(receive)
        stateful = not send & MppeBits.STATELESS, not receive & MppeBits.STATELESS
        self._encryptor = Encryptor(Encryption(keys.send if sent == 128 else keys.send_short, sent, stateful[0]))
        key = keys.receive if received == 128 else keys.receive_short
        self._decryptor = decryptor(Encryption(key, received, stateful[1]), self.carriage.highest)

    def _asked_for(self, option: LcpOption) -> bool:
        return any(each.type == option for each in decode_options(self._asked.get(Protocol.LCP, (0, b""))[1]))

    def _compression(self) -> dict[str, bool]:
        agreed = {each.type for each in decode_options(self._theirs.get(Protocol.LCP, b""))}
        return {
            "compress_address_control": LcpOption.ADDRESS_CONTROL_FIELD_COMPRESSION in agreed,
            "compress_protocol": LcpOption.PROTOCOL_FIELD_COMPRESSION in agreed,
        }

    # Inside

    def send_inside(self, packet: bytes, *, clear: bool = False) -> bool:
        """Send an inside packet; False when the window was full."""
        protocol, octets = Protocol.IPV4, packet
        if self._encryptor is not None and not clear:
            if self.carriage.full:
                return False  # what is not sent must not be encrypted either
            inner = ppp_frame(
                protocol, packet, compress_address_control=True, compress_protocol=self.script.gre.short_inner_protocol
            )
            protocol, octets = Protocol.MPPE, self._encryptor.encrypt(inner)
        compression = {} if self.script.gre.full_headers else self._compression()
        return self.carriage.send(ppp_frame(protocol, octets, **compression))

    def _take_inside(self, protocol: int, packet: bytes) -> None:
        if protocol == Protocol.IPV4:
            self.heard_inside.append(packet)
            self.send_inside(answer_to(packet))


def answer_to(packet: bytes) -> bytes:
    """Return what the world behind a server answers: an Echo-Reply, or the same packet the other way round."""
    source, destination = (str(IPv4Address(packet[at : at + 4])) for at in (12, 16))
    payload = packet[(packet[0] & 15) * 4 :]
    if packet[9] == 1 and payload[:1] == b"\x08":
        body = b"\0\0\0\0" + payload[4:]
        payload = body[:2] + pcap.checksum(body).to_bytes(2, "big") + body[4:]
    return pcap.ipv4(destination, source, packet[9], payload)


def _mppe_bits(options: bytes) -> int:
    return next(int.from_bytes(each.value, "big") for each in decode_options(options) if each.type == CcpOption.MPPE)


def _key_bits(bits: int) -> int:
    return next(strength for bit, strength in KEY_BITS.items() if bits & bit)

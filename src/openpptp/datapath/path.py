"""One call's packets, both ways: functions in the order a packet meets them.

Outwards: mtu, rate, PPP header, MPPE, sequence number, acknowledgement riding along, GRE. Inwards: place in the
sequence, MPPE, order, inner header, source and rate; control protocols go up. Pure: what is to be done is returned.
"""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network

from openpptp.credentials import Encryption
from openpptp.datapath.bucket import Bucket
from openpptp.datapath.clamp import EXTENSIONS, clamped
from openpptp.datapath.icmp import DONT_FRAGMENT, ICMPV6, fragment, too_big
from openpptp.datapath.mppe import Decryptor, Encryptor, Signal, StatelessDecryptor, decryptor
from openpptp.datapath.seam import Counters, Inside
from openpptp.datapath.window import WINDOW, Place, ReceiveWindow, SendWindow
from openpptp.errors import BadMessage
from openpptp.machine import Deadline
from openpptp.wire import gre
from openpptp.wire.ppp import FIRST_CONTROL_PROTOCOL, Protocol, decode_frame, encode_frame

RECEIVE_LIMIT = 1600  # ours: octets of a PPP frame; Windows sends its MRU and 4 more, some peers 1,500 whatever we say
LINK_LOCAL = bytes.fromhex("fe80000000000000")  # RFC 4291 section 2.5.6: before the interface identifier

_ROUTER_ADVERTISEMENT = 134
_REDIRECT = 137


class Way(Enum):
    """Where octets that leave a path go, or what befell it."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    UP = "up"
    "A control-protocol frame for the link."
    LOST_STEP = "lost step"
    "Ask the peer for a CCP Reset; no octets."
    GAVE_UP = "gave up"
    "Encryption cannot recover: end the session; no octets."


Item = tuple[Way, bytes]

_Packet = tuple[int, int, bytes, bytes, bool]
"Sequence number, protocol, information, whole frame, was it decrypted."


class Path:
    """The packets of one call."""

    def __init__(self, *, receive_window: int = WINDOW, first_sequence: int = 0) -> None:
        self.counters = Counters()
        self._peer_call_id: int | None = None
        self._inside: Inside | None = None
        self._addresses: frozenset[bytes] = frozenset()
        self._networks: tuple[IPv4Network, ...] = ()
        self._rate_in: Bucket | None = None
        self._rate_out: Bucket | None = None
        self._encryptor: Encryptor | None = None
        self._decryptor: Decryptor | None = None
        self._sending = SendWindow(first_sequence)
        self._receiving: ReceiveWindow[_Packet] = ReceiveWindow(self.counters, receive_window)

    # --- what the driver tells

    def connect(self, peer_call_id: int) -> None:
        """Learn the peer's Call ID, which may be 0; until then frames come in, but nothing goes out."""
        self._peer_call_id = peer_call_id

    def interface_up(self, inside: Inside) -> None:
        """Let data flow."""
        self._inside = inside
        self._addresses = frozenset(address.packed for address in inside.allowed_ipv4)
        self._networks = inside.routed_ipv4
        self._rate_in = None if inside.rate_in is None else Bucket(inside.rate_in)
        self._rate_out = None if inside.rate_out is None else Bucket(inside.rate_out)

    def interface_down(self) -> None:
        """Stop data."""
        self._inside = None

    def encryption_up(self, send: Encryption, receive: Encryption) -> None:
        """Install MPPE for both directions."""
        self._encryptor = Encryptor(send)
        self._decryptor = decryptor(receive, self._receiving.highest)

    def encryption_down(self) -> None:
        """Forget the keys."""
        self._encryptor = None
        self._decryptor = None

    def encryption_flush(self) -> None:
        """Make the next packet out one the peer can start again from."""
        if self._encryptor is not None:
            self._encryptor.flush()

    # --- inside to outside

    def encapsulate(self, packet: bytes, now: float) -> list[Item]:
        """Return the GRE packets that carry an inside packet, or the ICMP answer when it is too long."""
        inside = self._inside
        if inside is None or self._peer_call_id is None:
            self.counters.dropped_not_open += 1
            return []
        version = packet[0] >> 4 if packet else 0
        if (_ipv4_length(packet) if version == 4 else _ipv6_length(packet)) is None:
            self.counters.dropped_malformed += 1
            return []
        if version == 6 and inside.peer_identifier is None:
            self.counters.dropped_not_open += 1
            return []
        if self._encryptor is None and inside.encryption_required:
            self.counters.dropped_not_encrypted += 1
            return []
        protocol = Protocol.IPV4 if version == 4 else Protocol.IPV6
        if len(packet) <= inside.mtu:
            return self._data(protocol, packet, inside, now)
        if version == 4 and not (packet[6] << 8) & DONT_FRAGMENT and (pieces := fragment(packet, inside.mtu)):
            return [item for piece in pieces for item in self._data(protocol, piece, inside, now)]
        self.counters.dropped_too_big += 1
        answer = too_big(packet, inside.mtu)
        return [] if answer is None else [(Way.INSIDE, answer)]

    def _data(self, protocol: int, packet: bytes, inside: Inside, now: float) -> list[Item]:
        if self._rate_out is not None and not self._rate_out.take(len(packet), now):
            self.counters.dropped_rate += 1
            return []
        self.counters.packets_out += 1
        self.counters.octets_out += len(packet)
        self.counters.last_out = now
        if inside.clamp_segment_size:
            packet = clamped(packet, inside.mtu)
        if self._encryptor is not None:
            # The inner protocol is written in full, as Windows does: a peer that agreed to PFC may not expect it here.
            packet = self._encryptor.encrypt(encode_frame(protocol, packet, compress_address_control=True))
            protocol = Protocol.MPPE
        frame = encode_frame(
            protocol,
            packet,
            compress_address_control=inside.compress_address_control,
            compress_protocol=inside.compress_protocol,
        )
        return [self._numbered(frame)]

    def encapsulate_frame(self, frame: bytes) -> list[Item]:
        """Return the GRE packet that carries a control-protocol frame, in clear."""
        if self._peer_call_id is None:
            self.counters.dropped_not_open += 1
            return []
        return [self._numbered(frame)]

    def _numbered(self, frame: bytes) -> Item:
        assert self._peer_call_id is not None
        acknowledgement = self._receiving.acknowledgement()
        return Way.OUTSIDE, gre.encode(self._peer_call_id, frame, self._sending.number(), acknowledgement)

    # --- outside to inside

    def decapsulate(self, sequence: int | None, acknowledgement: int | None, payload: bytes, now: float) -> list[Item]:
        """Take what gre.decode gave for one packet of this call; return what follows from it, in order."""
        if acknowledgement is not None:
            self._sending.acknowledged(acknowledgement)  # a wrong one does not make the data wrong
        if sequence is None:
            return []
        place = self._receiving.place(sequence, now)
        if place is Place.DUPLICATE:
            self.counters.dropped_duplicate += 1
            return []
        if place is Place.LATE or place is Place.FAR:
            self.counters.dropped_late += 1
            return []
        items: list[Item] = []
        packet = self._open(sequence, payload, items, now, far=place is Place.RESYNCHRONISED)
        if packet is not None:
            for ready in self._receiving.accept(sequence, packet, now):
                self._deliver(ready, items, now)
            self._acknowledge(items, now)
        return items

    def _open(self, sequence: int, frame: bytes, items: list[Item], now: float, *, far: bool) -> _Packet | None:
        """Read the PPP header, and decrypt if the packet can be decrypted out of order; None when it is not real."""
        if len(frame) > RECEIVE_LIMIT:
            self.counters.dropped_too_big += 1
            return None
        try:
            protocol, information = decode_frame(frame)
        except BadMessage:
            self.counters.dropped_malformed += 1
            return None
        packet = (sequence, protocol, information, frame, False)
        if not isinstance(self._decryptor, StatelessDecryptor):
            return packet
        if protocol == Protocol.MPPE:
            return self._decrypt(packet, items, now, far=far)
        self._decryptor.passed(sequence)
        return packet

    def _decrypt(self, packet: _Packet, items: list[Item], now: float, *, far: bool = False) -> _Packet | None:
        assert self._decryptor is not None
        sequence, _, information, frame, _ = packet
        datagram, signal = self._decryptor.decrypt(information, sequence, now, far=far)
        if signal is Signal.RESET:
            items.append((Way.LOST_STEP, b""))
        elif signal is Signal.GIVE_UP:
            items.append((Way.GAVE_UP, b""))
            self._decryptor = None  # said once; what still comes is not open
        if datagram is None:
            self.counters.dropped_not_decryptable += 1
            return None
        protocol, information = decode_frame(datagram)
        return sequence, protocol, information, frame, True

    def _deliver(self, packet: _Packet, items: list[Item], now: float) -> None:
        """Hand one packet, whose turn it is, to where it belongs."""
        if packet[1] == Protocol.MPPE and self._decryptor is not None and not packet[4]:
            opened = self._decrypt(packet, items, now)
            if opened is None:
                return
            packet = opened
        _, protocol, information, frame, encrypted = packet
        if protocol >= FIRST_CONTROL_PROTOCOL:
            items.append((Way.UP, frame))
        elif protocol not in (Protocol.IPV4, Protocol.IPV6) or self._inside is None:
            self.counters.dropped_not_open += 1
        elif not encrypted and (self._inside.encryption_required or self._encryptor is not None):
            self.counters.dropped_not_encrypted += 1
        else:
            self._deliver_data(protocol, information, self._inside, items, now)

    def _deliver_data(self, protocol: int, packet: bytes, inside: Inside, items: list[Item], now: float) -> None:
        if protocol == Protocol.IPV6 and inside.peer_identifier is None:
            self.counters.dropped_not_open += 1
            return
        length = _ipv4_length(packet) if protocol == Protocol.IPV4 else _ipv6_length(packet)
        if length is None:
            self.counters.dropped_malformed += 1
            return
        packet = packet[:length]
        if self._addresses or self._networks:
            allowed = self._allowed_ipv4(packet) if protocol == Protocol.IPV4 else self._allowed_ipv6(packet, inside)
            if not allowed:
                self.counters.dropped_source += 1
                return
        if self._rate_in is not None and not self._rate_in.take(length, now):
            self.counters.dropped_rate += 1
            return
        self.counters.packets_in += 1
        self.counters.octets_in += length
        self.counters.last_in = now
        items.append((Way.INSIDE, clamped(packet, inside.mtu) if inside.clamp_segment_size else packet))

    def _allowed_ipv4(self, packet: bytes) -> bool:
        """Say whether it comes from one of the peer's addresses or a network behind it."""
        source = packet[12:16]
        return source in self._addresses or any(IPv4Address(source) in network for network in self._networks)

    @staticmethod
    def _allowed_ipv6(packet: bytes, inside: Inside) -> bool:
        """Say whether it comes from the peer's link-local address and does not play the router."""
        assert inside.peer_identifier is not None
        if packet[8:24] != LINK_LOCAL + inside.peer_identifier:
            return False
        header, position = packet[6], 40
        while header in EXTENSIONS and position + 2 <= len(packet):
            header, position = packet[position], position + 8 * (packet[position + 1] + 1)
        is_icmp = header == ICMPV6 and position < len(packet)
        return not (is_icmp and packet[position] in (_ROUTER_ADVERTISEMENT, _REDIRECT))

    # --- time

    @property
    def deadline(self) -> Deadline | None:
        """When tick will next have something to do."""
        return None if self._peer_call_id is None else self._receiving.deadline

    def tick(self, now: float) -> list[Item]:
        """Hand on what was held long enough, send an acknowledgement that can wait no longer."""
        items: list[Item] = []
        for ready in self._receiving.expire(now):
            self._deliver(ready, items, now)
        self._acknowledge(items, now)
        return items

    def _acknowledge(self, items: list[Item], now: float) -> None:
        if self._peer_call_id is not None and self._receiving.acknowledgement_due(now):
            self.counters.acks_sent += 1
            number = self._receiving.acknowledgement()
            items.append((Way.OUTSIDE, gre.encode(self._peer_call_id, acknowledgement=number)))


def _ipv4_length(packet: bytes) -> int | None:
    """Return an IPv4 packet's own length, None when its header is not consistent; the rest is padding."""
    if len(packet) < 20:
        return None
    total = packet[2] << 8 | packet[3]
    return total if packet[0] >> 4 == 4 and 20 <= (packet[0] & 0x0F) * 4 <= total <= len(packet) else None


def _ipv6_length(packet: bytes) -> int | None:
    """Return an IPv6 packet's own length, None when its header is not consistent."""
    if len(packet) < 40:
        return None
    total = 40 + (packet[4] << 8 | packet[5])
    return total if packet[0] >> 4 == 6 and total <= len(packet) else None

"""The decryption oracle: every MPPE frame of real sessions whose password is known, through our own path.

Windows 7 to pptpd (john-lulu) and Windows XP to a Colubris box, recorded on the air with its retries (asleap).
"""

from ipaddress import IPv4Address
from typing import NamedTuple

import pytest
from tests import pcap
from tests.machine import need_captures

from openpptp.credentials import Encryption
from openpptp.crypto import (
    generate_authenticator_response,
    generate_nt_response,
    get_master_key,
    hash_nt_password_hash,
    mschap_v2_start_keys,
    nt_password_hash,
)
from openpptp.datapath.path import Path, Way
from openpptp.datapath.seam import Inside
from openpptp.errors import BadMessage
from openpptp.wire import gre
from openpptp.wire.auth import ChapCode, ChapValue, MsChapV2Response, MsChapV2Success
from openpptp.wire.ppp import Packet, Protocol, decode_frame


class Known(NamedTuple):
    file: str
    password: str
    master_key: str
    frames: int
    "Distinct encrypted frames, as counted by another dissector."


SESSIONS = [
    Known("john-lulu.pcap", "password", "01e3368b81a41d667d97ea8d822bbb4f", 25),
    Known("asleap-pptp.dump", "turquoise", "1793822232ffc3330c9200298f2ce67a", 18),
]


class Session:
    """What one capture holds: the log-in, and each direction's GRE packets as (sequence, acknowledgement, payload)."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.directions: dict[str, list[tuple[int, int | None, bytes]]] = {}
        self.chap: dict[int, bytes] = {}
        self.authenticator = ""
        for packet in pcap.ipv4_packets(need_captures() / known.file):
            if packet.protocol != 47:
                continue
            try:
                _, sequence, acknowledgement, payload = gre.decode(packet.payload)
                protocol, information = decode_frame(payload)
            except BadMessage:
                continue
            assert sequence is not None
            self.directions.setdefault(packet.source, []).append((sequence, acknowledgement, payload))
            if protocol == Protocol.CHAP:
                chap = Packet.decode(information)
                self.chap.setdefault(chap.code, chap.data)
                if chap.code == ChapCode.CHALLENGE:
                    self.authenticator = packet.source
        challenge = ChapValue.decode(self.chap[ChapCode.CHALLENGE])
        answer = ChapValue.decode(self.chap[ChapCode.RESPONSE])
        self.challenge, self.user = challenge.value, answer.name
        self.response = MsChapV2Response.decode(answer.value)
        self.password_hash = nt_password_hash(known.password)
        self.password_hash_hash = hash_nt_password_hash(self.password_hash)

    def keys(self, source: str) -> Encryption:
        """Return what the packets from source are encrypted with."""
        start = mschap_v2_start_keys(
            self.password_hash_hash, self.response.nt_response, authenticator=source == self.authenticator
        )
        return Encryption(start.send, 128, False)


@pytest.fixture(params=SESSIONS, ids=lambda known: known.file)
def session(request) -> Session:
    return Session(request.param)


class OracleTests:
    """P-09."""

    def path(self) -> Path:
        return Path()

    def test_nt_response_authenticator_response_and_master_key_match(self, session):
        response = session.response
        assert response.nt_response == generate_nt_response(
            session.challenge, response.peer_challenge, session.user, session.password_hash
        )
        success = MsChapV2Success.decode(session.chap[ChapCode.SUCCESS])
        assert success.authenticator_response == generate_authenticator_response(
            session.password_hash_hash, response.nt_response, response.peer_challenge, session.challenge, session.user
        )
        assert get_master_key(session.password_hash_hash, response.nt_response).hex() == session.known.master_key

    def test_every_distinct_frame_decrypts_and_each_once(self, session):
        encrypted, inside = 0, []
        for source, packets in session.directions.items():
            path = self.path()
            path.connect(0)
            keys = session.keys(source)
            path.encryption_up(keys, keys)
            path.interface_up(Inside(1500, (), True, True, True))
            encrypted += len({sequence for sequence, _, ppp in packets if decode_frame(ppp)[0] == Protocol.MPPE})
            for number, (sequence, acknowledgement, payload) in enumerate(packets):
                now = number / 10
                items = path.tick(now) + path.decapsulate(sequence, acknowledgement, payload, now)
                inside += [octets for way, octets in items if way is Way.INSIDE]
            inside += [octets for way, octets in path.tick(1e6) if way is Way.INSIDE]
            assert path.counters.dropped_not_decryptable == 0
        assert (encrypted, len(inside)) == (session.known.frames, session.known.frames)
        assert all(pcap.checksum(packet[: (packet[0] & 15) * 4]) == 0 for packet in inside)
        assert all(IPv4Address(packet[12:16]).is_private for packet in inside)

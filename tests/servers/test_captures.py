"""Real servers as they were captured: our client in the place of the captured one.

The server's side is said octet for octet, but for Identifiers, Call IDs and magic numbers of ours that it repeats. Our
client is given the captured client's one random number, its Peer-Challenge; what it then says is compared octet for
octet with what the captured one said.
"""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.eventually import until
from tests.machine import need_captures
from tests.servers.makers import CISCO, COLUBRIS, ENDS, IPCP_GIVES, LCP_AGREES, LCP_KEEPS_FULL_HEADERS, PPTPD, RRAS
from tests.servers.recording import Side, recorded
from tests.servers.script import Script, on
from tests.servers.stage import Stage

from openpptp import crypto
from openpptp.credentials import AuthMethod, Encryption
from openpptp.daemon.client import attempt
from openpptp.datapath.mppe import decryptor
from openpptp.errors import EndReason
from openpptp.wire.auth import ChapCode, MsChapV2Response
from openpptp.wire.control import CallDisconnectNotify, OutgoingCallReply, SetLinkInfo, StartControlConnectionReply
from openpptp.wire.ppp import decode_frame


def as_captured(script: Script, server: Side, **slots: str) -> Script:
    """Return a script that says the captured control messages."""
    start, call = server.message(StartControlConnectionReply), server.message(OutgoingCallReply)
    after = tuple(message for message in server.messages if isinstance(message, SetLinkInfo))
    return replace(script, start=start, call=call, after_call=after, slots=slots)


def of_its_own(lines: list[str]) -> list[str]:
    """Return what a server says unasked; the rest answers Identifiers of the client's."""
    answers = ("ConfAck", "ConfNak", "ConfRej", "TermAck", "CodeRej", "ProtRej")
    return list(dict.fromkeys(line for line in lines if line.split()[1] not in answers))


def opened(client: Side, challenge: bytes, password: str) -> list[bytes]:
    """Return the inside packets of the captured client's encrypted frames."""
    response = MsChapV2Response.decode(client.chap(ChapCode.RESPONSE).value)
    hash_hash = crypto.hash_nt_password_hash(crypto.nt_password_hash(password))
    keys = crypto.mschap_v2_start_keys(hash_hash, response.nt_response, authenticator=True)
    reader = decryptor(Encryption(keys.receive, 128, stateful=False))
    packets = []
    for number, frame in enumerate(client.data):
        datagram, _ = reader.decrypt(decode_frame(frame)[1], number, 0.0)
        assert datagram is not None
        packets.append(decode_frame(datagram)[1])
    return packets


@pytest.fixture
def draws(monkeypatch):
    """A function that makes our client draw some octets whenever it draws as many."""
    urandom = attempt.os.urandom

    def seed(octets: bytes) -> None:
        drawn = SimpleNamespace(urandom=lambda size: octets if size == len(octets) else urandom(size))
        monkeypatch.setattr(attempt, "os", drawn)

    return seed


class SessionTests:
    """Whole sessions with MS-CHAPv2 and MPPE."""

    @pytest.mark.parametrize(
        ("file", "script", "user", "password", "count"),
        [
            ("john-lulu.pcap", PPTPD, "lulu", "password", 25),
            ("asleap-pptp.dump", COLUBRIS, "scott", "turquoise", 18),
        ],
        ids=["pptpd with a Windows 7", "Colubris with a Windows XP"],
    )
    async def test_our_client_proves_itself_and_encrypts_as_the_captured_one_did(
        self, stage: Stage, draws, file, script, user, password, count
    ):
        server_side, client_side = recorded(need_captures() / file)
        challenge = server_side.chap(ChapCode.CHALLENGE).value
        response = client_side.chap(ChapCode.RESPONSE)
        draws(response.value[:16])  # the Peer-Challenge
        script = as_captured(script, server_side, challenge=challenge.hex())
        script = replace(script, address=given_address(server_side))
        server = await stage.serve(script, user=user, password=password)
        await stage.connect(user=user, password=password)

        assert set(of_its_own(server.said)) == set(of_its_own(server_side.lines))
        (answered,) = [line for line in server.heard if "CHAP Response" in line]
        assert answered in client_side.lines
        packets = opened(client_side, challenge, password)
        assert len(packets) == count
        for packet in packets:
            stage.place.systems[0].send(packet)
        await until(lambda: len(server.heard_data) == count)
        assert server.heard_data == client_side.data
        assert server.heard_inside == [packet for packet in packets if packet[0] >> 4 == 4]

    async def test_cisco_with_an_ixia_that_logs_in_with_pap_and_encrypts_nothing(self, stage: Stage, draws):
        server_side, client_side = recorded(need_captures() / "packetlife-pptp-negotiation.cap")
        rules = (
            on("call", "[LCP ConfReq id=0x1 <auth pap> <magic 0xf3f117c>]"),
            LCP_KEEPS_FULL_HEADERS,
            LCP_AGREES,
            on(
                '[PAP AuthReq id={id} user="ixia" password="ixia"]',
                '[PAP AuthAck id=0x0 ""]',
                "[IPCP ConfReq id=0x1 <addr 17.1.1.118>]",
            ),
            *IPCP_GIVES,
            *ENDS,
        )
        server = await stage.serve(replace(as_captured(CISCO, server_side), rules=rules), user="ixia")
        how = {"user": "ixia", "password": "ixia", "methods": (AuthMethod.PAP,), "encryption": "off"}
        draws(bytes(1))  # PAP's first Identifier
        await stage.connect(**how)
        assert '[PAP AuthReq id=0x0 user="ixia" password="ixia"]' in client_side.lines
        assert '[PAP AuthReq id=0x0 user="ixia" password="ixia"]' in server.heard
        said = [line for line in of_its_own(server.said) if "IP data" not in line]
        assert said == [line for line in of_its_own(server_side.lines) if "IP data" not in line]
        (ping,) = [decode_frame(frame)[1] for frame in client_side.data]
        stage.place.systems[0].send(ping)
        await until(lambda: server.heard_data)
        assert server.heard_data == client_side.data, "FF 03 and all"
        (pong,) = [decode_frame(frame)[1] for frame in server_side.data]
        server.send_inside(pong)
        arrived: list[bytes] = []
        await until(lambda: arrived.extend(stage.place.systems[0].receive()) or pong in arrived)


def given_address(server: Side) -> str:
    """Return the address a server gave its client."""
    (line,) = [line for line in server.lines if line.startswith("[IPCP ConfNak")]
    return line.partition("<addr ")[2].partition(">")[0]


class CallTests:
    """Control connections alone: the link is that of the script."""

    async def test_rras_behind_an_address_translator_hangs_up_as_it_did(self, stage: Stage):
        server_side, _ = recorded(need_captures() / "ndpi-pptp.pcap")
        server = await stage.serve(as_captured(RRAS, server_side))
        await stage.connect()
        assert stage.place.client.state.server_vendor == "Microsoft"
        await stage.carry()
        server.say(server_side.message(CallDisconnectNotify))
        assert await stage.end() == (EndReason.PEER_REQUEST, "the peer ended the call")

    async def test_the_first_pptpd_with_call_id_0(self, stage: Stage):
        server_side, _ = recorded(need_captures() / "tcpdump-pptp.pcap")
        await stage.serve(as_captured(PPTPD, server_side))
        await stage.connect()
        await stage.carry()

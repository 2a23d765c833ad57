"""Real traffic of other systems: nothing in it makes a decoder raise anything but BadMessage."""

from collections import Counter
from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from tests import pcap
from tests.machine import CAPTURES, need_captures
from tests.notation import describe

from openpptp.errors import BadMessage
from openpptp.wire import gre
from openpptp.wire.auth import (
    ChapValue,
    MsChapFailure,
    MsChapV1Response,
    MsChapV2Response,
    MsChapV2Success,
    PapReply,
    PapRequest,
)
from openpptp.wire.control import ControlStream, OutgoingCallRequest, decode
from openpptp.wire.hdlc import Decoder
from openpptp.wire.notation import describe_frame
from openpptp.wire.ppp import Code, Packet, Protocol, decode_frame, decode_options, encode_frame
from openpptp.wire.pppoe import Discovery, decode_session

FILES = sorted(path.name for path in CAPTURES.glob("*") if path.suffix != ".md") or ["none"]
DECODERS = [
    decode,
    gre.decode,
    decode_frame,
    Packet.decode,
    decode_options,
    ChapValue.decode,
    MsChapV1Response.decode,
    MsChapV2Response.decode,
    MsChapV2Success.decode,
    MsChapFailure.decode,
    PapRequest.decode,
    PapReply.decode,
    Discovery.decode,
    decode_session,
]
each_file = pytest.mark.parametrize("name", FILES)


def ppp_frames(path):
    """Yield every PPP frame of a file, from enhanced GRE, PPPoE or bare."""
    for layer in pcap.layers(path):
        with suppress(BadMessage):
            if layer.kind == "ppp":
                yield layer.data
            elif layer.kind == "pppoe-session":
                yield decode_session(layer.data)[1]
    for packet in pcap.ipv4_packets(path):
        if packet.protocol == 47:
            with suppress(BadMessage):
                payload = gre.decode(packet.payload)[3]
                if payload:
                    yield payload


def control_messages(path):
    """Return all control messages of a file, by the end that sent them."""
    messages = []
    for octets in pcap.tcp_streams(path, 1723).values():
        messages += ControlStream().feed(octets)
    return messages


class EveryFileTests:
    """Each packet to each decoder, cut at every layer."""

    @each_file
    def test_b061_nothing_but_bad_message_is_raised(self, name):
        for packet in pcap.read(need_captures() / name):
            data = packet.data
            for start in (0, 4, 14, 20, 24, 34, 42, 50, 54):
                for decoder in DECODERS:
                    with suppress(BadMessage):
                        decoder(data[start:])
                assert describe_frame(data[start:]).isascii()
                assert describe(data[start:]).isascii()

    @each_file
    def test_b006_control_stream_and_hdlc_decoder_survive_the_whole_file(self, name):
        octets = (need_captures() / name).read_bytes()
        with suppress(BadMessage):
            ControlStream().feed(octets)
        Decoder().feed(octets)

    @each_file
    def test_every_control_message_has_only_the_octets_we_would_send(self, name):
        for octets in pcap.tcp_streams(need_captures() / name, 1723).values():
            messages = ControlStream().feed(octets)
            assert sum(message.size() for message in messages) == len(octets)
            assert all(decode(message.encode()) == message for message in messages)
            assert all(str(message).isascii() for message in messages)

    @each_file
    def test_every_configure_packet_is_written_as_it_was_read(self, name):
        for frame in ppp_frames(need_captures() / name):
            with suppress(BadMessage):
                protocol, information = decode_frame(frame)
                packet = Packet.decode(information)
                assert information.startswith(packet.encode())
                rewritten = encode_frame(protocol, information, compress_address_control=frame[:2] != b"\xff\x03")
                assert rewritten.endswith(frame[-len(information) - 1 :])


class CountTests:
    """As many messages and packets as the captures' description says, by tshark's count."""

    @pytest.mark.parametrize(
        ("name", "messages"),
        [
            ("john-lulu.pcap", 6),
            ("asleap-pptp.dump", 6),
            ("packetlife-pptp-negotiation.cap", 4),
            ("ndpi-pptp.pcap", 8),
            ("tcpdump-pptp.pcap", 5),
        ],
    )
    def test_control_messages(self, name, messages):
        assert len(control_messages(need_captures() / name)) == messages

    @pytest.mark.parametrize(
        ("name", "accepted", "refused"),
        [
            ("john-lulu.pcap", 69, 0),
            ("asleap-pptp.dump", 75, 0),
            ("packetlife-pptp-negotiation.cap", 17, 0),
            ("tcpdump-pptp.pcap", 1, 0),
            ("chapcrack-pptp.cap", 3, 0),
            ("zeek-gre-pptp.pcap", 2, 0),
            ("pcpp-grepackets.pcap", 3, 4),
            ("ndpi-gre.pcapng", 1, 0),
            ("suricata-gre0-ppp-frag.pcap", 0, 1024),
        ],
    )
    def test_b044_enhanced_gre_is_told_from_other_gre(self, name, accepted, refused):
        count = Counter()
        for packet in pcap.ipv4_packets(need_captures() / name):
            if packet.protocol == 47:
                try:
                    gre.decode(packet.payload)
                except BadMessage:
                    count["refused"] += 1
                else:
                    count["accepted"] += 1
        assert (count["accepted"], count["refused"]) == (accepted, refused)

    def test_protocols_of_a_windows_7_session(self):
        count = Counter(decode_frame(frame)[0] for frame in ppp_frames(need_captures() / "john-lulu.pcap"))
        expected = {Protocol.LCP: 13, Protocol.CHAP: 3, Protocol.CCP: 4, Protocol.IPV6CP: 1, Protocol.IPCP: 10}
        assert {protocol: count[protocol] for protocol in expected} == expected
        assert count[Protocol.MPPE] == 25


class KnownFactTests:
    """What the quirks say about single packets of these files."""

    def lines(self, name):
        return [describe(frame) for frame in ppp_frames(need_captures() / name)]

    def test_windows_7_asks_for_callback_and_mru_1400(self):
        first = next(line for line in self.lines("john-lulu.pcap") if "<callback CBCP>" in line)
        assert first.startswith("[LCP ConfReq id=0x0 <mru 1400> <magic 0x")
        assert first.endswith("<pcomp> <accomp> <callback CBCP>]")

    def test_q80_windows_asks_dns_and_wins_alternating(self):
        wanted = "<addr 0.0.0.0> <ms-dns1 0.0.0.0> <ms-wins 0.0.0.0> <ms-dns2 0.0.0.0> <ms-wins2 0.0.0.0>"
        assert any(wanted in line for line in self.lines("john-lulu.pcap"))

    def test_q43_windows_identifies_itself(self):
        assert any('"MSRASV5.20"' in line for line in self.lines("john-lulu.pcap"))

    def test_b083_success_of_pppd_and_of_colubris_are_read(self):
        for name, message in (("john-lulu.pcap", "Access granted"), ("asleap-pptp.dump", "")):
            success = []
            for frame in ppp_frames(need_captures() / name):
                protocol, information = decode_frame(frame)
                if protocol == Protocol.CHAP and information[0] == 3:
                    success.append(MsChapV2Success.decode(Packet.decode(information).data))
            assert {s.message for s in success} == {message}

    def test_the_response_is_hidden_and_the_name_is_not(self):
        lines = [describe_frame(frame) for frame in ppp_frames(need_captures() / "john-lulu.pcap")]
        (response,) = [line for line in lines if line.startswith("[CHAP Response")]
        assert response.endswith('<hidden>, name = "lulu"]')

    def test_b027_uninitialised_memory_in_a_vendor_name_is_printable(self):
        (request,) = [
            m for m in control_messages(need_captures() / "asleap-pptp.dump") if "Connection-Request" in str(m)
        ]
        assert request.vendor_name.startswith("\x7f\xb2k")
        assert 'vendor-name="\\x7f\\xb2k' in str(request)
        assert str(request).isprintable()

    def test_windows_sends_the_call_request_the_quirks_describe(self):
        requests = [
            m for m in control_messages(need_captures() / "john-lulu.pcap") if isinstance(m, OutgoingCallRequest)
        ]
        (request,) = requests
        assert (request.minimum_bps, request.maximum_bps, request.packet_receive_window_size) == (300, 100_000_000, 64)
        assert (request.bearer_type, request.framing_type, request.phone_number) == (3, 3, "")

    def test_q21_cisco_acknowledges_what_was_never_sent(self):
        decoded = [
            gre.decode(packet.payload)
            for packet in pcap.ipv4_packets(need_captures() / "packetlife-pptp-negotiation.cap")
            if packet.protocol == 47
        ]
        assert any(acknowledgement == 0xFFFFFFFF for _, _, acknowledgement, _ in decoded)

    def test_ipv6cp_over_pppoe(self):
        lines = self.lines("zeek-pppoe-dualstack.pcap")
        assert sum(line.startswith("[LCP") for line in lines) == 24
        assert sum(line.startswith("[IPCP") for line in lines) == 6
        assert sum(line.startswith("[IPV6CP") for line in lines) == 4

    def test_an_eap_md5_response_is_hidden(self):
        lines = [describe_frame(frame) for frame in ppp_frames(need_captures() / "packetlife-ppp-eap.cap")]
        assert any("MD5-Challenge <Value hidden>" in line for line in lines)
        assert all(
            "MD5-Challenge <Value hidden>" in line for line in lines if "[EAP Response" in line and "MD5" in line
        )

    def test_ipcp_addresses_are_addresses(self):
        for frame in ppp_frames(need_captures() / "john-lulu.pcap"):
            protocol, information = decode_frame(frame)
            packet = Packet.decode(information) if protocol == Protocol.IPCP else None
            if packet and packet.code == Code.CONFIGURE_ACK:
                for option in decode_options(packet.data):
                    if option.type == 3:
                        assert IPv4Address(option.value).is_private

"""What we encode, judged by tshark."""

import pytest
from tests.notation import frame
from tests.pcap import ipv4, tcp_conversation, write
from tests.tshark import fields, judge
from tests.wire.samples import FRAMES, MESSAGES

from openpptp.wire import gre
from openpptp.wire.control import (
    CallDisconnectNotify,
    IncomingCallRequest,
    OutgoingCallReply,
    OutgoingCallRequest,
    StartControlConnectionRequest,
)

CLIENT, SERVER = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def control_capture(tmp_path):
    """All fifteen messages on one connection: one segment each, then all of them in one segment."""
    each = [message.encode() for message, _, _ in MESSAGES]
    turns = [(number % 2 == 0, octets) for number, octets in enumerate(each)]
    return write(tmp_path / "control.pcap", tcp_conversation([*turns, (True, b"".join(each[:3]))]))


def gre_capture(path, packets):
    return write(path, [ipv4(CLIENT, SERVER, 47, packet) for packet in packets])


class ControlMessageTests:
    """2. Control Connection Protocol Specification."""

    def test_b015_tshark_finds_nothing_wrong_with_any_message(self, control_capture):
        assert judge(control_capture) == []

    def test_b015_tshark_names_every_message_type_and_length(self, control_capture):
        rows = fields(control_capture, "pptp", "pptp.control_message_type", "pptp.length", "pptp.reserved")
        expected = [(str(message.TYPE.value), str(size)) for message, size, _ in MESSAGES]
        assert [row[:2] for row in rows[:15]] == expected
        assert all(set(row[2].split(",")) <= {"0000", "00"} for row in rows)

    def test_tshark_reads_the_values_that_were_encoded(self, control_capture):
        (request,) = fields(
            control_capture,
            "pptp.control_message_type == 7",
            "pptp.call_id",
            "pptp.call_serial_number",
            "pptp.minimum_bps",
            "pptp.maximum_bps",
            "pptp.packet_receive_window_size",
            "pptp.phone_number_length",
            "pptp.phone_number",
        )
        message = next(m for m, _, _ in MESSAGES if isinstance(m, OutgoingCallRequest))
        assert request == (
            str(message.call_id),
            str(message.call_serial_number),
            str(message.minimum_bps),
            str(message.maximum_bps),
            str(message.packet_receive_window_size),
            "7",
            message.phone_number,
        )

    def test_tshark_reads_call_ids_of_a_reply(self, control_capture):
        message = next(m for m, _, _ in MESSAGES if isinstance(m, OutgoingCallReply))
        (row,) = fields(
            control_capture,
            "pptp.control_message_type == 8",
            "pptp.call_id",
            "pptp.peer_call_id",
            "pptp.connect_speed",
            "pptp.physical_channel_id",
        )
        assert row == tuple(
            str(value)
            for value in (message.call_id, message.peer_call_id, message.connect_speed, message.physical_channel_id)
        )

    def test_tshark_reads_names_and_statistics(self, control_capture):
        start = next(m for m, _, _ in MESSAGES if isinstance(m, StartControlConnectionRequest))
        names = fields(control_capture, "pptp.control_message_type == 1", "pptp.host_name", "pptp.vendor_name")
        assert names[0] == (start.host_name, start.vendor_name)
        notify = next(m for m, _, _ in MESSAGES if isinstance(m, CallDisconnectNotify))
        (row,) = fields(
            control_capture, "pptp.control_message_type == 13", "pptp.disc_result", "pptp.cause", "pptp.call_Statistics"
        )
        assert row == (str(int(notify.result_code)), str(notify.cause_code), notify.call_statistics)

    def test_tshark_reads_the_numbers_of_an_incoming_call(self, control_capture):
        message = next(m for m, _, _ in MESSAGES if isinstance(m, IncomingCallRequest))
        (row,) = fields(
            control_capture,
            "pptp.control_message_type == 9",
            "pptp.dialed_number",
            "pptp.dialing_number",
            "pptp.subaddress",
        )
        assert row == (message.dialed_number, message.dialing_number, "sub")


SHAPES = [
    (gre.encode(0x1234), 8, "", ""),
    (gre.encode(0x1234, acknowledgement=7), 12, "", "7"),
    (gre.encode(0x1234, frame("[LCP EchoReq id=0x1 magic=0x1]"), sequence=0), 12, "0", ""),
    (
        gre.encode(0x1234, frame("[LCP EchoReq id=0x1 magic=0x1]"), 4294967295, 4294967294),
        16,
        "4294967295",
        "4294967294",
    ),
]


class EnhancedGreTests:
    """4.1. Enhanced GRE header."""

    def test_tshark_reads_all_four_header_shapes(self, tmp_path):
        path = gre_capture(tmp_path / "gre.pcap", [packet for packet, _, _, _ in SHAPES])
        assert judge(path) == []
        rows = fields(
            path,
            "gre",
            "gre.flags.version",
            "gre.proto",
            "gre.key.call_id",
            "gre.key.payload_length",
            "gre.sequence_number",
            "gre.ack_number",
        )
        assert rows == [
            ("1", "0x880b", "4660", str(len(packet) - header), sequence, acknowledgement)
            for packet, header, sequence, acknowledgement in SHAPES
        ]


class PppTests:
    """RFC 1661 section 5 and the protocols above it, inside GRE."""

    def write(self, path, lines):
        return gre_capture(path, [gre.encode(1, frame(line), number) for number, line in enumerate(lines)])

    def test_tshark_finds_nothing_wrong_with_any_frame(self, tmp_path):
        # tshark 4.0 runs off the end of a Quality-Protocol option with a reporting period, although its Length of 8
        # is what RFC 1333 section 2.2 says. We never send one.
        frames = [line for line in FRAMES if "<quality lqr" not in line]
        assert judge(self.write(tmp_path / "ppp.pcap", frames)) == []

    def test_tshark_reads_lcp_options(self, tmp_path):
        path = self.write(tmp_path / "lcp.pcap", FRAMES[:1])
        names = ("ppp.code", "ppp.identifier", "lcp.opt.mru", "lcp.opt.asyncmap", "lcp.opt.auth_protocol")
        names += ("lcp.opt.algorithm", "lcp.opt.magic_number", "lcp.opt.type")
        assert fields(path, "lcp", *names) == [
            ("1", "1", "1400", "0x00000000", "0xc223", "129", "0x01020304", "1,2,3,5,7,8")
        ]

    def test_tshark_reads_mppe_bits(self, tmp_path):
        path = self.write(tmp_path / "ccp.pcap", ["[CCP ConfReq id=0x1 <mppe +H -M +S -L -D -C>]"])
        assert fields(path, "ccp", "ccp.opt.supported_bits") == [("0x01000040",)]

    def test_tshark_reads_ipcp_addresses(self, tmp_path):
        line = "[IPCP ConfNak id=0x1 <addr 10.1.2.3> <ms-dns1 10.0.0.1> <ms-wins 10.0.0.2> <ms-dns2 10.0.0.3>]"
        path = self.write(tmp_path / "ipcp.pcap", [line])
        names = (
            "ipcp.opt.ip_address",
            "ipcp.opt.pri_dns_address",
            "ipcp.opt.pri_nbns_address",
            "ipcp.opt.sec_dns_address",
        )
        assert fields(path, "ipcp", *names) == [("10.1.2.3", "10.0.0.1", "10.0.0.2", "10.0.0.3")]

    def test_tshark_reads_chap_and_pap(self, tmp_path):
        path = self.write(tmp_path / "auth.pcap", [line for line in FRAMES if line[:5] in ("[CHAP", "[PAP ")])
        rows = fields(path, "chap.code == 1 || chap.code == 2", "chap.value_size", "chap.value", "chap.name")
        assert rows == [
            ("16", "000102030405060708090a0b0c0d0e0f", "pptpd"),
            ("49", "1f" * 49, "DOM\\user"),
        ]
        assert fields(path, "pap.peer_id", "pap.peer_id", "pap.password") == [("bob", "secret")]


class JudgeTests:
    """The judge itself must be able to condemn."""

    def test_a_wrong_message_length_is_found(self, tmp_path):
        cut = MESSAGES[0][0].encode()[:40].replace(b"\x00\x9c", b"\x00\x28")
        path = write(tmp_path / "bad.pcap", tcp_conversation([(True, cut)]))
        assert judge(path)

    def test_an_option_beyond_its_packet_is_found(self, tmp_path):
        packet = bytearray(frame("[LCP ConfReq id=0x1 <mru 1400>]"))
        packet[9] = 40
        assert judge(gre_capture(tmp_path / "bad.pcap", [gre.encode(1, bytes(packet), 0)]))

import subprocess
from io import BytesIO
from ipaddress import IPv4Address

import pytest
from tests.machine import need_programs
from tests.net.packets import checksum, udp

from openpptp.net.memory import gre_pair, tun_pair
from openpptp.net.pcap import CaptureFile, Direction, TracedGrePort, TracedTun, ipv4_packet
from openpptp.net.ports import Datagram

ONE, OTHER = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
# Enhanced GRE with sequence and acknowledgement around an LCP Echo-Request (RFC 2637 section 4.1).
ECHO = bytes.fromhex("3081880b000c00070000000100000000ff03c0210901000801020304")
FIELDS = ("frame.interface_name", "frame.packet_flags_direction", "ip.src", "ip.dst", "frame.len")
CLOCK = 1_800_000_000.25


def tshark(path, *fields):
    need_programs("tshark")
    command = ["tshark", "-r", path, "-T", "fields", *(part for field in fields for part in ("-e", field))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.fixture
def path(tmp_path):
    """A trace of one question and answer through both kinds of ports."""
    path = tmp_path / "trace.pcapng"
    capture = CaptureFile(path.open("wb"))
    one, other, _ = gre_pair(ONE, OTHER)
    device, system = tun_pair("inside")
    traced, tun = TracedGrePort(one, capture, lambda: CLOCK), TracedTun(device, capture, lambda: CLOCK + 1)
    assert (tun.name, traced.fileno(), tun.fileno()) == ("inside", one.fileno(), device.fileno())
    assert traced.send(ECHO, int(OTHER), int(ONE))
    assert other.receive() == [Datagram(ECHO, int(ONE), int(OTHER))]
    other.send(ECHO, int(ONE), int(OTHER))
    assert traced.receive() == [Datagram(ECHO, int(OTHER), int(ONE))]
    assert tun.send(udp("10.0.0.1", "10.0.0.2", 40000, 40001, b"abc"))
    system.send(udp("10.0.0.2", "10.0.0.1", 40001, 40000, b"abcd"))
    assert len(tun.receive()) == 1
    assert not traced.send(ECHO, int(OTHER), 99)  # not taken, so not written
    for each in (traced, tun, capture, other, system):
        each.close()
    return path


class TsharkTests:
    """tshark is the judge."""

    def test_it_reads_what_was_written(self, path):
        assert tshark(path, *FIELDS) == [
            ["gre", "0x00000002", "192.0.2.1", "192.0.2.2", "48"],
            ["gre", "0x00000001", "192.0.2.2", "192.0.2.1", "48"],
            ["inside", "0x00000001", "10.0.0.1", "10.0.0.2", "31"],
            ["inside", "0x00000002", "10.0.0.2", "10.0.0.1", "32"],
        ]

    def test_it_dissects_gre_and_ppp_and_finds_nothing_malformed(self, path):
        found = tshark(path, "gre.key.call_id", "gre.sequence_number", "ppp.code", "_ws.malformed", "_ws.expert")
        assert found[0] == ["7", "1", "9", "", ""]
        assert all(each[3:] == ["", ""] for each in found)

    def test_the_time_is_the_one_passed_in(self, path):
        assert [each[0] for each in tshark(path, "frame.time_epoch")][1:3] == [
            "1800000000.250000000",
            "1800000001.250000000",
        ]


class CaptureFileTests:
    """The file itself."""

    def test_it_ends_at_its_limit_with_whole_blocks(self):
        file = BytesIO()
        capture = CaptureFile(file, octet_limit=300)
        interface = capture.interface("a")
        for _ in range(10):
            capture.packet(interface, bytes(50), CLOCK, Direction.IN)
        assert capture.full
        data, blocks = file.getvalue(), 0
        assert len(data) <= 300
        while data:
            length = int.from_bytes(data[4:8], "little")
            assert length % 4 == 0
            assert data[length - 4 : length] == data[4:8]
            data, blocks = data[length:], blocks + 1
        assert blocks == 4


class HeaderTests:
    """The IPv4 header that is made up around GRE."""

    @pytest.mark.parametrize("source", [0, 0x7F000001, 0xFFFFFFFF])
    def test_its_checksum_is_right(self, source):
        packet = ipv4_packet(Datagram(b"abc", source, int(OTHER)))
        assert checksum(packet[:20]) == 0
        assert packet[9] == 47
        assert packet[2:4] == b"\x00\x17"

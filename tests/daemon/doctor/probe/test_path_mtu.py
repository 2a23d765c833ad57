"""Echoes of growing length."""

from ipaddress import IPv4Address

import pytest

from openpptp.daemon.doctor.probe.path_mtu import Echoes, boundary, first_lengths, lengths_between
from openpptp.net.error_queue import IcmpError
from openpptp.wire.ppp import Code, Packet, Protocol, decode_frame, encode_frame

ROUTER = IPv4Address("192.168.1.1")


def answer(request: bytes) -> bytes:
    """Return the reply a server gives."""
    packet = Packet.decode(decode_frame(request)[1])
    return encode_frame(Protocol.LCP, Packet(Code.ECHO_REPLY, packet.identifier, b"abcd" + packet.data[4:]).encode())


class EchoesTests:
    @pytest.mark.parametrize("length", [100, 576, 1440, 1500])
    def test_a_packet_has_the_length_asked_for_with_an_acknowledgement(self, length):
        _, frame = Echoes().request(length)
        assert 20 + 16 + len(frame) == length

    def test_an_answered_one_tells_its_length_and_time(self):
        echoes = Echoes()
        identifier, frame = echoes.request(1440)
        echoes.frame_sent(frame, 1420, 5.0, taken=True)
        assert echoes.answered(identifier) is None
        echoes.frame_received(answer(frame), 5.5)
        echoes.frame_received(answer(frame), 9.0)
        echo = echoes.answered(identifier)
        assert (echo.length, echo.answered_after) == (1440, 0.5)

    def test_one_the_system_did_not_take_is_never_answered(self):
        echoes = Echoes()
        identifier, frame = echoes.request(1500)
        echoes.frame_sent(frame, 1480, 5.0, taken=False)
        echoes.frame_received(answer(frame), 5.5)
        assert echoes.answered(identifier) is None

    def test_other_frames_are_none_of_its_business(self):
        echoes = Echoes()
        for octets in (b"", b"\xff", b"\x00\x21abc", b"\xc0\x21\x0a"):
            echoes.frame_sent(octets, 100, 5.0, taken=True)
            echoes.frame_received(octets, 5.0)

    def test_identifiers_are_each_used_once_in_a_row(self):
        echoes = Echoes()
        identifiers = [echoes.request(100)[0] for _ in range(255)]
        assert sorted(identifiers) == list(range(1, 256))

    def test_the_narrowest_link_that_is_told_of_counts(self):
        echoes = Echoes()
        for error in (IcmpError(3, 13, ROUTER), IcmpError(3, 4, ROUTER, 1400), IcmpError(3, 4, ROUTER, 1300)):
            echoes.icmp_received(error)
        echoes.icmp_received(IcmpError(3, 4, ROUTER, 1450))
        assert echoes.told == (1300, ROUTER)


class LengthsTests:
    def test_the_limit_is_among_the_first(self):
        assert first_lengths(1440) == [576, 1280, 1360, 1400, 1420, 1440]
        assert first_lengths(1300) == [576, 1280, 1300]

    def test_those_between_come_nearer(self):
        assert lengths_between(1280, 1360) == [1291, 1302, 1313, 1324, 1335, 1346]
        assert lengths_between(1400, 1403) == [1401, 1402]

    def test_the_boundary(self):
        tried = [576, 1280, 1360, 1440]
        assert boundary([576, 1280], tried) == (1280, 1360)
        assert boundary(tried, tried) == (1440, None)
        assert boundary([1440], tried) == (1440, None), "a packet may be lost for no reason"
        assert boundary([], tried) == (0, 576)

import contextlib
import errno
import os
import socket
from ipaddress import IPv4Interface

import pytest
from tests.net.packets import powerless, udp

from openpptp.errors import SetupError
from openpptp.net import tun as tun_module
from openpptp.net.links import Links
from openpptp.net.tun import Tun

UDP_SEGMENT = 103  # linux/udp.h


@pytest.fixture
def tun(alone):
    tun = Tun("inside")
    links = Links()
    links.device_up("inside", address=IPv4Interface("10.88.0.1/24"), mtu=1400)
    links.close()
    yield tun
    tun.close()


@pytest.mark.root
class RoundTripTests:
    """Whole IP packets, without any header before them."""

    def test_what_the_system_sends_to_the_inside_is_received(self, tun):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
            program.sendto(b"hello", ("10.88.0.2", 7))
        (packet,) = tun.receive()
        assert packet[0] == 0x45
        assert packet[12:20] == bytes([10, 88, 0, 1, 10, 88, 0, 2])
        assert packet.endswith(b"hello")

    def test_what_is_sent_reaches_a_program_and_its_answer_comes_back(self, tun):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
            program.settimeout(5)
            program.bind(("10.88.0.1", 7))
            assert tun.send(udp("10.88.0.9", "10.88.0.1", 999, 7, b"question"))
            assert program.recvfrom(100) == (b"question", ("10.88.0.9", 999))
            program.sendto(b"answer", ("10.88.0.9", 999))
        assert [packet[-6:] for packet in tun.receive()] == [b"answer"]

    def test_a_batch_keeps_to_its_limit_and_leaves_the_rest(self, tun):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
            for index in range(5):
                program.sendto(bytes([index]), ("10.88.0.2", 7))
        assert [packet[-1] for packet in tun.receive(3)] == [0, 1, 2]
        assert [packet[-1] for packet in tun.receive(3)] == [3, 4]
        assert tun.receive() == []

    def test_the_device_goes_when_it_is_closed(self, alone):
        tun = Tun("inside")
        assert "inside" in alone.run("ip", "-br", "link").stdout
        tun.close()
        tun.close()
        assert "inside" not in alone.run("ip", "-br", "link").stdout


@pytest.mark.root
class FaultTests:
    """A device that is down, deleted, or fed with what is no packet."""

    def test_a_device_that_is_down_takes_nothing(self, alone):
        tun = Tun("inside")
        assert not tun.send(udp("10.0.0.1", "10.0.0.2", 1, 2, b""))
        assert tun.unsent == {"EIO": 1}
        tun.close()

    @pytest.mark.parametrize("packet", [b"", b"\x00", b"\xff" * 40], ids=["empty", "one octet", "no version"])
    def test_what_is_no_packet_is_counted(self, tun, packet):
        assert not tun.send(packet)
        assert tun.unsent == {"EINVAL": 1}

    def test_b142_a_device_deleted_under_us_says_so(self, tun, alone):
        alone.ip("link del inside")
        assert tun.receive() == []
        assert tun.gone
        assert not tun.send(udp("10.0.0.1", "10.0.0.2", 1, 2, b""))

    def test_a_closed_device_is_our_own_mistake(self, alone):
        tun = Tun("inside")
        tun.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            tun.send(b"E" * 20)


@pytest.mark.root
class EngineTests:
    """What only the engine asks for: a header that tells of large segments, and several queues."""

    def test_with_offload_a_header_says_how_to_cut(self, alone):
        tun, links = Tun("inside", offload=True), Links()
        links.device_up("inside", address=IPv4Interface("10.88.0.1/24"), mtu=1400)
        links.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
            program.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
            program.sendto(bytes(5000), ("10.88.0.2", 7))
        frames = tun.receive()
        # One large segment where the kernel knows those of UDP, else cut by it.
        kinds = [frame[1] for frame in frames]
        assert kinds == ([5] if tun.merges_udp else [0] * 5)
        assert all(frame[10] == 0x45 for frame in frames)
        tun.close()

    def test_without_offload_for_udp_tcp_is_still_offered(self, alone, monkeypatch):
        asked = []

        def ioctl(file, request, argument):
            if request == tun_module.TUNSETOFFLOAD:
                asked.append(argument)
                if argument & tun_module.LARGE_UDP:
                    raise OSError(errno.EINVAL, "unknown")
            return real(file, request, argument)

        real = tun_module.fcntl.ioctl
        monkeypatch.setattr(tun_module.fcntl, "ioctl", ioctl)
        tun = Tun("inside", offload=True)
        assert not tun.merges_udp
        tun.close()
        assert asked == [tun_module.LARGE_TCP | tun_module.LARGE_UDP, tun_module.LARGE_TCP]

    def test_queues_share_the_flows(self, alone):
        tun, links = Tun("inside", queues=3), Links()
        links.device_up("inside", address=IPv4Interface("10.88.0.1/24"), mtu=1400)
        links.close()
        assert len(set(tun.filenos)) == 3
        assert tun.fileno() == tun.filenos[0]
        for port in range(60):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
                program.sendto(b"", ("10.88.0.2", 7 + port))
        arrived = []
        for file in tun.filenos:
            with contextlib.suppress(BlockingIOError):
                while os.read(file, 2000):
                    arrived.append(file)
        assert len(arrived) == 60
        assert len(set(arrived)) > 1
        tun.close()
        assert tun.filenos == (-1,)

    @pytest.mark.parametrize("queues", [0, 257])
    def test_a_number_of_queues_no_device_has_is_a_wrong_setting(self, queues):
        with pytest.raises(SetupError, match="queues") as caught:
            Tun("inside", queues=queues)
        assert caught.value.exit_code == 2


class NameTests:
    """What may name an interface."""

    @pytest.mark.parametrize("name", ["", "a" * 16, "in side", "in/side", "ünside", "in:side", "in\nside"])
    def test_what_cannot_name_an_interface_is_a_wrong_setting(self, name):
        with pytest.raises(SetupError, match="cannot name an interface") as caught:
            Tun(name)
        assert caught.value.exit_code == 2

    @pytest.mark.root
    def test_a_template_takes_the_first_free_number(self, alone):
        first, second = Tun("pptp%d"), Tun("pptp%d")
        assert (first.name, second.name) == ("pptp0", "pptp1")
        first.close()
        second.close()


class SetupTests:
    """B-142: what stands in the way is said in one sentence, with the remedy."""

    def test_b142_no_device_node(self, tmp_path):
        with pytest.raises(SetupError, match="modprobe tun") as caught:
            Tun(node=str(tmp_path / "tun"))
        assert caught.value.exit_code == 3

    @pytest.mark.parametrize(("number", "word"), [(errno.EACCES, "run as root"), (errno.ENODEV, "modprobe tun")])
    def test_b142_a_node_that_cannot_be_opened(self, monkeypatch, number, word):
        def refuse(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("os.open", refuse)
        with pytest.raises(SetupError, match=word) as caught:
            Tun()
        assert caught.value.exit_code == 3

    @pytest.mark.root
    def test_b142_no_privilege(self, namespace):
        said = powerless(namespace, "from openpptp.net.tun import Tun\nwith explained():\n    Tun('inside')\n")
        assert said == "3 this process may not make the interface 'inside'; run as root or grant CAP_NET_ADMIN\n"

    @pytest.mark.root
    def test_b142_a_name_in_use(self, alone):
        first = Tun("inside")
        files = os.listdir("/proc/self/fd")
        with pytest.raises(SetupError, match="'inside' is in use by another program"):
            Tun("inside")
        assert os.listdir("/proc/self/fd") == files
        first.close()

    @pytest.mark.root
    def test_b142_a_name_of_another_kind_of_device(self, alone):
        with pytest.raises(SetupError, match="'lo'"):
            Tun("lo")

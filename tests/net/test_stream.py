"""The socket of a control connection on the side that dials."""

import socket
from ipaddress import IPv4Address

import pytest
from tests.net.packets import powerless

from openpptp.errors import SetupError
from openpptp.net.gre import RawGrePort
from openpptp.net.stream import SO_MARK, dialling_socket


class DiallingSocketTests:
    def test_it_starts_from_an_address_of_ours(self):
        with dialling_socket(IPv4Address("127.0.0.7")) as stream:
            assert stream.getsockname()[0] == "127.0.0.7"

    def test_one_that_is_none_of_ours_is_named(self):
        with pytest.raises(SetupError, match=r"192\.0\.2\.7 is not an address of this machine"):
            dialling_socket(IPv4Address("192.0.2.7"))

    @pytest.mark.root
    def test_it_bears_a_mark_and_so_does_gre(self, alone):
        with dialling_socket(mark=1723) as stream:
            assert stream.getsockopt(socket.SOL_SOCKET, SO_MARK) == 1723
        port = RawGrePort(mark=1723)
        try:
            assert port._socket.getsockopt(socket.SOL_SOCKET, SO_MARK) == 1723
        finally:
            port.close()

    @pytest.mark.root
    def test_without_the_privilege_it_says_so(self, alone):
        script = "from openpptp.net.stream import dialling_socket\nwith explained():\n    dialling_socket(mark=1723)"
        assert powerless(alone, script).startswith("3 this process may not mark packets")

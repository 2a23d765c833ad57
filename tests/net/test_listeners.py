"""Who listens on a port, and who takes GRE."""

import os
import socket
from pathlib import Path

import pytest

from openpptp.net.listeners import Listener, raw_sockets, tcp_listeners


def comm() -> str:
    return Path("/proc/self/comm").read_text().strip()


class TcpListenersTests:
    """Of this machine, by /proc."""

    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
    def test_a_listener_is_found_with_its_process(self, family):
        if family == socket.AF_INET6 and not Path("/proc/net/if_inet6").read_text():
            family = socket.AF_INET
        with socket.create_server(("", 0), family=family) as server:
            assert tcp_listeners(server.getsockname()[1]) == [Listener(server.getsockname()[1], os.getpid(), comm())]

    def test_a_connection_is_no_listener(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as client:
                assert tcp_listeners(client.getsockname()[1]) == []
                assert len(tcp_listeners(port)) == 1
        assert tcp_listeners(port) == []


class OtherUsersTests:
    """What only root may see."""

    @pytest.fixture
    def proc(self, tmp_path):
        net = tmp_path / "thread-self" / "net"
        net.mkdir(parents=True)
        head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        row = "   0: 00000000:{:04X} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1\n"
        (net / "tcp").write_text(head + row.format(1723, "0A", 77) + row.format(1723, "01", 78))
        (net / "raw").write_text(head + row.format(47, "07", 1) + row.format(1, "07", 2) + row.format(47, "07", 3))
        (tmp_path / "12").mkdir()
        return tmp_path

    def test_a_process_that_is_not_ours_to_see(self, proc):
        assert tcp_listeners(1723, proc) == [Listener(1723, None, "another program")]

    def test_one_that_ends_meanwhile(self, proc):
        (proc / "13" / "fd").mkdir(parents=True)
        (proc / "13" / "fd" / "3").symlink_to("socket:[77]")
        assert tcp_listeners(1723, proc) == [Listener(1723, 13, "a program that has ended")]

    def test_raw_sockets_are_counted_by_protocol(self, proc):
        assert (raw_sockets(47, proc), raw_sockets(58, proc)) == (2, 0)

import contextlib
import socket
from collections.abc import Iterator

import pytest

from openpptp.net.tcp import path_mtu


@contextlib.contextmanager
def connection(segment_size: int = 0, **options: int) -> Iterator[socket.socket]:
    """Give the server's end of a connection whose client proposes a segment size."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        if segment_size:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_size)
        for name, value in options.items():
            client.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            yield accepted


class PathMtuTests:
    """Q-48: what the first segments tell of the way."""

    def test_the_route_tells(self):
        with connection() as accepted:
            assert path_mtu(accepted) >= 9000  # of the loopback device; half the peer's window at most

    @pytest.mark.parametrize(("segment_size", "path"), [(1360, 1400), (1452, 1492), (1240, 1280)])
    def test_the_peers_segment_size_tells(self, segment_size, path):
        with connection(segment_size) as accepted:
            assert path_mtu(accepted) == path

    def test_a_stack_that_means_a_small_window_does_not(self):
        with connection(536) as accepted:
            assert path_mtu(accepted) >= 9000

    def test_a_connection_that_is_none_tells_nothing(self):
        assert path_mtu(None) is None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            assert path_mtu(other) is None

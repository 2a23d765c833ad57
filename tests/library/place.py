"""A server and tunnels to it in one process, over a wire in memory.

async with place.serve() as server, place.connect(server) as tunnel: ...
"""

import socket
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.daemon.loopback import HOST, PASSWORD, USER, Log

import openpptp

POOL = "10.9.0.0/24"


def listener(host: str = HOST) -> socket.socket:
    return socket.create_server((host, 0))


class Place:
    """A wire, and a log for each side."""

    def __init__(self) -> None:
        self.wire = openpptp.Wire()
        self.server_log, self.log = Log(), Log()

    def serve(self, *, host: str = HOST, **how: Any) -> AbstractAsyncContextManager[openpptp.Server]:
        """Serve at an address of the loopback; auth and users have defaults."""
        auth = {"refusal_delay": 0.01, **how.pop("auth", {})}
        how = {"users": {USER: PASSWORD}, "network": {"pool": [POOL]}, "log": self.server_log.logger, **how}
        return openpptp.serve(auth=auth, ports=openpptp.Ports(self.wire.port(host)), listener=listener(host), **how)

    def connect(
        self, server: openpptp.Server, *, user: str = USER, password: str = PASSWORD, source: str = "127.0.0.1", **how
    ) -> AbstractAsyncContextManager[openpptp.Tunnel]:
        """Connect to a server, from an address of the loopback."""
        host, port = server.address
        ports = how.pop("ports", None) or openpptp.Ports(self.wire.port(source))
        options = {"log": self.log.logger, "reconnect": "never", "local_address": source, "ports": ports, **how}
        return openpptp.connect(host, user, password, port=port, **options)

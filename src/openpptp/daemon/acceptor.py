"""Accepts control connections; one that is refused costs an accept and a close, nothing more.

asyncio's own listener makes a transport and a task for each first: then a few thousand connects a second fill the
queue of the listener, and an honest client's packets are dropped there (B-020, P-14).
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Protocol

AT_ONCE = 64  # ours: refused before the connections there are have their turn
REST = 1.0  # ours: seconds without accepting when the system has no descriptors or memory left (B-140)
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Owner(Protocol):
    """The policy behind an acceptor: the server."""

    def turns_away(self, peer: IPv4Address, local: IPv4Address) -> bool:
        """Tell whether a connection is refused, and say so in the log."""

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of one accepted connection."""


class Acceptor:
    """Takes connections from a listening socket, from its making to close."""

    def __init__(self, listener: socket.socket, owner: Owner, report: Callable[[OSError, str], None]) -> None:
        """Begin; report is told, about once in REST seconds, that the system refuses more descriptors."""
        self._listener = listener
        self._owner = owner
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._entering: set[asyncio.Task[object]] = set()
        self._resting: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Take no more; the socket stays its owner's to close."""
        self._loop.remove_reader(self._listener)
        if self._resting is not None:
            self._resting.cancel()

    def _accept(self) -> None:
        """Refuse many, let one in: it shall be heard before the next ones could crowd it out."""
        for _ in range(AT_ONCE):
            try:
                connection, (peer, _) = self._listener.accept()
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._rest(error)
                return  # nobody is there any more, or whoever was has gone again
            if not self._owner.turns_away(IPv4Address(peer), IPv4Address(connection.getsockname()[0])):
                self._let_in(connection)
                return
            connection.close()

    def _let_in(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        entering = self._loop.create_task(self._loop.connect_accepted_socket(self._owner.protocol, connection))
        self._entering.add(entering)
        entering.add_done_callback(self._entering.discard)

    def _rest(self, error: OSError) -> None:
        self._loop.remove_reader(self._listener)
        self._report(error, "another connection")
        self._resting = self._loop.call_later(REST, self._loop.add_reader, self._listener, self._accept)

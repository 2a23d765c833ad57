"""Accepting by hand: refusals are cheap, and a system without descriptors is left alone for a while."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from tests.eventually import until

from openpptp.daemon import acceptor as module
from openpptp.daemon.acceptor import AT_ONCE, Acceptor


class Host:
    """Plays the server."""

    def __init__(self) -> None:
        self.refuses = False
        self.asked: list[tuple[str, str]] = []
        self.made = 0

    def turns_away(self, peer: IPv4Address, local: IPv4Address) -> bool:
        self.asked.append((str(peer), str(local)))
        return self.refuses

    def protocol(self) -> asyncio.Protocol:
        self.made += 1
        return Greeting()


class Greeting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


class Exhausted:
    """Plays a listening socket of a system without descriptors."""

    def __init__(self, listener: socket.socket) -> None:
        self.fileno, self.setblocking = listener.fileno, listener.setblocking
        self.tried = 0

    def accept(self) -> None:
        self.tried += 1
        raise OSError(errno.EMFILE, "Too many open files")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.9", 0), backlog=256) as listener:
        yield listener


def call(listener: socket.socket, count: int = 1) -> list[socket.socket]:
    return [socket.create_connection(listener.getsockname(), 5, ("127.0.0.1", 0)) for _ in range(count)]


class AcceptorTests:
    async def test_who_is_let_in_gets_a_protocol(self, listener):
        host = Host()
        acceptor = Acceptor(listener, host, lambda _error, _what: None)
        (stream,) = call(listener)
        assert await asyncio.to_thread(stream.recv, 5) == b"hello"
        assert host.asked == [("127.0.0.1", "127.0.0.9")]
        acceptor.close()
        stream.close()

    async def test_b020_who_is_refused_gets_no_protocol_and_many_are_refused_in_one_turn(self, listener):
        host = Host()
        host.refuses = True
        streams = call(listener, 2 * AT_ONCE)
        acceptor = Acceptor(listener, host, lambda _error, _what: None)
        acceptor._accept()
        assert len(host.asked) == AT_ONCE
        await until(lambda: len(host.asked) == 2 * AT_ONCE)
        assert host.made == 0
        assert {stream.recv(1) for stream in streams} == {b""}
        acceptor.close()
        for stream in streams:
            stream.close()

    async def test_b020_one_is_let_in_a_turn(self, listener):
        host = Host()
        streams = call(listener, 3)
        acceptor = Acceptor(listener, host, lambda _error, _what: None)
        acceptor._accept()
        assert len(host.asked) == 1
        await until(lambda: host.made == 3)
        acceptor.close()
        for stream in streams:
            stream.close()

    async def test_b140_without_descriptors_it_rests_says_so_once_and_goes_on(self, listener, monkeypatch):
        monkeypatch.setattr(module, "REST", 0.05)
        said: list[str] = []
        exhausted = Exhausted(listener)
        (stream,) = call(listener)
        acceptor = Acceptor(exhausted, Host(), lambda error, what: said.append(f"{what}: {error.strerror}"))
        await until(lambda: said)
        for _ in range(10):
            await asyncio.sleep(0)
        assert exhausted.tried == 1
        assert said == ["another connection: Too many open files"]
        await until(lambda: exhausted.tried == 2)
        acceptor.close()
        stream.close()
        assert acceptor._resting.cancelled()

    async def test_a_connection_that_is_gone_before_it_is_taken_is_nothing(self, listener):
        host = Host()
        acceptor = Acceptor(listener, host, lambda _error, _what: None)
        acceptor._accept()
        assert host.asked == []
        acceptor.close()

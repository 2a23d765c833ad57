"""Ports, and who answers there, on loopback."""

import asyncio
import socket
from ipaddress import IPv4Address

import pytest

from openpptp.daemon.doctor.probe import lookup
from openpptp.daemon.doctor.probe.seen import TcpOutcome

HERE, NOBODY = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.77")


@pytest.fixture
def listener():
    with socket.create_server((str(HERE), 0)) as listening:
        yield listening


class PortTests:
    async def test_the_first_that_opens_is_given_the_others_are_told_of(self, listener):
        seen, stream = await lookup.open_ports([NOBODY, HERE, HERE], listener.getsockname()[1], 5.0)
        assert [each.outcome for each in seen] == [TcpOutcome.REFUSED, TcpOutcome.OPEN, TcpOutcome.OPEN]
        with stream:
            assert stream.getpeername() == listener.getsockname()

    async def test_none_opens(self):
        seen, stream = await lookup.open_ports([NOBODY], 1, 5.0)
        assert (seen[0].outcome, stream) == (TcpOutcome.REFUSED, None)

    async def test_of_very_many_addresses_some_are_tried(self, listener):
        seen, stream = await lookup.open_ports([HERE] * 50, listener.getsockname()[1], 5.0)
        stream.close()
        assert len(seen) == lookup.MOST_ADDRESSES


class AskWhoTests:
    async def test_who_answers_a_question_of_the_web(self):
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.0 404 Not Found\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, str(HERE), 0) as server:
            port = server.sockets[0].getsockname()[1]
            assert (await lookup.ask_who(HERE, port, 5.0)).startswith(b"HTTP/1.0 404")

    async def test_nobody(self, listener):
        assert await lookup.ask_who(HERE, listener.getsockname()[1], 0.05) == b""
        assert await lookup.ask_who(NOBODY, 1, 5.0) == b""

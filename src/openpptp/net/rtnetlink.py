"""As much of netlink (netlink(7), rtnetlink(7)) as is needed to ask about very many routes at once.

pyroute2 takes half a millisecond for each answer, which is 5 s for 10,000 peers; here they go in batches.
"""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

NETLINK_XFRM = 6
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
HEADER = Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
ATTRIBUTE = Struct("=HH")  # struct rtattr: length, type
NUMBER = Struct("=i")
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x001, 0x004, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

BATCH = 64  # ours: their answers fit in a socket buffer of the usual size
PATIENCE = 5.0  # ours: seconds; the kernel answers at once or not at all


class Message(NamedTuple):
    """One netlink message: its kind and what follows the header."""

    kind: int
    sequence: int
    body: bytes


def messages(data: bytes) -> Iterator[Message]:
    """Split one datagram of the kernel."""
    position = 0
    while position + HEADER.size <= len(data):
        length, kind, _, sequence, _ = HEADER.unpack_from(data, position)
        if length < HEADER.size:
            return
        yield Message(kind, sequence, data[position + HEADER.size : position + length])
        position += (length + 3) & ~3


def attributes(body: bytes, position: int = 0) -> dict[int, bytes]:
    """Read the attributes that begin at position, by type; of one that comes twice the last."""
    found = {}
    while position + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, position)
        if length < ATTRIBUTE.size:
            break
        found[kind & TYPE_MASK] = body[position + ATTRIBUTE.size : position + length]
        position += (length + 3) & ~3
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """Write one attribute."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


class Netlink:
    """A netlink socket that asks and waits for answers; blocks, so it belongs in a thread."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        """Open it; raises OSError where the kernel has no such protocol."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(PATIENCE)
        self._sequence = 0

    def close(self) -> None:
        """Close for good."""
        self._socket.close()

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return all there is of a kind; raises OSError."""
        self._send([(kind, NLM_F_REQUEST | NLM_F_DUMP, body)])
        found: list[bytes] = []
        while True:
            for message in self._receive():
                if message.sequence != self._sequence:
                    continue
                if message.kind == NLMSG_ERROR:
                    _raise(message)
                if message.kind == NLMSG_DONE:
                    return found
                found.append(message.body)

    def ask(self, kind: int, bodies: Sequence[bytes]) -> list[bytes | None]:
        """Return the answer to each question, None where the kernel has none."""
        answers: list[bytes | None] = []
        for start in range(0, len(bodies), BATCH):
            answers += self._ask_batch(kind, bodies[start : start + BATCH])
        return answers

    def tell(self, kind: int, body: bytes) -> None:
        """Order something; raises OSError when it is refused."""
        self._send([(kind, NLM_F_REQUEST | NLM_F_ACK, body)])
        while True:
            for message in self._receive():
                if message.sequence == self._sequence and message.kind == NLMSG_ERROR:
                    _raise(message)
                    return

    def _ask_batch(self, kind: int, bodies: Sequence[bytes]) -> list[bytes | None]:
        first = self._sequence + 1
        self._send([(kind, NLM_F_REQUEST, body) for body in bodies])
        answers: dict[int, bytes | None] = {}
        while len(answers) < len(bodies):
            for message in self._receive():
                if message.sequence >= first:
                    answers[message.sequence] = None if message.kind == NLMSG_ERROR else message.body
        return [answers[first + index] for index in range(len(bodies))]

    def _send(self, requests: Sequence[tuple[int, int, bytes]]) -> None:
        parts = []
        for kind, flags, body in requests:
            self._sequence += 1
            parts.append(HEADER.pack(HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        self._socket.send(b"".join(parts))

    def _receive(self) -> Iterator[Message]:
        return messages(self._socket.recv(1 << 18))


def _raise(message: Message) -> None:
    (number,) = NUMBER.unpack_from(message.body)
    if number:
        raise OSError(-number, os.strerror(-number))


def news_socket(protocol: int, groups: int, more: Sequence[int] = ()) -> socket.socket:
    """Open a socket that tells what changes; more are groups beyond the first 32, left out where they are unknown."""
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
    try:
        news.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        news.bind((0, groups))
        for group in more:
            try:
                news.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
    except BaseException:
        news.close()
        raise
    return news

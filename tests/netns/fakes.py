"""Whoever may listen on TCP port 1723 besides a whole PPTP server; each serves one connection after the other."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from tests.netns.namespace import Namespace

from openpptp.wire.control import (
    ControlStream,
    OutgoingCallReply,
    OutgoingCallRequest,
    OutgoingCallResult,
    StartControlConnectionReply,
    StartControlConnectionRequest,
)

Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def answering(namespace: Namespace, talk: Talk) -> Iterator[None]:
    """Let talk have each connection to port 1723 of a namespace for as long as the block lasts."""
    with namespace.inside():
        listener = socket.create_server(("0.0.0.0", 1723))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, _ = listener.accept()
                stream.settimeout(20)
                with stream, contextlib.suppress(OSError):
                    talk(stream)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def ssh(stream: socket.socket) -> None:
    """Speak first, as sshd does."""
    stream.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    stream.recv(1024)


def web(stream: socket.socket) -> None:
    """Wait for a line, and answer only what is HTTP."""
    said = b""
    while b"\n" not in said and (more := stream.recv(1024)):
        said += more
    if said.startswith(b"GET "):
        stream.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")


def full_house(stream: socket.socket) -> None:
    """Take the control connection and no call."""
    messages = ControlStream()
    while data := stream.recv(1024):
        for message in messages.feed(data):
            match message:
                case StartControlConnectionRequest():
                    reply = StartControlConnectionReply(0x0100, 1, host_name="local", vendor_name="linux")
                    stream.sendall(reply.encode())
                case OutgoingCallRequest():
                    stream.sendall(OutgoingCallReply(0, message.call_id, OutgoingCallResult.BUSY).encode())

"""The socket on which control connections arrive."""

import errno
import socket
from ipaddress import IPv4Address

from openpptp.errors import SetupError

BACKLOG = 1024  # ours: a whole site reconnects at once after a power cut
KERNEL_SEND_BUFFER = 32 * 1024  # ours: hundreds of control messages
KERNEL_RECEIVE_BUFFER = 8 * 1024  # ours: bounds how many of them one turn of the event loop has to read


def listen(address: IPv4Address, port: int) -> socket.socket:
    """Return a socket bound to the control connection's port; raise SetupError in words."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it; left to itself the kernel keeps megabytes for a peer that does not read.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_SEND_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_RECEIVE_BUFFER)
    try:
        listener.bind((str(address), port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SetupError(
                f"TCP port {port} is taken by another program; stop it "
                f"(find it with: ss -ltnp sport = :{port}) or choose another server.port"
            ) from None
        if error.errno == errno.EADDRNOTAVAIL:
            sentence = f"{address} is not an address of this machine; correct server.listen"
            raise SetupError(sentence, exit_code=2) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            sentence = f"this user may not listen on TCP port {port}; run as root (sudo)"
            raise SetupError(sentence, exit_code=3) from None
        raise SetupError(f"cannot listen on {address} port {port}: {error.strerror}") from None
    return listener

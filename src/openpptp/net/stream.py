"""The socket of a control connection on the side that dials: where it starts from, and the mark it bears."""

import errno
import socket
from ipaddress import IPv4Address

from openpptp.errors import SetupError

SO_MARK = 36  # asm-generic/socket.h; Python 3.11 does not name it


def dialling_socket(local: IPv4Address | None = None, mark: int | None = None) -> socket.socket:
    """Return a socket to connect with, from an address of ours or any; raise SetupError in words."""
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        stream.setblocking(False)
        if mark is not None:
            set_mark(stream, mark)
        if local is not None:
            stream.bind((str(local), 0))
    except OSError as error:
        stream.close()
        if error.errno == errno.EADDRNOTAVAIL:
            sentence = f"{local} is not an address of this machine; change it or leave it out"
            raise SetupError(sentence) from None
        raise SetupError(f"cannot connect from {local}: {error.strerror}") from None
    except BaseException:
        stream.close()
        raise
    return stream


def set_mark(out: socket.socket, mark: int) -> None:
    """Give what leaves by a socket a firewall mark; raise SetupError when this process may not."""
    try:
        out.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    except PermissionError:
        sentence = "this process may not mark packets; run as root or grant CAP_NET_ADMIN"
        raise SetupError(sentence, exit_code=3) from None

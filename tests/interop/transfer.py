"""Send octets each way through one TCP connection and print their hashes; a program for guest and host.

    transfer.py listen ADDRESS PORT SIZE     wait for one connection; print READY once listening
    transfer.py connect ADDRESS PORT SIZE

Each end prints one line: the hash of what it sent and of what it received.
"""

import hashlib
import random
import socket
import sys

TIMEOUT = 60.0


def send(stream: socket.socket, role: str, size: int) -> str:
    data = random.Random(role).randbytes(size)
    stream.sendall(data)
    stream.shutdown(socket.SHUT_WR)
    return hashlib.sha256(data).hexdigest()


def receive(stream: socket.socket) -> str:
    digest = hashlib.sha256()
    while data := stream.recv(1 << 16):
        digest.update(data)
    return digest.hexdigest()


def main(role: str, address: str, port: str, size: str) -> None:
    if role == "listen":
        with socket.create_server((address, int(port))) as server:
            server.settimeout(TIMEOUT)
            print("READY", flush=True)
            stream, _ = server.accept()
        stream.settimeout(TIMEOUT)
        received = receive(stream)
        sent = send(stream, role, int(size))
    else:
        stream = socket.create_connection((address, int(port)), TIMEOUT)
        sent = send(stream, role, int(size))
        received = receive(stream)
    stream.close()
    print(sent, received)


if __name__ == "__main__":
    main(*sys.argv[1:])

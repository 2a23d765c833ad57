"""Something to reach in the world: HTTP that gives octets, hashes what it is sent and says who is asking."""

import contextlib
import hashlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

from tests.netns.namespace import Namespace

PORT = 8080


def octets(count: int) -> bytes:
    """Return the octets that GET /octets/COUNT gives."""
    return Random(count).randbytes(count)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/octets/"):
            self._answer(octets(int(self.path.rsplit("/", 1)[1])))
        else:
            self._answer(self.client_address[0].encode())

    def do_POST(self) -> None:
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left and (data := self.rfile.read(min(left, 65536))):
            digest.update(data)
            left -= len(data)
        self._answer(digest.hexdigest().encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def target(namespace: Namespace, address: str) -> Iterator[None]:
    """Serve in a namespace, from a thread of this process, for as long as the block lasts."""
    with namespace.inside():
        server = ThreadingHTTPServer((address, PORT), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(
    namespace: Namespace, address: str, path: str = "/", body: bytes | None = None, *, seconds: float = 20.0
) -> bytes:
    """GET a path, or POST a body to it, from a namespace; raise TimeoutError after so many seconds without an octet."""
    connection = http.client.HTTPConnection(address, PORT, timeout=seconds)
    try:
        with namespace.inside():
            connection.connect()
        connection.request("GET" if body is None else "POST", path, body)
        return connection.getresponse().read()
    finally:
        connection.close()

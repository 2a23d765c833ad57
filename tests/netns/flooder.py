"""Opens TCP connections that say nothing, as fast as they come: `python -m tests.netns.flooder COUNT SOURCE...`.

It goes through its sources in turn and keeps the last COUNT connections. Once its standard input has ended and there
have been as many it says how many there were.
"""

import contextlib
import resource
import select
import socket
import sys
from collections import deque

from tests.netns.adversary import PORT, SERVER

AT_ONCE = 50


def opened(source: str) -> socket.socket:
    """Begin one connection; do not wait for it."""
    stream = socket.socket()
    stream.setblocking(False)
    stream.bind((source, 0))
    with contextlib.suppress(BlockingIOError):
        stream.connect((SERVER, PORT))
    return stream


def main() -> None:
    """Read the command line, open, report."""
    count, sources = int(sys.argv[1]), sys.argv[2:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    streams: deque[socket.socket] = deque(maxlen=count)
    number = 0
    while number < count or not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(AT_ONCE):
            streams.append(opened(sources[number % len(sources)]))
            number += 1
        newest = select.poll()
        for stream in list(streams)[-AT_ONCE:]:
            newest.register(stream, select.POLLOUT)
        newest.poll(100)  # no faster than the server's kernel takes them
    sys.stdout.write(f"{number}\n")


if __name__ == "__main__":
    main()

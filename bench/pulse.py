"""A packet a second, or a few, through each of many sessions and back, counted at both ends; each prints JSON.

`python -m bench.pulse answer` at the servers' end sends back what comes until standard input ends;
`python -m bench.pulse send SECONDS RATE` at the clients' end reads lines of our address and theirs.
"""

import json
import select
import socket
import struct
import sys
import time

PORT = 5003
IP_PKTINFO = 8  # Python 3.11 has no name for it
PKTINFO = struct.Struct("=i4s4s")  # ip(7): interface index, local address, destination of the header
PACKET = struct.Struct("!II")  # session, number
LENGTH = 100  # octets
PATIENCE = 3.0  # seconds the last answers may take
AT_ONCE = 200


def main() -> None:
    """Read the command line."""
    if sys.argv[1] == "answer":
        answer()
    else:
        send(float(sys.argv[2]), float(sys.argv[3]))


def answer() -> None:
    """Send back what comes, from the address it was sent to."""
    out = _socket()
    out.bind(("", PORT))
    out.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    received = answered = 0
    while True:
        readable, _, _ = select.select([out, sys.stdin], [], [])
        for _ in range(AT_ONCE if out in readable else 0):
            try:
                octets, ancillary, _, source = out.recvmsg(2048, 64)
            except BlockingIOError:
                break
            received += 1
            (destination,) = (PKTINFO.unpack(data)[1] for _, kind, data in ancillary if kind == IP_PKTINFO)
            answered += _sent(out, octets, destination, source)
        if sys.stdin in readable and out not in readable:
            break
    sys.stdout.write(json.dumps({"received": received, "answered": answered}) + "\n")


def send(seconds: float, rate: float) -> None:
    """Send rate packets a second in each session, evenly spread, and count the answers."""
    ends = [line.split() for line in sys.stdin]
    pairs = [(socket.inet_aton(ours), (theirs, PORT)) for ours, theirs in ends]
    out = _socket()
    out.bind(("", PORT))
    total, gap = round(seconds * rate) * len(pairs), 1 / (rate * len(pairs))
    waiting: set[bytes] = set()
    sent = answered = doubled = 0
    first = last = time.monotonic()
    while sent < total or (waiting and time.monotonic() < last + PATIENCE):
        due = min(total, int((time.monotonic() - first) / gap) + 1)
        for number in range(sent, min(due, sent + AT_ONCE)):
            ours, theirs = pairs[number % len(pairs)]
            head = PACKET.pack(number % len(pairs), number // len(pairs))
            waiting.add(head)
            _sent(out, head.ljust(LENGTH), ours, theirs)
            sent, last = number + 1, time.monotonic()
        wait = first + sent * gap - time.monotonic() if sent < total else 0.1
        if select.select([out], [], [], max(0.0, wait))[0]:
            for _ in range(AT_ONCE):
                try:
                    head = out.recv(2048)[: PACKET.size]
                except BlockingIOError:
                    break
                answered += head in waiting
                doubled += head not in waiting
                waiting.discard(head)
    silent = len({PACKET.unpack(head)[0] for head in waiting})
    report = {"sent": sent, "answered": answered, "doubled": doubled, "sessions_with_loss": silent}
    sys.stdout.write(json.dumps(report | {"seconds": time.monotonic() - first}) + "\n")


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    for name in ("SO_RCVBUFFORCE", "SO_SNDBUFFORCE"):
        made.setsockopt(socket.SOL_SOCKET, {"SO_RCVBUFFORCE": 33, "SO_SNDBUFFORCE": 32}[name], 16 << 20)
    return made


def _sent(out: socket.socket, octets: bytes, source: bytes, target: tuple[str, int]) -> bool:
    try:
        out.sendmsg([octets], [(socket.IPPROTO_IP, IP_PKTINFO, PKTINFO.pack(0, source, bytes(4)))], 0, target)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    main()

"""Forges GRE of the session that its own host has: right addresses, right Call ID, numbers ahead, junk inside.

Run in the client's namespace: `python -m bench.forger DEVICE --rate 1000 --seconds 5`. It learns the numbers from one
encrypted packet that the client sends (its standard input ends the waiting), then says what it sent as JSON. Half of
the coherency counts lie as far ahead as the sequence numbers, which costs the most keys; half are anything.
"""

import argparse
import json
import random
import socket
import sys
import time
from struct import Struct
from typing import NamedTuple

ETH_P_ALL = 3
IP = Struct("!9xB2x4s4s")
GRE = Struct("!HHHHI")  # flags, protocol, payload length, Call ID, sequence number
PPTP, GRE_PROTOCOL = 47, 0x880B
SEQUENCE, ACKNOWLEDGEMENT = 0x1000, 0x0080
ENCRYPTED = (b"\xfd", b"\x00\xfd", b"\xff\x03\x00\xfd")
FLUSHED_AND_ENCRYPTED = 0x9000
COUNTS = 4096
FARTHEST = 2000  # the engine believes jumps up to 2,047
PATIENCE = 10.0


class Learned(NamedTuple):
    """What one real packet told."""

    peer: str
    call_id: int
    sequence: int
    head: bytes
    "The PPP header, up to the coherency count."
    coherency: int
    length: int
    "Octets after the coherency count."


def learn(device: str) -> Learned:
    """Return what the next encrypted packet tells that leaves by the device."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        tap.bind((device, ETH_P_ALL))
        tap.settimeout(PATIENCE)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            frame, (*_, kind, _, _) = tap.recvfrom(2048)
            learned = read(frame[14:]) if kind == socket.PACKET_OUTGOING else None
            if learned is not None:
                return learned


def read(packet: bytes) -> Learned | None:
    """Read one IPv4 packet; None when it is no encrypted data of a call."""
    if packet[0] != 0x45 or packet[9] != PPTP:
        return None
    peer = socket.inet_ntoa(packet[16:20])
    flags, protocol, length, call_id, sequence = GRE.unpack_from(packet, 20)
    if protocol != GRE_PROTOCOL or not flags & SEQUENCE:
        return None
    begin = 20 + GRE.size + (4 if flags & ACKNOWLEDGEMENT else 0)
    payload = packet[begin : begin + length]
    head = next((head for head in ENCRYPTED if payload.startswith(head)), None)
    if head is None:
        return None
    count = int.from_bytes(payload[len(head) : len(head) + 2], "big") % COUNTS
    return Learned(peer, call_id, sequence, head, count, len(payload) - len(head) - 2)


def forgery(learned: Learned, lot: random.Random) -> bytes:
    """Return one forged packet."""
    ahead = lot.randint(1, FARTHEST)
    count = (learned.coherency + ahead) % COUNTS if lot.random() < 0.5 else lot.randrange(COUNTS)
    payload = learned.head + (FLUSHED_AND_ENCRYPTED | count).to_bytes(2, "big") + lot.randbytes(learned.length)
    sequence = (learned.sequence + ahead) % (1 << 32)
    return GRE.pack(0x2001 | SEQUENCE, GRE_PROTOCOL, len(payload), learned.call_id, sequence) + payload


def main() -> None:
    """Read the command line, learn, forge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("device")
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    learned = learn(given.device)
    lot = random.Random(1)
    sent, began = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, PPTP) as raw:
        while (passed := time.monotonic() - began) < given.seconds:
            while sent < passed * given.rate:
                raw.sendto(forgery(learned, lot), (learned.peer, 0))
                sent += 1
            time.sleep(0.001)
    sys.stdout.write(json.dumps({"sent": sent, "seconds": time.monotonic() - began}) + "\n")


if __name__ == "__main__":
    main()

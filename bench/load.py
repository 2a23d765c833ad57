"""A load generator: many voluntary tunnels to one server from one process.

Run in the namespace of the clients: `python -m bench.load SERVER --sessions 1000 --at-once 32`, or `--per-second 100`.
Prints JSON when they are up, and again for each line on standard input; when that ends, it hangs up. One device carries
the data of all: packets to 10.92.x.y go through the session whose address is 10.91.x.y.
"""

import argparse
import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import structlog

from bench.callers import BEHIND_SERVER, THEIR_LENGTH, LoadClients, far_end
from openpptp.daemon.data_path import Doors
from openpptp.daemon.wishes import DataPathWishes

DEVICE = "pptp-load"
QUEUE = 30_000  # packets: what is one device here would be a device with a queue of 500 for each session elsewhere
OURS = "10.91.0.0/16"


def lead_in(device: str, mtu: int) -> None:
    """Make all addresses of the sessions this host's own, and the far ends reachable through the device."""
    for command in (
        f"link set {device} mtu {mtu} txqueuelen {QUEUE} up",
        f"route replace local {OURS} dev lo",
        f"route replace {BEHIND_SERVER}/{THEIR_LENGTH} dev {device}",
    ):
        subprocess.run(["ip", *command.split()], check=True)


async def generate(given: argparse.Namespace) -> None:
    """Bring the sessions up, say what it took, hold them until standard input ends, hang up."""
    async with AsyncExitStack() as undo:
        doors = Doors(DataPathWishes(given.data_path), structlog.get_logger(), undo)
        doors.open_gre()
        device = doors.open_tun(DEVICE).name
        clients = LoadClients(given.server, given.user, given.password, doors)
        undo.callback(clients.data_path.close)
        began, busy = time.monotonic(), time.process_time()
        if given.per_second:
            up = await clients.paced(given.sessions, given.per_second)
        else:
            up = await clients.many(given.sessions, given.at_once)
        report = {
            "sessions": given.sessions,
            "up": up,
            "seconds": time.monotonic() - began,
            "milliseconds": clients.milliseconds(),
            "own_processor_seconds": time.process_time() - busy,
            "failures": sorted(set(clients.failures)),
            "ends": [[str(address), str(far_end(address))] for address in clients.addresses],
        }
        if clients.mtus:
            lead_in(device, min(clients.mtus))
        _say(report)
        while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
            _say(clients.state())
        await clients.hang_up()


def _say(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("--user", default="bench")
    parser.add_argument("--password", default="bench")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--per-second", type=float, help="begin so many each second instead, however long they take")
    parser.add_argument(
        "--data-path", choices=("engine", "reference"), default="reference", help="what carries the packets"
    )
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.disable()  # its own pauses would be taken for the server's, and it does not live long
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    asyncio.run(generate(given))


if __name__ == "__main__":
    main()

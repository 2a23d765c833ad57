"""A load generator: many voluntary tunnels to one server from one process.

Run in the namespace of the clients: `python -m bench.load SERVER --sessions 1000 --at-once 32`. Prints JSON. One
device carries the data of all: packets to 10.92.x.y go through the session whose address is 10.91.x.y.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from ipaddress import IPv4Address

import structlog

from openpptp.credentials import AuthMethod
from openpptp.daemon.calls import Calls, inside
from openpptp.daemon.data_path import Doors
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.wishes import DataPathWishes, DataPathWord
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.call_ids import CallIds
from openpptp.tunnel.settings import CallKind, Side, TunnelSettings
from openpptp.tunnel.tunnel import Tunnel

DEVICE = "pptp-load"
QUEUE = 30_000  # packets: what is one device here would be a device with a queue of 500 for each session elsewhere
OURS = "10.91.0.0/16"
BEHIND_SERVER, THEIR_LENGTH = IPv4Address("10.92.0.0"), 16
"Each session's far end: the host part is that of the session's own address."
HOST_PART = 0xFFFF


def far_end(address: IPv4Address) -> IPv4Address:
    """Return where the packets of a session go."""
    return BEHIND_SERVER + (int(address) & HOST_PART)


class LoadClients:
    """Owns all tunnels of the generator and counts what becomes of them."""

    def __init__(self, server: str, user: str, password: str, doors: Doors) -> None:
        self._server = server
        self._link = LinkSettings(our_name=user, our_password=password, answer_with=(AuthMethod.MSCHAP_V2,))
        self._settings = TunnelSettings(link=self._link, accepts=frozenset())
        self._loop = asyncio.get_running_loop()
        self._calls = Calls()
        self._call_ids = CallIds(os.urandom)
        self._up: dict[TunnelDriver, asyncio.Future[bool]] = {}
        self.data_path = doors.open_data_path(
            frame_received=self._calls.frame_received, encryption_lost=self._calls.encryption_lost
        )
        self._log = structlog.get_logger()
        self.drivers: list[TunnelDriver] = []
        self.failures: list[str] = []
        self.addresses: list[IPv4Address] = []
        self.mtus: set[int] = set()
        self._empty = asyncio.Event()

    async def one(self) -> bool:
        """Bring one session up; return whether it came."""
        _, driver = await self._loop.create_connection(self._driver, self._server, 1723)
        up: asyncio.Future[bool] = self._loop.create_future()
        self._up[driver] = up
        driver.run(driver.tunnel.place_call, CallKind.OUTGOING, self._link)
        return await up

    async def many(self, count: int, at_once: int) -> int:
        """Bring count sessions up, at_once at a time; return how many came."""
        queue = iter(range(count))

        async def worker() -> int:
            return sum([await self.one() for _ in queue])

        return sum(await asyncio.gather(*(worker() for _ in range(at_once))))

    async def hang_up(self) -> None:
        """End every session in good order."""
        for driver in list(self.drivers):
            driver.stop(EndReason.USER_REQUEST)
        if self.drivers:
            await self._empty.wait()

    def _driver(self) -> TunnelDriver:
        driver = TunnelDriver(self._tunnel, self.data_path, self._calls, self, self._log)
        self.drivers.append(driver)
        return driver

    def _tunnel(self, local: IPv4Address, peer: IPv4Address, path_mtu: int | None) -> Tunnel:
        settings = self._settings.on_path(path_mtu)
        return Tunnel(settings, self._call_ids, os.urandom, side=Side.INITIATOR, local=int(local), peer=int(peer))

    # driver.Owner

    def connected(self, driver: TunnelDriver, output: tell.Connected) -> None: ...

    def check_credentials(self, driver: TunnelDriver, output: tell.CheckCredentials) -> None: ...

    def interface_up(self, driver: TunnelDriver, output: tell.InterfaceUp) -> None:
        assert output.our_address is not None
        self.addresses.append(output.our_address)
        self.mtus.add(output.mtu)
        self.data_path.interface_up(output.call_id, inside(output, far_end(output.our_address)))
        up = self._up.pop(driver)
        up.set_result(True)

    def interface_down(self, driver: TunnelDriver, output: tell.InterfaceDown) -> None: ...

    def session_ended(self, driver: TunnelDriver, output: tell.SessionEnded, counters: Counters) -> None:
        if driver in self._up:
            self.failures.append(output.detail)
            driver.stop(EndReason.USER_REQUEST)

    def tunnel_ended(self, driver: TunnelDriver, output: tell.TunnelEnded) -> None:
        self.drivers.remove(driver)
        if not self.drivers:
            self._empty.set()
        up = self._up.pop(driver, None)
        if up is not None:
            self.failures.append(output.detail)
            up.set_result(False)


def lead_in(device: str, mtu: int) -> None:
    """Make all addresses of the sessions this host's own, and the far ends reachable through the device."""
    for command in (
        f"link set {device} mtu {mtu} txqueuelen {QUEUE} up",
        f"route add local {OURS} dev lo",
        f"route add {BEHIND_SERVER}/{THEIR_LENGTH} dev {device}",
    ):
        subprocess.run(["ip", *command.split()], check=True)


async def generate(server: str, user: str, password: str, sessions: int, at_once: int, kind: DataPathWord) -> None:
    """Bring the sessions up, print what it took, hold them until standard input ends, hang up."""
    async with AsyncExitStack() as undo:
        doors = Doors(DataPathWishes(kind), structlog.get_logger(), undo)
        doors.open_gre()
        device = doors.open_tun(DEVICE).name
        clients = LoadClients(server, user, password, doors)
        undo.callback(clients.data_path.close)
        began, busy = time.monotonic(), time.process_time()
        up = await clients.many(sessions, at_once)
        report = {
            "sessions": sessions,
            "up": up,
            "seconds": time.monotonic() - began,
            "own_processor_seconds": time.process_time() - busy,
            "failures": sorted(set(clients.failures)),
            "ends": [[str(address), str(far_end(address))] for address in clients.addresses],
        }
        if clients.mtus:
            lead_in(device, min(clients.mtus))
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await clients.hang_up()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("--user", default="bench")
    parser.add_argument("--password", default="bench")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument(
        "--data-path", choices=("engine", "reference"), default="reference", help="what carries the packets"
    )
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    asyncio.run(generate(given.server, given.user, given.password, given.sessions, given.at_once, given.data_path))


if __name__ == "__main__":
    main()

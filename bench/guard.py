"""What honest clients notice while others crowd the door or flood the server."""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.eventually import eventually
from tests.netns.adversary import ATTACKER, PORT, SERVER, Attacker, Session
from tests.netns.house import CROWD, HONEST, House, flooding, house
from tests.netns.namespace import sweep

from bench.flood import FRAMES, MESSAGES
from bench.network import finish_helper, start_helper
from bench.row import Row, at_most
from openpptp.wire.control import EchoRequest, StartControlConnectionRequest

LOG_INS, WAIT = 30, 2.0
RATE, SECONDS = 10_000, 5.0
PING, LAG = 0.05, 0.25


def door() -> list[Row]:
    """Measure honest log-ins beside connections that say nothing, as fast as one process opens them (P-14)."""
    return [_beside([ATTACKER], "one address"), _beside(CROWD, f"{len(CROWD)} addresses")]


def _beside(sources: list[str], words: str) -> Row:
    sweep()
    with tempfile.TemporaryDirectory() as folder, house(Path(folder) / "house") as home:
        home.peer.run("ip", "-batch", "-", input="".join(f"addr replace {s}/16 dev server0\n" for s in sources))
        with flooding(home.peer, sources) as flooder:
            if not eventually(lambda: "connection refused" in home.program.log()):
                raise RuntimeError("nobody was refused")
            began, times = time.monotonic(), []
            for _ in range(LOG_INS):
                before = time.monotonic()
                home.canary()
                times.append(time.monotonic() - before)
            rate = int(flooder.communicate("", timeout=60)[0]) / (time.monotonic() - began)
    reached = f"{max(times):.2f} s at most of {LOG_INS}, median {statistics.median(times):.2f} s; {rate:,.0f} a second"
    return at_most(f"log-in and ping beside idle connects from {words}", max(times), WAIT, reached)


def floods() -> list[Row]:
    """Measure another session's pings, and the event loop's answers, while one session floods (P-17)."""
    sweep()
    with tempfile.TemporaryDirectory() as folder, house(Path(folder) / "house", auth={"stateful": True}) as home:
        return [_during(home, kind) for kind in (*FRAMES, *MESSAGES)]


def _during(home: House, kind: str) -> Row:
    command = (sys.executable, "-m", "bench.flood", kind, str(RATE), str(SECONDS))
    pings: list[float] = []
    lags: list[float] = []
    reports: list[dict[str, Any]] = []

    async def watch(attacker: Attacker) -> None:
        session = await attacker.log_in(source=HONEST)
        flooder = start_helper(home.peer, *command)
        await asyncio.gather(_ping(session, pings), _lag(lags))
        reports.append(finish_helper(flooder))

    home.attack(watch)
    (report,) = reports
    worst, lag = statistics.quantiles(pings, n=100)[98], max(lags)
    fate = "it lives" if report["survived"] else "it is ended"
    reached = (
        f"ping p99 {worst * 1000:.1f} ms, event loop late by {lag * 1000:.0f} ms at most; "
        f"{report['sent'] / SECONDS:,.0f} a second, {fate}"
    )
    target = f"p99 below {PING * 1000:.0f} ms, late by less than {LAG * 1000:.0f} ms"
    return Row(f"one session floods with {kind}, what another notices", reached, target, worst < PING and lag < LAG)


async def _ping(session: Session, times: list[float]) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        times.append(await session.ping())
        await asyncio.sleep(0.01)


async def _lag(times: list[float]) -> None:
    """Ask for control echoes on a connection of its own: the event loop answers them."""
    reader, writer = await asyncio.open_connection(SERVER, PORT, local_addr=(HONEST, 0))
    writer.write(StartControlConnectionRequest(host_name="bench").encode())
    await reader.readexactly(156)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        before = time.monotonic()
        writer.write(EchoRequest(1).encode())
        await reader.readexactly(20)
        times.append(time.monotonic() - before)
        await asyncio.sleep(0.11)  # no more than ten a second are answered
    writer.close()

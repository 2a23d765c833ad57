"""What a running server tells of itself: its state, its sessions, one session in full. All of it is ready for JSON."""

import asyncio
import dataclasses
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from openpptp import __version__
from openpptp.daemon import words
from openpptp.daemon.config import Settings
from openpptp.daemon.data_path import describe
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.server import Server
from openpptp.daemon.turns import longest_turn
from openpptp.datapath.seam import Counters
from openpptp.errors import SetupError
from openpptp.tunnel.control_tables import State
from openpptp.tunnel.session import Session

ROWS_AT_ONCE = 50  # ours: the counters of so many calls are read before packets of the control connections have a turn
ID_AT_LEAST = 4  # ours: characters of an id that are enough when no other begins with them

Facts = dict[str, Any]


def status(server: Server, settings: Settings, since: float, warnings: Sequence[str]) -> Facts:
    """Return what the server is, carries and counts; since is monotonic seconds, warnings what the settings deserve."""
    now = _now()
    rows = [session.interface is not None for driver in server.drivers for session in driver.tunnel.sessions]
    return {
        "version": __version__,
        "process": os.getpid(),
        "since": _when(since, now),
        "seconds": round(now - since, 1),
        "listen": f"{settings.server.listen}:{settings.server.port}",
        "interface": settings.server.interface,
        "data_path": describe(server.data_path),
        "connections": len(server.drivers),
        "waiting_to_log_in": server.waiting,
        "sessions": len(server.sessions),
        "sessions_up": sum(rows),
        "limits": {
            "sessions": settings.limits.sessions,
            "addresses": sum(entry.size for entry in settings.network.leases()),
            "unauthenticated": settings.limits.unauthenticated,
            "per_source": settings.limits.per_source,
        },
        "event_listeners": len(server.events),
        "longest_turn": longest_turn(),
        "warnings": [words.INSECURE, *warnings],
    }


async def sessions(server: Server, user: str | None = None) -> list[Facts]:
    """Return a line for each session and each connection without one, the oldest first."""
    rows: list[Facts] = []
    for number, driver in enumerate(sorted(server.drivers, key=lambda driver: driver.since), 1):
        if number % ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
        rows += [row for row in _rows(server, driver) if user is None or row["user"] == user]
    return rows


def show(server: Server, name: str) -> Facts:
    """Return everything known of the session with that id, or the only one whose id begins so; else SetupError."""
    driver, session = find(server, name)
    now = _now()
    facts = _row(server, driver, session, now)
    host, vendor = driver.who
    facts |= {"local": str(driver.local), "host": host, "vendor": vendor, "control_connection": driver.tunnel.state}
    deadlines = list(session.deadlines) if session is not None else []
    if driver.tunnel.deadline is not None and driver.tunnel.deadline not in deadlines:
        deadlines.append(driver.tunnel.deadline)
    facts["deadlines"] = [
        {"reason": deadline.reason, "seconds": round(deadline.when - now, 1)} for deadline in sorted(deadlines)
    ]
    if session is None:
        return facts
    conversation = driver.conversations.of(session.call_id)
    counters = _counters(server, session.call_id) or Counters()
    told = dataclasses.asdict(counters)
    expected = counters.packets_in + counters.lost
    up = session.interface
    record = server.sessions.get(session.call_id)
    return facts | {
        "policy": str(record.policy) if record is not None else "",
        "call": session.describe(),
        "call_id": session.call_id,
        "peer_call_id": session.call.peer_call_id,
        "mtu": up.mtu if up is not None else None,
        "dns": [str(address) for address in up.dns] if up is not None else [],
        "counters": {name: told[name] for name in told if not name.startswith(("dropped_", "last_"))},
        "drops": {name.removeprefix("dropped_"): told[name] for name in told if name.startswith("dropped_")},
        "loss": round(counters.lost / expected, 6) if expected else 0.0,
        "round_trip": round(conversation.round_trip, 4) if conversation.round_trip is not None else None,
        "negotiation": [
            {"time": _when(line.when, now), "direction": line.direction, "packet": line.packet}
            for line in conversation.lines()
        ],
    }


def find(server: Server, name: str) -> tuple[TunnelDriver, Session | None]:
    """Return the connection and session with an id, or with the only one that begins so; raise SetupError otherwise."""
    found = {}
    for driver in server.drivers:
        for key, session in named(driver).items():
            if key == name:
                return driver, session
            if key.startswith(name) and len(name) >= ID_AT_LEAST:
                found[key] = driver, session
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise SetupError(f"{len(found)} sessions have an id that begins with {name!r}; write more of it")
    raise SetupError(f"no session has the id {name!r}; list them with: openpptp sessions")


def named(driver: TunnelDriver) -> dict[str, Session | None]:
    """Return what hangs on a connection by id: its sessions; where there is none, itself."""
    calls = {driver.names.of(session.call_id): session for session in driver.tunnel.sessions if not session.ended}
    return dict(calls) or {driver.names.connection: None}


def _rows(server: Server, driver: TunnelDriver) -> list[Facts]:
    if driver.ended:
        return []
    now = _now()
    return [_row(server, driver, session, now) for session in named(driver).values()]


def _row(server: Server, driver: TunnelDriver, session: Session | None, now: float) -> Facts:
    facts: Facts = {
        "id": driver.names.connection,
        "user": None,
        "peer": str(driver.peer),
        "address": None,
        "state": "waiting",
        "waits_for": driver.tunnel.deadline.reason if driver.tunnel.deadline is not None else None,
        "connected": _when(driver.since, now),
        "since": None,
        "seconds": round(now - driver.since, 1),
        "idle": None,
        "octets_in": 0,
        "octets_out": 0,
        "encryption": None,
    }
    if session is None:
        if driver.tunnel.state == State.ESTABLISHED.value:
            facts["waits_for"] = "a call"
        return facts
    facts |= {"id": driver.names.of(session.call_id), "user": session.user, "waits_for": session.waits_for()}
    record = server.sessions.get(session.call_id)
    if record is not None:
        facts |= {"user": record.user, "address": str(record.address)}
    counters = _counters(server, session.call_id)
    if counters is not None:
        facts |= {"octets_in": counters.octets_in, "octets_out": counters.octets_out}
    up = session.interface
    if up is not None and record is not None and record.up_at is not None:
        last = max(record.up_at, *((counters.last_in, counters.last_out) if counters is not None else (0.0,)))
        facts |= {"state": "up", "since": _when(record.up_at, now), "seconds": round(now - record.up_at, 1)}
        facts |= {"idle": round(max(0.0, now - last), 1), "encryption": words.encryption(up.key_bits)}
    return facts


def _counters(server: Server, call_id: int) -> Counters | None:
    """Return what a call has carried; None when its path is closed already."""
    return server.counters(call_id) if call_id in server.calls else None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _when(monotonic: float, now: float) -> str:
    """Return a moment of the monotonic clock as a time of day, in UTC."""
    return (datetime.now(UTC) + timedelta(seconds=monotonic - now)).isoformat(timespec="milliseconds")

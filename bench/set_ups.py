"""Log-ins and set-ups: how fast a session comes, and what it keeps."""

import json
import statistics
import sys

from tests.netns.programs import PASSWORD, USER

from bench.generator import generator
from bench.held import MEMORY
from bench.network import SERVER, Network, processor_seconds, resident_octets
from bench.row import Row, at_least

RATE = 300  # set-ups a second
STEADY_RATE, STEADY_SESSIONS, STEADY_LIMIT = 100, 2000, 100  # a second, in all, milliseconds


def windows7(runs: int) -> list[Row]:
    """Measure a log-in of the scripted Windows 7."""
    with Network() as network, network.our_server():
        command = (sys.executable, "-m", "bench.windows7", SERVER, USER, PASSWORD, "--times", str(runs))
        report = json.loads(network.client.run(*command).stdout)
    reached = f"{report['median']:.1f} ms median, {report['most']:.1f} ms most, of {runs}"
    return [
        Row("log-in of the scripted Windows 7, TCP accept to IPCP open", reached, "within 50 ms", report["most"] <= 50)
    ]


def set_ups(sessions: int, runs: int) -> list[Row]:
    """Measure set-ups per second and memory per session, the server on one processor, the generator on the other."""
    rates, busy, octets = [], [], []
    for _ in range(runs):
        with Network() as network, network.our_server(processor=0) as program:
            server = program.process.pid
            first = resident_octets(server), processor_seconds(server)
            with generator(network.client, sessions, processor=1) as clients:
                rates.append(sessions / clients.report["seconds"])
                busy.append((processor_seconds(server) - first[1]) / sessions * 1000)
                octets.append((resident_octets(server) - first[0]) / sessions / 1024)
    rate, cost, memory = (statistics.median(found) for found in (rates, busy, octets))
    what = f"{sessions} sessions with MS-CHAPv2, MPPE 128, IPCP"
    return [
        at_least(
            f"set-ups per second, {what}",
            rate,
            RATE,
            f"{rate:.0f} (runs {min(rates):.0f} to {max(rates):.0f}; server busy {cost:.2f} ms each)",
        ),
        Row(f"server memory per session, {what} held", f"{memory:.0f} KB", f"at most {MEMORY} KB", memory <= MEMORY),
    ]


def steady(runs: int) -> list[Row]:
    """Measure how long a set-up takes while so many begin each second, those before it being held."""
    found = []
    for _ in range(runs):
        with Network() as network, network.our_server(processor=0):
            flags = ("--per-second", str(STEADY_RATE))
            with generator(network.client, STEADY_SESSIONS, *flags, processor=1) as clients:
                found.append(clients.report["milliseconds"])
    median, hundredth, most = (statistics.median(run[name] for run in found) for name in ("median", "of 99 %", "most"))
    return [
        Row(
            f"set-up, TCP connect to IPCP open, {STEADY_RATE} a second until {STEADY_SESSIONS:,} are held",
            f"99 % within {hundredth:.0f} ms; {median:.1f} ms median, {most:.0f} ms most",
            f"99 % within {STEADY_LIMIT} ms",
            hundredth <= STEADY_LIMIT,
        )
    ]

"""Log-ins and set-ups: how fast a session comes, and what it keeps."""

import json
import statistics
import sys
from subprocess import PIPE

from tests.netns.programs import PASSWORD, USER

from bench.network import SERVER, Network, processor_seconds, resident_octets
from bench.row import Row

LOAD = ("taskset", "-c", "1", sys.executable, "-m", "bench.load", SERVER, "--user", USER, "--password", PASSWORD)


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
            command = (*LOAD, "--sessions", str(sessions))
            with network.client.start(*command, stdin=PIPE, stdout=PIPE, text=True) as generator:
                assert generator.stdout is not None
                report = json.loads(generator.stdout.readline())
                if report["up"] != sessions:
                    raise RuntimeError(f"{report['up']} of {sessions} sessions came up: {report['failures']}")
                rates.append(sessions / report["seconds"])
                busy.append((processor_seconds(server) - first[1]) / sessions * 1000)
                octets.append((resident_octets(server) - first[0]) / sessions / 1024)
    rate, memory = statistics.median(rates), statistics.median(octets)
    what = f"{sessions} sessions with MS-CHAPv2, MPPE 128, IPCP"
    return [
        Row(
            f"set-ups per second, {what}",
            f"{rate:.0f} (server busy {statistics.median(busy):.2f} ms each)",
            "at least 150",
            rate >= 150,
        ),
        Row(f"server memory per session, {what} held", f"{memory:.0f} KB", "at most 100 KB", memory <= 100),
    ]

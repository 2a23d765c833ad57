"""Many sessions held: each with its echo and a packet a second, how many last, and the memory they keep."""

import time

from bench.generator import generator, pulse
from bench.network import Network, resident_octets
from bench.row import Row

SESSIONS, SECONDS = 2000, 600.0
MEMORY = 60  # KB each


def held(sessions: int = SESSIONS, seconds: float = SECONDS) -> list[Row]:
    """Hold the sessions so long."""
    with Network() as network, network.our_server() as program:
        server = program.process.pid
        first = resident_octets(server)
        with generator(network.client, sessions, "--data-path", "engine") as clients:
            up = resident_octets(server)
            with pulse(network.server, network.client, clients.ends, seconds) as packets:
                most = up
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    time.sleep(min(1.0, seconds / 10))
                    most = max(most, resident_octets(server))
            state = clients.state()
        # What its sessions do not know of: the count of the sequence numbers that never came.
        lost_by_count = program.log().count(" lost=")
    what = f"{sessions:,} sessions held for {seconds:,.0f} s, each with echo and a packet a second each way"
    lost = packets["lost up"] + packets["lost down"]
    each, at_first = (most - first) / sessions / 1024, (up - first) / sessions / 1024
    return [
        Row(
            f"{what}: sessions lost",
            f"{sessions - state['connected']} ({state['echoes']:,} echoes of the server answered)",
            "0",
            state["connected"] == sessions,
        ),
        Row(
            f"{what}: packets lost",
            f"{lost} ({packets['lost up']} of {packets['sent']:,} up, {packets['lost down']} down; "
            f"sessions that miss a sequence number: {lost_by_count})",
            "0",
            lost == 0,
        ),
        Row(
            f"{what}: server memory per session",
            f"{each:.0f} KB at the most, {at_first:.0f} KB when all were up",
            f"at most {MEMORY} KB",
            each <= MEMORY,
        ),
    ]

"""One guest for all real-peer tests: it boots once, in about 4 s.

                 tap                          veth
    guest  10.99.0.2 -- 10.99.0.1  host  10.77.0.1 -- 10.77.0.2  world

Our program runs in the host namespace; "world" is what lies behind our server, "10.66.0.1" what lies behind pptpd.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.interop.guest import Guest
from tests.machine import need_programs, need_root
from tests.netns.namespace import Namespace, join, sweep

HOST, GUEST, WORLD, BEHIND_GUEST = "10.99.0.1", "10.99.0.2", "10.77.0.2", "10.66.0.1"


@dataclass(frozen=True, slots=True)
class Lab:
    """The guest and the namespaces around it."""

    guest: Guest
    host: Namespace
    world: Namespace


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    need_root()
    need_programs("linux.uml", "pppd", "pptpd", "pptp", "tcpdump", "tshark", "nft", "ip", "ss", "ping")
    sweep()
    shared: Path = tmp_path_factory.mktemp("guest")
    host, world = Namespace("host"), Namespace("world")
    try:
        host.ip("tuntap add dev tap0 mode tap")
        host.ip(f"address add {HOST}/24 dev tap0")
        host.ip("link set tap0 up")
        join(host, "10.77.0.1/24", world, f"{WORLD}/24")
        guest = Guest(shared, tap="tap0", namespace=host)
        try:
            # The guest's one processor takes a whole burst before pptpctrl gets its turn; its raw socket must hold it,
            # or each loss costs pptpctrl's 0.3 s of waiting.
            guest.run(f"""set -e
                sysctl -qw net.core.rmem_default=8388608
                ip address add {GUEST}/24 dev vec0; ip link set vec0 up
                ip link add behind type dummy; ip address add {BEHIND_GUEST}/24 dev behind; ip link set behind up
                sysctl -qw net.ipv4.ip_forward=1
                ping -c1 -W5 {HOST}""")
            yield Lab(guest, host, world)
        finally:
            guest.power_off()
    finally:
        host.close()
        world.close()

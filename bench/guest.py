"""The same beside pptpd, in one User-mode Linux guest: slower by far, but with the kernel's PPP and the real peers."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.guest import Guest
from tests.interop.peers import connect_pptp_linux, start_pptpd
from tests.machine import REPOSITORY
from tests.netns.programs import PASSWORD, USER, write_settings

from bench.network import OFFLOADS, TAP, Network, data_path_flags
from bench.row import Row, of
from bench.throughput import DIRECTIONS

SECONDS = 3
OUTSIDE, CLIENT_OUTSIDE = "10.98.0.1", "10.98.0.2"
OURS, THEIRS = "10.91.9.1", "10.88.0.1"
PROGRAM = f"PYTHONPATH={REPOSITORY / 'src'} {sys.executable} -m openpptp"
IN_SERVER, IN_CLIENT = "ip netns exec server", "ip netns exec client"

Rates = dict[str, list[float]]


def guest(runs: int, data_path: str) -> list[Row]:
    """Measure plain TCP, ours at both ends, and pptpd with pptp-linux, in two namespaces of one guest."""
    with Network(guest=True) as network, tempfile.TemporaryDirectory() as directory:
        machine = Guest(Path(directory) / "guest", tap=TAP, namespace=network.server, memory_mib=768)
        try:
            _prepare(machine)
            plain = _rates(machine, OUTSIDE, runs)
            with _ours(machine, Path(directory) / "guest", data_path):
                ours = _rates(machine, OURS, runs)
            with _pptpd(machine):
                theirs = _rates(machine, THEIRS, runs)
        finally:
            machine.power_off()
    what = "in a User-mode Linux guest, MPPE 128"
    return [
        Row(f"{what}, {DIRECTIONS[mode]}, {who}, to plain TCP", of(rates[mode], plain[mode], "Mbit/s"))
        for who, rates in ((f"ours ({data_path})", ours), ("pptpd + pptp-linux", theirs))
        for mode in plain
    ]


def _prepare(machine: Guest) -> None:
    """Join two namespaces of the guest by a cable without offloads."""
    off = " ".join(f"{feature} off" for feature in OFFLOADS)
    machine.run(f"""set -e
        sysctl -qw net.core.rmem_default=8388608
        ip netns add server; ip netns add client
        ip link add cable0 netns server type veth peer name cable0 netns client
        ip -n server address add {OUTSIDE}/24 dev cable0; ip -n server link set cable0 up; ip -n server link set lo up
        ip -n client address add {CLIENT_OUTSIDE}/24 dev cable0; ip -n client link set cable0 up
        {IN_SERVER} ethtool -K cable0 {off}; {IN_CLIENT} ethtool -K cable0 {off}""")


@contextmanager
def _ours(machine: Guest, folder: Path, data_path: str) -> Iterator[None]:
    """Run our server and client in the guest; its kernel has no nftables."""
    settings = write_settings(
        folder, network={"pool": ["10.91.9.0/24"], "nat": False, "mss_clamp": False, "forward": False}
    )
    flags = " ".join(data_path_flags(data_path))
    server = _start(machine, f"{IN_SERVER} env {PROGRAM} serve --config {settings} {flags}", "server")
    _await(machine, "grep -q serving /run/server.log", "server")
    connect = f"env OPENPPTP_PASSWORD='{PASSWORD}' {PROGRAM} connect {OUTSIDE} --user {USER} {flags}"
    client = _start(machine, f"{IN_CLIENT} {connect}", "client")
    _await(machine, "grep -q '] connected ' /run/client.log", "client")
    yield
    for process in (client, server):
        machine.run(f"kill {process}")
        machine.gone(process)


def _start(machine: Guest, command: str, name: str) -> int:
    return int(machine.run(f"{command} >/run/{name}.log 2>&1 & echo $!").output)


def _await(machine: Guest, condition: str, name: str) -> None:
    waiting = f"for _ in $(seq 300); do {condition} && exit 0; sleep 0.1; done; cat /run/{name}.log; exit 1"
    machine.run(waiting, timeout=60)


@contextmanager
def _pptpd(machine: Guest) -> Iterator[None]:
    options = ("require-mschap-v2", "require-mppe-128")
    pptpd = start_pptpd(machine, *options, listen=OUTSIDE, local=THEIRS, remote="10.88.0.10-50", namespace="server")
    session = connect_pptp_linux(machine, OUTSIDE, "require-mppe-128", "refuse-eap", namespace="client")
    yield
    session.hang_up()
    pptpd.stop()


def _rates(machine: Guest, target: str, runs: int) -> Rates:
    """Return what TCP reaches up and down, in Mbit/s."""
    rates: Rates = {"up": [], "down": []}
    for _ in range(runs):
        for mode, reached in rates.items():
            reverse = "-R" if mode == "down" else ""
            said = machine.run(
                f"""{IN_SERVER} iperf3 -s -1 -B {target} >/dev/null 2>&1 &
                for _ in $(seq 100); do {IN_SERVER} ss -Htln 'sport = 5201' | grep -q . && break; sleep 0.05; done
                {IN_CLIENT} iperf3 -J -c {target} -t {SECONDS} {reverse}; wait""",
                timeout=60,
            ).output
            reached.append(float(json.loads(said)["end"]["sum_received"]["bits_per_second"]) / 1e6)
    return rates

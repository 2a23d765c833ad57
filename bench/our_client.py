"""How soon our client is connected: to our server, to the real pptpd, and again after a restart or a cut."""

import json
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.eventually import eventually
from tests.interop.guest import Guest
from tests.netns.namespace import Namespace
from tests.netns.programs import PASSWORD, USER, Program, start_client

from bench.network import CLIENT, SERVER, TAP, Network, end
from bench.real_client import ONE_LOG_IN, pptpd_with_client
from bench.row import Row

CUT = 5  # seconds


def log_ins(runs: int) -> list[Row]:
    """Measure to our own server, from the call to the last route."""
    seconds = []
    with Network() as network, network.our_server(), tempfile.TemporaryDirectory() as directory:
        for run in range(runs):
            client = _client(network.client, Path(directory) / str(run), SERVER, "--route", "10.0.0.0/8")
            seconds.append(_moment(client, "connected") - _moment(client, "calling"))
            end(client)
    median = statistics.median(seconds) * 1000
    reached = f"{median:.0f} ms median, {max(seconds) * 1000:.0f} ms most, of {runs}"
    what = "connect of our client to our server, from the TCP connection to its routes"
    return [Row(what, reached, "median within 50 ms", median <= 50)]


def comes_back(runs: int) -> list[Row]:
    """Measure how long after a restarted server listens the tunnel is up, and whether a cut costs a log-in."""
    seconds, log_ins_after_cut = [], 0
    with Network() as network, tempfile.TemporaryDirectory() as directory:
        for run in range(runs):
            with network.our_server() as server:
                client = _client(network.client, Path(directory) / str(run), SERVER, once=False)
                _moment(client, "connected")
            client.says('"waiting"')
            with network.our_server() as server:
                listening = datetime.now(UTC).timestamp()
                seconds.append(_moment(client, "connected", times=2) - listening)
                network.server.ip("link set cable0 down")
                lost = [network.client.ping("10.91.0.1", wait=1) for _ in range(CUT)]
                network.server.ip("link set cable0 up")
                assert not any(lost)
                if not eventually(lambda: network.client.ping("10.91.0.1", wait=1)):
                    raise RuntimeError("the tunnel does not come back after the cut")
                log_ins_after_cut += server.log().count("session up") - 1
                end(client)
    return [
        Row(
            "our client's tunnel is up again after a restarted server listens",
            f"{statistics.median(seconds):.2f} s median, {max(seconds):.2f} s most, of {runs}",
            "within 3 s",
            max(seconds) <= 3,
        ),
        Row(
            f"log-ins a cut of {CUT} s in the carrier costs our client",
            f"{log_ins_after_cut} in {runs} cuts",
            "none",
            log_ins_after_cut == 0,
        ),
    ]


def to_pptpd(runs: int) -> list[Row]:
    """Measure from the start of the program to its address, ours and pptp-linux, at one pptpd in a guest."""
    with Network(guest=True) as network, tempfile.TemporaryDirectory() as directory:
        guest = Guest(Path(directory) / "guest", tap=TAP, namespace=network.server)
        try:
            pptpd = pptpd_with_client(guest, listen="0.0.0.0")
            ours, theirs = [], []
            for run in range(runs):
                began = datetime.now(UTC).timestamp()
                client = _client(network.server, Path(directory) / str(run), CLIENT)
                ours.append(_moment(client, "connected") - began)
                end(client)
                script = ONE_LOG_IN.format(
                    prefix="ip netns exec client", server="10.98.0.1", user=USER, password=PASSWORD
                )
                theirs.append(int(guest.run(script, timeout=60).output.split()[0]) / 1e6)
            pptpd.stop()
        finally:
            guest.power_off()
    ours_median, theirs_median = statistics.median(ours), statistics.median(theirs)
    return [
        Row(
            "log-in of our client to the real pptpd in User-mode Linux, start of the program to its address",
            f"{ours_median:.2f} s median, {max(ours):.2f} s most, of {runs} (pptp-linux: {theirs_median:.2f} s)",
            "no slower than pptp-linux",
            ours_median <= theirs_median,
        )
    ]


def _client(namespace: Namespace, folder: Path, server: str, *flags: str, once: bool = True) -> Program:
    return start_client(namespace, folder, "--json", *flags, host=server, once=once)


def _moment(client: Program, event: str, *, times: int = 1) -> float:
    """Wait until a client has told an event so often; return when it did the last time."""

    def told() -> list[dict[str, Any]]:
        lines = [line for line in client.log().splitlines() if line.startswith("{") and line.endswith("}")]
        return [each for each in map(json.loads, lines) if each["event"] == event]

    if not eventually(lambda: len(told()) >= times, seconds=30):
        raise RuntimeError(f"the client did not tell {event}:\n{client.log()}")
    return datetime.fromisoformat(told()[times - 1]["time"]).timestamp()

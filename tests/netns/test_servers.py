"""`openpptp connect` as a process, through a NAT box, to scripted servers whose GRE or addresses are special.

All that these servers say, and all makes of them, is tried in memory (tests/servers); here are the engine, the kernel
and the host's routes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests import pcap
from tests.eventually import until
from tests.netns.adversary import echo_request
from tests.netns.namespace import Namespace
from tests.netns.programs import CLIENT_DEVICE, WORLD_NETWORK, Program, connecting, state
from tests.netns.topology import Topology
from tests.servers.makers import ACCEL_PPP, CISCO, MPD, NPPPD, PPTPD, RRAS, with_rules
from tests.servers.script import Script, on
from tests.servers.server import ScriptedServer

from openpptp.net.gre import RawGrePort
from openpptp.wire.control import OutgoingCallRequest

pytestmark = pytest.mark.root

BEYOND = "198.51.100.10"
BY_NAT = "192.168.100.1"
"The client's default gateway."
TO_WORLD = ("--route", WORLD_NETWORK)
PACKETS = 60


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[ScriptedServer]:
    """Run a script in the namespace this is called in."""
    port = RawGrePort()
    server = ScriptedServer(script, port)
    listening = await asyncio.get_running_loop().create_server(server.protocol, str(Topology.SERVER), 1723)
    try:
        yield server
    finally:
        listening.close()
        server.close()
        port.close()


def meet(
    topology: Topology,
    folder: Path,
    script: Script,
    doing: Callable[[ScriptedServer, Program], Awaitable[None]],
    *flags: str,
    **how: str,
) -> None:
    """Run a scripted server and a client of it, do something with them, and end the client if it has not ended."""

    async def run() -> None:
        async with asyncio.timeout(60), scripted(script) as server:
            with connecting(topology.client, folder, *flags, **how) as client:
                await doing(server, client)
                client.process.terminate()
                await until(lambda: client.process.poll() is not None)

    with topology.server.inside():
        asyncio.run(run())


async def connected(client: Program) -> None:
    await until(lambda: " mtu=" in client.log() or client.process.poll() is not None)
    assert "] connected " in client.log(), client.log()


async def sent(server: ScriptedServer, packet: bytes) -> None:
    """Send an inside packet as soon as the server's window lets it."""
    while not server.send_inside(packet):
        server.carriage.acknowledged.clear()
        await server.carriage.acknowledged.wait()


async def ping(client: Namespace, address: str) -> bool:
    return await asyncio.to_thread(client.ping, address)


class GreTests:
    """Numbers, acknowledgements, windows and headers of other makes, against the engine."""

    @pytest.mark.parametrize("script", [RRAS, CISCO, ACCEL_PPP, MPD, NPPPD], ids=str)
    def test_data_passes_both_ways_whoever_begins(self, topology, tmp_path, script):
        async def doing(server: ScriptedServer, client: Program) -> None:
            await connected(client)
            assert "encryption='MPPE 128 bit'" in client.log()
            assert await ping(topology.client, BEYOND)
            heard = len(server.heard_inside)
            for _ in range(PACKETS):
                await sent(server, pcap.ipv4(BEYOND, script.address, 1, echo_request()))
            await until(lambda: len(server.heard_inside) >= heard + PACKETS)
            assert server.complaints == []

        before = state(topology.client)
        meet(topology, tmp_path, script, doing, *TO_WORLD)
        assert state(topology.client) == before


class ProfileTests:
    """What only a profile says about a call."""

    PROFILE = """\
[server]
hosts = ["203.0.113.1"]
[auth]
user = "alice"
[call]
phone_number = "RELAY_PPP1"
bearer = "digital"
receive_window = 16
"""

    def test_q16_q26_a_modem_is_told_what_it_wants_to_hear_and_mpd_s_window_never_fills_up(self, topology, tmp_path):
        directory = tmp_path / "openpptp"
        directory.mkdir()
        (directory / "modem.toml").write_text(self.PROFILE)

        async def doing(server: ScriptedServer, client: Program) -> None:
            await connected(client)
            (request,) = [message for message in server.messages if isinstance(message, OutgoingCallRequest)]
            assert (request.phone_number, request.bearer_type) == ("RELAY_PPP1", 2)
            assert request.packet_receive_window_size == 16
            server.carriage.acks.clear()
            for number in range(PACKETS):
                await sent(server, pcap.ipv4(BEYOND, MPD.address, 253, b"%d" % number))  # nobody answers that
            assert max(server.carriage.acks) == 8

        before = f"unset SUDO_USER; export XDG_CONFIG_HOME={tmp_path};"
        meet(topology, tmp_path, MPD, doing, "--profile", "modem", before=before)


class AddressTests:
    """Addresses a server hands out, against those of this host."""

    def test_a_server_that_calls_itself_by_its_outer_address_does_not_lead_the_tunnel_into_itself(
        self, topology, tmp_path
    ):
        script = with_rules(PPTPD, on("CCP up", f"[IPCP ConfReq id=0x1 <addr {Topology.SERVER}>]"))

        async def doing(server: ScriptedServer, client: Program) -> None:
            await connected(client)
            assert f"the server calls itself {Topology.SERVER} in the tunnel, which is the one we call it at" in (
                client.log()
            )
            assert await ping(topology.client, BEYOND)
            way = topology.client.run("ip", "route", "get", str(Topology.SERVER)).stdout
            assert CLIENT_DEVICE not in way

        meet(topology, tmp_path, script, doing, *TO_WORLD)

    def test_a_server_that_calls_itself_by_our_routers_address_does_not_hide_it(self, topology, tmp_path):
        script = with_rules(PPTPD, on("CCP up", f"[IPCP ConfReq id=0x1 <addr {BY_NAT}>]"))

        async def doing(server: ScriptedServer, client: Program) -> None:
            await connected(client)
            assert f"the server calls itself {BY_NAT} in the tunnel, which is one in this machine's own" in client.log()
            assert await ping(topology.client, BY_NAT)
            assert await ping(topology.client, BEYOND)

        meet(topology, tmp_path, script, doing, *TO_WORLD)

    @pytest.mark.parametrize(
        ("address", "why"),
        [(str(Topology.SERVER), "which is the one we call it at"), ("192.168.100.2", "has already, on nat0")],
    )
    def test_an_address_that_would_cut_us_off_is_refused_and_nothing_is_changed(self, topology, tmp_path, address, why):
        async def doing(server: ScriptedServer, client: Program) -> None:
            await until(lambda: client.process.poll() is not None)
            assert client.process.returncode == 1
            assert f"the server gives us the address {address}, " in client.log()
            assert why in client.log()
            assert "let it give another, from a range of its own" in client.log()

        before = state(topology.client)
        meet(topology, tmp_path, replace(PPTPD, address=address), doing, *TO_WORLD)
        assert state(topology.client) == before


class LocalAddressTests:
    """--local-address: the control connection and GRE leave from there."""

    def test_both_leave_from_the_address_that_is_named(self, topology, tmp_path):
        topology.client.ip("address add 192.168.100.77/24 dev nat0")

        async def doing(server: ScriptedServer, client: Program) -> None:
            await connected(client)
            assert await ping(topology.client, BEYOND)
            connections = topology.client.run("ss", "-Htn", "dst", str(Topology.SERVER)).stdout.split()
            assert "192.168.100.77" in connections[3]

        meet(topology, tmp_path, PPTPD, doing, *TO_WORLD, "--local-address", "192.168.100.77")

"""The library on a host: its examples with real packets, a server of its own, and GRE without root."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.library.page import PAGE, same, shown_output
from tests.machine import REPOSITORY, as_nobody
from tests.netns.programs import (
    PASSWORD,
    POOL,
    USER,
    WORLD_NETWORK,
    Program,
    serving,
    start,
    start_client,
    state,
)
from tests.netns.target import PORT, target
from tests.netns.topology import Topology

pytestmark = pytest.mark.root

SERVER, WORLD = str(Topology.SERVER), str(Topology.WORLD)
EXAMPLES = REPOSITORY / "examples"
FETCH = (sys.executable, str(EXAMPLES / "fetch.py"), SERVER, USER, WORLD_NETWORK, f"http://{WORLD}:{PORT}/octets/1000")
ASK = (sys.executable, str(EXAMPLES / "what_does_it_agree_to.py"), SERVER)
SERVE = """
import asyncio, sys
import openpptp

async def main():
    users, folder = {sys.argv[1]: sys.argv[2]}, sys.argv[4]
    server = {"runtime_directory": folder, "interface": "lib0"}
    async with openpptp.serve(network={"pool": [sys.argv[3]]}, users=users, server=server) as server:
        print("serving at", server.address, flush=True)
        async for event in server.events():
            print(event["event"], flush=True)

asyncio.run(main())
"""


def fetched(topology: Topology, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the example in the client's namespace, with a /run of its own."""
    folder.mkdir(exist_ok=True)
    program = start(topology.client, folder, *FETCH, name="fetch", **environment)
    code = program.exit_code()
    return subprocess.CompletedProcess(FETCH, code, program.log())


class FetchTests:
    """examples/fetch.py."""

    def test_it_prints_what_the_page_shows_and_leaves_the_host_as_it_was(self, topology, tmp_path):
        before = state(topology.client)
        with serving(topology.server, tmp_path / "server"), target(topology.world, WORLD):
            refused = fetched(topology, tmp_path / "client", OPENPPTP_PASSWORD="wrong")
            assert state(topology.client) == before
            done = fetched(topology, tmp_path / "client")
        assert (refused.returncode, done.returncode) == (1, 0), refused.stdout + done.stdout
        assert refused.stdout.splitlines()[-1] in PAGE
        # How many stages of the link are seen depends on what comes in one packet.
        assert tail(same(done.stdout)) == tail(shown_output("fetch.py"))
        assert done.stdout.startswith("... resolving\n... calling\n... connect\n... control\n")
        assert state(topology.client) == before


class ServeTests:
    """serve() without ports: the host's own devices."""

    def test_it_prepares_the_host_and_leaves_it_as_it_was(self, topology, tmp_path):
        before = state(topology.server)
        folder = tmp_path / "server"
        folder.mkdir()
        command = (sys.executable, "-c", SERVE, USER, PASSWORD, POOL, str(folder / "runtime"))
        server = start(topology.server, folder, *command)
        try:
            server.says("serving at")
            with target(topology.world, WORLD):
                done = fetched(topology, tmp_path / "client")
            assert done.returncode == 0, done.stdout + server.log()
            server.says("session up", "session ended")
        finally:
            server.process.send_signal(2)
            server.exit_code()
        assert "KeyboardInterrupt" in server.log()
        assert state(topology.server) == before


class WithoutRootTests:
    """GRE with real packets and no device: CAP_NET_RAW is enough."""

    def test_equipment_dials_and_is_told_apart(self, topology, tmp_path):
        program: Program = start(topology.server, tmp_path, *as_nobody("net_raw"), *ASK, name="ask")
        for number in range(12):
            if not eventually(lambda: ":1723 " in listening(topology) or program.process.poll() is not None):
                break
            if program.process.poll() is not None:
                break
            dialling = start_client(topology.client, tmp_path / "client", user="meter-7", name=f"dial{number}")
            dialling.exit_code()
        assert program.exit_code() == 0, program.log()
        answers = [line for line in program.log().splitlines() if "  yes " in line or "  no " in line]
        assert [answer.split("  ")[0] for answer in answers if "  yes " in answer] == ["MS-CHAPv2, 128 bit"]
        assert len(answers) == 5


def listening(topology: Topology) -> str:
    return topology.server.run("ss", "-Hltn").stdout


def tail(output: str) -> list[str]:
    """Return the lines from the connection's being there on."""
    lines = output.splitlines()
    return lines[lines.index("... connected") :]

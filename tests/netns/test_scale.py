"""Many sessions at once: held, told of the end, left alone by a reload, sent home; bench/ has the whole sizes.

Nothing here looks at a clock: bench/RESULTS.md has the figures.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.generator import WHOLE_LEAVE, Generator, generator, pulse
from bench.network import resident_octets
from tests.eventually import eventually
from tests.netns.namespace import Namespace, join
from tests.netns.programs import Program, serving

from openpptp.backends.accounting_store import sessions as accounted
from openpptp.daemon.api_client import ApiClient

pytestmark = pytest.mark.root

SERVER = "203.0.113.1"
SECTIONS = {
    "network": {"pool": ["10.91.0.0/20"]},
    "limits": {"sessions": 2000, "unauthenticated": 1000, "per_source": 1000},
}
MEMORY_EACH, MEMORY_ONCE = 60 * 1024, 8 << 20
"Octets for a session, and for what the first one brings: threads, tables, Python's arenas."


class Site:
    """A server and the namespace of its many clients."""

    def __init__(self, server: Namespace, client: Namespace, folder: Path, program: Program) -> None:
        self.server, self.client, self.folder, self.program = server, client, folder, program
        self.api = ApiClient(folder / "run" / "openpptp" / "api.sock")

    def sessions(self, count: int) -> contextlib.AbstractContextManager[Generator]:
        return generator(self.client, count, server=SERVER)

    def pulse(self, clients: Generator, seconds: float, rate: float) -> contextlib.AbstractContextManager[dict]:
        return pulse(self.server, self.client, clients.ends, seconds, rate)

    def causes(self) -> Counter[str | None]:
        """Return how the sessions ended, as the accounting has it."""
        return Counter(row.cause for row in accounted(self.folder / "accounting.sqlite"))


@pytest.fixture
def site(make_namespace, tmp_path) -> Iterator[Site]:
    server, client = make_namespace("server"), make_namespace("client")
    join(server, f"{SERVER}/24", client, "203.0.113.2/24")
    folder = tmp_path / "server"
    with serving(server, folder, **SECTIONS, ppp={"echo_interval": 1}) as program:
        yield Site(server, client, folder, program)


def none_lost(packets: dict) -> None:
    """Packets are counted where they are sent and where they arrive, each way."""
    assert packets["sent"] > 0
    assert (packets["lost up"], packets["lost down"], packets["doubled"]) == (0, 0, 0)


class HeldTests:
    """Sessions held with echo and packets each way."""

    def test_200_sessions_none_is_lost_nor_any_packet_and_memory_is_bounded(self, site):
        before = resident_octets(site.program.process.pid)
        with site.sessions(200) as clients:
            with site.pulse(clients, seconds=4, rate=1) as packets:
                pass
            none_lost(packets)
            state = clients.state()
            assert (state["connected"], state["ended"]) == (200, {})
            assert state["echoes"] >= 200
            assert resident_octets(site.program.process.pid) - before <= 200 * MEMORY_EACH + MEMORY_ONCE


class StoppedTests:
    """P-20: SIGTERM under many sessions."""

    def test_p20_500_peers_are_told_in_order_and_the_accounting_is_closed(self, site):
        with site.sessions(500) as clients:
            assert site.program.stop(seconds=20) == 0
            assert clients.state()["told"] == {WHOLE_LEAVE: 500}
        assert site.causes() == {"shutdown": 500}


class ReloadedTests:
    """P-21: a reload under busy sessions."""

    def test_p21_no_packet_and_no_session_is_lost_to_it(self, site):
        settings = site.folder / "openpptp.toml"
        text = settings.read_text()
        with site.sessions(200) as clients:
            with site.pulse(clients, seconds=3, rate=10) as packets:
                for number in range(1000, 1005):
                    settings.write_text(text.replace("sessions = 2000", f"sessions = {number}"))
                    assert [change["key"] for change in site.api.reload()["applied"]] == ["limits.sessions"]
            none_lost(packets)
            assert clients.state()["connected"] == 200


class SentHomeTests:
    """openpptp disconnect --all."""

    def test_everybody_is_told_in_order_and_the_server_goes_on(self, site):
        with site.sessions(300) as clients:
            answer = site.api.disconnect()
            assert (len(answer["disconnected"]), answer["ending"]) == (300, [])
            assert clients.state()["told"] == {WHOLE_LEAVE: 300}
            status = site.api.status()
            assert (status["sessions"], status["connections"]) == (0, 0)
            assert status["longest_turn"] > 0
        with site.sessions(10):
            assert eventually(lambda: site.api.status()["sessions_up"] == 10)

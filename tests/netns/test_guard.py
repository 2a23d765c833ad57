"""The guard of a real server: who crowds the door, who vanishes, and who gets how many octets before the log-in.

Each test is named by its row of bad-inputs.md (B-) or promise (P-).
"""

from typing import ClassVar

import pytest
from tests.eventually import eventually, until
from tests.netns.adversary import ATTACKER, SERVER, Attacker
from tests.netns.house import CONNECTIONS, CROWD, SOURCES, House, closed, flooding
from tests.netns.programs import Counter
from tests.netns.test_accounting import accounted

from openpptp.errors import EndReason
from openpptp.wire.control import StartControlConnectionRequest

pytestmark = pytest.mark.root

START = StartControlConnectionRequest(host_name="adversary").encode()


class DoorTests:
    """B-020, P-14: thousands of connections that say nothing."""

    SETTINGS: ClassVar = {}

    @pytest.mark.parametrize(("sources", "most"), [([ATTACKER], 10), (CROWD, 100)], ids=["one source", "250 sources"])
    def test_b020_p14_an_honest_client_comes_in_beside_5000_idle_connections(self, home: House, sources, most):
        addresses = "".join(f"addr replace {source}/16 dev server0\n" for source in sources)
        home.peer.run("ip", "-batch", "-", input=addresses)
        before, lines = home.vitals(), home.lines()
        with flooding(home.peer, sources) as flooder:
            assert eventually(lambda: home.program.log().count("connection refused") > 0)
            for _ in range(5):
                home.canary()
            assert flooder.poll() is None
            assert eventually(lambda: home.vitals().files - before.files <= most, seconds=5)
            said, _ = flooder.communicate("", timeout=30)
            assert int(said) >= CONNECTIONS
            assert home.vitals().resident - before.resident < 20 << 20
        home.rests(before)
        assert home.lines() - lines < 3 * len(sources) + 40
        home.canary()


class SilentPeerTests:
    """A peer that vanishes: both echoes find it, and the accounting calls it lost."""

    SETTINGS: ClassVar = {
        "server": {"control_echo_interval": 1},
        "ppp": {"echo_interval": 1, "echo_failures": 2},
    }

    @pytest.mark.parametrize(
        ("protocol", "words"),
        [("gre", "left 2 Echo-Requests unanswered"), ("tcp", "the peer did not answer the Echo-Request")],
        ids=["LCP echo", "control echo"],
    )
    def test_who_vanishes_is_found_within_interval_and_failures(self, home: House, folder, protocol, words):
        async def vanish(attacker: Attacker) -> None:
            session = await attacker.log_in()
            await session.ping()
            assert session.alive
            cut = Counter(home.peer, f"ip saddr {SERVER} meta l4proto {protocol}", verdict="drop")
            try:
                await until(lambda: words in home.program.log())
            finally:
                cut.remove()

        home.attack(vanish)
        (line,) = [line for line in home.program.log().splitlines() if words in line]
        assert "session ended" in line
        assert "reason=peer-silent" in line
        assert eventually(lambda: "peer-silent" in [row["cause"] for row in accounted(folder / "home")])
        assert EndReason.PEER_SILENT.value.accounting_cause == 2  # RFC 2866 section 5.10: Lost Carrier

    def test_a_connection_without_a_session_is_asked_too(self, home: House):
        with home.connection(START) as stream:
            assert closed(stream)  # long before the 70 seconds of a log-in


class AmplificationTests:
    """P-13: octets out, headers included, for octets in, over whole log-ins."""

    SETTINGS: ClassVar = {}

    @pytest.mark.parametrize("password", ["correct horse", "wrong"])
    def test_p13_a_log_in_gets_no_more_octets_than_it_brings(self, home: House, password):
        source = SOURCES[0]

        async def log_in(attacker: Attacker) -> None:
            session = await attacker.call(password=password, source=source)
            await until(lambda: session.up or session.over)

        brought = Counter(home.server, f"ip saddr {source}", name="brought")
        got = Counter(home.peer, f"ip daddr {source}", name="got")
        home.attack(log_in)
        assert 500 < got.octets <= brought.octets
        brought.remove()
        got.remove()

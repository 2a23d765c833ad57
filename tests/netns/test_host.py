"""What the server changes on its host: told before, verified from another process, undone to what was before."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.net.packets import ENVIRONMENT
from tests.netns import rulesets
from tests.netns.namespace import Namespace
from tests.netns.programs import POOL, SERVER_DEVICE, serving, start_server, state, write_settings
from tests.netns.topology import Topology

from openpptp.daemon.config import Settings, load
from openpptp.daemon.host import examined, pieces, undo_left
from openpptp.daemon.host_piece import Condition
from openpptp.errors import SetupError
from openpptp.net.journal import Journal
from openpptp.net.links import Links
from openpptp.net.tun import Tun

pytestmark = pytest.mark.root

TABLE = f"inet openpptp_{SERVER_DEVICE}"
NAMES = ["tunnel device", "routes", "IPv4 forwarding", "proxy ARP", "firewall table", "firewalls of others"]
NOBODY = 65534


def settings(folder: Path, **sections: dict[str, object]) -> Settings:
    """Return a server's settings as a process beside it sees them, which has another /run."""
    read = load(write_settings(folder, **sections))
    server = read.server.model_copy(update={"runtime_directory": folder / "run" / "openpptp"})
    return read.model_copy(update={"server": server})


@dataclass
class Onlooker:
    """Looks at a server's host from outside."""

    host: Namespace
    settings: Settings

    def conditions(self) -> dict[str, Condition]:
        with self.host.inside(), examined(self.settings) as pieces:
            return {piece.name: piece.verify() for piece in pieces}

    def wrong(self) -> dict[str, str]:
        """Return the state of each piece that is not present."""
        return {name: each.state for name, each in self.conditions().items() if each.state != "present"}

    def told(self) -> list[str]:
        with self.host.inside(), examined(self.settings) as pieces:
            return [line for piece in pieces for line in piece.describe()]

    @contextmanager
    def disturbed(self, piece: str, state: str, *, undo: str, **does: str) -> Iterator[Condition]:
        """See that a change by somebody else is found in one piece only, and by the end not at all."""
        ((how, command),) = does.items()
        run = {"ip": self.host.ip, "nft": self.host.nft}[how]
        run(command)
        conditions = self.conditions()
        assert {name: each.state for name, each in conditions.items() if each.state != "present"} == {piece: state}
        assert conditions[piece].remedy
        yield conditions[piece]
        run(undo)
        assert self.wrong() == {}


class BesideTests:
    """A server runs; another process looks on, without its lock."""

    @pytest.fixture(scope="class")
    @classmethod
    def onlooker(cls, namespaces_possible, tmp_path_factory) -> Iterator[Onlooker]:
        folder, topology = tmp_path_factory.mktemp("beside"), Topology()
        try:
            with serving(topology.server, folder):
                yield Onlooker(topology.server, settings(folder))
        finally:
            topology.close()

    def test_every_piece_is_present(self, onlooker):
        conditions = onlooker.conditions()
        assert list(conditions) == NAMES
        assert {each.state for each in conditions.values()} == {"present"}
        assert [each.sentence for each in conditions.values()] == [
            "pptp0 is up with 10.91.9.1 and MTU 1396",
            f"{POOL} through pptp0",
            "net.ipv4.ip_forward is 1",
            "no client's address lies in a network of this host",
            f"table {TABLE} is as the server made it",
            "TCP port 1723, GRE and packets of clients pass every rule set of this host",
        ]

    def test_the_device_with_another_mtu(self, onlooker):
        change, undo = (f"link set pptp0 mtu {mtu}" for mtu in (1500, 1396))
        with onlooker.disturbed("tunnel device", "overridden", ip=change, undo=undo) as condition:
            assert condition.sentence == "somebody set the MTU of pptp0 to 1500 in place of 1396"

    def test_a_route_that_leads_elsewhere(self, onlooker):
        rule = "rule add pref 5 to 10.91.9.0/25 lookup 77"
        onlooker.host.ip("route add 10.91.9.0/25 dev world0 table 77")
        with onlooker.disturbed("routes", "overridden", ip=rule, undo=rule.replace("add", "del")) as condition:
            assert "packets to 10.91.9.0 leave through world0" in condition.sentence

    def test_a_route_that_is_gone(self, onlooker):
        route = f"{POOL} dev pptp0 scope link src 10.91.9.1 proto 47"
        undo = f"route add {route}"
        with onlooker.disturbed("routes", "missing", ip=f"route del {POOL}", undo=undo) as condition:
            assert condition.sentence == f"{POOL} is not routed through pptp0"

    def test_forwarding_that_somebody_switched_off(self, onlooker):
        onlooker.host.sysctl("net/ipv4/ip_forward", "0")
        assert onlooker.wrong() == {"IPv4 forwarding": "overridden"}
        assert "somebody set net.ipv4.ip_forward to 0" in onlooker.conditions()["IPv4 forwarding"].sentence
        onlooker.host.sysctl("net/ipv4/ip_forward", "1")

    def test_rules_in_our_table_that_are_not_ours(self, onlooker):
        change, undo = f"add element {TABLE} pool {{ 10.1.1.1 }}", f"delete element {TABLE} pool {{ 10.1.1.1 }}"
        with onlooker.disturbed("firewall table", "overridden", nft=change, undo=undo) as condition:
            assert condition.sentence.startswith(f"somebody changed table {TABLE}")

    def test_a_firewall_of_somebody_else(self, onlooker):
        with onlooker.disturbed(
            "firewalls of others", "overridden", nft=rulesets.CLOSED, undo="delete table inet filter"
        ) as condition:
            assert condition.sentence.startswith("nftables drops TCP port 1723: nobody can connect")
            assert "nft insert rule inet filter input tcp dport 1723 accept; " in condition.remedy
            assert condition.remedy.endswith("keep it in your rules file (/etc/nftables.conf)")

    def test_to_undo_what_is_in_use_is_refused(self, onlooker):
        with onlooker.host.inside(), pytest.raises(SetupError, match="already runs"):
            undo_left(onlooker.settings)
        assert onlooker.wrong() == {}


class DryRunTests:
    """What would be done, before anything is."""

    def test_each_change_is_told_and_none_is_made(self, topology, tmp_path):
        (tmp_path / "run").mkdir()
        before = state(topology.server)
        onlooker = Onlooker(topology.server, settings(tmp_path))
        told = onlooker.told()
        assert told[:4] == [
            "interface pptp0: TUN, MTU 1396, queue of 8000 packets, IPv6 off",
            "address 10.91.9.1/32 on pptp0",
            f"route {POOL} dev pptp0 scope link src 10.91.9.1",
            "sysctl net.ipv4.ip_forward = 1 (now 0)",
        ]
        assert f"table {TABLE} {{" in told
        assert told[-1] == "rules of others stay as they are"
        assert state(topology.server) == before
        assert not (tmp_path / "run" / "openpptp").exists()
        assert onlooker.wrong() == dict.fromkeys(
            ["tunnel device", "routes", "IPv4 forwarding", "firewall table"], "missing"
        )

    def test_the_rules_are_those_that_nft_takes(self, topology, tmp_path):
        (tmp_path / "run").mkdir()
        told = Onlooker(topology.server, settings(tmp_path)).told()
        topology.server.nft("\n".join(told[told.index(f"add table {TABLE}") : -1]))
        by_hand = topology.server.ruleset()
        topology.server.nft(f"delete table {TABLE}")
        with serving(topology.server, tmp_path):
            assert topology.server.ruleset() == by_hand

    def test_what_is_not_wanted_is_not_told(self, topology, tmp_path):
        (tmp_path / "run").mkdir()
        network = {"nat": False, "mss_clamp": False, "forward": False}
        conditions = Onlooker(topology.server, settings(tmp_path, network=network)).conditions()
        assert list(conditions) == ["tunnel device", "routes", "firewalls of others"]


@pytest.fixture
def everybodys_path() -> Iterator[Path]:
    """Give a directory that others than root can be let into, which pytest's are not."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


class UndoTests:
    """B-145: everything is as before, whoever undoes it."""

    def test_what_a_killed_server_left_is_undone_without_another_server(self, topology, tmp_path):
        topology.server.nft(rulesets.CLOSED)
        before = state(topology.server)
        victim = start_server(topology.server, tmp_path)
        victim.says("serving")
        assert state(topology.server) != before
        victim.kill()
        with topology.server.inside():
            assert undo_left(settings(tmp_path)) == []
        assert state(topology.server) == before

    def test_applied_twice_is_applied_once(self, topology, tmp_path):
        before, wanted = state(topology.server), settings(tmp_path)
        with topology.server.inside(), closing(Tun(SERVER_DEVICE)):
            journal = Journal(wanted.server.runtime_directory)
            with closing(journal), closing(Links(journal)) as links:
                every = pieces(wanted, journal, links)
                for piece in every:
                    piece.apply()
                once = state(topology.server)
                for piece in every:
                    piece.apply()
                assert state(topology.server) == once
                assert [problem for piece in reversed(every) for problem in piece.undo()] == []
        assert state(topology.server) == before

    def test_settings_that_want_less_undo_more(self, topology, tmp_path):
        before = state(topology.server)
        victim = start_server(topology.server, tmp_path)
        victim.says("serving")
        victim.kill()
        network = {"nat": False, "mss_clamp": False, "forward": False}
        with serving(topology.server, tmp_path, network=network):
            assert topology.server.sysctl("net/ipv4/ip_forward") == "0"
            assert topology.server.ruleset() == before["firewall"]

    def test_it_takes_the_two_capabilities_only(self, topology, everybodys_path):
        """All pieces applied as root, then undone by a process of nobody's with CAP_NET_ADMIN and CAP_NET_RAW."""
        before, folder = state(topology.server), everybodys_path
        victim = start_server(topology.server, folder)
        victim.says("serving")
        victim.kill()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        keep = "+net_admin,+net_raw"
        script = (
            "import os\nfrom pathlib import Path\nfrom openpptp.daemon.config import load\n"
            "from openpptp.daemon.host import undo_left\n"
            f"folder = Path({str(folder)!r})\nread = load(folder / 'openpptp.toml')\n"
            "server = read.server.model_copy(update={'runtime_directory': folder / 'run/openpptp'})\n"
            "print(os.geteuid(), undo_left(read.model_copy(update={'server': server})))\n"
        )
        command = ("setpriv", "--reuid", str(NOBODY), "--clear-groups", "--inh-caps", keep, "--ambient-caps", keep)
        done = topology.server.run(*command, sys.executable, "-c", script, env=ENVIRONMENT)
        assert done.stdout == f"{NOBODY} []\n"
        assert state(topology.server) == before

"""What we say of others' firewalls against what they do to real packets."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
import structlog
from tests.eventually import eventually
from tests.machine import NOT_HERE, need_programs
from tests.net.packets import syn
from tests.netns import rulesets
from tests.netns.topology import Topology

from openpptp.daemon.host_passage import Obstacle, Passage
from openpptp.net.firewall import Firewall, plan
from openpptp.net.gre import RawGrePort
from openpptp.net.links import Links
from openpptp.net.tun import Tun

pytestmark = pytest.mark.root

POOL, CLIENT, DEVICE = IPv4Network("10.88.0.0/24"), IPv4Address("10.88.0.9"), "inside"
GRE = bytes.fromhex("3001880b 0000 0007 00000001")
NOTHING = "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n"
NEVER = 0.3  # seconds after which what we say does not arrive has not arrived


@dataclass
class Host:
    """A server with our own table, a tunnel device and, at times, somebody else's rules."""

    topology: Topology
    tun: Tun
    flows: int = 0

    def load(self, rules: str) -> None:
        """Put rules in place of those there, ours included, as a firewall that starts."""
        server = self.topology.server
        server.nft("flush ruleset")
        with server.inside():
            Firewall().apply(plan(device=DEVICE, pools=[POOL]))
        if rules.startswith("*"):
            server.run("iptables-nft-restore", input=rules)
        else:
            server.nft(rules)

    def told(self) -> dict[str, Obstacle]:
        """Return what our piece says is in the way."""
        with self.topology.server.inside():
            links = Links()
            passage = Passage(links, DEVICE, 1723, CLIENT, True, "inet openpptp", structlog.get_logger())
            found, others = passage._found()
            condition = passage.verify()
            links.close()
        assert not others.unread
        assert condition.state == ("overridden" if found else "present")
        return {each.what: each for each in found}

    def agrees(self) -> dict[str, Obstacle]:
        """Send real packets, see that what we say of them is so, and return it."""
        told = self.told()
        assert self.connects(wait="control" not in told) == ("control" not in told)
        assert self.gre_arrives(wait="gre" not in told) == ("gre" not in told)
        if "out" in told:
            assert not self.answer_comes(wait=False)
        else:
            assert self.answer_comes(wait="back" not in told) == ("back" not in told)
        return told

    def follow(self, told: dict[str, Obstacle]) -> None:
        """Do what we advise, and see that it helps."""
        for obstacle in told.values():
            self.topology.server.run("sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin; {obstacle.remedy}")
        assert not self.agrees()

    @contextlib.contextmanager
    def legacy(self, rules: str) -> Iterator[None]:
        """Load rules by iptables of old for a while, which keeps them apart from nftables."""
        self.load("")
        server = self.topology.server
        if server.run("iptables-legacy-restore", input=rules, check=False).returncode != 0:
            pytest.skip(f"{NOT_HERE} a kernel with iptables of old")
        try:
            yield
        finally:
            server.run("iptables-legacy-restore", input=NOTHING)

    def connects(self, *, wait: bool) -> bool:
        server, world = self.topology.server, self.topology.world
        with server.inside():
            listener = socket.create_server((str(Topology.SERVER_TO_WORLD), 1723))
        with listener, world.inside(), contextlib.suppress(OSError):
            socket.create_connection((str(Topology.SERVER_TO_WORLD), 1723), 5 if wait else NEVER).close()
            return True
        return False

    def gre_arrives(self, *, wait: bool) -> bool:
        with self.topology.server.inside():
            here = RawGrePort()
        with self.topology.world.inside():
            there = RawGrePort()
        with contextlib.closing(here), contextlib.closing(there):
            assert there.send(GRE, int(Topology.SERVER_TO_WORLD), 0)
            return eventually(lambda: any(each.payload == GRE for each in here.receive()), seconds=5 if wait else NEVER)

    def answer_comes(self, *, wait: bool) -> bool:
        """Ask the world from a client for a connection it refuses; its answer is of an established flow."""
        self.tun.receive(1000)
        self.flows += 1
        self.tun.send(syn(str(CLIENT), str(Topology.WORLD), 443 + self.flows, 1200))
        return eventually(lambda: any(each[9] == 6 for each in self.tun.receive()), seconds=5 if wait else NEVER)


@pytest.fixture(scope="module")
def host(namespaces_possible) -> Iterator[Host]:
    topology = Topology()
    try:
        server = topology.server
        server.sysctl("net/ipv4/ip_forward", "1")
        server.ip(f"route add default via {Topology.WORLD}")
        with server.inside():
            tun, links = Tun(DEVICE), Links()
            links.device_up(DEVICE, address=IPv4Interface("10.88.0.1/24"), mtu=1400)
            links.close()
        yield Host(topology, tun)
        tun.close()
    finally:
        topology.close()


NFTABLES = {
    "none": ("", ""),
    "closed": (rulesets.CLOSED, "control gre out"),
    "open": (rulesets.OPEN, ""),
    "maps": (rulesets.VERDICT_MAPS, ""),
    "strangers": (rulesets.STRANGERS_STAY_OUT, "control gre"),
    "two tables": (rulesets.TWO_TABLES, "gre"),
    "early": (rulesets.EARLY, "gre"),
    "unknown": (rulesets.UNKNOWN, "control"),
    "firewalld": (rulesets.FIREWALLD_CLOSED, "control gre out"),
    "firewalld open": (rulesets.FIREWALLD_OPEN, ""),
}
IPTABLES = {
    "plain": (rulesets.IPTABLES, "control gre out back"),
    "ufw": (rulesets.UFW_CLOSED, "control gre out"),
    "ufw open": (rulesets.UFW_OPEN, ""),
    "Docker": (rulesets.DOCKER_CLOSED, "out back"),
    "Docker open": (rulesets.DOCKER_OPEN, ""),
}


class AgreementTests:
    """S22: beside the rule sets of others, each as its program makes it, and each open again by what we advise."""

    @pytest.mark.parametrize("name", NFTABLES)
    def test_nftables(self, host, name):
        rules, blocked = NFTABLES[name]
        host.load(rules)
        told = host.agrees()
        assert told.keys() == set(blocked.split())
        if told and not name.startswith("firewalld"):
            host.follow(told)

    @pytest.mark.parametrize("name", IPTABLES)
    def test_iptables_over_nftables(self, host, name):
        need_programs("iptables-nft-restore")
        rules, blocked = IPTABLES[name]
        host.load(rules)
        told = host.agrees()
        assert told.keys() == set(blocked.split())
        if told and name != "ufw":
            host.follow(told)

    @pytest.mark.parametrize("name", IPTABLES)
    def test_iptables_of_old(self, host, name):
        need_programs("iptables-legacy-restore")
        rules, blocked = IPTABLES[name]
        with host.legacy(rules):
            told = host.agrees()
            assert told.keys() == set(blocked.split())
            if told and name == "plain":
                host.follow(told)

    def test_our_table_and_theirs_stay_as_they_are(self, host):
        host.load(rulesets.CLOSED)
        before = host.topology.server.ruleset()
        host.told()
        assert host.topology.server.ruleset() == before


class SentenceTests:
    """Who is in the way, by which rule, and what to do."""

    def test_a_policy(self, host):
        host.load(rulesets.CLOSED)
        control, gre, out = host.told().values()
        assert control.sentence == (
            "nftables drops TCP port 1723: nobody can connect (policy of chain input in table inet filter)"
        )
        assert control.remedy == "nft insert rule inet filter input tcp dport 1723 accept"
        assert gre.sentence.startswith("nftables drops GRE (IP protocol 47): clients connect, and then no data comes (")
        assert out.remedy == "nft 'insert rule inet filter forward iifname \"inside\" accept'"

    def test_a_rule(self, host):
        host.load(rulesets.FIREWALLD_CLOSED)
        control, _, out = host.told().values()
        assert control.sentence.endswith(
            "(rule 'reject with icmpx admin-prohibited' of chain filter_IN_public in table inet firewalld)"
        )
        assert control.remedy == "firewall-cmd --permanent --add-port=1723/tcp && firewall-cmd --reload"
        assert out.remedy.startswith("firewall-cmd --permanent --zone=trusted --add-interface=inside && ")

    def test_what_depends_on_more_than_we_can_know(self, host):
        host.load(rulesets.UNKNOWN)
        (control,) = host.told().values()
        assert control.sentence.startswith("nftables seems to drop TCP port 1723")

    @pytest.mark.parametrize("known", [True, False], ids=["iptables-save", "nft alone"])
    def test_programs_over_iptables(self, host, monkeypatch, known):
        need_programs("iptables-nft-restore")
        if not known:
            monkeypatch.setattr("openpptp.net.others._told_in_full", lambda chains: chains)
        host.load(rulesets.UFW_CLOSED)
        control, gre, out = host.told().values()
        assert control.sentence.startswith("ufw drops TCP port 1723" if known else "ufw seems to drop TCP port 1723")
        assert [control.remedy, gre.remedy, out.remedy] == [
            "ufw allow 1723/tcp",
            "ufw allow proto gre from any to any",
            "ufw route allow in on inside",
        ]
        host.load(rulesets.DOCKER_CLOSED)
        out, back = host.told().values()
        assert out.sentence.startswith("Docker drops what clients send")
        assert [out.remedy, back.remedy] == [
            "iptables -I DOCKER-USER -i inside -j ACCEPT",
            "iptables -I DOCKER-USER -o inside -j ACCEPT",
        ]

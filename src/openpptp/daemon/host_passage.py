"""Whether others' firewalls on this host let in what PPTP needs, and the exact command where they do not.

An accept in our own table is no help: in nftables a packet must pass every table. Others' rules are not ours to
touch, so this piece changes nothing; it says who is in the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.host_piece import Condition
from openpptp.errors import SetupError
from openpptp.net.links import Links
from openpptp.net.others import Others, read_others, rule_text
from openpptp.net.ruleset import Block, Packet, block, named
from openpptp.net.ruleset_iptables import PRIORITIES

ANYBODY = IPv4Address("9.9.9.9")  # ours: an ordinary address of the internet; nothing is sent to it
TROUBLE = {
    "control": "TCP port {port}: nobody can connect",
    "gre": "GRE (IP protocol 47): clients connect, and then no data comes",
    "out": "what clients send to other networks",
    "back": "what other networks answer to clients",
}
REMEDIES = {
    ("ufw", "control"): "ufw allow {port}/tcp",
    ("ufw", "gre"): "ufw allow proto gre from any to any",
    ("ufw", "out"): "ufw route allow in on {device}",
    ("ufw", "back"): "ufw route allow out on {device}",
    ("firewalld", "control"): "firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload",
    ("firewalld", "gre"): "firewall-cmd --permanent --add-protocol=gre && firewall-cmd --reload",
    ("firewalld", "out"): "firewall-cmd --permanent --zone=trusted --add-interface={device} && firewall-cmd --reload",
    ("firewalld", "back"): "firewall-cmd --permanent --zone=trusted --add-interface={device} && firewall-cmd --reload",
    ("Docker", "out"): "iptables -I DOCKER-USER -i {device} -j ACCEPT",
    ("Docker", "back"): "iptables -I DOCKER-USER -o {device} -j ACCEPT",
    ("iptables", "control"): "{iptables} -I {chain} -p tcp --dport {port} -j ACCEPT",
    ("iptables", "gre"): "{iptables} -I {chain} -p gre -j ACCEPT",
    ("iptables", "out"): "{iptables} -I {chain} -i {device} -j ACCEPT",
    ("iptables", "back"): "{iptables} -I {chain} -o {device} -j ACCEPT",
    ("nftables", "control"): "nft insert rule {table} {chain} tcp dport {port} accept",
    ("nftables", "gre"): "nft insert rule {table} {chain} meta l4proto gre accept",
    ("nftables", "out"): "nft 'insert rule {table} {chain} iifname \"{device}\" accept'",
    ("nftables", "back"): "nft 'insert rule {table} {chain} oifname \"{device}\" accept'",
}
"By who made the rules and what they stop."
LASTING = {
    "Docker": "repeat it at each start, before Docker or in a unit of its own",
    "iptables": "keep it as you keep your other rules (netfilter-persistent save)",
    "nftables": "keep it in your rules file (/etc/nftables.conf)",
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One kind of packet that does not pass."""

    what: str
    sentence: str
    remedy: str
    maker: str


@dataclass(frozen=True, slots=True)
class Passage:
    """The way through others' firewalls."""

    links: Links
    device: str
    port: int
    client: IPv4Address
    forward: bool
    own_table: str
    log: FilteringBoundLogger
    name: str = "firewalls of others"

    def describe(self) -> list[str]:
        """Say what is in the way already."""
        found, _ = self._found()
        return ["rules of others stay as they are", *(f"{each.sentence}; {each.remedy}" for each in found)]

    def apply(self) -> None:
        """Warn of what is in the way."""
        found, others = self._found()
        for obstacle in found:
            self.log.warning(obstacle.sentence, remedy=obstacle.remedy)
        for sentence in others.unread:
            self.log.warning(f"cannot see what others' firewalls do: {sentence}")

    def verify(self) -> Condition:
        """Follow PPTP's packets through every rule set of this host."""
        found, others = self._found()
        if found:
            sentence = "; ".join(each.sentence for each in found)
            makers = dict.fromkeys(each.maker for each in found)
            remedies = [*dict.fromkeys(each.remedy for each in found), *(LASTING[m] for m in makers if m in LASTING)]
            return Condition(self.name, "overridden", sentence, "; ".join(remedies))
        if others.unread:
            return Condition(self.name, "overridden", "cannot be seen: " + "; ".join(others.unread))
        passing = f"TCP port {self.port}, GRE" + (" and packets of clients" if self.forward else "")
        return Condition(self.name, "present", f"{passing} pass every rule set of this host")

    def undo(self) -> list[str]:
        """Nothing was changed."""
        return []

    def _found(self) -> tuple[list[Obstacle], Others]:
        others = read_others(self.own_table)
        blocks = ((what, block(others.chains, packet)) for what, packet in self._packets())
        return [self._obstacle(what, end, others) for what, end in blocks if end is not None], others

    def _packets(self) -> Iterator[tuple[str, Packet]]:
        outside: str | None
        try:
            outside = self.links.route_to(ANYBODY).device
        except SetupError:  # a host without a way to the world
            outside = None
        yield "control", Packet("input", "tcp", self.port, ANYBODY, None, outside)
        yield "gre", Packet("input", "gre", None, ANYBODY, None, outside)
        if self.forward:
            yield "out", Packet("forward", "tcp", 443, self.client, ANYBODY, self.device, outside)
            yield "back", Packet("forward", "tcp", 40000, ANYBODY, self.client, outside, self.device, "established")

    def _obstacle(self, what: str, end: Block, others: Others) -> Obstacle:
        maker = made_by(end, others)
        words = {
            "port": self.port,
            "device": self.device,
            "table": end.base.table,
            "chain": end.base.name,
            "iptables": _iptables(end.base.table),
        }
        text = rule_text(end)
        by = f"rule '{text}' of chain {end.chain}" if text else f"policy of chain {end.chain}"
        drops = "drops" if end.sure else "seems to drop"
        sentence = f"{maker} {drops} {TROUBLE[what].format(**words)} ({by} in table {end.base.table})"
        return Obstacle(what, sentence, REMEDIES[maker, what].format(**words), maker)


def _iptables(table: str) -> str:
    family, _, name = table.partition(" ")
    program = "iptables-legacy" if family == "legacy" else "iptables"
    return program if name == "filter" else f"{program} -t {name}"


def made_by(end: Block, others: Others) -> str:
    """Name the program that keeps the rules in which a packet ended."""
    table, base = end.base.table, end.base.name
    family, _, name = table.partition(" ")
    if name == "firewalld":
        return "firewalld"
    if family != "legacy" and not (family == "ip" and name in PRIORITIES and base.isupper()):
        return "nftables"
    if named(others.chains, table, "ufw-"):
        return "ufw"
    if base == "FORWARD" and named(others.chains, table, "DOCKER-USER"):
        return "Docker"
    return "iptables"

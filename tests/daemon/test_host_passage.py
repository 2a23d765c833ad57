"""With real rule sets and packets: tests/netns/test_firewalls.py."""

from ipaddress import IPv4Address

import pytest
import structlog

from openpptp.daemon import host_passage
from openpptp.daemon.host_passage import LASTING, REMEDIES, TROUBLE, Passage, made_by
from openpptp.errors import SetupError
from openpptp.net.links import Route
from openpptp.net.others import Others
from openpptp.net.ruleset import Block, Chain

CLIENT = IPv4Address("10.0.0.9")


class HostLinks:
    """Plays net.links."""

    def __init__(self, device: str) -> None:
        self._device = device

    def route_to(self, address) -> Route:
        if not self._device:
            raise SetupError("no way")
        return Route(None, self._device, None)


def passage(monkeypatch, *chains: Chain, unread: tuple[str, ...] = (), device: str = "eth0", forward: bool = True):
    monkeypatch.setattr(host_passage, "read_others", lambda _own: Others(list(chains), unread))
    monkeypatch.setattr(host_passage, "rule_text", lambda end: end.rule)
    return Passage(HostLinks(device), "pptp0", 1723, CLIENT, forward, "inet ours", structlog.get_logger())


def dropping(table: str, name: str, hook: str = "input") -> Chain:
    return Chain(table, name, hook, policy="drop")


class PassageTests:
    @pytest.mark.parametrize("device", ["eth0", ""])
    def test_a_quiet_host(self, monkeypatch, device):
        piece = passage(monkeypatch, device=device)
        condition = piece.verify()
        assert condition.sentence == "TCP port 1723, GRE and packets of clients pass every rule set of this host"
        assert piece.describe() == ["rules of others stay as they are"]
        assert piece.undo() == []

    def test_without_forwarding_nobody_asks_for_it(self, monkeypatch):
        piece = passage(monkeypatch, dropping("inet f", "c", "forward"), forward=False)
        assert piece.verify().sentence == "TCP port 1723, GRE pass every rule set of this host"

    def test_each_that_is_stopped_is_warned_of_at_the_start(self, monkeypatch):
        piece = passage(monkeypatch, dropping("legacy filter", "INPUT"), unread=("the moon",))
        with structlog.testing.capture_logs() as lines:
            piece.apply()
        assert [(line["event"].partition(":")[0], line.get("remedy")) for line in lines] == [
            ("iptables drops TCP port 1723", "iptables-legacy -I INPUT -p tcp --dport 1723 -j ACCEPT"),
            (
                "iptables drops GRE (IP protocol 47)",
                "iptables-legacy -I INPUT -p gre -j ACCEPT",
            ),
            ("cannot see what others' firewalls do", None),
        ]

    def test_a_table_that_is_not_the_usual_one_is_named(self, monkeypatch):
        condition = passage(monkeypatch, dropping("ip raw", "PREROUTING", "prerouting")).verify()
        assert condition.remedy.startswith("iptables -t raw -I PREROUTING -p tcp --dport 1723 -j ACCEPT; ")

    def test_what_cannot_be_seen_is_no_all_clear(self, monkeypatch):
        condition = passage(monkeypatch, unread=("the moon",)).verify()
        assert (condition.state, condition.sentence) == ("overridden", "cannot be seen: the moon")

    def test_each_remedy_is_said_once(self, monkeypatch):
        chains = [dropping("inet firewalld", "filter_FORWARD", "forward")]
        remedy = passage(monkeypatch, *chains).verify().remedy
        assert remedy == "firewall-cmd --permanent --zone=trusted --add-interface=pptp0 && firewall-cmd --reload"


class MakerTests:
    """Whose rules they are."""

    @pytest.mark.parametrize(
        ("base", "others", "maker"),
        [
            (Chain("inet firewalld", "filter_INPUT"), [], "firewalld"),
            (Chain("ip firewalld", "filter_INPUT"), [], "firewalld"),
            (Chain("inet filter", "input"), [], "nftables"),
            (Chain("ip filter", "input"), [], "nftables"),
            (Chain("ip filter", "INPUT"), [], "iptables"),
            (Chain("ip mangle", "PREROUTING"), [], "iptables"),
            (Chain("ip mine", "PREROUTING"), [], "nftables"),
            (Chain("legacy mangle", "PREROUTING"), [], "iptables"),
            (Chain("legacy filter", "INPUT"), [Chain("legacy filter", "ufw-user-input")], "ufw"),
            (Chain("ip filter", "FORWARD"), [Chain("ip filter", "DOCKER-USER")], "Docker"),
            (Chain("ip filter", "INPUT"), [Chain("ip filter", "DOCKER-USER")], "iptables"),
        ],
    )
    def test_made_by(self, base, others, maker):
        assert made_by(Block(base, base.name, "", True), Others(others)) == maker

    def test_every_maker_has_a_remedy_for_all_it_can_stop(self):
        for maker in ("ufw", "firewalld", "iptables", "nftables"):
            assert {what for who, what in REMEDIES if who == maker} == set(TROUBLE)
        assert {what for who, what in REMEDIES if who == "Docker"} == {"out", "back"}
        assert set(LASTING) <= {who for who, _ in REMEDIES}

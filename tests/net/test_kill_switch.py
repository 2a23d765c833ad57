"""The rules of the kill switch; what they stop and let pass is seen in tests/netns/test_kill_switch.py."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from openpptp.net.firewall import Firewall
from openpptp.net.kill_switch import TABLE, plan, rules_news

SERVERS = [IPv4Address("203.0.113.1"), IPv4Address("203.0.113.2")]
PLAN = plan(device="pptp-office", servers=SERVERS, port=1723)


class PlanTests:
    """The transaction in nft's notation."""

    def test_each_way_out_is_closed_unless_a_rule_opens_it(self):
        hooks = [line.split() for line in PLAN.splitlines() if " hook " in line]
        assert [hook[3] for hook in hooks] == ["output", "forward", "postrouting"]
        assert all(hook[-2:] == ["policy", "drop;"] for hook in hooks)

    def test_the_carrier_goes_to_the_servers_only(self):
        assert "elements = { 203.0.113.1, 203.0.113.2 }" in PLAN
        assert "ip daddr @servers tcp dport 1723 accept" in PLAN

    def test_local_networks_only_if_asked_for_and_never_what_belongs_into_the_tunnel(self):
        assert "192.168.0.0/16" not in PLAN
        networks = [IPv4Network("10.0.0.0/9"), IPv4Network("10.128.0.0/9")]
        text = plan(device="pptp-office", servers=SERVERS, port=1723, lan=True, tunnelled=networks)
        assert text.index("ip daddr { 10.0.0.0/8 } return") < text.index("192.168.0.0/16")

    @pytest.mark.root
    @pytest.mark.parametrize("lan", [False, True])
    def test_nft_takes_it_and_twice_is_once(self, alone, lan):
        text = plan(device="pptp-office", servers=SERVERS, port=1723, lan=lan, tunnelled=[IPv4Network("10.0.0.0/8")])
        firewall = Firewall(table=TABLE)
        firewall.apply(text)
        once = alone.ruleset()
        firewall.apply(text)
        assert alone.ruleset() == once
        assert firewall.undo() == []
        assert alone.ruleset() == ""


@pytest.mark.root
def test_a_change_of_the_rules_is_told(alone):
    news = rules_news()
    with news:
        with pytest.raises(BlockingIOError):
            news.recv(65536)
        alone.nft("table ip of_others {}\n")
        assert news.recv(65536)

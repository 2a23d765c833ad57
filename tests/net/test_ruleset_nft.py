"""libnftables-json(5); whole rule sets, with the packets they stop, are in tests/netns/test_firewalls.py."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.net.ruleset import Packet, block
from openpptp.net.ruleset_nft import has_extensions, read

TABLE = {"family": "inet", "table": "t"}
BASE = {"chain": {**TABLE, "name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}
TCP = Packet("input", "tcp", 1723, IPv4Address("192.0.2.7"), None, "eth0")
ACCEPT = {"accept": None}


WORDS = [
    "match",
    "vmap",
    "meta",
    "payload",
    "key",
    "op",
    "==",
    "left",
    "right",
    "set",
    "range",
    "prefix",
    "addr",
    "len",
    "tcp",
    "dport",
    "ip",
    "saddr",
    "ct",
    "state",
    "xt",
]


def nest(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)


def match(left, right, op="=="):
    return {"match": {"left": left, "right": right, "op": op}}


def meta(key, right, op="=="):
    return match({"meta": {"key": key}}, right, op)


def field(protocol, name, right, op="=="):
    return match({"payload": {"protocol": protocol, "field": name}}, right, op)


def verdict(*parts, packet=TCP, more=()) -> str:
    """Return what becomes of a packet in a chain that drops but for one rule."""
    answer = {
        "nftables": [{"metainfo": {}}, BASE, *more, {"rule": {**TABLE, "chain": "c", "handle": 7, "expr": parts}}]
    }
    end = block(read(answer), packet)
    return "accept" if end is None else "drop" if end.sure else "doubt"


class MatchTests:
    """Statements that ask."""

    @pytest.mark.parametrize(
        ("part", "outcome"),
        [
            (field("tcp", "dport", 1723), "accept"),
            (field("tcp", "dport", 22), "drop"),
            (field("tcp", "dport", 22, "!="), "accept"),
            (field("tcp", "dport", {"set": [22, {"range": [1700, 1800]}]}), "accept"),
            (field("tcp", "dport", {"set": [{"elem": {"val": 1723, "counter": {}}}]}), "accept"),
            (field("th", "dport", 1723), "accept"),
            (field("udp", "dport", 1723), "drop"),
            (field("tcp", "sport", 1723), "doubt"),
            (field("tcp", "dport", 1723, "<"), "doubt"),
            (field("icmp", "type", "echo-request"), "drop"),
            (field("ip6", "saddr", "::1"), "drop"),
            (field("ip", "protocol", {"set": ["tcp", "gre"]}), "accept"),
            (field("ip", "ttl", 64), "doubt"),
            (match({"payload": {"base": "nh", "offset": 0, "len": 8}}, 69), "doubt"),
            (field("ip", "saddr", "192.0.2.7"), "accept"),
            (field("ip", "saddr", {"prefix": {"addr": "192.0.2.0", "len": 24}}), "accept"),
            (field("ip", "saddr", {"range": ["192.0.2.1", "192.0.2.9"]}), "accept"),
            (field("ip", "saddr", {"set": ["10.0.0.1", {"prefix": {"addr": "10.0.0.0", "len": 8}}]}), "drop"),
            (field("ip", "saddr", "no address"), "drop"),
            (field("ip", "daddr", "192.0.2.7"), "doubt"),
            (meta("l4proto", "tcp"), "accept"),
            (meta("l4proto", {"set": [6, 17]}), "accept"),
            (meta("nfproto", "ipv4"), "accept"),
            (meta("nfproto", "ipv6"), "drop"),
            (meta("protocol", "ip"), "accept"),
            (meta("iifname", "eth0"), "accept"),
            (meta("iif", {"set": ["lo", "eth1"]}), "drop"),
            (meta("oifname", "eth0"), "doubt"),
            (meta("pkttype", "broadcast"), "drop"),
            (meta("mark", 7), "doubt"),
            (match({"ct": {"key": "state"}}, ["established", "related"], "in"), "drop"),
            (match({"ct": {"key": "state"}}, {"set": ["new"]}, "in"), "accept"),
            (match({"ct": {"key": "status"}}, "dnat", "in"), "drop"),
            (match({"ct": {"key": "status"}}, "assured", "in"), "doubt"),
            (match({"ct": {"key": "mark"}}, 1), "doubt"),
            (match({"fib": {"result": "type", "flags": ["daddr"]}}, "local"), "accept"),
            (match({"fib": {"result": "oif", "flags": ["saddr"]}}, False), "doubt"),
            (match({"&": [{"meta": {"key": "mark"}}, 1]}, 1), "doubt"),
            (match("of nothing known", 1), "doubt"),
        ],
        ids=str,
    )
    def test_what_it_makes_of_a_tcp_packet(self, part, outcome):
        assert verdict(part, ACCEPT) == outcome

    def test_a_packet_that_is_passed_on(self):
        packet = Packet("forward", "tcp", 443, None, None, "pptp0", "eth0")
        chain = {"chain": {**BASE["chain"], "hook": "forward"}}
        rule = {"rule": {**TABLE, "chain": "c", "handle": 1, "expr": [meta("oif", "eth*"), ACCEPT]}}
        assert block(read({"nftables": [chain, rule]}), packet) is None
        local = match({"fib": {"result": "type", "flags": ["daddr"]}}, "unicast")
        rule["rule"]["expr"][0] = local
        assert block(read({"nftables": [chain, rule]}), packet) is None

    def test_named_sets(self):
        doors = {"set": {**TABLE, "name": "doors", "elem": [22, {"range": [1700, 1800]}]}}
        assert verdict(field("tcp", "dport", "@doors"), ACCEPT, more=[doors]) == "accept"
        assert verdict(field("tcp", "dport", "@windows"), ACCEPT, more=[doors]) == "drop"

    def test_a_port_that_is_not_known(self):
        assert verdict(field("tcp", "dport", 1723), ACCEPT, packet=Packet("input", "tcp")) == "doubt"


class VerdictTests:
    """Statements that decide, and those that do not."""

    @pytest.mark.parametrize(
        ("parts", "outcome"),
        [
            ([{"counter": {}}, {"log": {}}, {"limit": {"rate": 4}}, ACCEPT], "accept"),
            ([{"limit": {"rate": 4, "inv": True}}, ACCEPT], "drop"),
            ([{"reject": {"type": "icmpx"}}], "drop"),
            ([{"counter": {}}], "drop"),
            ([{"brand new": {}}, ACCEPT], "doubt"),
            (["text", ACCEPT], "accept"),
            ([{"jump": {"target": "other"}}], "doubt"),
            ([{"xt": {"type": "match", "name": "comment"}}, ACCEPT], "accept"),
            ([{"xt": {"type": "match", "name": "conntrack"}}, ACCEPT], "doubt"),
            ([{"xt": {"type": "match", "name": "addrtype"}}, ACCEPT], "doubt"),
            ([{"xt": None}, ACCEPT], "doubt"),
            ([{"xt": {"type": "target", "name": "LOG"}}, ACCEPT], "accept"),
            ([{"xt": {"type": "target", "name": "ACCEPT"}}], "accept"),
            ([{"xt": {"type": "target", "name": "REJECT"}}], "drop"),
        ],
        ids=str,
    )
    def test_one_rule(self, parts, outcome):
        assert verdict(*parts) == outcome

    def test_a_known_flow_of_iptables(self):
        packet = Packet("input", "tcp", 1723, state="established")
        assert verdict({"xt": {"type": "match", "name": "conntrack"}}, ACCEPT, packet=packet) == "accept"

    @pytest.mark.parametrize(
        ("data", "outcome"),
        [
            ({"set": [[22, {"drop": None}], [1723, ACCEPT]]}, "accept"),
            ({"set": [[22, ACCEPT]]}, "drop"),
            ("@ports", "accept"),
            ("@none", "drop"),
            ({"set": [["of", "another", "form"]]}, "doubt"),
            ([[1723, {"nothing we know": None}]], "drop"),
        ],
        ids=str,
    )
    def test_verdict_maps(self, data, outcome):
        ports = {"map": {**TABLE, "name": "ports", "elem": [[1723, ACCEPT]]}}
        key = {"payload": {"protocol": "tcp", "field": "dport"}}
        assert verdict({"vmap": {"key": key, "data": data}}, more=[ports]) == outcome


class ReadTests:
    """What of an answer counts."""

    def test_other_families_and_chains_for_nat_do_not(self):
        chains = [
            {
                "chain": {
                    "family": "ip6",
                    "table": "t",
                    "name": "c",
                    "type": "filter",
                    "hook": "input",
                    "policy": "drop",
                }
            },
            {"chain": {**TABLE, "name": "n", "type": "nat", "hook": "input", "policy": "drop"}},
            {"rule": {"family": "ip6", "table": "t", "chain": "c", "handle": 1, "expr": [{"drop": None}]}},
            {},
        ]
        assert block(read({"nftables": chains}), TCP) is None
        assert read({}) == []

    def test_a_rule_of_a_form_nobody_knows_may_accept(self):
        assert verdict({"vmap": 7}) == "doubt"
        assert verdict(meta("l4proto", {"range": [1, 50]}), ACCEPT) == "drop"
        assert verdict(field("tcp", "dport", {"range": 7}), ACCEPT) == "doubt"

    @given(st.recursive(st.none() | st.integers() | st.sampled_from(WORDS), nest, max_leaves=12))
    def test_no_form_of_a_rule_raises(self, part):
        verdict(part, {"match": part}, {"vmap": part}, {"match": {"left": part, "right": part, "op": "=="}}, ACCEPT)

    def test_extensions_of_iptables_are_seen(self):
        rule = {"family": "ip", "table": "filter", "chain": "c", "handle": 1, "expr": [{"xt": None}]}
        assert has_extensions({"nftables": [{"rule": rule}]}, "filter")
        assert not has_extensions({"nftables": [{"rule": rule}]}, "mangle")
        assert not has_extensions({"nftables": [{"rule": {**rule, "expr": []}}, {"metainfo": {}}]}, "filter")

import pytest

from openpptp.net.ruleset import DEEPEST, MOST_STEPS, Chain, Packet, Rule, block, is_device, is_protocol, named

TCP = Packet("input", "tcp", 1723)
YES, NO, UNKNOWN = (lambda _packet: True), (lambda _packet: False), (lambda _packet: None)


def base(*rules: Rule, policy: str = "drop", **how) -> Chain:
    return Chain("ip t", how.pop("name", "in"), how.pop("hook", "input"), how.pop("priority", 0), policy, list(rules))


def chain(name: str, *rules: Rule) -> Chain:
    return Chain("ip t", name, rules=list(rules))


class RuleTests:
    @pytest.mark.parametrize(
        ("conditions", "applies"),
        [((), True), ((YES, YES), True), ((YES, NO), False), ((YES, UNKNOWN), None), ((UNKNOWN, NO), False)],
    )
    def test_all_conditions_must_hold(self, conditions, applies):
        assert Rule("", conditions).applies(TCP) is applies


class BlockTests:
    """A packet's way through base chains and those they jump to."""

    @pytest.mark.parametrize(
        ("chains", "where"),
        [
            ([], None),
            ([base(policy="accept")], None),
            ([base()], ("in", "", True)),
            ([base(Rule("r", (NO,), "accept"))], ("in", "", True)),
            ([base(Rule("r", (YES,), "accept"))], None),
            ([base(Rule("r", (YES,), ""), Rule("d", (YES,), "drop"), policy="accept")], ("in", "d", True)),
            ([base(Rule("r", (UNKNOWN,), "accept"))], ("in", "", False)),
            ([base(Rule("r", (UNKNOWN,), "drop"), policy="accept")], None),
            ([base(Rule("r", (UNKNOWN,), "drop"))], ("in", "", True)),
            ([base(Rule("", (), "jump", "a")), chain("a", Rule("d", (), "drop"))], ("a", "d", True)),
            ([base(Rule("", (), "jump", "a"), Rule("", (), "accept")), chain("a", Rule("", (), "return"))], None),
            ([base(Rule("", (), "jump", "a"), Rule("", (), "accept")), chain("a")], None),
            ([base(Rule("", (), "goto", "a"), Rule("", (), "accept")), chain("a")], ("in", "", True)),
            ([base(Rule("", (), "return"), Rule("", (), "accept"))], ("in", "", True)),
            ([base(Rule("", (), "jump", "nowhere"))], ("in", "", False)),
            ([base(Rule("", (), "jump", "a")), chain("a", Rule("", (), "jump", "a"))], ("in", "", False)),
            ([base(hook="output")], None),
            ([base(hook="forward")], None),
        ],
    )
    def test_where_it_ends(self, chains, where):
        end = block(chains, TCP)
        assert (end and (end.chain, end.rule, end.sure)) == where

    def test_the_base_chains_come_in_the_order_of_hooks_and_priorities(self):
        chains = [
            base(Rule("1", (), "drop"), name="late", priority=10),
            base(Rule("2", (), "drop"), name="early", priority=-10),
            base(Rule("3", (), "drop"), name="first", hook="prerouting", priority=100),
        ]
        for name in ("first", "early", "late"):
            end = block(chains, TCP)
            assert end is not None
            assert end.base.name == name
            chains = [each for each in chains if each.name != name]

    def test_an_accept_in_one_base_chain_is_none_in_another(self):
        assert block([base(Rule("", (), "accept"), priority=-1), base(name="strict")], TCP).base.name == "strict"

    def test_chains_of_another_table_are_not_jumped_to(self):
        other = Chain("ip other", "a", rules=[Rule("", (), "accept")])
        assert not block([base(Rule("", (), "jump", "a")), other], TCP).sure

    def test_the_work_is_bounded(self):
        wide = chain("wide", *[Rule("", (NO,), "drop")] * 1000)
        jumps = [Rule("", (), "jump", "wide")] * (MOST_STEPS // 1000 + 1)
        end = block([base(*jumps, Rule("", (), "accept")), wide], TCP)
        assert end is not None
        assert not end.sure

    def test_jumps_as_deep_as_the_kernel_allows_are_followed(self):
        deep = [chain(str(n), Rule("", (), "jump", str(n + 1))) for n in range(1, DEEPEST)]
        last = chain(str(DEEPEST), Rule("d", (), "accept"))
        assert block([base(Rule("", (), "jump", "1")), *deep, last], TCP) is None


class AskedTests:
    """What rules ask about a packet."""

    @pytest.mark.parametrize(
        ("device", "wanted", "answer"),
        [
            ("eth0", ["eth0"], True),
            ("eth0", ["wg0", "eth*"], True),
            ("eth0", ["eth"], False),
            (None, ["eth0"], None),
            (None, ["lo"], False),
        ],
    )
    def test_its_device(self, device, wanted, answer):
        assert is_device(device, wanted) is answer

    def test_its_protocol_by_name_or_number(self):
        gre = Packet("input", "gre")
        assert is_protocol(gre, ["tcp", "gre"])
        assert is_protocol(gre, [47])
        assert is_protocol(gre, ["47"])
        assert not is_protocol(gre, ["tcp", 6])

    def test_whose_chains_a_table_has(self):
        assert named([chain("ufw-user-input")], "ip t", "ufw-")
        assert not named([chain("ufw-user-input")], "ip other", "ufw-")

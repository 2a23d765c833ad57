"""nftables' rule sets as `nft -j list ruleset` gives them (libnftables-json(5)), read for ruleset.py."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from openpptp.net.ruleset import UNREADABLE, Chain, Condition, Packet, Rule, is_device, is_protocol

Json = dict[str, Any]

FAMILIES = {"ip", "inet"}
VERDICTS = {"accept": "accept", "drop": "drop", "reject": "drop", "return": "return", "jump": "jump", "goto": "goto"}
PASSING = {"counter", "log", "limit", "comment", "notrack", "mangle", "ct helper", "meta", "set"}
"Statements that take no packet out of its way; a limit is not yet reached."
XT_TARGETS = {"REJECT": "drop", "DROP": "drop", "ACCEPT": "accept", "RETURN": "return"}


def read(answer: Json) -> list[Chain]:
    """Return the chains that IPv4 packets meet."""
    objects = [next(iter(each.items())) for each in answer.get("nftables", []) if each]
    sets = {
        (value["family"], value["table"], value["name"]): value.get("elem", [])
        for kind, value in objects
        if kind in ("set", "map")
    }
    chains: dict[tuple[str, str, str], Chain] = {}
    for kind, value in objects:
        if kind == "chain" and value["family"] in FAMILIES:
            place = value["family"], value["table"], value["name"]
            # Chains of type nat see a flow's first packet only and are not for filtering.
            hook = value.get("hook", "") if value.get("type") == "filter" else ""
            priority = value.get("prio", 0)
            chains[place] = Chain(
                f"{value['family']} {value['table']}", value["name"], hook, priority, value.get("policy", "accept")
            )
    for kind, value in objects:
        if kind == "rule" and (chain := chains.get((value["family"], value["table"], value["chain"]))) is not None:
            try:
                chain.rules += _Reader(value, sets).rules()
            except UNREADABLE:
                chain.rules.append(Rule(f"handle {value.get('handle')}", (_unknown,), "accept"))
    return list(chains.values())


def has_extensions(answer: Json, table: str) -> bool:
    """Tell whether a table of family ip has rules of iptables that nft does not tell in full."""
    return any(
        "xt" in part
        for each in answer.get("nftables", [])
        if (rule := each.get("rule")) and (rule["family"], rule["table"]) == ("ip", table)
        for part in rule["expr"]
    )


class _Reader:
    """Reads one rule; a verdict map gives as many rules as it has elements."""

    def __init__(self, rule: Json, sets: dict[tuple[str, str, str], list[Any]]) -> None:
        self._rule = rule
        self._sets = sets

    def rules(self) -> list[Rule]:
        conditions: list[Condition] = []
        for part in self._rule["expr"]:
            if not isinstance(part, dict):
                continue
            kind, value = next(iter(part.items()))
            if kind == "match":
                conditions.append(self._match(value))
            elif kind in VERDICTS:
                return [self._verdict(conditions, kind, value)]
            elif kind == "vmap":
                return self._map(conditions, value)
            elif kind == "xt":
                action = _extension(value, conditions)
                if action:
                    return [Rule(self._text(), tuple(conditions), action)]
            elif kind == "limit" and value.get("inv"):
                conditions.append(_never)
            elif kind not in PASSING:
                conditions.append(_unknown)
        return [Rule(self._text(), tuple(conditions))]

    def _text(self) -> str:
        return f"handle {self._rule['handle']}"

    def _verdict(self, conditions: list[Condition], kind: str, value: Any) -> Rule:
        target = value["target"] if isinstance(value, dict) and "target" in value else ""
        return Rule(self._text(), tuple(conditions), VERDICTS[kind], target)

    def _map(self, conditions: list[Condition], value: Json) -> list[Rule]:
        rules = []
        for element in self._elements(value["data"]):
            if not isinstance(element, list) or len(element) != 2 or not isinstance(element[1], dict):
                return [Rule(self._text(), (*conditions, _unknown), "accept")]
            kind, target = next(iter(element[1].items()))
            match = self._match({"op": "==", "left": value["key"], "right": element[0]})
            if kind in VERDICTS:
                rules.append(self._verdict([*conditions, match], kind, target))
        return rules

    def _elements(self, data: Any) -> list[Any]:
        if isinstance(data, str) and data.startswith("@"):
            return self._sets.get((self._rule["family"], self._rule["table"], data[1:]), [])
        found = data.get("set", []) if isinstance(data, dict) else data
        return found if isinstance(found, list) else [found]

    def _match(self, value: Json) -> Condition:
        field, right, operator = value["left"], value["right"], value["op"]
        if operator not in ("==", "in", "!="):
            return _unknown
        named = isinstance(right, str) and right.startswith("@")
        wanted = self._elements(right) if named or (isinstance(right, dict) and "set" in right) else [right]
        wanted = [item for each in wanted for item in (each if isinstance(each, list) else [each])]

        def holds(packet: Packet) -> bool | None:
            answer = _holds(packet, field, wanted)
            return answer if operator != "!=" or answer is None else not answer

        return holds


def _unknown(_packet: Packet) -> None:
    return None


def _is_known_flow(packet: Packet) -> bool | None:
    """Guess what iptables asks connection tracking about: nearly always whether the flow is established."""
    return True if packet.state == "established" else None


def _never(_packet: Packet) -> bool:
    return False


def _extension(value: Json | None, conditions: list[Condition]) -> str:
    """Take a match or target of iptables, of which nft tells the name at most; return a target's action."""
    name = value.get("name", "") if value else ""
    if value and value.get("type") == "target":
        return XT_TARGETS.get(name, "")
    if name in ("conntrack", "state"):
        conditions.append(_is_known_flow)
    elif name not in ("comment", "limit"):
        conditions.append(_unknown)
    return ""


def _holds(packet: Packet, field: Any, wanted: list[Any]) -> bool | None:
    """Tell whether what a rule looks at is one of the values."""
    if not isinstance(field, dict):
        return None
    kind, value = next(iter(field.items()))
    if kind == "meta":
        return _holds_meta(packet, value.get("key"), wanted)
    if kind == "payload":
        return _holds_payload(packet, value, wanted)
    if kind == "ct" and value.get("key") == "state":
        return packet.state in wanted
    if kind == "ct" and value.get("key") == "status":
        return False if wanted == ["dnat"] else None
    if kind == "fib" and value.get("result") == "type":
        return "local" in wanted if packet.hook == "input" else "unicast" in wanted
    return None


def _holds_meta(packet: Packet, key: str | None, wanted: list[Any]) -> bool | None:
    if key in ("iifname", "iif", "oifname", "oif"):
        return is_device(packet.inward if key.startswith("i") else packet.outward, [str(each) for each in wanted])
    if key == "l4proto":
        return is_protocol(packet, wanted)
    if key == "nfproto":
        return "ipv4" in wanted
    if key == "protocol":
        return "ip" in wanted
    if key == "pkttype":
        return "host" in wanted or "unicast" in wanted
    return None


def _holds_payload(packet: Packet, value: Json, wanted: list[Any]) -> bool | None:
    protocol, field = value.get("protocol"), value.get("field")
    if protocol == "ip" and field == "protocol":
        return is_protocol(packet, wanted)
    if protocol == "ip" and field in ("saddr", "daddr"):
        address = packet.source if field == "saddr" else packet.destination
        return None if address is None else any(_covers(each, address) for each in wanted)
    if protocol in ("ip", None):
        return None
    if protocol not in (packet.protocol, "th"):
        return False
    if field == "dport":
        return None if packet.port is None else any(_covers_number(each, packet.port) for each in wanted)
    return None


def _covers(value: Any, address: IPv4Address) -> bool:
    value = _bare(value)
    try:
        if isinstance(value, dict) and "prefix" in value:
            network = f"{value['prefix']['addr']}/{value['prefix']['len']}"
            return address in IPv4Network(network, strict=False)
        if isinstance(value, dict) and "range" in value:
            first, last = map(IPv4Address, value["range"])
            return first <= address <= last
        return address == IPv4Address(value)
    except ValueError:
        return False


def _covers_number(value: Any, number: int) -> bool:
    value = _bare(value)
    if isinstance(value, dict) and "range" in value:
        first, last = value["range"]
        return bool(first <= number <= last)
    return bool(value == number)


def _bare(value: Any) -> Any:
    """Return an element of a set without its counter or timeout."""
    return value["elem"]["val"] if isinstance(value, dict) and "elem" in value else value

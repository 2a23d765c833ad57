"""iptables' rule sets as iptables-save(8) writes them, read for ruleset.py."""

import shlex
from collections.abc import Iterator
from ipaddress import IPv4Network

from openpptp.net.ruleset import Chain, Condition, Packet, Rule, is_device, is_protocol

ACTIONS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "RETURN": "return"}
PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0}  # linux/netfilter_ipv4.h
HOOKS = {"INPUT": "input", "FORWARD": "forward", "PREROUTING": "prerouting"}
IGNORED = {"-m", "--comment", "--limit", "--limit-burst", "--log-prefix", "--log-level", "--reject-with", "-c"}
"Options with a value that decide nothing about one packet."


def read(text: str, kind: str) -> list[Chain]:
    """Return the chains of all tables that filter; kind stands before a table's name."""
    chains: list[Chain] = []
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif table not in PRIORITIES:
            continue
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            hook = HOOKS.get(name, "") if policy != "-" else ""
            chains.append(Chain(f"{kind} {table}", name, hook, PRIORITIES[table], ACTIONS.get(policy, "accept")))
        elif line.startswith("-A "):
            _add(chains, f"{kind} {table}", line)
    return chains


def _add(chains: list[Chain], table: str, line: str) -> None:
    try:
        _, name, *words = shlex.split(line)
    except ValueError:
        return
    ours = {chain.name: chain for chain in chains if chain.table == table}
    if name not in ours:
        return
    conditions: list[Condition] = []
    action = target = ""
    for negated, option, values in _options(words):
        value = values[0] if values else ""
        if option in ("-j", "-g"):
            action = ACTIONS.get(value, "")
            if not action and value in ours:
                action, target = "goto" if option == "-g" else "jump", value
        elif option not in IGNORED:
            condition = _condition(option, value)
            conditions.append(_not(condition) if negated else condition)
    ours[name].rules.append(Rule(line, tuple(conditions), action, target))


def _options(words: list[str]) -> Iterator[tuple[bool, str, list[str]]]:
    """Yield each option: whether ! stands before it, its name, its values."""
    negated, option, values = False, "", list[str]()
    for word in words:
        if word != "!" and not word.startswith("-"):
            values.append(word)
            continue
        if option:
            yield negated, option, values
            negated, option, values = False, "", []
        if word == "!":
            negated = True
        else:
            option = word
    if option:
        yield negated, option, values


def _not(condition: Condition) -> Condition:
    def holds(packet: Packet) -> bool | None:
        answer = condition(packet)
        return None if answer is None else not answer

    return holds


def _condition(option: str, value: str) -> Condition:
    def holds(packet: Packet) -> bool | None:
        if option == "-p":
            return value == "all" or is_protocol(packet, [value])
        if option in ("-i", "-o"):
            return is_device(packet.inward if option == "-i" else packet.outward, [value.replace("+", "*")])
        if option in ("-s", "-d"):
            address = packet.source if option == "-s" else packet.destination
            return None if address is None else address in IPv4Network(value, strict=False)
        if option in ("--dport", "--dports", "--destination-port"):
            return None if packet.port is None else any(_covers(part, packet.port) for part in value.split(","))
        if option in ("--ctstate", "--state"):
            return packet.state.upper() in value.split(",")
        if option == "--dst-type":
            return value == ("LOCAL" if packet.hook == "input" else "UNICAST")
        if option == "--icmp-type":
            return packet.protocol == "icmp" and None
        return None

    return holds


def _covers(part: str, number: int) -> bool:
    first, _, last = part.partition(":")
    try:
        return int(first or 0) <= number <= int(last or (first if ":" not in part else 65535))
    except ValueError:
        return False

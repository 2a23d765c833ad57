"""Rule sets of this host's firewalls, of whatever maker, and what becomes of one packet in them.

What a rule asks and we cannot know of a packet counts as not fulfilled; the answer says so.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

DEEPEST = 16  # ours: jumps within jumps; the kernel allows as many (NFT_JUMP_STACK_SIZE)
MOST_STEPS = 20_000  # ours: rules looked at for one packet
PROTOCOLS = {"tcp": 6, "udp": 17, "gre": 47}  # IANA; programs write numbers where /etc/protocols is missing
UNREADABLE = (AttributeError, KeyError, IndexError, StopIteration, TypeError, ValueError)
"What reading a form nobody has heard of can raise."
HOOKS = {"input": ("prerouting", "input"), "forward": ("prerouting", "forward")}


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a flow, or a later one of it, as far as rules ask about it."""

    hook: str
    "input or forward."
    protocol: str
    "tcp, gre, ..."
    port: int | None = None
    "Destination."
    source: IPv4Address | None = None
    destination: IPv4Address | None = None
    inward: str | None = None
    "The device it comes in by; None when that is not known."
    outward: str | None = None
    state: str = "new"
    "As connection tracking calls it."


Condition = Callable[[Packet], bool | None]
"Whether a packet fulfils it; None when that cannot be known."


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, all of which must hold, and what happens then."""

    text: str
    conditions: tuple[Condition, ...] = ()
    action: str = ""
    "accept, drop, return, jump, goto; empty: the packet goes on."
    target: str = ""

    def applies(self, packet: Packet) -> bool | None:
        """Tell whether all conditions hold; None when that depends on what cannot be known."""
        answers = [_answer(condition, packet) for condition in self.conditions]
        return False if False in answers else None if None in answers else True


def _answer(condition: Condition, packet: Packet) -> bool | None:
    # Rule sets come in more forms than any list has; one of them must not keep a server from starting.
    try:
        return condition(packet)
    except UNREADABLE:
        return None


@dataclass(slots=True)
class Chain:
    """A chain with its rules; a base chain has a hook."""

    table: str
    "With its family as nft says it; legacy NAME for iptables of old."
    name: str
    hook: str = ""
    priority: int = 0
    policy: str = "accept"
    rules: list[Rule] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Block:
    """Where a packet ends."""

    base: Chain
    "The base chain it was in."
    chain: str
    rule: str
    "Empty: no rule took it, and the policy drops."
    sure: bool
    "False when a rule before that may let it pass after all."


def block(chains: Iterable[Chain], packet: Packet) -> Block | None:
    """Return where a packet is dropped or rejected; None when every base chain on its way accepts it."""
    chains = list(chains)
    order = HOOKS[packet.hook]
    bases = [chain for chain in chains if chain.hook in order]
    for base in sorted(bases, key=lambda chain: (order.index(chain.hook), chain.priority)):
        walk = _Walk({chain.name: chain for chain in chains if chain.table == base.table}, packet)
        end = walk.through(base)
        if end is None and base.policy == "drop":
            return Block(base, base.name, "", not walk.doubtful)
        if end is not None and end[0] == "drop":
            return Block(base, end[1], end[2], not walk.doubtful)
    return None


class _Walk:
    """One packet on its way through one base chain."""

    def __init__(self, chains: dict[str, Chain], packet: Packet) -> None:
        self._chains = chains
        self._packet = packet
        self._steps = 0
        self.doubtful = False

    def through(self, chain: Chain, depth: int = 0) -> tuple[str, str, str] | None:
        """Return accept or drop with chain and rule; None when the chain ends without a verdict."""
        for rule in chain.rules:
            self._steps += 1
            if self._steps > MOST_STEPS:
                self.doubtful = True
                return None
            applies = rule.applies(self._packet)
            if applies is None and rule.action in ("accept", "jump", "goto", "return"):
                self.doubtful = True
            if not applies or not rule.action:
                continue
            if rule.action in ("accept", "drop"):
                return rule.action, chain.name, rule.text
            if rule.action == "return":
                return None
            target = self._chains.get(rule.target)
            if target is None or depth >= DEEPEST:
                self.doubtful = True
                continue
            end = self.through(target, depth + 1)
            if end is not None or rule.action == "goto":
                return end
        return None


def is_device(device: str | None, wanted: Sequence[str]) -> bool | None:
    """Tell whether a device is one of these, of which a last * stands for anything; None when it is not known."""
    if device is None:
        return False if {*wanted} <= {"lo"} else None  # what comes from elsewhere does not come from this host
    return any(device.startswith(each[:-1]) if each.endswith("*") else device == each for each in wanted)


def is_protocol(packet: Packet, wanted: Sequence[object]) -> bool:
    """Tell whether a packet's protocol is one of these, by name or number."""
    number = PROTOCOLS.get(packet.protocol)
    return any(each in (packet.protocol, number, str(number)) for each in wanted)


def named(chains: Sequence[Chain], table: str, prefix: str) -> bool:
    """Tell whether a table has a chain whose name begins so."""
    return any(chain.table == table and chain.name.startswith(prefix) for chain in chains)

"""The rule sets that others keep on this host, whatever program made them: read, and never changed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from openpptp.errors import SetupError
from openpptp.net import ruleset_iptables, ruleset_nft
from openpptp.net.nft import Nft, run_program
from openpptp.net.ruleset import UNREADABLE, Block, Chain

LEGACY_TABLES = Path("/proc/net/ip_tables_names")
MODULES = Path("/proc/modules")
OF_NFTABLES = "(nf_tables)"  # in the first line of iptables-save, when it is not the one of old


@dataclass(frozen=True, slots=True)
class Others:
    """What was read."""

    chains: list[Chain]
    unread: tuple[str, ...] = ()
    "A sentence for each rule set that is there and could not be read."


def read_others(own_table: str, nft: Nft | None = None) -> Others:
    """Read every rule set that IPv4 packets meet, but our own table (as nft names it, with its family)."""
    nft = nft or Nft()
    unread: list[str] = []
    chains: list[Chain] = []
    try:
        answer = nft.ask("list", "ruleset")
        chains = [chain for chain in ruleset_nft.read(answer) if chain.table != own_table]
    except SetupError as error:
        unread.append(f"nftables' rules: {error}")
    except UNREADABLE:
        unread.append("nftables' rules: this nft tells them in a form that is not known here")
    else:
        if any(ruleset_nft.has_extensions(answer, table) for table in ruleset_iptables.PRIORITIES):
            chains = _told_in_full(chains)
    return Others([*chains, *_legacy(unread)], tuple(unread))


def rule_text(block: Block, nft: Nft | None = None) -> str:
    """Return the rule that ends a packet as its program writes it; empty when it is the policy."""
    if not block.rule.startswith("handle "):
        return block.rule
    try:
        listed = (nft or Nft()).run("-a", "list", "chain", *block.base.table.split(), block.chain)
    except SetupError:
        return block.rule
    return next(
        (line.partition("#")[0].strip() for line in listed.splitlines() if line.endswith(f"# {block.rule}")), block.rule
    )


def _told_in_full(chains: list[Chain]) -> list[Chain]:
    """Replace tables of iptables by what iptables itself says of them, where it is installed."""
    text = _saved("iptables-nft-save", of_nftables=True)
    if text is None:
        return chains
    full = ruleset_iptables.read(text, "ip")
    tables = {chain.table for chain in full}
    return [*(chain for chain in chains if chain.table not in tables), *full]


def _legacy(unread: list[str]) -> list[Chain]:
    try:
        there = LEGACY_TABLES.read_text(encoding="ascii").split()
    except PermissionError:
        if _has_legacy_modules():
            unread.append("rules of legacy iptables: only root may read them (sudo iptables-legacy-save)")
        return []
    except OSError:  # no such module, as nearly everywhere today
        return []
    if not {*there} & {*ruleset_iptables.PRIORITIES}:
        return []
    # Only asked when there are tables: to ask makes them.
    text = _saved("iptables-legacy-save", of_nftables=False)
    if text is None:
        unread.append("rules of legacy iptables: install the package iptables, which has iptables-legacy-save")
        return []
    return ruleset_iptables.read(text, "legacy")


def _has_legacy_modules() -> bool:
    try:
        return any(line.startswith("iptable_") for line in MODULES.read_text(encoding="utf-8").splitlines())
    except OSError:  # a kernel without modules
        return False


def _saved(program: str, *, of_nftables: bool) -> str | None:
    for name in (program, "iptables-save"):
        try:
            done = run_program([name])
        except (OSError, subprocess.TimeoutExpired):
            continue
        first = done.stdout.partition("\n")[0]
        if done.returncode == 0 and (not first or (OF_NFTABLES in first) == of_nftables):
            return done.stdout
    return None

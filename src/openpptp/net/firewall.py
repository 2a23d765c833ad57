"""One nftables table of our own: masquerade for the pools, TCP's segment size fitted to the tunnel.

Put in place by one `nft -j -f -` transaction: the table is made, deleted and made anew, so that applying twice is the
same as once and a mistake leaves the old rules standing. No other table is ever touched.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv4Network, collapse_addresses
from typing import Any

from openpptp.errors import SetupError
from openpptp.net.journal import Journal

FAMILY = "inet"
TABLE = "openpptp"
KIND = "nftables"
PATIENCE = 20.0  # ours: nft takes milliseconds; this only keeps a hung one from hanging us

CLAMP = """\
    chain clamp {{
        type filter hook forward priority mangle; policy accept;
        iifname "{device}" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
        oifname "{device}" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    }}
"""
NAT = """\
    set pool {{
        type ipv4_addr; flags interval;
        elements = {{ {elements} }}
    }}
    chain nat {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr @pool oifname != "{device}" masquerade
    }}
"""

Json = dict[str, Any]


def plan(
    *, device: str, pools: Sequence[IPv4Network], masquerade: bool = True, clamp: bool = True, table: str = TABLE
) -> str:
    """Return the whole transaction that puts our table in place, in nft's own notation.

    The segment size is fitted in both directions between device and any other; `rt mtu` takes the smaller of the way
    there and the way back.
    """
    chains = [CLAMP.format(device=device)] if clamp else []
    if masquerade and pools:
        elements = ", ".join(map(_element, collapse_addresses(pools)))
        chains.append(NAT.format(device=device, elements=elements))
    return f"{_removal(table)}table {FAMILY} {table} {{\n{''.join(chains)}}}\n"


def _removal(table: str) -> str:
    # To delete what is not there is an error, and `destroy table` is newer than Debian 12: so first add, then delete.
    return f"add table {FAMILY} {table}\ndelete table {FAMILY} {table}\n"


def _element(network: IPv4Network) -> str:
    return str(network.network_address) if network.prefixlen == 32 else str(network)


class Firewall:
    """Our table: applied, verified, taken away. Every method runs nft and takes some 20 ms."""

    def __init__(self, journal: Journal | None = None, *, table: str = TABLE, nft: str = "nft") -> None:
        """Name the table; several instances on one host need one each. nft is the program to run."""
        self._journal = journal or Journal()
        self._table = table
        self._nft = nft
        self.name = f"{FAMILY} {table}"
        "The table as nft names it."

    def apply(self, transaction: str) -> None:
        """Put a plan's table in place, whatever was in it before; raise SetupError and change nothing otherwise."""
        self._listing(self._table)  # an nft that cannot tell what stands there fails here, with nothing changed
        entry = self._journal.remember(KIND, table=self._table, listing="")
        try:
            self._run(["-f", "-"], transaction)
        except SetupError:
            self._journal.forget(entry)
            raise
        self._forget(self._table)
        self._journal.remember(KIND, table=self._table, listing=self._listing(self._table))

    def is_there(self) -> bool:
        """Return whether there is a table of our name, whatever is in it."""
        return bool(self._listing(self._table))

    def verify(self) -> bool:
        """Return whether our table is there and just as apply left it."""
        expected = {entry.get("listing") for entry in self._journal.entries(KIND)} - {""}
        return self._listing(self._table) in expected

    def undo(self) -> list[str]:
        """Take our table away, also those that a process before us left; return a sentence for each that stays.

        Nothing happens when there is none.
        """
        # The table's name follows the interface's, which may have been another when that process was killed.
        noted = {str(entry["table"]) for entry in self._journal.entries(KIND) if "table" in entry}
        problems: list[str] = []
        for table in sorted({self._table, *noted}):
            try:
                if self._listing(table):
                    self._run(["-f", "-"], _removal(table))
            except SetupError as error:
                if table in noted:  # else a host without nft, where we never made a table
                    problems.append(f"the firewall table {FAMILY} {table} may still be there: {error}")
            else:
                self._forget(table)
        return problems

    def obstacles(self, device: str) -> list[str]:
        """Return a sentence for each rule set of others that may drop what we forward or receive."""
        answer = self._ask(["list", "chains"])
        chains = [each["chain"] for each in answer.get("nftables", []) if "chain" in each]
        return [sentence for chain in chains if (sentence := _obstacle(chain, self._table, device))]

    def _forget(self, table: str) -> None:
        for entry in self._journal.entries(KIND):
            if entry.get("table") == table:
                self._journal.forget(entry)

    def _listing(self, table: str) -> str:
        """Return a digest of a table of ours as the kernel has it; empty when there is none."""
        tables = [each["table"] for each in self._ask(["list", "tables"]).get("nftables", []) if "table" in each]
        if not any((each["family"], each["name"]) == (FAMILY, table) for each in tables):
            return ""
        listed = self._ask(["list", "table", FAMILY, table]).get("nftables", [])
        for each in listed:
            for value in each.values():
                value.pop("handle", None)
        content = [each for each in listed if "metainfo" not in each]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _ask(self, arguments: list[str]) -> Json:
        try:
            answer: Json = json.loads(self._run(["-j", *arguments]) or "{}")
        except ValueError as error:
            message = "this nft does not speak JSON; install nftables 0.9.3 or newer"
            raise SetupError(message, exit_code=3) from error
        return answer

    def _run(self, arguments: list[str], transaction: str = "") -> str:
        # An administrator's shell need not have /usr/sbin in its path.
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        try:
            done = subprocess.run(  # noqa: S603 - arguments are ours, no shell
                [self._nft, *arguments],
                input=transaction,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
                env={"PATH": path, "LC_ALL": "C"},
            )
        except (FileNotFoundError, PermissionError) as error:  # the latter when a folder of PATH may not be read
            message = "the program nft is missing, with which NAT is set up; install the package nftables"
            raise SetupError(message, exit_code=3) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetupError(f"the program nft did not run: {error}", exit_code=3) from error
        if done.returncode != 0:
            raise _explain(done.stderr or done.stdout)
        return done.stdout


def _explain(output: str) -> SetupError:
    words = " ".join(output.split())
    if "Operation not permitted" in words or "must be root" in words:
        message = "this process may not change the firewall; run as root or grant CAP_NET_ADMIN"
        return SetupError(message, exit_code=3)
    if "JSON support not compiled-in" in words or "invalid option" in words:
        return SetupError("this nft does not speak JSON; install nftables 0.9.3 or newer", exit_code=3)
    if "not supported" in words:
        message = f"this kernel lacks a part of nftables that NAT needs (nf_tables, nft_masq, nft_rt): {words}"
        return SetupError(message, exit_code=3)
    return SetupError(f"nft refused our rules: {words}")


def _obstacle(chain: Json, table: str, device: str) -> str:
    """Say what one base chain of others may do to us; empty when it lets everything pass.

    ufw, Docker and iptables scripts set the policy to drop; firewalld keeps accept and rejects in a last rule.
    """
    if (chain["family"], chain["table"]) == (FAMILY, table) or chain["family"] not in ("inet", "ip"):
        return ""
    where = f"chain {chain['family']} {chain['table']} {chain['name']}"
    if chain.get("policy") == "drop" and chain.get("hook") == "forward":
        return (
            f"{where} drops what it forwards unless a rule allows it: packets of clients may not pass; allow them "
            f"with 'iptables -I FORWARD -i {device} -j ACCEPT; iptables -I FORWARD -o {device} -j ACCEPT' or the like"
        )
    if chain.get("policy") == "drop" and chain.get("hook") == "input":
        return f"{where} drops what comes in unless a rule allows it: allow TCP port 1723 and IP protocol 47 (GRE)"
    if chain["table"] == "firewalld" and chain.get("hook") == "forward":
        return (
            "firewalld rejects what no zone allows: packets of clients may not pass; allow them with "
            f"'firewall-cmd --zone=trusted --add-interface={device}'"
        )
    return ""

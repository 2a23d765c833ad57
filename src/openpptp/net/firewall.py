"""One nftables table of our own: masquerade for the pools, TCP's segment size fitted to the tunnel.

Put in place by one `nft -j -f -` transaction: the table is made, deleted and made anew, so that applying twice is the
same as once and a mistake leaves the old rules standing. No other table is ever touched.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv4Network, collapse_addresses

from openpptp.errors import SetupError
from openpptp.net.journal import Journal
from openpptp.net.nft import Nft

FAMILY = "inet"
TABLE = "openpptp"
KIND = "nftables"

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


def plan(
    *, device: str, pools: Sequence[IPv4Network], masquerade: bool = True, clamp: bool = True, table: str = TABLE
) -> str:
    """Return the whole transaction that puts our table in place, in nft's own notation.

    The segment size is fitted in both directions between device and any other; `rt mtu` takes the smaller of the way
    there and the way back.
    """
    chains = [CLAMP.format(device=device)] if clamp else []
    if masquerade and pools:
        elements = ", ".join(map(element, collapse_addresses(pools)))
        chains.append(NAT.format(device=device, elements=elements))
    return f"{removal(table)}table {FAMILY} {table} {{\n{''.join(chains)}}}\n"


def removal(table: str) -> str:
    """Return what takes a table of ours away, whether it is there or not."""
    # To delete what is not there is an error, and `destroy table` is newer than Debian 12: so first add, then delete.
    return f"add table {FAMILY} {table}\ndelete table {FAMILY} {table}\n"


def element(network: IPv4Network) -> str:
    """Write a network as an element of a set."""
    return str(network.network_address) if network.prefixlen == 32 else str(network)


class Firewall:
    """Our table: applied, verified, taken away. Every method runs nft and takes some 20 ms."""

    def __init__(self, journal: Journal | None = None, *, table: str = TABLE, nft: Nft | None = None) -> None:
        """Name the table; several instances on one host need one each."""
        self._journal = journal or Journal()
        self._table = table
        self._nft = nft or Nft()
        self.name = f"{FAMILY} {table}"
        "The table as nft names it."

    def apply(self, transaction: str) -> None:
        """Put a plan's table in place, whatever was in it before; raise SetupError and change nothing otherwise."""
        self._listing(self._table)  # an nft that cannot tell what stands there fails here, with nothing changed
        entry = self._journal.remember(KIND, table=self._table, listing="")
        try:
            self._nft.run("-f", "-", transaction=transaction)
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
                    self._nft.run("-f", "-", transaction=removal(table))
            except SetupError as error:
                if table in noted:  # else a host without nft, where we never made a table
                    problems.append(f"the firewall table {FAMILY} {table} may still be there: {error}")
            else:
                self._forget(table)
        return problems

    def _forget(self, table: str) -> None:
        for entry in self._journal.entries(KIND):
            if entry.get("table") == table:
                self._journal.forget(entry)

    def _listing(self, table: str) -> str:
        """Return a digest of a table of ours as the kernel has it; empty when there is none."""
        tables = [each["table"] for each in self._nft.ask("list", "tables").get("nftables", []) if "table" in each]
        if not any((each["family"], each["name"]) == (FAMILY, table) for each in tables):
            return ""
        listed = self._nft.ask("list", "table", FAMILY, table).get("nftables", [])
        for each in listed:
            for value in each.values():
                value.pop("handle", None)
        content = [each for each in listed if "metainfo" not in each]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

"""Policy routing rules: which packets look into the tunnel's own routing table; all are undone."""

from collections.abc import Callable
from socket import AF_INET
from typing import Any

from pyroute2.iproute.linux import IPRoute

from openpptp.errors import SetupError
from openpptp.net.journal import Entry, Journal
from openpptp.net.links import MAIN_TABLE, OUR_PROTOCOL
from openpptp.net.netlink import NetlinkThread, doing, in_thread

FIB_RULE_INVERT = 0x2  # linux/fib_rules.h
BEFORE = 32_000  # ours: the rules' priorities are below it, and so come before the main table's 32766
SLOTS = 1000  # ours: pairs of priorities, by the number of the tunnel's device


class Rules(NetlinkThread):
    """Lead all that does not bear a mark into a table; undo() takes that back."""

    def __init__(self, journal: Journal, *, netlink: Callable[[], Any] = IPRoute) -> None:
        """Work with this journal; what an earlier process left in it is undone by undo() as well."""
        super().__init__(netlink)
        self._journal = journal

    @in_thread
    def lead_unmarked(self, mark: int, *, avoid: str) -> None:
        """Let what has not this mark look into the table of its number, after all routes of main but the default.

        So what carries the tunnel avoids it, and this host's own networks stay where they are. avoid is the tunnel's
        device: each has a place of its own among the rules.
        """
        first = BEFORE - 2 * (1 + self.index_of(avoid) % SLOTS)
        self._add({"priority": first, "table": MAIN_TABLE, "suppress_prefixlen": 0})
        self._add({"priority": first + 1, "table": mark, "fwmark": mark, "flags": FIB_RULE_INVERT})

    @in_thread
    def undo(self) -> list[str]:
        """Remove the rules; return a sentence per failure."""
        problems: list[str] = []
        for entry in self._journal.entries("rule"):
            try:
                with doing("remove our routing rules"):
                    if self._is_there(entry):
                        self.netlink.rule("del", **_settings(entry))
                self._journal.forget(entry)
            except SetupError as error:
                problems.append(str(error))
        return problems

    def _add(self, facts: dict[str, int]) -> None:
        entry = self._journal.remember("rule", **facts)
        with doing("add a routing rule"):
            self.netlink.rule("add", **_settings(entry))

    def _is_there(self, entry: Entry) -> bool:
        return any(
            message.get_attr("FRA_PRIORITY") == entry["priority"]
            and message.get_attr("FRA_PROTOCOL") == OUR_PROTOCOL
            and message.get_attr("FRA_TABLE") == entry["table"]
            for message in self.netlink.get_rules(family=AF_INET)
        )


def _settings(entry: Entry) -> dict[str, Any]:
    facts = {key: value for key, value in entry.items() if key != "kind"}
    return {**facts, "family": AF_INET, "protocol": OUR_PROTOCOL}

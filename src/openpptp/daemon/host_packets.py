"""The pieces of the host that decide which packets pass, and as whose: forwarding and our firewall table."""

from dataclasses import dataclass

from openpptp.daemon.host_piece import Condition
from openpptp.net.firewall import Firewall
from openpptp.net.forwarding import Forwarding, switched_off_by

RESTART = "restart the server, which puts this right at each start"


@dataclass(frozen=True, slots=True)
class PacketForwarding:
    """The host's switch for passing IPv4 packets on."""

    forwarding: Forwarding
    name: str = "IPv4 forwarding"

    def describe(self) -> list[str]:
        """Give the switch with its present value."""
        return [f"sysctl net.ipv4.ip_forward = 1 (now {self.forwarding.value()})"]

    def apply(self) -> None:
        """Switch it on."""
        self.forwarding.enable()

    def verify(self) -> Condition:
        """Read the switch."""
        if self.forwarding.value() == "1":
            return Condition(self.name, "present", "net.ipv4.ip_forward is 1")
        if self.forwarding.was_enabled():
            sentence, remedy = "somebody set net.ipv4.ip_forward to 0 after us", RESTART
            if places := switched_off_by():
                sentence += f"; {' and '.join(places)} does so whenever it is read"
                remedy = f"take that line out, then {RESTART}"
            return Condition(self.name, "overridden", sentence, remedy)
        return Condition(self.name, "missing", "net.ipv4.ip_forward is 0", "start the server: openpptp serve")

    def undo(self) -> list[str]:
        """Put the first value back."""
        return self.forwarding.undo()


@dataclass(frozen=True, slots=True)
class FirewallTable:
    """Our nftables table."""

    firewall: Firewall
    transaction: str
    name: str = "firewall table"

    def describe(self) -> list[str]:
        """Give the rules as nft reads them."""
        return self.transaction.splitlines()

    def apply(self) -> None:
        """Put the table in place."""
        self.firewall.apply(self.transaction)

    def verify(self) -> Condition:
        """Compare the table with the one that was made."""
        if self.firewall.verify():
            return Condition(self.name, "present", f"table {self.firewall.name} is as the server made it")
        if self.firewall.is_there():
            sentence = f"somebody changed table {self.firewall.name}; see it with: nft list table {self.firewall.name}"
            return Condition(self.name, "overridden", sentence, RESTART)
        return Condition(
            self.name,
            "missing",
            f"there is no table {self.firewall.name}",
            "start the server; if it runs, something deleted the table ('nft flush ruleset' in /etc/nftables.conf "
            "does, for example): restart the server after that",
        )

    def undo(self) -> list[str]:
        """Delete the table, and those a killed process left."""
        return self.firewall.undo()

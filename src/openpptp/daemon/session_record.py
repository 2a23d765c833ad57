"""What the server knows of one logged-in session, and who wants to hear of it."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from openpptp.backends.policy import NOTHING, Policy
from openpptp.credentials import NetworkGrant
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.session_names import new_id
from openpptp.datapath.seam import Counters, Inside
from openpptp.errors import EndReason


@dataclass(slots=True, eq=False)
class SessionRecord:
    """What is known of one logged-in session."""

    call_id: int
    user: str
    grant: NetworkGrant
    "The addresses and servers it was given."
    address: IPv4Address
    driver: TunnelDriver
    id: str = field(default_factory=new_id)
    policy: Policy = NOTHING
    "What holds for the user, [policy] of the settings included."
    routes: tuple[IPv4Network, ...] = ()
    "The networks behind him that were led into the tunnel."
    inside: Inside | None = None
    "What the data path was told last; None before data flowed."
    up_at: float | None = None
    "Monotonic seconds since which data may flow; None before the first time."
    is_up: bool = False

    @property
    def peer(self) -> IPv4Address:
        """The address the user comes from."""
        return self.driver.peer


class SessionWatcher(Protocol):
    """Hears of every logged-in session, in the order of its life, and must answer at once; times are monotonic."""

    def logged_in(self, session: SessionRecord, now: float) -> None:
        """Hear that the user proved himself and got an address."""

    def went_up(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Hear that data may flow; after a renegotiation it is said again."""

    def went_down(self, session: SessionRecord, counters: Counters, now: float) -> None:
        """Hear that data may flow no longer; always before the end when it could."""

    def ended(self, session: SessionRecord, reason: EndReason, counters: Counters, now: float) -> None:
        """Hear the last of a session."""

"""What accel-ppp.conf says of every user: [common], times of [pptp], [shaper] and named pools become [policy]."""

from collections.abc import Callable

from openpptp.backends.policy import NONE, NOTHING, UnusablePolicy
from openpptp.backends.policy_values import POOL_NAME
from openpptp.daemon.accel_lines import Item
from openpptp.daemon.accel_names import LEFT_OUT
from openpptp.daemon.import_report import Draft, Verdict

Say = Callable[[Item, Verdict, str], None]


class AccelPolicy:
    """Takes the lines that limit users; finish() settles what depends on others."""

    def __init__(self, draft: Draft, say: Say) -> None:
        """Begin without limits."""
        self._draft = draft
        self._say = say
        self._times: dict[str, Item] = {}
        self._rate: Item | None = None
        self._pool: Item | None = None
        self._pools: dict[str, list[str]] = {}

    def take(self, item: Item) -> bool:
        """Take a line; tell whether it limits users at all."""
        match item.section, item.key:
            case "common" | "pptp", "session-timeout":
                self._times[item.section] = item
            case "common", "single-session":
                self._single_session(item)
            case "common", _:
                self._say(item, Verdict.IGNORED, LEFT_OUT["common"])
            case "shaper", "rate-limit":
                self._rate = item
            case "pptp", "ip-pool":
                self._pool = item
            case _:
                return False
        return True

    def add_pool(self, item: Item, name: str, entry: str) -> None:
        """Take a line of a pool beside the first."""
        if not POOL_NAME.fullmatch(name) or name == NONE:
            self._say(item, Verdict.IGNORED, "a pool beside the first needs a name of letters, digits, dots and dashes")
            return
        self._pools.setdefault(name, []).append(entry)
        self._draft.set(item.place, "network", "pools", self._pools)
        self._say(item, Verdict.HONOURED, f"network.pools.{name} has {entry}; for users whose policy names it")

    def finish(self, modules: set[str], first_pool: str) -> None:
        """Set what several lines decide; modules are those accel-ppp loads, first_pool is what its pool is called."""
        for section, item in self._times.items():
            if section == "common" and "pptp" in self._times:
                self._say(item, Verdict.IGNORED, "[pptp] has a session-timeout of its own")
            else:
                self._set(item, "maxconnect", "none" if item.value in {"0", None} else f"{item.value}s")
        if self._rate is not None and "shaper" in modules:
            down, slash, up = (self._rate.value or "").partition("/")
            self._set(self._rate, "rate", f"{down}kbit/{up}kbit" if slash else f"{down}kbit")
        elif self._rate is not None:
            self._say(self._rate, Verdict.IGNORED, "[modules] has no shaper, so accel-ppp limits no rate either")
        if self._pool is not None:
            self._take_pool(self._pool, first_pool)

    def _single_session(self, item: Item) -> None:
        limits = {"replace": "1/replace", "deny": "1"}
        if item.value in limits:
            self._set(item, "sessions", limits[item.value or ""])
        else:
            self._say(item, Verdict.IGNORED, "accel-ppp knows replace and deny, and anything else limits nothing")

    def _take_pool(self, item: Item, first_pool: str) -> None:
        if item.value in self._pools:
            self._set(item, "pool", item.value or "")
        elif item.value == first_pool:
            self._say(item, Verdict.HONOURED, "it is network.pool, which everybody is given an address of")
        else:
            self._say(item, Verdict.IGNORED, "[ip-pool] has no pool of that name")

    def _set(self, item: Item, name: str, text: str) -> None:
        try:
            written = dict(NOTHING.said(name, text).items())[name]
        except UnusablePolicy as error:
            self._say(item, Verdict.UNREADABLE, str(error))
            return
        self._say(item, Verdict.HONOURED, self._draft.set(item.place, "policy", name, written))

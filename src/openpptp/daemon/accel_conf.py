"""accel-ppp.conf -> our settings: its pptp, ppp, auth, ip-pool, client-ip-range, dns and chap-secrets, line by line.

The rules are those of accel-ppp's conf_file.c: white space at both ends is cut, a line that begins with # is a comment,
sections of one name are one, the first line with a key counts. Sections of other protocols are reported and left out.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from openpptp.backends.ranges import UnusableRange, parse_range
from openpptp.backends.secrets_file import WILDCARD
from openpptp.backends.secrets_file import read as read_secrets
from openpptp.credentials import AuthMethod
from openpptp.daemon.accel_lines import COMMENT, AccelLines, Item
from openpptp.daemon.accel_names import IGNORED, LEFT_OUT, MANY, METHODS
from openpptp.daemon.accel_policy import AccelPolicy
from openpptp.daemon.import_report import Draft, Place, Verdict
from openpptp.daemon.import_users import report_secrets
from openpptp.daemon.pppd_names import WHY_WEAK
from openpptp.daemon.sections import ServerSection
from openpptp.errors import SetupError

SECRETS = Path("/etc/ppp/chap-secrets")


def read_accel(path: Path, draft: Draft) -> None:
    """Read accel-ppp.conf into a draft; raise SetupError when it cannot be read."""
    reader = _Reader(draft)
    for item in AccelLines(draft).read(path):
        reader.take(item)
    reader.finish(Place(path))


class _Reader:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._first: dict[tuple[str, str], Place] = {}
        self._pool: list[str] = []
        self._pool_place: Place | None = None
        self._pool_name = ""
        self._sources: list[str] = []
        self._sources_place: Place | None = None
        self._anywhere = False
        self._dns: dict[str, str] = {}
        self._wins: dict[str, str] = {}
        self._methods: dict[AuthMethod, Place] = {}
        self._mppe: dict[str, Item] = {}
        self._modules: set[str] = set()
        self._policy = AccelPolicy(draft, self._say)

    def _tell(self, place: Place, text: str, verdict: Verdict, words: str) -> None:
        self._draft.tell(place, text, verdict, words)

    def _say(self, item: Item, verdict: Verdict, words: str) -> None:
        cut = "; the comment after it is cut off" if COMMENT.search(item.raw) and verdict is Verdict.HONOURED else ""
        self._tell(item.place, item.text, verdict, words + cut)

    # What they mean

    def take(self, item: Item) -> None:
        """Tell what becomes of one line, and take its value."""
        key = (item.section, item.key)
        if item.section not in MANY:
            if key in self._first:
                words = f"line {self._first[key].line} says {item.key} already, and accel-ppp takes the first"
                self._say(item, Verdict.IGNORED, words)
                return
            self._first[key] = item.place
        if key in IGNORED:
            self._say(item, Verdict.IGNORED, IGNORED[key])
        elif self._policy.take(item):
            return
        elif item.section in (takers := self._takers()):
            takers[item.section](item)
        elif item.section in LEFT_OUT:
            self._say(item, Verdict.IGNORED, LEFT_OUT[item.section])
        else:
            self._say(item, Verdict.IGNORED, f"[{item.section}] has nothing to do with PPTP here")

    def _takers(self) -> dict[str, Callable[[Item], None]]:
        return {
            "modules": self._take_module,
            "pptp": self._take_pptp,
            "ppp": self._take_ppp,
            "auth": self._unknown,
            "ip-pool": self._take_pool,
            "client-ip-range": self._take_range,
            "dns": self._take_dns,
            "wins": self._take_dns,
            "chap-secrets": self._take_chap_secrets,
        }

    def _take_module(self, item: Item) -> None:
        method = METHODS.get(item.key)
        self._modules.add(item.key)
        if method is not None:
            self._methods.setdefault(method, item.place)
            if method in WHY_WEAK:
                words = f"auth.methods has {method.value} then: {WHY_WEAK[method]}"
                self._say(item, Verdict.DANGEROUS, words)
            else:
                self._say(item, Verdict.HONOURED, f"auth.methods has {method.value}")
        elif item.key in {"pptp", "chap-secrets", "ippool", "shaper"}:
            self._say(item, Verdict.HONOURED, "it is part of this server")
        elif item.key == "radius":
            self._say(item, Verdict.IGNORED, LEFT_OUT["radius"])
        else:
            self._say(item, Verdict.IGNORED, "this server has no such module, or has it built in")

    def _take_pptp(self, item: Item) -> None:
        match item.key:
            case "bind":
                self._address(item, "server", "listen")
            case "port":
                self._number(item, "server", "port", 1, 65535)
            case "echo-interval":
                self._number(item, "server", "control_echo_interval", 1, 3600, seconds=True)
            case "timeout":
                self._number(item, "limits", "start_timeout", 1, 300, seconds=True)
            case "mppe":
                self._take_mppe(item)
            case _:
                self._unknown(item)

    def _take_ppp(self, item: Item) -> None:
        match item.key:
            case "mru":
                self._number(item, "ppp", "mru", 576, 1500)
            case "lcp-echo-interval":
                self._number(item, "ppp", "echo_interval", 0, 3600, seconds=True)
            case "lcp-echo-failure":
                self._number(item, "ppp", "echo_failures", 1, 100)
            case "ipv6":
                self._set(item, "ppp", "ipv6", item.value in {"allow", "prefer", "require"})
            case "mppe":
                self._take_mppe(item)
            case "ccp" if item.value in {"0", "deny"}:
                self._take_mppe(item._replace(value="deny"))
            case "ccp":
                self._say(item, Verdict.HONOURED, "CCP carries MPPE")
            case _:
                self._unknown(item)

    def _take_mppe(self, item: Item) -> None:
        """Take the word; finish() sets it, since [pptp] wins over [ppp]."""
        words = {
            "require": (Verdict.HONOURED, 'auth.encryption = "required"'),
            "prefer": (
                Verdict.DANGEROUS,
                'auth.encryption = "optional" then: somebody on the way can choose clear text',
            ),
            "allow": (
                Verdict.DANGEROUS,
                'auth.encryption = "optional" then: somebody on the way can choose clear text',
            ),
            "deny": (Verdict.DANGEROUS, 'auth.encryption = "off" then: everything crosses the network in clear text'),
        }
        if item.value not in words:
            self._say(item, Verdict.UNREADABLE, "it is deny, allow, prefer or require")
            return
        self._mppe.setdefault(item.section, item)
        self._say(item, *words[item.value])

    def _take_pool(self, item: Item) -> None:
        if item.key == "gw-ip-address":
            self._address(item, "network", "local_address")
            return
        words, *options = (part.strip() for part in COMMENT.sub("", item.raw).split(","))
        try:
            entry = parse_range(_accel_range(words))
        except UnusableRange as error:
            self._say(item, Verdict.UNREADABLE, str(error))
            return
        name = next((option.removeprefix("name=") for option in options if not option.startswith("next=")), "")
        if self._pool and name != self._pool_name:
            self._policy.add_pool(item, name, str(entry))
            return
        self._pool_name = name
        self._pool.append(str(entry))
        self._pool_place = self._pool_place or item.place
        note = f"; it is for all users, as if it were not called {name}" if name else ""
        self._say(item, Verdict.HONOURED, f"network.pool has {entry}{note}")

    def _take_range(self, item: Item) -> None:
        if item.key == "disable":
            self._anywhere = True
            self._say(item, Verdict.HONOURED, "clients may come from any address")
            return
        text = COMMENT.sub("", item.raw)
        if re.fullmatch(r"[0-9.]+/0", text):
            self._say(item, Verdict.HONOURED, "clients may come from any address")
            self._anywhere = True
            return
        try:
            self._sources.append(str(parse_range(_accel_range(text))))
        except UnusableRange as error:
            self._say(item, Verdict.UNREADABLE, str(error))
        else:
            self._sources_place = self._sources_place or item.place
            self._say(item, Verdict.HONOURED, f"limits.sources has {self._sources[-1]}")

    def _take_dns(self, item: Item) -> None:
        into, key = (self._dns, "dns") if item.section == "dns" else (self._wins, "wins")
        if item.key not in {f"{key}1", f"{key}2"}:
            self._unknown(item)
            return
        if (address := _address(item.value)) is None:
            self._say(item, Verdict.UNREADABLE, "an IPv4 address is needed")
            return
        into[item.key] = str(address)
        addresses = list(dict.fromkeys(into[name] for name in sorted(into)))
        self._set(item, "network", key, addresses)

    def _take_chap_secrets(self, item: Item) -> None:
        match item.key:
            case "chap-secrets" if item.value and item.value.startswith("/"):
                self._draft.set(item.place, "users", "file", item.value)
                words = (
                    f'users.file = "{item.value}"; it is read by pppd\'s rules: the second word must be * or '
                    "server.name, a fourth word that names a pool is not known, and # begins a comment everywhere"
                )
                self._say(item, Verdict.HONOURED, words)
            case "gw-ip-address":
                bare = item._replace(value=(item.value or "").partition("/")[0])
                self._address(bare, "network", "local_address")
            case "encrypted" if item.value not in {"0", None}:
                self._say(
                    item, Verdict.UNREADABLE, "hashes in place of passwords are not read; such users cannot log in"
                )
            case "username-hash":
                self._say(item, Verdict.UNREADABLE, "names that are hashes are not read; such users cannot log in")
            case "encrypted":
                self._say(item, Verdict.HONOURED, "the file holds passwords")
            case _:
                self._unknown(item)

    def _unknown(self, item: Item) -> None:
        self._say(item, Verdict.IGNORED, f"[{item.section}] has no such key that means something here")

    def _set(self, item: Item, section: str, key: str, value: object) -> None:
        self._say(item, Verdict.HONOURED, self._draft.set(item.place, section, key, value))

    def _address(self, item: Item, section: str, key: str) -> None:
        address = _address(item.value)
        if address is None:
            self._say(item, Verdict.UNREADABLE, "an IPv4 address is needed")
        elif (section, key) in self._draft.values and self._draft.values[section, key] != str(address):
            self._say(item, Verdict.IGNORED, f"{section}.{key} is set already, and there is one for all")
        else:
            self._set(item, section, key, str(address))

    def _number(self, item: Item, section: str, key: str, least: int, most: int, *, seconds: bool = False) -> None:
        text = item.value or ""
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        if number is None:
            self._say(item, Verdict.UNREADABLE, "a whole number is needed")
        elif not least <= number <= most:
            self._say(item, Verdict.IGNORED, f"{section}.{key} is from {least} to {most}")
        else:
            self._set(item, section, key, float(number) if seconds else number)

    # The whole

    def finish(self, default: Place) -> None:
        """Set what several lines decide, and say where nothing decides."""
        self._users(default)
        self._policy.finish(self._modules, self._pool_name)
        if self._pool:
            assert self._pool_place is not None
            self._draft.set(self._pool_place, "network", "pool", self._pool)
        if self._sources and not self._anywhere:
            assert self._sources_place is not None
            self._draft.set(self._sources_place, "limits", "sources", self._sources)
        methods = [method for method in AuthMethod if method in self._methods]
        if methods:
            self._draft.set(self._methods[methods[0]], "auth", "methods", [method.value for method in methods])
        mppe = self._mppe.get("pptp") or self._mppe.get("ppp")
        if mppe is not None:
            kind = {"require": "required", "deny": "off"}.get(mppe.value or "", "optional")
            self._draft.set(mppe.place, "auth", "encryption", kind)
        elif methods and not any(method.makes_keys for method in methods):
            words = self._draft.set(self._methods[methods[0]], "auth", "encryption", "off")
            self._tell(self._methods[methods[0]], "", Verdict.DANGEROUS, f"{words} follows: no method makes keys")
        else:
            words = "MPPE 128 bit is required, where accel-ppp would let clients in without; mppe=allow gives it up"
            self._tell(default, "", Verdict.HONOURED, words)

    def _users(self, default: Place) -> None:
        """Tell of every user, when there is a file."""
        if ("users", "file") not in self._draft.values:
            words = self._draft.set(default, "users", "file", str(SECRETS))
            self._tell(default, "", Verdict.HONOURED, f"{words}; no line says otherwise, so it is accel-ppp's own")
        path = Path(self._draft.values["users", "file"])
        try:
            secrets = read_secrets(path)
        except SetupError as error:
            self._tell(Place(path), "", Verdict.UNREADABLE, str(error))
        else:
            report_secrets(self._draft, path, secrets, self._name(path, {entry.server for entry in secrets.entries}))

    def _name(self, path: Path, servers: set[str]) -> str:
        """Take the one name that the users' lines have as ours, since accel-ppp does not look at it."""
        named = servers - {WILDCARD}
        if len(named) != 1:
            return ServerSection().name
        (name,) = named
        words = self._draft.set(Place(path), "server", "name", name)
        self._tell(Place(path), "", Verdict.HONOURED, f"{words}; all users are for it, and accel-ppp takes any")
        return name


def _address(text: str | None) -> IPv4Address | None:
    try:
        return IPv4Address(text or "")
    except ValueError:
        return None


def _accel_range(text: str) -> str:
    """Return x.x.x.x/mask as a network: accel-ppp takes any address of it."""
    address, slash, bits = text.partition("/")
    found = _address(address)
    if not slash or found is None or not (bits.isascii() and bits.isdigit() and 1 <= int(bits[:3]) <= 32):
        return text
    mask = (1 << (32 - int(bits))) - 1
    return f"{IPv4Address(int(found) & ~mask)}/{bits}"

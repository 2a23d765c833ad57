"""pptpd.conf and the option file it names -> our settings, each line reported; the users follow in import_users.py.

The rules are those of pptpd 1.4 (its configfile.c and pptpd.c): a keyword begins in column 0, the first line with it
counts, # begins a comment in column 0. We are milder than pptpd in three points, and the report says so each time: a
comment after the value is cut off, a last line without newline counts, and an option file that is misnamed by its
plural is found.
"""

import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from openpptp.backends.ranges import AddressRange
from openpptp.backends.secrets_file import Secrets
from openpptp.daemon.foreign_files import Resolve, address_of, read_text, resolve
from openpptp.daemon.import_report import Draft, Place, Verdict
from openpptp.daemon.import_users import read_users
from openpptp.daemon.pppd_options import DIRECTORY, PppdOptions
from openpptp.daemon.pptpd_addresses import UnreadableAddresses, parse_addresses, whole_number
from openpptp.errors import SetupError

MAX_LINE = 510  # octets: pptpd's buffer
CONNECTIONS = 100  # pptpd's default
LOCAL_ADDRESS, REMOTE_ADDRESSES = "192.168.0.1", "192.168.1.1-100"  # what pptpd is compiled with
FLAGS = frozenset({"debug", "noipparam", "logwtmp", "delegate"})
KEYWORDS = FLAGS | {
    "ppp",
    "option",
    "stimeout",
    "bcrelay",
    "connections",
    "localip",
    "remoteip",
    "listen",
    "vrf",
    "pidfile",
    "speed",
}
IGNORED = {
    "ppp": "no pppd is started: PPP is part of this program",
    "noipparam": "programs run for a session always get the client's address as ipparam",
    "logwtmp": "sessions are in the log and not in wtmp",
    "bcrelay": "broadcasts are not relayed to clients",
    "vrf": "the device cannot be put into a VRF from here; start the server there: ip vrf exec NAME openpptp serve",
    "pidfile": "there is no pid file: the service manager knows the process",
    "speed": "a tunnel has no line speed; Linux ignores it with pptpd too",
}
COMMENT = re.compile(r"\s+#.*$")


class Line(NamedTuple):
    """The line of pptpd.conf that counts for its keyword."""

    place: Place
    text: str
    value: str
    note: str
    "What we took more mildly than pptpd."


def read_pptpd(path: Path, draft: Draft, *, directory: Path = DIRECTORY, look_up: Resolve = resolve) -> None:
    """Read pptpd.conf and all it leads to into a draft; raise SetupError when a file it needs cannot be read."""
    reader = _Reader(path, draft, directory, look_up)
    reader.run()


class _Reader:
    def __init__(self, path: Path, draft: Draft, directory: Path, look_up: Resolve) -> None:
        self._path = path
        self._draft = draft
        self._directory = directory
        self._look_up = look_up
        self._options = PppdOptions(draft, directory=directory, look_up=look_up)
        self._lines: dict[str, Line] = {}

    def run(self) -> None:
        self._collect(read_text(self._path))
        for keyword, line in self._lines.items():
            self._take(keyword, line)
        self._read_options()
        secrets = read_users(self._draft, self._options, self._place("option"))
        self._addresses(secrets)
        self._options.finish(self._place("option"))
        if self._directory.is_dir():
            words = self._draft.set(Place(self._path), "hooks", "directory", str(self._directory))
            words += "; its ip-up, ip-down, auth-up and auth-down are run as pppd does"
            self._draft.tell(Place(self._path), "", Verdict.HONOURED, words)
        self._draft.tell(
            Place(self._path),
            "",
            Verdict.HONOURED,
            "forwarding, NAT and MSS clamp come and go with the server; where rules of your own do that, "
            "take theirs or ours away (network.forward, network.nat, network.mss_clamp)",
        )

    def _place(self, keyword: str) -> Place:
        return self._lines[keyword].place if keyword in self._lines else Place(self._path)

    def _value(self, keyword: str) -> str:
        return self._lines[keyword].value if keyword in self._lines else ""

    def _collect(self, text: str) -> None:
        """Keep the first line with each keyword, and say what becomes of the others."""
        newlines = text.count("\n")
        for number, raw in enumerate(text.split("\n"), 1):
            place, line = Place(self._path, number), raw.rstrip(" \t\r")
            if not line or line.startswith("#"):
                continue
            keyword, *rest = re.split("[ \t]+", line, maxsplit=1)
            if line[0] in " \t":
                self._ignore(
                    place,
                    re.split("[ \t]", line.strip(" \t"), maxsplit=1)[0],
                    "it begins with a blank; pptpd skips such a line too",
                )
            elif keyword not in KEYWORDS:
                self._ignore(place, keyword, "pptpd knows no such keyword and skips the line")
            elif len(line.encode("utf-8", "surrogateescape")) > MAX_LINE:
                self._ignore(place, line, "it is longer than pptpd's buffer, and pptpd skips it too")
            elif keyword in self._lines:
                first = self._lines[keyword].place.line
                self._ignore(place, line, f"line {first} says {keyword} already, and pptpd takes the first")
            else:
                self._keep(place, line, keyword, rest[0] if rest else "", ended=number <= newlines)

    def _keep(self, place: Place, text: str, keyword: str, value: str, *, ended: bool) -> None:
        note = "" if ended else "pptpd itself skips a last line without newline"
        bare = COMMENT.sub("", f" {value}").strip()
        if keyword in FLAGS:
            self._lines[keyword] = Line(place, text, "", note)
            return
        if bare != value:
            note = "the comment after it is cut off, where pptpd takes it for part of the value"
        if bare:
            self._lines[keyword] = Line(place, text, bare, note)
        else:
            self._draft.tell(place, text, Verdict.UNREADABLE, "its value is missing")

    def _ignore(self, place: Place, text: str, because: str) -> None:
        self._draft.tell(place, text, Verdict.IGNORED, because)

    def _set(self, line: Line, section: str, key: str, value: object) -> None:
        words = self._draft.set(line.place, section, key, value)
        self._draft.tell(line.place, line.text, Verdict.HONOURED, _joined(words, line.note))

    def _unreadable(self, line: Line, because: str) -> None:
        self._draft.tell(line.place, line.text, Verdict.UNREADABLE, because)

    def _take(self, keyword: str, line: Line) -> None:
        """Take every line that stands for itself; files and addresses follow when all lines are known."""
        if keyword in IGNORED:
            self._ignore(line.place, line.text, IGNORED[keyword])
        elif keyword == "debug":
            self._set(line, "log", "level", "debug")
        elif keyword == "delegate":
            words = "addresses are those of the secrets file and of the option file; remoteip does not count"
            self._draft.tell(line.place, line.text, Verdict.HONOURED, words)
        elif keyword == "stimeout":
            seconds = whole_number(line.value)
            if seconds is None or not 1 <= seconds <= 300:
                self._unreadable(line, "limits.start_timeout takes 1 to 300 seconds")
            else:
                self._set(line, "limits", "start_timeout", float(seconds))
        elif keyword == "listen":
            address = address_of(line.value, self._look_up)
            if address is None:
                self._unreadable(line, f"{line.value} is no IPv4 address and no name that is known")
            else:
                self._set(line, "server", "listen", str(address))

    # The option file

    def _read_options(self) -> None:
        """Read pppd's own file first, as every pppd does, then the one `option` names."""
        system = self._directory / "options"
        line = self._lines.get("option")
        if system.exists() and (line is None or Path(line.value) != system):
            self._draft.tell(Place(system), "", Verdict.HONOURED, "every pppd reads this file first")
            self._options.read(system)
        if line is None:
            return
        path = Path("/", line.value)
        found = _find(path)
        note = line.note
        if found != path:
            note = _joined(f"{path} does not exist, {found} does: correct the line", note)
        self._draft.tell(line.place, line.text, Verdict.HONOURED, _joined(f"{found} is read", note))
        try:
            self._options.read(found)
        except SetupError as error:
            raise SetupError(f"{line.place}: option: {error}", exit_code=error.exit_code) from None

    # Addresses

    def _addresses(self, secrets: Secrets | None) -> None:
        if "delegate" in self._lines:
            pool = self._delegated(secrets)
        else:
            pool = self._pool()
            self._local()
        connections = self._connections()
        if not pool and connections is not None and "connections" in self._lines:
            line = self._lines["connections"]
            self._ignore(line.place, line.text, "there are no addresses that it could be cut to")
        if not pool or connections is None:
            return
        ours = self._draft.values.get(("network", "local_address"))
        room = sum(entry.size - (ours is not None and entry.holds(IPv4Address(ours))) for entry in pool)
        words = self._draft.set(self._place("connections"), "limits", "sessions", max(1, min(connections, room)))
        text = self._lines["connections"].text if "connections" in self._lines else ""
        why = f"connections is {connections}" + ("" if text else " when no line says so")
        why = f"{words}; {why}, and there are {room} addresses"
        self._draft.tell(self._place("connections"), text, Verdict.HONOURED, why)

    def _pool(self) -> list[AddressRange]:
        line = self._lines.get("remoteip")
        place = self._place("remoteip")
        try:
            pool = list(parse_addresses(line.value if line else REMOTE_ADDRESSES, self._look_up))
        except UnreadableAddresses as error:
            assert line is not None
            self._unreadable(line, str(error))
            return []
        words = self._draft.set(place, "network", "pool", [str(entry) for entry in pool])
        if line is None:
            self._draft.tell(place, "", Verdict.HONOURED, f"{words}; no remoteip says otherwise, so it is pptpd's own")
        else:
            self._draft.tell(place, line.text, Verdict.HONOURED, _joined(words, line.note))
        return pool

    def _local(self) -> None:
        line = self._lines.get("localip")
        place = self._place("localip")
        try:
            ours = list(parse_addresses(line.value if line else LOCAL_ADDRESS, self._look_up))
        except UnreadableAddresses as error:
            assert line is not None
            self._unreadable(line, str(error))
            return
        words = self._draft.set(place, "network", "local_address", str(ours[0].first))
        several = "all clients see this one address of ours" if sum(entry.size for entry in ours) > 1 else ""
        if line is None:
            self._draft.tell(place, "", Verdict.HONOURED, f"{words}; no localip says otherwise, so it is pptpd's own")
        else:
            self._draft.tell(place, line.text, Verdict.HONOURED, _joined(words, several, line.note))

    def _delegated(self, secrets: Secrets | None) -> list[AddressRange]:
        """Take the addresses pppd would take: the option file's, and the fixed ones of the users."""
        place = self._place("delegate")
        if "remoteip" in self._lines:
            line = self._lines["remoteip"]
            self._ignore(line.place, line.text, "delegate is set, so pptpd passes no address on")
        if self._options.local is not None:
            words = self._draft.set(place, "network", "local_address", str(self._options.local))
            self._draft.tell(place, "", Verdict.HONOURED, f"{words}; the option file says so")
            if "localip" in self._lines:
                line = self._lines["localip"]
                self._ignore(line.place, line.text, "delegate is set, and the option file has our address")
        elif "localip" in self._lines:
            self._local()
        else:
            words = "with delegate this server needs its own address; write it as localip, or LOCAL: in the option file"
            self._draft.tell(place, "", Verdict.UNREADABLE, words)
        fixed = {entry.addresses.suggested for entry in secrets.entries} if secrets is not None else set()
        found = sorted(address for address in {*fixed, self._options.remote} if address is not None)
        if not found:
            words = "with delegate users need addresses; give each one as the fourth word of the secrets file"
            self._draft.tell(place, "", Verdict.UNREADABLE, words)
            return []
        pool = [AddressRange(address, address) for address in found]
        words = self._draft.set(place, "network", "pool", [str(entry) for entry in pool])
        self._draft.tell(place, "", Verdict.HONOURED, f"{words}; these are the users' own addresses")
        return pool

    def _connections(self) -> int | None:
        line = self._lines.get("connections")
        if line is None:
            return CONNECTIONS
        number = whole_number(line.value)
        if number is None or not 1 <= number <= 65535:
            self._unreadable(line, "limits.sessions takes 1 to 65535")
            return None
        return number


def _find(path: Path) -> Path:
    """Return path, or its neighbour when the two differ by a final s only; nothing else is guessed."""
    if path.exists() or not path.name:
        return path
    other = path.with_name(path.name.removesuffix("s") if path.name.endswith("s") else f"{path.name}s")
    return other if other.name and other.is_file() else path


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)

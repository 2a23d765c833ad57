"""pppd's option files -> our settings: words, quotes, comments and nesting as in pppd(8), each option reported.

A later option wins over an earlier one, as with pppd. Names that set nothing of ours are in pppd_names.py.
"""

import difflib
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from openpptp.backends.policy import NOTHING, UnusablePolicy
from openpptp.backends.secrets_words import split_lines
from openpptp.daemon import pppd_names
from openpptp.daemon.foreign_files import Resolve, address_of, host_name, read_octets, resolve
from openpptp.daemon.import_report import Draft, Place, Verdict
from openpptp.daemon.pppd_auth import AuthOptions
from openpptp.daemon.pppd_names import ARGUMENTS, KNOWN, METHOD_OF, MPPE_OF, NUMBERS, SCRIPTS, SWITCHES, TIMES
from openpptp.errors import SetupError

DIRECTORY = Path("/etc/ppp")
MAX_DEPTH = 8  # ours: files that name files
MAX_WORDS = 20_000  # ours: of all files together


class _Word(NamedTuple):
    text: str
    place: Place


class PppdOptions:
    """Reads option files into a draft; finish() settles what depends on all of them."""

    def __init__(self, draft: Draft, *, directory: Path = DIRECTORY, look_up: Resolve = resolve) -> None:
        """Begin with pppd's own defaults."""
        self.local: IPv4Address | None = None
        self.remote: IPv4Address | None = None
        "LOCAL:REMOTE, which pptpd overrides unless it delegates."
        self.chap_secrets, self.pap_secrets = directory / "chap-secrets", directory / "pap-secrets"
        self._draft = draft
        self._directory = directory
        self._look_up = look_up
        self._name, self._domain, self._host_name_only = "", "", False
        self._name_place: Place | None = None
        self._auth = AuthOptions(draft)
        self._dns: list[tuple[IPv4Address, Place, str]] = []
        self._wins: list[tuple[IPv4Address, Place, str]] = []
        self._plugin = False
        self._unknown_at: Place | None = None
        self._words = 0

    @property
    def uses_pap(self) -> bool:
        """Whether PAP is among the methods asked for, and so pap-secrets is read."""
        return self._auth.uses_pap

    def read(self, path: Path, *, depth: int = 0) -> None:
        """Take every option of a file; raise SetupError when the file cannot be read."""
        words = self._split(path)
        while (word := next(words, None)) is not None:
            self._option(word, words, depth)

    def name_candidates(self) -> tuple[str, ...]:
        """Return our name, or names when no option settles it: the host's as pppd has it, then pptpd's sample."""
        host = host_name()
        full = f"{host}.{self._domain.removeprefix('.')}" if self._domain else host
        if self._name and not self._host_name_only:
            return (self._name,)
        return (full,) if self._host_name_only else (full, "pptpd")

    @property
    def name_place(self) -> Place | None:
        """Where the name is settled; None when no option says."""
        return self._name_place

    def _split(self, path: Path) -> Iterator[_Word]:
        for line in split_lines(read_octets(path)):
            place = Place(path, line.number)
            if line.defect is not None:
                self._draft.tell(place, "", Verdict.UNREADABLE, f"{line.defect}; pppd would read on into the next line")
                continue
            for word in line.words:
                self._words += 1
                if self._words > MAX_WORDS:
                    raise SetupError(
                        f"{place}: more than {MAX_WORDS} options in all; no pppd has that many", exit_code=2
                    )
                yield _Word(bytes(word.octets).decode("utf-8", "surrogateescape"), place)

    def _option(self, word: _Word, words: Iterator[_Word], depth: int) -> None:
        name, place = word
        known = pppd_names.HONOURED.get(name) or pppd_names.IGNORED.get(name) or pppd_names.DANGEROUS.get(name)
        count = known.arguments if known is not None else ARGUMENTS.get(name, 0)
        following = list(islice(words, count))
        for line in dict.fromkeys(argument.place for argument in following if argument.place != place):
            self._draft.tell(line, "", Verdict.HONOURED, f"it goes on with what {name} in line {place.line} begins")
        arguments = [argument.text for argument in following]
        text = name if name in pppd_names.SECRET else " ".join((name, *arguments))
        if name in pppd_names.SECRET:
            text += " (not shown)"
        if len(arguments) < count:
            self._draft.tell(place, text, Verdict.UNREADABLE, "a word is missing after it, and the file ends")
        elif known is not None:
            verdict = next(
                verdict
                for verdict, table in (
                    (Verdict.HONOURED, pppd_names.HONOURED),
                    (Verdict.IGNORED, pppd_names.IGNORED),
                    (Verdict.DANGEROUS, pppd_names.DANGEROUS),
                )
                if name in table
            )
            self._draft.tell(place, text, verdict, known.words)
        elif name in METHOD_OF:
            self._auth.method(place, text, METHOD_OF[name])
        elif name in MPPE_OF:
            self._auth.mppe(place, text, MPPE_OF[name])
        elif name in NUMBERS:
            self._number(place, text, name, arguments[0])
        elif name in TIMES:
            self._time(place, text, name, arguments[0])
        elif name in ARGUMENTS:
            self._setting(place, text, name, arguments[0] if arguments else "", depth)
        else:
            self._unknown(place, name)

    def _setting(self, place: Place, text: str, name: str, value: str, depth: int) -> None:
        match name:
            case "file" | "call":
                self._nested(place, text, name, value, depth)
            case "name" | "domain" | "usehostname":
                self._identity(place, text, name, value)
            case "ms-dns" | "dns-addr" | "ms-wins":
                self._server_address(place, text, self._wins if name == "ms-wins" else self._dns, value)
            case name if name in SWITCHES:
                self._honour(place, text, self._draft.set(place, *SWITCHES[name]))
            case "+ipv6" | "ipv6" | "noipv6" | "-ipv6":
                words = self._draft.set(place, "ppp", "ipv6", name in {"+ipv6", "ipv6"})
                self._honour(place, text, f"{words}; the interface identifiers are our own" if value else words)
            case "noauth":
                self._draft.tell(place, text, Verdict.IGNORED, "nobody comes in here without a log-in")
            case "chap-secrets" | "pap-secrets":
                setattr(self, name.replace("-", "_"), Path(value))
                self._honour(place, text, "users are read from there")
            case "default-mru" | "-mru":
                self._draft.tell(place, text, Verdict.IGNORED, "1400 passes everywhere, and 1500 does not")
            case "mppe":
                self._auth.old_mppe(place, text, value)
            case "plugin":
                self._plug_in(place, text, value)
            case _ if name in SCRIPTS:
                self._script(place, text, SCRIPTS[name], value)
            case _:
                self._draft.tell(place, text, Verdict.IGNORED, "plugins of pppd cannot be loaded")

    def _nested(self, place: Place, text: str, name: str, value: str, depth: int) -> None:
        path = Path("/", value)
        if name == "call":
            if value.startswith("/") or ".." in Path(value).parts:
                self._draft.tell(place, text, Verdict.UNREADABLE, "pppd allows neither / at its beginning nor .. in it")
                return
            path = self._directory / "peers" / value
        if depth >= MAX_DEPTH:
            self._draft.tell(place, text, Verdict.UNREADABLE, f"files name files more than {MAX_DEPTH} deep")
            return
        try:
            read_octets(path)
            self._draft.tell(place, text, Verdict.HONOURED, f"{path} is read here")
            self.read(path, depth=depth + 1)
        except SetupError as error:
            self._draft.tell(place, text, Verdict.UNREADABLE, str(error))

    def _identity(self, place: Place, text: str, name: str, value: str) -> None:
        match name:
            case "name":
                self._name = value
            case "domain":
                self._domain = value
            case _:
                self._host_name_only = True
        if name != "domain":
            self._name_place = place
        self._draft.tell(place, text, Verdict.HONOURED, f'server.name = "{self.name_candidates()[0]}"')

    def _server_address(self, place: Place, text: str, into: list[tuple[IPv4Address, Place, str]], value: str) -> None:
        address = address_of(value, self._look_up)
        if address is None:
            self._draft.tell(place, text, Verdict.UNREADABLE, f"{value} is no IPv4 address and no name that is known")
        else:
            into.append((address, place, text))

    def _number(self, place: Place, text: str, name: str, value: str) -> None:
        section, key, least, most = NUMBERS[name]
        try:
            number = int(value, 0) if value.isascii() and len(value) < 12 else None
        except ValueError:
            number = None
        if number is None:
            self._draft.tell(place, text, Verdict.UNREADABLE, "a whole number is needed")
        elif not least <= number <= most:
            self._draft.tell(place, text, Verdict.IGNORED, f"{section}.{key} is from {least} to {most}")
        else:
            exact = float(number) if key == "echo_interval" else number
            self._honour(place, text, self._draft.set(place, section, key, exact))

    def _time(self, place: Place, text: str, name: str, value: str) -> None:
        try:
            written = dict(NOTHING.said(name, str(int(value, 0))).items())[name]
        except (ValueError, UnusablePolicy):
            self._draft.tell(place, text, Verdict.UNREADABLE, "a number of seconds is needed, less than ten years")
        else:
            self._honour(place, text, self._draft.set(place, "policy", name, written))

    def _script(self, place: Place, text: str, key: str, value: str) -> None:
        if Path(value).is_absolute():
            self._honour(place, text, self._draft.set(place, "hooks", key, value))
        else:
            self._draft.tell(place, text, Verdict.UNREADABLE, "a whole path, from / on, is needed")

    def _honour(self, place: Place, text: str, words: str) -> None:
        self._draft.tell(place, text, Verdict.HONOURED, words)

    def _plug_in(self, place: Place, text: str, value: str) -> None:
        self._plugin = True
        match Path(value).name:
            case "radius.so" | "radattr.so" | "radrealms.so":
                verdict, words = Verdict.IGNORED, "there is no RADIUS; users whom only RADIUS knows cannot log in"
            case "pptpd-logwtmp.so":
                verdict, words = Verdict.IGNORED, "sessions are in the log and not in wtmp"
            case "dhcpv6relay.so":
                verdict, words = Verdict.IGNORED, "there is no DHCPv6 relay"
            case _:
                verdict, words = (
                    Verdict.IGNORED,
                    "plugins of pppd cannot be loaded; users whom only it knows cannot log in",
                )
        self._draft.tell(place, text, verdict, words)

    def _unknown(self, place: Place, name: str) -> None:
        if ":" in name and self._addresses(place, name):
            return
        if name.startswith("/dev/") or name.isdigit():
            self._draft.tell(place, name, Verdict.IGNORED, "a tunnel is no serial line")
            return
        if self._unknown_at == place:
            return  # the line is told of, and what follows may be a secret in a file of another kind
        self._unknown_at = place
        near = difflib.get_close_matches(name, KNOWN, 1, 0.75) if len(name) < 64 else []
        hint = f"; did you mean {near[0]}?" if near else ""
        if self._plugin:
            words = "it is no option of pppd's own; if it belongs to a plugin, that is not loaded here"
            self._draft.tell(place, name, Verdict.IGNORED, words + hint)
        else:
            self._draft.tell(place, name, Verdict.UNREADABLE, f"pppd has no such option{hint}")

    def _addresses(self, place: Place, word: str) -> bool:
        """Take LOCAL:REMOTE; tell whether the word is that."""
        ends = [address_of(part, self._look_up) if part else None for part in word.split(":", 1)]
        if any(part and end is None for part, end in zip(word.split(":", 1), ends, strict=True)):
            return False
        self.local, self.remote = ends[0] or self.local, ends[1] or self.remote
        words = "pptpd gives the addresses of its localip and remoteip, unless delegate is set"
        self._draft.tell(place, word, Verdict.IGNORED, words)
        return True

    # What depends on all of the options

    def finish(self, default: Place) -> None:
        """Set what all options together mean; default is the place of what no option says."""
        self._two("dns", self._dns)
        self._two("wins", self._wins)
        self._auth.finish(default)

    def _two(self, key: str, given: list[tuple[IPv4Address, Place, str]]) -> None:
        """Keep the last two, as pppd does; the same twice is one."""
        for _, place, text in given[:-2]:
            self._draft.tell(place, text, Verdict.IGNORED, "pppd gives clients the last two only")
        kept = list(dict.fromkeys(str(address) for address, _, _ in given[-2:]))
        for _, place, text in given[-2:]:
            self._honour(place, text, self._draft.set(place, "network", key, kept))

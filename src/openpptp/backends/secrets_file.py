"""The secrets file: `client server secret [address...] [-- policy...]`, as in pppd's chap-secrets (pppd(8)).

A line this program cannot use is left out and reported with its number; it never hides the lines around it.
"""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

from openpptp.backends.file_access import open_file
from openpptp.backends.policy import NOTHING, Policy, read_words
from openpptp.backends.secrets_words import Line, split_lines
from openpptp.crypto import MAX_PASSWORD
from openpptp.errors import SetupError

MAX_FILE = 16 * 1024 * 1024  # octets; ours: some 300,000 users
WILDCARD = "*"
POLICY = "--"
"What follows it is the user's policy; pppd's place for its own options."


@dataclass(frozen=True, slots=True)
class AddressRules:
    """Which addresses a user may have: the first rule that fits decides, and without one the answer is no."""

    rules: tuple[tuple[bool, IPv4Network], ...] = ()
    suggested: IPv4Address | None = None
    "The first single address that is allowed; the one to give when it is free."
    numbered: IPv4Network | None = None
    "address/length+: the one to give is the lowest free of this network, where pppd counts by its interfaces."

    def allows(self, address: IPv4Address) -> bool:
        """Tell whether the user may have the address."""
        return next((permit for permit, network in self.rules if address in network), False)

    @property
    def allows_none(self) -> bool:
        """Whether no address at all is allowed."""
        return not any(permit for permit, _ in self.rules)


ANYWHERE = AddressRules(((True, IPv4Network("0.0.0.0/0")),))
"What * as the fourth word allows."


@dataclass(frozen=True, slots=True)
class Entry:
    """One usable line."""

    client: str
    server: str
    secret: str = field(repr=False)
    addresses: AddressRules
    line: int
    policy: Policy = NOTHING
    "What stands after --."


class ProblemKind(Enum):
    """What a problem costs."""

    LINE_LOST = "the line is not used"
    NOT_ALL = "the line means less than it says"
    EXPOSED = "others can read the secrets"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a person should mend in the file."""

    file: Path
    line: int
    "0: the file as a whole."
    sentence: str
    kind: ProblemKind = ProblemKind.NOT_ALL

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence}" if self.line else f"{self.file}: {self.sentence}"


class Secrets:
    """The contents of a secrets file at one moment."""

    def __init__(self, entries: Iterable[Entry], problems: Iterable[Problem] = (), files: Iterable[Path] = ()) -> None:
        self.entries = tuple(entries)
        self.problems = tuple(problems)
        self.files = tuple(files)
        "The file and those it takes secrets from (@/path)."
        self._index: dict[tuple[str, str], Entry] = {}
        for entry in self.entries:
            self._index.setdefault((entry.client, entry.server), entry)  # first among equals

    def find(self, client: str, server: str) -> Entry | None:
        """Return the line with the fewest wildcards; a client's own name counts more than the server's."""
        return self.find_named(client, server) or self.find_wildcard(server)

    def names(self, server: str) -> frozenset[str]:
        """Return the clients that are named for a server."""
        return frozenset(entry.client for entry in self.entries if entry.server in {server, WILDCARD}) - {WILDCARD}

    def find_named(self, client: str, server: str) -> Entry | None:
        """Return the best line that names the client."""
        if client == WILDCARD:
            return None  # or the peer could name the wildcard's line
        return self._index.get((client, server)) or self._index.get((client, WILDCARD))

    def find_wildcard(self, server: str) -> Entry | None:
        """Return the best line for any client."""
        return self._index.get((WILDCARD, server)) or self._index.get((WILDCARD, WILDCARD))


def read(path: Path) -> Secrets:
    """Read a secrets file; raise SetupError when it cannot be read at all."""
    data, mode = read_octets(path)
    secrets = parse(data, path)
    if mode & 0o077:
        others = Problem(path, 0, f"others can read the passwords; remedy: chmod 600 {path}", ProblemKind.EXPOSED)
        return Secrets(secrets.entries, (others, *secrets.problems), secrets.files)
    return secrets


def read_octets(path: Path) -> tuple[bytes, int]:
    """Return a regular file's octets and mode; raise SetupError, with the remedy, when it cannot be read."""
    try:
        with open(open_file(path), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SetupError(f"{path} is not a regular file; name one in [users]", exit_code=2)
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise SetupError(f"{path} does not exist; make it with: sudo openpptp user add NAME", exit_code=2) from None
    except PermissionError:
        raise SetupError(f"{path} cannot be read; run as root", exit_code=3) from None
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}", exit_code=2) from None
    if len(data) > MAX_FILE:
        raise SetupError(f"{path} is larger than {MAX_FILE} octets; keep that many users in RADIUS", exit_code=2)
    return data, status.st_mode


def parse(data: bytes, path: Path) -> Secrets:
    """Read the octets of a secrets file; path names it in problems."""
    reader = _Reader(path)
    for line in split_lines(data):
        reader.take(line)
    return Secrets(reader.entries, reader.problems, reader.files)


class _Reader:
    """Collects entries and problems, line by line."""

    def __init__(self, path: Path) -> None:
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []
        self.files = [path]
        self._path = path

    def take(self, line: Line) -> None:
        if line.defect is not None:
            self._lose(line, line.defect)
            return
        if not line.words:
            return
        try:
            words = [bytes(word.octets).decode() for word in line.words]
        except UnicodeDecodeError:
            self._lose(line, "not UTF-8")
            return
        if len(words) < 3:
            self._lose(line, "client, server and secret are needed")
            return
        client, server, secret, *rest = words
        if secret.startswith("@/"):
            secret = self._from_file(line, Path(secret[1:]))
        elif not secret:
            self._lose(line, "an empty secret lets nobody in")
        elif len(secret) > MAX_PASSWORD:
            self._lose(line, f"the secret is longer than {MAX_PASSWORD} characters")
            return
        if "\0" in client + server + secret:
            self._lose(line, "a zero octet in a name or secret")
        elif secret:
            self._take_rest(line, Entry(client, server, secret, AddressRules(), line.number), rest)

    def _take_rest(self, line: Line, entry: Entry, words: list[str]) -> None:
        """Take addresses and policy; a policy that is not understood would let the user do what was to be forbidden."""
        end = words.index(POLICY) if POLICY in words else len(words)
        try:
            policy, unknown = read_words(words[end + 1 :])
        except SetupError as error:
            self._lose(line, str(error))
            return
        if unknown is not None:
            self._report(line, f"{unknown}; from that word on nothing is applied")
        self.entries.append(replace(entry, addresses=self._addresses(line, words[:end]), policy=policy))

    def _report(self, line: Line, sentence: str) -> None:
        self.problems.append(Problem(self._path, line.number, sentence))

    def _lose(self, line: Line, why: str) -> None:
        self.problems.append(Problem(self._path, line.number, f"{why}; the line is not used", ProblemKind.LINE_LOST))

    def _from_file(self, line: Line, path: Path) -> str:
        """Return the first word of the file a secret of the form @/path names; empty, and reported, without one."""
        self.files.append(path)
        try:
            data, _ = read_octets(path)
            secret = next((bytes(found.words[0].octets) for found in split_lines(data) if found.words), b"").decode()
        except SetupError:
            self._lose(line, f"the secret's file {path} cannot be read")
            return ""
        except UnicodeDecodeError:
            secret = ""
        if not 0 < len(secret) <= MAX_PASSWORD:
            self._lose(line, f"the secret's file {path} holds no usable secret")
            return ""
        return secret

    def _addresses(self, line: Line, words: list[str]) -> AddressRules:
        rules: list[tuple[bool, IPv4Network]] = []
        suggested: IPv4Address | None = None
        numbered: IPv4Network | None = None
        for word in words:
            if word == "-":
                break
            if word == WILDCARD:
                rules.append((True, IPv4Network("0.0.0.0/0")))
                break
            network = self._network(line, word.removeprefix("!"))
            if network is None:
                continue
            permit = not word.startswith("!")
            rules.append((permit, network))
            if permit and network.prefixlen == 32 and suggested is None and numbered is None:
                suggested = network.network_address
            if permit and word.endswith("+") and suggested is None and numbered is None:
                numbered = network
        if not any(permit for permit, _ in rules):
            self._report(line, "no address is allowed, so this user cannot connect; write * as the fourth word")
        return AddressRules(tuple(rules), suggested, numbered)

    def _network(self, line: Line, word: str) -> IPv4Network | None:
        address, slash, length = word.partition("/")
        numbered = length.endswith("+")
        length = length.removesuffix("+")
        try:
            if slash and not (length.isascii() and length.isdigit() and 1 <= int(length) <= 32):
                raise ValueError
            if numbered and int(length) > 30:
                self._report(line, f"{word}: has no room for an interface number; the word is not used")
                return None
            return IPv4Network((IPv4Address(address), int(length or 32)), strict=False)
        except (AddressValueError, ValueError):
            # pppd asks the resolver for names; a log-in must not wait for DNS.
            self._report(line, f"{word} is no IPv4 address or address/length of 1 to 32; the word is not used")
            return None

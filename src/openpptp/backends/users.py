"""Answers to CheckCredentials from the users store and the secrets file, quickly enough to be asked in line.

Only reading what has changed takes long, when it is large or somebody has locked it: whoever must not wait asks
changed() and gives refresh() to a thread before judge(). A name that both know is the store's.
"""

from pathlib import Path

from openpptp.backends import users_store
from openpptp.backends.file_access import Look, look, missing
from openpptp.backends.known import Admitted, Known, decoy, judge, names_of
from openpptp.backends.policy import Policy
from openpptp.backends.proof import Secret
from openpptp.backends.secrets_file import WILDCARD, Entry, Secrets, read
from openpptp.backends.store_users import Report, Signature, StoreUsers
from openpptp.credentials import PapPresented, Presented, Refused
from openpptp.errors import SetupError

TOLD_MOST = 20  # ours: names that are in both places and said at once


class SecretsUsers:
    """Users of a secrets file that may change at any time."""

    def __init__(self, path: Path, server: str, report: Report = lambda _: None) -> None:
        """Read the file; raise SetupError when that fails. report takes the problems of this and later readings."""
        self._path = path
        self._server = server
        self._report = report
        self._decoy = decoy()
        self._signature = _signature((path,))
        self._complaint = ""
        self._secrets = read(path)
        self._adopt(self._secrets)

    def check(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented by the file as it is now."""
        self.refresh()
        return self.judge(presented)

    def judge(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented by what was read last.

        An unknown user costs the same work as a wrong password; Refused.detail, for the log, tells them apart.
        """
        return judge(presented, self.for_method(presented).find(presented), self._decoy)

    def policy_of(self, user: str) -> Policy | None:
        """Return what is said of a user who is in, by what was read last; None when he is not known any more."""
        known = self.named(user) or self.anybody(user)
        return None if known is None else known.policy

    def find(self, presented: Presented) -> Known | None:
        """Look for the name as it is, then without its domain, then for a line that takes anybody."""
        names = names_of(presented)
        found = next((known for name in names if (known := self.named(name)) is not None), None)
        return found or (self.anybody(names[0]) if names else None)

    def named(self, name: str) -> Known | None:
        """Return the user of a line that names him."""
        return _known(self._secrets.find_named(name, self._server), name)

    def anybody(self, name: str) -> Known | None:
        """Return the user of a line that takes anybody."""
        return _known(self._secrets.find_wildcard(self._server), name)

    def for_method(self, presented: Presented) -> "SecretsUsers":
        """Return the users that count for the method of a log-in."""
        return self

    @property
    def names(self) -> frozenset[str]:
        """Whom the file names for this server."""
        return self._secrets.names(self._server)

    def changed(self) -> bool:
        """Tell whether the file, or a file it names, has changed since it was read."""
        return _signature(self._secrets.files) != self._signature

    def refresh(self) -> None:
        """Read the file again when it has changed; keep the old contents, until the next time, if that fails."""
        signature = _signature(self._secrets.files)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            secrets = read(self._path)
        except SetupError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._report(f"{error}; the users read before stay")
            self._signature = ()  # tried again next time: it may be passing, as a lack of descriptors is
            return
        if secrets.problems and not secrets.entries:
            self._report(f"{secrets.problems[0]}; no line of the file is usable; the users read before stay")
            return
        self._adopt(secrets)

    def _adopt(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._complaint = ""
        if len(secrets.files) > 1:
            self._signature = (*self._signature[:1], *_signature(secrets.files[1:]))
        for problem in secrets.problems:
            self._report(str(problem))


class SecretsUsersWithPap(SecretsUsers):
    """Checks PAP log-ins against a file of their own, as pppd does with pap-secrets."""

    def __init__(self, path: Path, pap_path: Path, server: str, report: Report = lambda _: None) -> None:
        """Read both files; raise SetupError when that fails."""
        super().__init__(path, server, report)
        self._pap = SecretsUsers(pap_path, server, report)

    def for_method(self, presented: Presented) -> SecretsUsers:
        """Return the users of the file for the method."""
        return self._pap if isinstance(presented, PapPresented) else self

    def policy_of(self, user: str) -> Policy | None:
        """Return what the one file or the other says of a user who is in."""
        ours = super().policy_of(user)
        return self._pap.policy_of(user) if ours is None else ours

    def changed(self) -> bool:
        """Tell whether one of the files has changed since it was read."""
        return super().changed() or self._pap.changed()

    def refresh(self) -> None:
        """Read again what has changed."""
        super().refresh()
        self._pap.refresh()


class Users:
    """Users of the store and of the secrets file together; one of the two may be missing."""

    def __init__(self, store: StoreUsers, file: SecretsUsers | None, report: Report = lambda _: None) -> None:
        """Take both as they were read."""
        self._store = store
        self._file = file
        self._report = report
        self._decoy = decoy()
        self._twice: frozenset[str] = frozenset()
        self._compare()

    def judge(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented by what was read last, as SecretsUsers does."""
        return judge(presented, self._find(presented), self._decoy)

    def policy_of(self, user: str) -> Policy | None:
        """Return what is said of a user who is in, by what was read last; None when he is not known any more."""
        known = self._store.named(user)
        if known is not None:
            return known.policy
        return None if self._file is None else self._file.policy_of(user)

    def changed(self) -> bool:
        """Tell whether store or file has changed since it was read."""
        return self._store.changed() or (self._file is not None and self._file.changed())

    def refresh(self) -> None:
        """Read again what has changed."""
        self._store.refresh()
        if self._file is not None:
            self._file.refresh()
        self._compare()

    def _find(self, presented: Presented) -> Known | None:
        """Look for the name, then for it without its domain, each in the store first; then for anybody's line."""
        file = None if self._file is None else self._file.for_method(presented)
        names = names_of(presented)
        for name in names:
            known = self._store.named(name) or (None if file is None else file.named(name))
            if known is not None:
                return known
        return None if file is None or not names else file.anybody(names[0])

    def _compare(self) -> None:
        """Say which users are in both places."""
        twice = frozenset() if self._file is None else self._store.names & self._file.names
        for name in sorted(twice - self._twice)[:TOLD_MOST]:
            self._report(f"user {name!r} is in the users store and in the secrets file; the store counts")
        self._twice = twice


def open_users(
    path: Path, pap_path: Path | None, server: str, report: Report = lambda _: None, *, store: Path | None = None
) -> SecretsUsers | Users:
    """Return the users of the secrets file, of two where PAP has its own, and of the store.

    Raises SetupError when a file cannot be read; only a secrets file that is not there may be done without, where
    there is a store.
    """
    file: SecretsUsers | None = None
    if store is None or not missing(path) or not users_store.exists(store):
        separate = pap_path is not None and pap_path != path
        file = SecretsUsersWithPap(path, pap_path, server, report) if separate and pap_path is not None else None
        file = file or SecretsUsers(path, server, report)
    return file if store is None and file is not None else Users(StoreUsers(store or path, report), file, report)


def _known(entry: Entry | None, name: str) -> Known | None:
    if entry is None:
        return None
    # A wildcard's line makes no name of its own: the peer's is the one for logs and accounting.
    user = name if entry.client == WILDCARD else entry.client
    return Known(user, Secret(entry.secret), entry.addresses, entry.policy, entry.line)


def _signature(files: tuple[Path, ...]) -> Signature:
    """Return what changes when one of the files does."""
    return tuple(map(_file_signature, files))


def _file_signature(file: Path) -> Look | None:
    try:
        return look(file)
    except OSError:
        return None

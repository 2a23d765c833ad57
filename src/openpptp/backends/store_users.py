"""Users of the store as they were read last, for as long as it cannot be read anew."""

import os
from collections.abc import Callable
from pathlib import Path

from openpptp.backends import users_store
from openpptp.backends.file_access import Look, look_of
from openpptp.backends.known import Known
from openpptp.backends.secrets_file import ANYWHERE
from openpptp.backends.users_store import COMPANIONS, StoredUser
from openpptp.errors import SetupError

Signature = tuple[Look | None, ...]
Report = Callable[[str], None]
"Takes a sentence for the log, from any thread."


class StoreUsers:
    """Users of the store as they were read last; a store that cannot be read leaves those of before."""

    def __init__(self, path: Path, report: Report = lambda _: None) -> None:
        """Read the store, if there is one; what stands in the way is reported and tried again."""
        self.path = path
        self._files = tuple(path.with_name(path.name + ending) for ending in COMPANIONS)
        self._report = report
        self._users: dict[str, StoredUser] = {}
        self._signature: Signature | None = None
        self._complaint = ""
        self.refresh()

    @property
    def names(self) -> frozenset[str]:
        """Whom the store knows."""
        return frozenset(self._users)

    def named(self, name: str) -> Known | None:
        """Return a user of the store."""
        user = self._users.get(name)
        return None if user is None else Known(user.name, user.secret, ANYWHERE, user.policy)

    def changed(self) -> bool:
        """Tell whether the store has changed since it was read."""
        return self._now() != self._signature

    def refresh(self) -> None:
        """Read the store again when it has changed."""
        signature = self._now()
        if signature == self._signature:
            return
        before, self._signature = self._signature, signature
        if signature[0] is None and not before:
            return  # there never was a store
        try:
            users, problems = users_store.read(self.path)
        except SetupError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._report(f"{error}; the users read before stay")
            self._signature = ()  # tried again next time
            return
        self._complaint = ""
        self._users = {user.name: user for user in users}
        for problem in problems:
            self._report(problem)

    def _now(self) -> Signature:
        """Return what changes with the store; a log without anything in it is as good as none."""
        store, log = map(_stat, self._files)
        return store, None if log is None or log[2] == 0 else log


def _stat(file: Path) -> Look | None:
    """Return the signature of a file that is the server's own: nobody else is asked for it."""
    try:
        return look_of(os.stat(file))
    except OSError:
        return None

"""What commands and the API do to users, in the store or in a secrets file: each way back comes ready for JSON.

All of it reads and writes files and may wait for another writer: not for the event loop. No password ever comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from openpptp.backends import secrets_edit, secrets_file, users_store
from openpptp.backends.policy import ITEMS, NOTHING, Policy
from openpptp.backends.users_store import StoredUser, UsersStore, no_user
from openpptp.errors import SetupError

EVERYTHING = "0.0.0.0/0"
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What of a policy is to be said anew, as it is written, and of what nothing is to be said."""

    say: dict[str, str]
    clear: tuple[str, ...] = ()

    def applied(self, policy: Policy) -> Policy:
        """Return a policy changed so; raise SetupError for what cannot be read or is no item."""
        for name in (*self.say, *self.clear):
            if name not in ITEMS:
                raise SetupError(f"{name!r} is nothing a policy can say; known are {', '.join(ITEMS)}", exit_code=2)
        for name in self.clear:
            policy = policy.cleared(name)
        for name, text in self.say.items():
            policy = policy.said(name, text)
        return policy


class UserAdmin(Protocol):
    """One place where users are kept."""

    def users(self, name: str | None = None) -> Facts:
        """Return every user, or one when he is there, and under problems a sentence for what cannot be used."""

    def add(self, name: str, password: str, wishes: Wishes, *, clear_text: bool = False) -> Facts:
        """Add a user."""

    def passwd(self, name: str, password: str, *, clear_text: bool = False) -> Facts:
        """Give a user another password."""

    def limit(self, name: str, wishes: Wishes) -> Facts:
        """Change the policy of a user; return what is said of him then."""

    def remove(self, name: str) -> Facts:
        """Remove a user."""


@dataclass(frozen=True, slots=True)
class StoreAdmin:
    """The users store."""

    path: Path

    def users(self, name: str | None = None) -> Facts:
        """Return every user, or one."""
        if not users_store.exists(self.path):
            return {"users": [], "problems": []}
        found, problems = users_store.read(self.path, name)
        return {"users": [_stored(user) for user in found], "problems": problems}

    def add(self, name: str, password: str, wishes: Wishes, *, clear_text: bool = False) -> Facts:
        """Add a user, and make the store if there is none."""
        policy = wishes.applied(NOTHING)
        secrets_edit.check_name(name)
        secrets_edit.check_secret(password)
        with UsersStore(self.path) as store:
            store.add(name, password, policy, clear_text=clear_text)
        return self._facts(name)

    def passwd(self, name: str, password: str, *, clear_text: bool = False) -> Facts:
        """Give a user another password."""
        self._change(lambda store: store.set_password(name, password, clear_text=clear_text))
        return self._facts(name)

    def limit(self, name: str, wishes: Wishes) -> Facts:
        """Change the policy of a user."""
        wishes.applied(NOTHING)  # a mistake in them comes before one in the store
        policy = self._change(lambda store: store.limit(name, wishes.applied))
        return self._facts(name) | {"policy": dict(policy.items())}

    def remove(self, name: str) -> Facts:
        """Remove a user."""
        self._change(lambda store: store.remove(name))
        return self._facts(name)

    def _change(self, change: Callable[[UsersStore], Any]) -> Any:
        with UsersStore(self.path, make=False) as store:
            return change(store)

    def _facts(self, name: str) -> Facts:
        return {"user": name, "store": str(self.path)}


@dataclass(frozen=True, slots=True)
class FileAdmin:
    """A secrets file, and the name its lines are for."""

    path: Path
    server: str

    def users(self, name: str | None = None) -> Facts:
        """Return every usable line, or those of one user."""
        content = secrets_file.read(self.path)
        problems = [str(problem) for problem in content.problems]
        entries = [entry for entry in content.entries if name in {None, entry.client}]
        return {"users": [self._line(entry) for entry in entries], "problems": problems}

    def add(self, name: str, password: str, wishes: Wishes, *, clear_text: bool = False) -> Facts:
        """Add a line, and make the file if there is none; it always has the password itself."""
        secrets_edit.add(self.path, name, password, policy=wishes.applied(NOTHING))
        return self._facts(name)

    def passwd(self, name: str, password: str, *, clear_text: bool = False) -> Facts:
        """Write another password into the user's lines."""
        secrets_edit.set_secret(self.path, name, password, server=self.server)
        return self._facts(name)

    def limit(self, name: str, wishes: Wishes) -> Facts:
        """Change what stands behind -- in the user's lines."""
        policy = secrets_edit.limit(self.path, name, wishes.applied, server=self.server)
        return self._facts(name) | {"policy": dict(policy.items())}

    def remove(self, name: str) -> Facts:
        """Take the user's lines out."""
        secrets_edit.remove(self.path, name, server=self.server)
        return self._facts(name)

    def _facts(self, name: str) -> Facts:
        return {"user": name, "file": str(self.path)}

    def _line(self, entry: secrets_file.Entry) -> Facts:
        return {
            "user": entry.client,
            "where": "file",
            "server": entry.server,
            "addresses": addresses_in_words(entry.addresses),
            "clear_text": True,
            "policy": dict(entry.policy.items()),
        }


def find_user(admin: UserAdmin, name: str, path: Path) -> Facts:
    """Return what is kept of one user; raise SetupError when there is none."""
    found = admin.users(name)["users"]
    if not found:
        raise SetupError(no_user(name, path))
    return dict(found[0])


def addresses_in_words(rules: secrets_file.AddressRules) -> str:
    """Say which addresses a user may have."""
    if rules.allows_none:
        return "no address: cannot connect"
    words = (("" if permit else "not ") + str(network).removesuffix("/32") for permit, network in rules.rules)
    return ", ".join(word.replace(EVERYTHING, "any address") for word in words)


def _stored(user: StoredUser) -> Facts:
    return {
        "user": user.name,
        "where": "store",
        "server": secrets_file.WILDCARD,
        "addresses": "any address",
        "clear_text": user.secret.password is not None,
        "policy": dict(user.policy.items()),
    }

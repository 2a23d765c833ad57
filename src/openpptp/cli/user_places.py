"""Where a `user` command works: on the store or the secrets file itself, or through the running server."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpptp import crypto
from openpptp.backends import users_store
from openpptp.backends.policy import NOTHING, Policy
from openpptp.daemon.api_client import ApiClient
from openpptp.daemon.api_socket import path_for
from openpptp.daemon.user_admin import FileAdmin, StoreAdmin, UserAdmin, Wishes, find_user
from openpptp.errors import SetupError

DEFAULT_NAME = "openpptp"  # server.name's default, for a secrets file without settings
Facts = dict[str, Any]


class ServerAdmin:
    """The users store, by way of a running server."""

    def __init__(self, api: ApiClient) -> None:
        """Ask this server."""
        self._api = api

    def users(self, name: str | None = None) -> Facts:
        """Return every user of the store, or one."""
        return self._api.users(name)

    def add(self, name: str, password: str, wishes: Wishes, *, clear_text: bool = False) -> Facts:
        """Add a user."""
        return self._api.change_user("add", name, password=password, policy=wishes.say, clear_text=clear_text)

    def passwd(self, name: str, password: str, *, clear_text: bool = False) -> Facts:
        """Give a user another password."""
        return self._api.change_user("passwd", name, password=password, clear_text=clear_text)

    def limit(self, name: str, wishes: Wishes) -> Facts:
        """Change the policy of a user."""
        return self._api.change_user("limit", name, policy=wishes.say, clear=list(wishes.clear))

    def remove(self, name: str) -> Facts:
        """Remove a user."""
        return self._api.change_user("remove", name)


class OwnersStore:
    """The users store, worked on as the user its folder belongs to.

    The server's user may have put a link there; root must not follow it.
    """

    def __init__(self, store: StoreAdmin) -> None:
        """Work on this store."""
        self._store = store
        crypto.nt_password_hash("-")  # loads what its first use loads, which another user may not be able to read

    def users(self, name: str | None = None) -> Facts:
        """Return every user, or one."""
        with as_owner(self._store.path.parent):
            return self._store.users(name)

    def add(self, name: str, password: str, wishes: Wishes, *, clear_text: bool = False) -> Facts:
        """Add a user."""
        with as_owner(self._store.path.parent):
            return self._store.add(name, password, wishes, clear_text=clear_text)

    def passwd(self, name: str, password: str, *, clear_text: bool = False) -> Facts:
        """Give a user another password."""
        with as_owner(self._store.path.parent):
            return self._store.passwd(name, password, clear_text=clear_text)

    def limit(self, name: str, wishes: Wishes) -> Facts:
        """Change the policy of a user."""
        with as_owner(self._store.path.parent):
            return self._store.limit(name, wishes)

    def remove(self, name: str) -> Facts:
        """Remove a user."""
        with as_owner(self._store.path.parent):
            return self._store.remove(name)


@contextlib.contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """Be, where this is root, the user and group a folder belongs to; of the whole process, so for commands only."""
    if os.geteuid() != 0 or not folder.exists() or folder.stat().st_uid == 0:
        yield
        return
    owner, group, groups = folder.stat(), os.getegid(), os.getgroups()
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@dataclass(frozen=True, slots=True)
class Places:
    """The places a command may work on; None: not one of them."""

    store: UserAdmin | None
    store_path: Path
    file: FileAdmin | None
    everybody: Policy = NOTHING
    server: str = DEFAULT_NAME

    @property
    def file_path(self) -> Path | None:
        """Where the secrets file is."""
        return None if self.file is None else self.file.path

    def for_new(self, *, store: bool) -> UserAdmin:
        """Return where a user is added: the store where there is one, or where it is asked for."""
        if self.store is not None and (store or self.file is None or users_store.exists(self.store_path)):
            return self.store
        assert self.file is not None
        return self.file

    def of(self, name: str) -> UserAdmin:
        """Return where a user is: in the store, else it is the secrets file's matter, where that is of use."""
        in_store = self.store is not None and bool(self.store.users(name)["users"])
        if self.store is not None and (in_store or self.file is None or not self.file.path.exists()):
            return self.store
        assert self.file is not None
        return self.file

    def users(self) -> Facts:
        """Return the users of all places."""
        stored = {"users": [], "problems": []} if self.store is None else self.store.users()
        names = {user["user"] for user in stored["users"]}
        facts: Facts = {} if self.store is None else {"store": str(self.store_path)}
        lines: Facts = {"users": [], "problems": []}
        if self.file is not None:
            if self.file.path.exists() or not users_store.exists(self.store_path):
                lines = self.file.users()
            facts["file"] = str(self.file.path)
        for user in lines["users"]:
            user["hidden"] = user["user"] in names
        return facts | {
            "users": [*stored["users"], *lines["users"]],
            "problems": [*stored["problems"], *lines["problems"]],
        }

    def show(self, name: str) -> Facts:
        """Return what is kept of a user, and what holds for him because it holds for everybody."""
        place = self.of(name)
        facts = find_user(place, name, self.store_path if place is self.store else self.file_path or self.store_path)
        own = facts["policy"]
        return facts | {"everybody": {item: text for item, text in self.everybody.items() if item not in own}}

    def path_of(self, facts: Facts) -> Path:
        """Return which file facts of a user are from."""
        return self.store_path if facts["where"] == "store" or self.file is None else self.file.path

    def file_knows(self, name: str) -> bool:
        """Tell whether the secrets file has a user too."""
        if self.file is None or not self.file.path.exists():
            return False
        return bool(self.file.users(name)["users"])


def find_places(config: Path, file: Path | None) -> Places:
    """Return where to work; file is the one secrets file that was named, and then the only place."""
    from openpptp.daemon.config import load  # noqa: PLC0415

    if file is not None and not config.exists():
        return Places(None, file, FileAdmin(file, DEFAULT_NAME))
    try:
        settings = load(config, need_users=False)
    except SetupError as error:
        api = _running(config) if error.exit_code == 3 and file is None else None
        if api is None:
            raise
        return Places(api, path_for(config), None)
    name, everybody = settings.server.name, settings.policy.policy()
    if file is not None:
        return Places(None, file, FileAdmin(file, name), everybody, name)
    store = settings.users.store
    if not users_store.may_write(store) and (api := _running(config)) is not None:
        return Places(api, store, None, everybody, name)
    return Places(OwnersStore(StoreAdmin(store)), store, FileAdmin(settings.users.file, name), everybody, name)


def _running(config: Path) -> ServerAdmin | None:
    """Return the running server, when this user may ask it."""
    path = path_for(config)
    return ServerAdmin(ApiClient(path)) if os.access(path, os.R_OK | os.W_OK, effective_ids=True) else None

"""The users of the store, for the local API: who may steer the server may add, change and remove them without root.

    GET  /users          every user of the store, never a password; ?user=NAME
    POST /users/add      {"user": NAME, "password": TEXT, "policy": {ITEM: TEXT}, "clear_text": false}
    POST /users/passwd   {"user": NAME, "password": TEXT, "clear_text": false}
    POST /users/limit    {"user": NAME, "policy": {ITEM: TEXT}, "clear": [ITEM]}
    POST /users/remove   {"user": NAME}

Users of the secrets file are none of it: that file is the administrator's own.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog

from openpptp.daemon.reload import Reloader
from openpptp.daemon.server import Server
from openpptp.daemon.user_admin import Facts, StoreAdmin, Wishes
from openpptp.errors import SetupError

ROWS_AT_ONCE = 1000  # ours: users written down before packets of the control connections have a turn

Order = Callable[[Any, int | None], Awaitable[Facts]]
"Takes the request's body and the uid of who asks; returns the answer or raises SetupError."

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class UsersApi:
    """Changes the store beside the event loop, and lets the server look at once."""

    def __init__(self, server: Server, reloader: Reloader) -> None:
        """Prepare; the store is the one of the settings that hold at the time of a request."""
        self._server = server
        self._reloader = reloader

    def orders(self) -> dict[str, Order]:
        """Return what to do for each POST."""
        return {
            "/users/add": self._add,
            "/users/passwd": self._passwd,
            "/users/limit": self._limit,
            "/users/remove": self._remove,
        }

    async def listed(self, name: str | None) -> bytes:
        """Return every user of the store, or one, as JSON; it is written in pieces, for there may be very many."""
        facts = await self._beside(partial(self._store().users, name))
        rows = facts.pop("users")
        pieces = []
        for first in range(0, len(rows), ROWS_AT_ONCE):
            pieces.append(json.dumps(rows[first : first + ROWS_AT_ONCE], ensure_ascii=False)[1:-1])
            await asyncio.sleep(0)
        rest = json.dumps(facts, ensure_ascii=False)[1:]
        return f'{{"users": [{", ".join(pieces)}], {rest}\n'.encode()

    async def _add(self, body: Any, uid: int | None) -> Facts:
        match body:
            case {"user": str(name), "password": str(password), **rest}:
                wishes, clear_text = _wishes(rest), _flag(rest, "clear_text")
                _nothing_else(rest)
                change = partial(self._store().add, name, password, wishes, clear_text=clear_text)
                return await self._change("user added", name, uid, change)
        raise _unreadable('{"user": NAME, "password": TEXT}')

    async def _passwd(self, body: Any, uid: int | None) -> Facts:
        match body:
            case {"user": str(name), "password": str(password), **rest}:
                clear_text = _flag(rest, "clear_text")
                _nothing_else(rest)
                change = partial(self._store().passwd, name, password, clear_text=clear_text)
                return await self._change("user changed", name, uid, change, changed="password")
        raise _unreadable('{"user": NAME, "password": TEXT}')

    async def _limit(self, body: Any, uid: int | None) -> Facts:
        match body:
            case {"user": str(name), **rest}:
                wishes = _wishes(rest)
                _nothing_else(rest)
                change = partial(self._store().limit, name, wishes)
                return await self._change("user changed", name, uid, change, changed="policy")
        raise _unreadable('{"user": NAME, "policy": {ITEM: TEXT}, "clear": [ITEM]}')

    async def _remove(self, body: Any, uid: int | None) -> Facts:
        match body:
            case {"user": str(name), **rest} if not rest:
                return await self._change("user removed", name, uid, partial(self._store().remove, name))
        raise _unreadable('{"user": NAME}')

    async def _change(self, event: str, name: str, uid: int | None, change: Callable[[], Facts], **more: str) -> Facts:
        facts = await self._beside(change)
        _log.info(event, user=name, uid=uid, **more)
        self._server.events.publish(event, user=name, **more)
        await self._server.users.read()
        return facts

    async def _beside(self, work: Callable[[], Facts]) -> Facts:
        return await asyncio.get_running_loop().run_in_executor(None, work)

    def _store(self) -> StoreAdmin:
        return StoreAdmin(self._reloader.settings.users.store)


def _wishes(rest: dict[Any, Any]) -> Wishes:
    """Take policy and clear out of what is left of a request."""
    say, clear = rest.pop("policy", {}), rest.pop("clear", [])
    texts = isinstance(say, dict) and all(isinstance(text, str) for text in say.values())
    if not texts or not isinstance(clear, list) or not all(isinstance(name, str) for name in clear):
        raise SetupError('policy is {ITEM: TEXT}, and clear is [ITEM], as {"policy": {"idle": "30m"}}', exit_code=2)
    return Wishes(say, tuple(clear))


def _flag(rest: dict[Any, Any], name: str) -> bool:
    flag = rest.pop(name, False)
    if not isinstance(flag, bool):
        raise SetupError(f"{name} is true or false", exit_code=2)
    return flag


def _nothing_else(rest: dict[Any, Any]) -> None:
    if rest:
        raise SetupError("the request has a key this order does not know; docs/users.md has them all", exit_code=2)


def _unreadable(form: str) -> SetupError:
    return SetupError(f"the order is written as {form}; docs/users.md has them all", exit_code=2)

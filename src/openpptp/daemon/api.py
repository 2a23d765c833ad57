"""The local API: HTTP and JSON on a Unix socket, for root and one group (docs/steering.md).

    GET  /status           what the server is, carries and counts
    GET  /sessions         a line for each session; ?user=NAME
    GET  /sessions/ID      everything known of one
    POST /disconnect       {"session": ID}, {"user": NAME} or {"all": true}
    POST /reload           read the settings again
    GET  /events           a stream of JSON lines
    /users                 the users of the store (api_users.py)

An error is {"error": words, "exit_code": number}, the number as in errors.SetupError.
"""

import asyncio
import contextlib
import json
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from openpptp.daemon import overview
from openpptp.daemon.api_socket import open_socket
from openpptp.daemon.api_users import Order, UsersApi
from openpptp.daemon.disconnect import disconnect, targets_of
from openpptp.daemon.events import Queue
from openpptp.daemon.reload import Reloader
from openpptp.daemon.server import Server
from openpptp.errors import SetupError

LONGEST_BODY = 16 * 1024  # ours: octets; a request of ours has less than a hundred
MOST_CONNECTIONS = 64  # ours: descriptors that users of this API can take from the sessions
MOST_LISTENERS = 16  # ours: event streams at the same time
KEEP_ALIVE = 15.0  # ours: seconds a connection may lie idle
LINGER = 2.0  # ours: seconds the rest of a request may take to arrive that was answered before
GOODBYE = 0.5  # ours: seconds for the last answers when the server stops

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_quiet = logging.Logger("aiohttp", logging.CRITICAL + 1)  # noqa: LOG001 - kept out of the tree: its lines go nowhere


class Api:
    """Answers what is asked on the socket; nothing a user of it does ends the server or a session unasked."""

    def __init__(self, server: Server, reloader: Reloader, since: float) -> None:
        """Prepare; since is when the server began, in monotonic seconds."""
        self._server = server
        self._reloader = reloader
        self._since = since
        self._users = UsersApi(server, reloader)
        self._listeners: set[Queue] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._runner: web.AppRunner | None = None
        self._path = Path()
        self._accepting: asyncio.Server | None = None

    async def open(self, path: Path) -> None:
        """Listen; raise SetupError when the socket cannot be made."""
        self._path = path
        listener = open_socket(path, self._reloader.settings.admin.group)
        app = web.Application(client_max_size=LONGEST_BODY, middlewares=[_in_words])
        app.add_routes([
            web.get("/status", self._status),
            web.get("/sessions", self._sessions),
            web.get("/sessions/{id}", self._show),
            web.post("/disconnect", self._disconnect),
            web.post("/reload", self._reload),
            web.get("/events", self._events),
            web.get("/users", self._list_users),
            *(web.post(path, partial(self._change_users, order)) for path, order in self._users.orders().items()),
        ])  # fmt: skip
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_quiet,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGER,
            handler_cancellation=True,
            shutdown_timeout=GOODBYE,
        )
        await self._runner.setup()
        self._accepting = await asyncio.get_running_loop().create_unix_server(self._protocol, sock=listener)

    async def close(self) -> None:
        """End every event stream and stop to listen."""
        for queue in self._listeners:
            queue.close()
        if self._accepting is not None:
            self._accepting.close()
        if self._runner is not None:
            await self._runner.cleanup()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    def _protocol(self) -> asyncio.Protocol:
        assert self._runner is not None
        assert self._runner.server is not None
        if len(self._runner.server.connections) >= MOST_CONNECTIONS:
            return _Full()
        return self._runner.server()

    # Questions

    async def _status(self, _request: web.Request) -> web.Response:
        return _answer(overview.status(self._server, self._reloader.settings, self._since, self._reloader.warnings))

    async def _sessions(self, request: web.Request) -> web.Response:
        return _answer({"sessions": await overview.sessions(self._server, request.query.get("user"))})

    async def _show(self, request: web.Request) -> web.Response:
        return _answer(overview.show(self._server, request.match_info["id"]))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if len(self._listeners) >= MOST_LISTENERS:
            return _refusal(503, f"{MOST_LISTENERS} programs listen to the events already; end one of them")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        queue = Queue()
        self._listeners.add(queue)
        self._server.events.listen(queue)
        try:
            await response.prepare(request)
            while (event := await queue.fetch()) is not None:
                await response.write(_encode(event) + b"\n")
        finally:
            self._server.events.leave(queue)
            self._listeners.discard(queue)
        return response

    # Orders

    async def _disconnect(self, request: web.Request) -> web.Response:
        match await _body(request):
            case {"session": str(name), **rest} if not rest:
                what, targets = name, [overview.find(self._server, name)]
            case {"user": str(user), **rest} if not rest:
                what, targets = f"user {user}", targets_of(self._server, user)
                if not targets:
                    raise SetupError(f"user {user!r} has no session; list them with: openpptp sessions")
            case {"all": True, **rest} if not rest:
                what, targets = "all", targets_of(self._server, None)
            case _:
                raise SetupError('say whom: {"session": ID}, {"user": NAME} or {"all": true}', exit_code=2)
        _log.info("the administrator disconnects", what=what, sessions=len(targets), uid=_uid(request))
        return _answer(await self._finish(disconnect(self._server, targets)))

    async def _reload(self, request: web.Request) -> web.Response:
        await request.read()
        _log.info("the administrator asks for a reload", uid=_uid(request))
        return _answer((await self._finish(self._reloader.reload())).facts())

    async def _list_users(self, request: web.Request) -> web.Response:
        return web.Response(body=await self._users.listed(request.query.get("user")), content_type="application/json")

    async def _change_users(self, order: Order, request: web.Request) -> web.Response:
        return _answer(await self._finish(order(await _body(request), _uid(request))))

    async def _finish(self, order: Any) -> Any:
        """Carry an order out to its end, also when who gave it goes away meanwhile."""
        task = asyncio.ensure_future(order)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)


class _Full(asyncio.Protocol):
    """Turns away one connection too many, once it has asked: who still writes would not read why."""

    _transport: asyncio.WriteTransport
    _patience: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._patience = asyncio.get_running_loop().call_later(LINGER, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.cancel()

    def data_received(self, data: bytes) -> None:
        body = _encode({"error": "too many programs use the API already; try again", "exit_code": 1})
        head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._transport.write(head.encode() + body)
        self._transport.close()


@web.middleware
async def _in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say every error as JSON with words; a defect of ours costs one answer."""
    try:
        return await handler(request)
    except SetupError as error:
        return _refusal(400 if error.exit_code == 2 else 409, str(error), error.exit_code)
    except web.HTTPException as error:
        words = {
            404: f"there is nothing at {request.path}; docs/steering.md names what there is",
            405: f"{request.method} is not what {request.path} takes; docs/steering.md says what is",
            413: f"the request is longer than {LONGEST_BODY} octets; none needs that",
        }
        return _refusal(error.status, words.get(error.status, error.reason), 2)
    except ConnectionError:  # who asked is gone
        raise
    except Exception:
        _log.exception("a defect in this program; a request of the administrator is not answered", path=request.path)
        return _refusal(500, "a defect in this program; the server's log says where")


async def _body(request: web.Request) -> Any:
    try:
        return json.loads(await request.text())
    except (ValueError, RecursionError):
        raise SetupError("the request is no JSON in UTF-8", exit_code=2) from None


def _encode(facts: Any) -> bytes:
    return json.dumps(facts, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _answer(facts: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=_encode(facts) + b"\n", status=status, content_type="application/json")


def _refusal(status: int, words: str, exit_code: int = 1) -> web.Response:
    return _answer({"error": words, "exit_code": exit_code}, status)


def _uid(request: web.Request) -> int | None:
    """Return which user of this machine asks."""
    caller = request.get_extra_info("socket")
    if caller is None:
        return None
    _, uid, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)

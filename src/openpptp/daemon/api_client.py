"""Asks the local API of a running server; its errors come back as SetupError with the server's own words."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openpptp.errors import SetupError

PATIENCE = 30.0  # ours: seconds for an answer; a disconnect takes five at most
LONGEST_ANSWER = 64 * 1024 * 1024  # ours: octets; 65,536 sessions at some 400 octets are half of it


class ApiClient:
    """One running server, by its socket."""

    def __init__(self, path: Path) -> None:
        """Remember where the socket is; nothing is opened yet."""
        self._path = path

    def status(self) -> dict[str, Any]:
        """Return what the server is, carries and counts."""
        return self._ask("GET", "/status")

    def sessions(self, user: str | None = None) -> list[dict[str, Any]]:
        """Return a line for each session, or for each of one user."""
        where = "/sessions" if user is None else f"/sessions?user={quote(user, safe='')}"
        found: list[dict[str, Any]] = self._ask("GET", where)["sessions"]
        return found

    def show(self, session: str) -> dict[str, Any]:
        """Return everything known of one session."""
        return self._ask("GET", f"/sessions/{quote(session, safe='')}")

    def disconnect(self, *, session: str | None = None, user: str | None = None) -> dict[str, Any]:
        """End one session, all of a user, or, with neither, all."""
        if session is not None:
            return self._ask("POST", "/disconnect", {"session": session})
        return self._ask("POST", "/disconnect", {"user": user} if user is not None else {"all": True})

    def reload(self) -> dict[str, Any]:
        """Let the server read its settings again."""
        return self._ask("POST", "/reload")

    def users(self, name: str | None = None) -> dict[str, Any]:
        """Return the users of the store, or one when he is there."""
        return self._ask("GET", "/users" if name is None else f"/users?user={quote(name, safe='')}")

    def change_user(self, order: str, name: str, **facts: Any) -> dict[str, Any]:
        """Add, passwd, limit or remove a user of the store; facts as in daemon/api_users.py."""
        return self._ask("POST", f"/users/{order}", {"user": name, **facts})

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what happens, until the server stops."""
        connection = _Connection(self._path, None)
        try:
            answer = self._request(connection, "GET", "/events", None)
            while line := answer.readline():
                yield json.loads(line)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._broken(error) from None
        finally:
            connection.close()

    def _ask(self, method: str, where: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = _Connection(self._path, PATIENCE)
        try:
            facts = json.loads(self._request(connection, method, where, body).read(LONGEST_ANSWER))
        except TimeoutError:
            sentence = f"the server behind {self._path} does not answer in {PATIENCE:.0f} s; its log may say why"
            raise SetupError(sentence) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._broken(error) from None
        finally:
            connection.close()
        if not isinstance(facts, dict):
            raise self._broken(None)
        return facts

    def _request(
        self, connection: "_Connection", method: str, where: str, body: dict[str, Any] | None
    ) -> http.client.HTTPResponse:
        """Return the answer when it is a good one; raise the server's words otherwise."""
        connection.request(method, where, None if body is None else json.dumps(body).encode())
        answer = connection.getresponse()
        if answer.status == 200:
            return answer
        match json.loads(answer.read(LONGEST_ANSWER)):
            case {"error": str(words), "exit_code": int(exit_code)}:
                raise SetupError(words, exit_code=exit_code)
        raise self._broken(None)

    def _broken(self, error: Exception | None) -> SetupError:
        return SetupError(
            f"what answers at {self._path} is no OpenPPTP server, or it ended meanwhile"
            f"{f' ({error})' if str(error or '') else ''}; look at its log"
        )


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("openpptp", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket; raise SetupError where no server is."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise SetupError(
                f"no server runs with {self._path}; start one with: sudo openpptp serve, "
                "or name the settings of the one you mean with --config"
            ) from None
        except PermissionError:
            raise SetupError(
                f"this user may not use {self._path}; run as root (sudo) or as a member of the group that "
                "admin.group in the settings names",
                exit_code=3,
            ) from None
        except TimeoutError:
            raise
        except OSError as error:
            words = error.strerror or str(error)
            raise SetupError(f"cannot use the socket {self._path}: {words}", exit_code=2) from None

"""One id for all that belongs together, from TCP accept to the last packet: in the log, the API and the accounting."""

import os


def new_id() -> str:
    """Return an id that no other connection or session has, also after a restart."""
    return os.urandom(8).hex()


class SessionNames:
    """The id of a control connection, and of each session on it.

    The first session has the connection's own id; the few connections that carry more number the others: id.2, id.3.
    """

    def __init__(self) -> None:
        """Begin at TCP accept."""
        self.connection = new_id()
        self._of_call: dict[int, str] = {}
        self._given = 0

    def of(self, call_id: int) -> str:
        """Return the id of the session on a call."""
        return self._of_call.get(call_id) or self.renew(call_id)

    def renew(self, call_id: int) -> str:
        """Return a new id: on this call a user begins a session of its own, where another one has just ended."""
        self._given += 1
        name = self._of_call[call_id] = self.connection if self._given == 1 else f"{self.connection}.{self._given}"
        return name

    def forget(self, call_id: int) -> None:
        """Let a call go; its id is not given again."""
        self._of_call.pop(call_id, None)

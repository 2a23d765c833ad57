"""The users as they are now: what has changed is read beside the event loop, before anybody is judged by it (B-148)."""

import asyncio
from collections.abc import Callable

from openpptp.backends.known import Admitted, UserSource
from openpptp.backends.policy import Policy
from openpptp.credentials import Presented, Refused
from openpptp.daemon.beside import beside


class CurrentUsers:
    """Store and secrets file, with what the settings say of everybody."""

    def __init__(self, users: UserSource, everybody: Policy) -> None:
        """Begin with users as they were read at the start."""
        self._users = users
        self._everybody = everybody
        self._waiting: list[Callable[[], None]] = []
        self._reading: asyncio.Task[None] | None = None
        self.renewed: Callable[[], None] = lambda: None
        "Called whenever policies may be others than before."

    def adopt(self, users: UserSource | None, everybody: Policy) -> None:
        """Take other users, None for the same, and what is said of everybody from now on."""
        self._users = self._users if users is None else users
        self._everybody = everybody
        self.renewed()

    def judge(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented by what was read last."""
        return self._users.judge(presented)

    def policy_of(self, admitted: Admitted) -> Policy:
        """Return what holds for who has just proved himself."""
        return admitted.policy.over(self._everybody)

    def policy_now(self, user: str) -> Policy | None:
        """Return what holds for a user who is in; None when he is not known any more."""
        policy = self._users.policy_of(user)
        return None if policy is None else policy.over(self._everybody)

    def changed(self) -> bool:
        """Tell whether there is something new to read."""
        return self._users.changed()

    def when_read(self, then: Callable[[], None]) -> None:
        """Call then at once when there is nothing new to read, else once that is read."""
        if self._reading is None and not self._users.changed():
            then()
            return
        self._waiting.append(then)
        self._begin()

    async def read(self) -> None:
        """Read the users again if they have changed."""
        if self._reading is not None:
            await asyncio.shield(self._reading)  # it may have begun before the last change
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            await beside(self._users.refresh)
        finally:
            self._reading = None
            waiting, self._waiting = self._waiting, []
            for then in waiting:
                then()
            self.renewed()

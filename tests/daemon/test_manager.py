"""What the service manager hears of a server's life."""

import pytest
from tests.eventually import until

from openpptp.daemon.manager import Manager


class Recorder:
    """A Notifier that keeps what it is told."""

    def __init__(self, heartbeat: float | None = None, *, listens: bool = True) -> None:
        self.heartbeat, self.listens = heartbeat, listens
        self.told: list[tuple[str, ...]] = []

    def __getattr__(self, name):
        return lambda *words: self.told.append((name, *words))


class ManagerTests:
    async def test_signs_of_life_come_as_often_as_it_wants_them_until_the_end(self):
        recorder, sessions = Recorder(0.001), []
        manager = Manager(recorder, lambda: f"{len(sessions)} sessions")
        manager.serving()
        sessions.append(1)
        await until(lambda: recorder.told.count(("alive", "1 sessions")) > 2)
        manager.stopping()
        seen = len(recorder.told)
        await until(lambda: len(recorder.told) > seen)
        await manager.close()
        assert recorder.told[0] == ("ready", "0 sessions")
        assert ("stopping",) in recorder.told

    async def test_without_a_manager_nothing_runs(self):
        manager = Manager(Recorder(listens=False), str)
        manager.serving()
        assert manager._task is None
        await manager.close()

    async def test_a_reload_that_fails_is_over_too(self):
        recorder = Recorder()
        manager = Manager(recorder, lambda: "no sessions")
        with pytest.raises(ValueError, match="wrong"), manager.reloading():
            raise ValueError("wrong")
        assert recorder.told == [("reloading",), ("ready", "no sessions")]

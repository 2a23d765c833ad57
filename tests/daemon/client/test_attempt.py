"""One attempt at one address; what a server says is in test_client.py."""

import asyncio
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import pytest
from tests.daemon.loopback import Log
from tests.eventually import until

from openpptp.daemon.calls import Calls
from openpptp.daemon.client.attempt import Attempt, Where
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.datapath.null import NullDataPath
from openpptp.errors import EndReason, SetupError


@dataclass
class Listener:
    """Remembers what it is told."""

    heard: list[object] = field(default_factory=list)

    def reached(self, stage: str) -> None:
        self.heard.append(stage)

    def answered(self, attempt: Attempt) -> None:
        self.heard.append("answered")

    def over(self, attempt: Attempt, reason: EndReason, detail: str) -> None:
        self.heard.append((reason, detail))


@pytest.fixture
def listener():
    return Listener()


def attempt(listener: Listener, **how) -> Attempt:
    request = ConnectRequest(("127.0.0.1",), "u", "p", port=1, **how)
    where = Where("127.0.0.1", IPv4Address("127.0.0.1"))
    log = Log().logger
    return Attempt(request, where, 1460, listener, data_path=NullDataPath(), calls=Calls(), log=log)


class OverTests:
    """Its last word is said once, in any case."""

    async def test_one_that_is_dropped_before_it_has_begun(self, listener):
        made = attempt(listener)
        made.start(1.0)
        made.drop()
        assert [each[0] for each in listener.heard] == [EndReason.CONNECTION_LOST]
        await asyncio.sleep(0)
        made.hang_up(EndReason.USER_REQUEST)
        assert len(listener.heard) == 1

    async def test_one_that_nobody_answers(self, listener):
        made = attempt(listener)
        assert made.local is None
        made.start(5.0)
        await until(lambda: len(listener.heard) == 2)
        stage, (reason, detail) = listener.heard
        assert (stage, reason) == ("connect", EndReason.CONNECTION_LOST)
        assert "127.0.0.1 refuses TCP port 1" in detail
        made.drop()
        assert len(listener.heard) == 2

    async def test_an_address_of_ours_that_is_none(self, listener):
        attempt(listener, local=IPv4Address("192.0.2.7")).start(5.0)
        await until(lambda: len(listener.heard) == 2)
        assert "192.0.2.7 is not an address of this machine" in listener.heard[1][1]

    async def test_a_privilege_that_is_missing_is_said_as_well(self, listener, monkeypatch):
        def refuse(*_):
            raise SetupError("may not", exit_code=3)

        monkeypatch.setattr("openpptp.daemon.client.attempt.dialling_socket", refuse)
        attempt(listener, mark=7).start(5.0)
        await until(lambda: len(listener.heard) == 2)
        assert listener.heard[1] == (EndReason.CONNECTION_LOST, "may not")

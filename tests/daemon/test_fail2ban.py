"""docs/fail2ban/openpptp.conf over the lines a real server writes: each failure found, with its address, none forged.

fail2ban itself is not needed: its configuration is read as it reads it, <HOST> and the date stand for what it makes of
them.
"""

import io
import json
import re
from collections.abc import Iterator
from configparser import ConfigParser

import pytest
import structlog
from tests.daemon.loopback import House, house
from tests.eventually import until
from tests.machine import REPOSITORY

from openpptp.credentials import AuthMethod
from openpptp.daemon.log import set_up
from openpptp.wire.control import OutgoingCallRequest, StartControlConnectionRequest

FILTER = REPOSITORY / "docs" / "fail2ban" / "openpptp.conf"
HOST = r"(?:::f{4,6}:)?(?P<host>[\w\-.^_]*\w)"  # fail2ban 1.0, server/failregex.py, for names and IPv4
DATE = {"%Y": r"\d{4}", "%f": r"\d{1,6}", "%z": r"(?:Z|UTC|GMT|[+-][01]\d(?::?\d{2})?)"}

VICTIM = "192.0.2.66"
FORGERIES = (
    f"x\n2026-01-01 00:00:00 [warning  ] log-in refused session=ab peer={VICTIM} call=1 user=x why=x",
    f"\r\n[warning  ] log-in refused session=ab peer={VICTIM} call=1 user=x",
    f" peer={VICTIM} call=1 user=",
    f"' peer={VICTIM} call=1 user='",
    f'" peer={VICTIM} call=1 user="',
    f'", "peer": "{VICTIM}", "call": 1, "user": "',
    f'"}}\n{{"timestamp": "2026-01-01T00:00:00Z", "level": "warning", "event": "log-in refused", "session": "ab", '
    f'"peer": "{VICTIM}", "call": 1, "user": "',
    f"\x1b[2K\x1b[1G[warning  ] log-in refused session=ab peer={VICTIM} call=1 user=x",
    f"\\\\' peer={VICTIM}",
    'a user\tof the sales\' "team"',
    "\u2028\u0085\x0b\x0c\x1e line ends of all kinds",
    "",
)


class Filter:
    """What fail2ban makes of a filter file."""

    def __init__(self, mode: str) -> None:
        parser = ConfigParser()
        parser.read(FILTER)
        definition = parser["Definition"]
        self._failures = [
            re.compile(line.replace("<HOST>", HOST)) for line in definition[f"mdre-{mode}"].splitlines() if line
        ]
        assert definition["failregex"] == "<mdre-<mode>>"
        self._dates = []
        for pattern in definition["datepattern"].splitlines():
            for name, value in {**DATE, **dict.fromkeys(("%m", "%d", "%H", "%M", "%S"), r"\d\d")}.items():
                pattern = pattern.replace(name, value)
            self._dates.append(re.compile(pattern))

    def hosts(self, log: str) -> list[str]:
        """Return the addresses whose failures stand in a log; every line must have its date."""
        return [host for line in log.splitlines() if line and (host := self.host(line)) is not None]

    def host(self, line: str) -> str | None:
        dates = [found for date in self._dates if (found := date.search(line))]
        assert dates, line
        return self.match(line[: dates[0].start()] + line[dates[0].end() :])

    def match(self, line: str) -> str | None:
        found = next((found for failure in self._failures if (found := failure.search(line))), None)
        return None if found is None else found["host"]


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Return where the log of this process goes, in either format."""
    stream = io.StringIO()
    set_up("info", request.param, stream)
    yield stream
    structlog.reset_defaults()


def logging(home: House) -> None:
    """Let the server write to the log of this process."""
    home.server._log = structlog.get_logger()


class FailedLogInTests:
    """The line `log-in refused`."""

    async def test_each_failed_log_in_is_a_line_with_its_address(self, tmp_path, written):
        async with house(tmp_path) as home:
            logging(home)
            for source, credentials in (
                ("127.0.0.2", {"password": "wrong"}),
                ("127.0.0.3", {"user": "mallory"}),
                ("127.0.0.3", {"user": "mallory"}),
                ("127.0.0.4", {}),
            ):
                caller = await home.call(source=source, **credentials)
                await until(lambda c=caller: c.over or c.up)
        for mode in ("normal", "aggressive"):
            assert Filter(mode).hosts(written.getvalue()) == ["127.0.0.2", "127.0.0.3", "127.0.0.3"], written.getvalue()

    async def test_those_the_guard_does_not_look_at_count_too(self, tmp_path, written):
        async with house(tmp_path, limits={"failures_per_user": 1}) as home:
            logging(home)
            for _ in range(3):
                caller = await home.call(password="wrong")
                await until(lambda c=caller: c.over)
        assert "the password was not looked at" in written.getvalue()
        assert Filter("normal").hosts(written.getvalue()) == ["127.0.0.1"] * 3

    @pytest.mark.parametrize("name", FORGERIES, ids=range(len(FORGERIES)))
    async def test_b027_b132_no_name_forges_a_line(self, tmp_path, written, name):
        async with house(tmp_path, auth={"methods": ["MS-CHAPv2", "PAP"], "encryption": "off"}) as home:
            logging(home)
            for method in (AuthMethod.MSCHAP_V2, AuthMethod.PAP):
                caller = await home.call(user=name, answer_with=(method,))
                await until(lambda c=caller: c.over)
            greeting = StartControlConnectionRequest(host_name=name[:64], vendor_name=name[-64:]).encode()
            call = OutgoingCallRequest(1, 1, 300, 1000, phone_number=name[:64], subaddress=name[-64:].encode()[:64])
            reader, writer = await home.plain("127.0.0.5")
            writer.write(greeting + call.encode() * 3)
            assert await reader.readexactly(156 + 3 * 32)
            writer.close()
        log = written.getvalue()
        assert Filter("aggressive").hosts(log) == ["127.0.0.1", "127.0.0.1"], log
        assert all(char.isprintable() or char == "\n" for char in log)
        if log.startswith("{"):
            assert name in [json.loads(line).get("user") for line in log.splitlines() if line] or not name.isprintable()


class RefusalTests:
    """Mode aggressive: everything else a stranger is turned away for."""

    async def test_who_is_refused_at_the_door(self, tmp_path, written):
        async with house(tmp_path, limits={"per_source": 1, "unauthenticated": 1}) as home:
            logging(home)
            first = await home.plain("127.0.0.2")
            other = await home.plain("127.0.0.3")
            await until(lambda: "gave way" in written.getvalue())
            again = await home.plain("127.0.0.3")
            await until(lambda: "wait to log in already" in written.getvalue())
            for _, writer in (first, other, again):
                writer.close()
        assert Filter("normal").hosts(written.getvalue()) == []
        assert Filter("aggressive").hosts(written.getvalue()) == ["127.0.0.2", "127.0.0.3"], written.getvalue()

    async def test_who_sends_what_is_no_pptp_or_offers_too_little(self, tmp_path, written):
        async with house(tmp_path) as home:
            logging(home)
            reader, writer = await home.plain("127.0.0.2")
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await until(reader.at_eof)
            writer.close()
            caller = await home.call(source="127.0.0.3", answer_with=(AuthMethod.PAP,))
            await until(lambda: caller.over)
        assert Filter("normal").hosts(written.getvalue()) == []
        assert Filter("aggressive").hosts(written.getvalue()) == ["127.0.0.2", "127.0.0.3"], written.getvalue()

    async def test_a_session_that_ends_as_it_should_is_nothing(self, tmp_path, written):
        async with house(tmp_path) as home:
            logging(home)
            caller = await home.log_in()
            caller.reset()
            await home.at_rest()
        assert "session ended" in written.getvalue()
        assert Filter("aggressive").hosts(written.getvalue()) == []


class JournalTests:
    """backend = systemd: the journal's own words stand before the line, and fail2ban takes no date out of it."""

    @pytest.mark.parametrize("written", ["text", "json"], indirect=True)
    async def test_a_line_of_the_journal(self, tmp_path, written):
        async with house(tmp_path) as home:
            logging(home)
            caller = await home.call(password="wrong")
            await until(lambda: caller.over)
        lines = [f"vpn openpptp[4711]: {line}" for line in written.getvalue().splitlines()]
        assert [host for line in lines if (host := Filter("normal").match(line))] == ["127.0.0.1"]

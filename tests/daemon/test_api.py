"""The local API, asked by its own client over its own socket; sessions are those of tests/daemon/loopback.py."""

import asyncio
import contextlib
import grp
import json
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.daemon.loopback import PASSWORD, USER, House, house
from tests.eventually import until
from tests.machine import need_root
from tests.notation import frame

from openpptp import __version__
from openpptp.credentials import AuthMethod
from openpptp.daemon import api as module
from openpptp.daemon.api import LONGEST_BODY, MOST_CONNECTIONS, MOST_LISTENERS, Api
from openpptp.daemon.api_client import ApiClient
from openpptp.daemon.api_socket import give_to, open_socket, path_for, path_in
from openpptp.daemon.config import Settings
from openpptp.daemon.events import Queue
from openpptp.daemon.reload import Reading, Reloader
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason, SetupError
from openpptp.ppp.settings import EncryptionPolicy
from openpptp.wire.control import StartControlConnectionRequest
from openpptp.wire.ppp import Protocol, decode_frame

GROUP = "daemon"  # of every Debian


class Steered:
    """A server and its API."""

    def __init__(self, home: House, path: Path) -> None:
        self.home = home
        self.path = path
        self.client = ApiClient(path)
        self.file: Settings | SetupError = home.settings
        "What the settings file would give now."
        self.reloader = Reloader(home.server, home.settings, self._reread, home.log.logger)
        self.api = Api(home.server, self.reloader, asyncio.get_running_loop().time())

    def _reread(self) -> Reading:
        if isinstance(self.file, SetupError):
            raise self.file
        return Reading.of(self.file)

    def write(self, **sections: dict[str, object]) -> None:
        """Change the settings file."""
        whole = self.home.settings.model_dump(mode="json", exclude_none=True)
        for section, values in sections.items():
            whole[section] |= values
        self.file = Settings.model_validate(whole)

    async def ask(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return await asyncio.to_thread(method, *arguments, **named)

    async def rows(self, **how: Any) -> list[dict[str, Any]]:
        return await self.ask(self.client.sessions, **how)

    async def show(self, row: dict[str, Any]) -> dict[str, Any]:
        return await self.ask(self.client.show, row["id"])

    async def raw(self, request: bytes) -> tuple[int, dict[str, Any]]:
        """Send octets; return the status and the body of the answer."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(request)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


@contextlib.asynccontextmanager
async def steered(folder: Path, **sections: dict[str, object]) -> AsyncIterator[Steered]:
    async with house(folder, **sections) as home:
        made = Steered(home, path_in(folder))
        await made.api.open(made.path)
        try:
            yield made
        finally:
            await made.api.close()


async def up(home: House, count: int = 1) -> None:
    await until(lambda: len(home.log.about("session up")) == count)


class StatusTests:
    """GET /status; B-113: that the log-in can be broken is said."""

    async def test_it_names_version_carrier_sessions_limits_and_weaknesses(self, tmp_path):
        async with steered(tmp_path, limits={"sessions": 7}) as it:
            await it.home.log_in()
            _, writer = await it.home.plain()
            await until(lambda: it.home.held().get("connections") == 2)
            facts = await it.ask(it.client.status)
            assert (facts["version"], facts["process"]) == (__version__, os.getpid())
            assert (facts["connections"], facts["waiting_to_log_in"], facts["sessions"]) == (2, 1, 1)
            assert facts["limits"] == {"sessions": 7, "addresses": 253, "unauthenticated": 100, "per_source": 10}
            assert facts["data_path"]["totals"] == {"unknown": 0}
            assert facts["longest_turn"] is None, "this loop does not measure"
            assert "not secure" in facts["warnings"][0]
            writer.close()


class SessionsTests:
    """GET /sessions."""

    async def test_a_session_with_all_that_belongs_to_it(self, tmp_path):
        async with steered(tmp_path) as it:
            caller = await it.home.log_in()
            await up(it.home)
            (call_id,) = it.home.data_path.open_calls
            it.home.data_path.open_calls[call_id] = Counters(octets_in=17, octets_out=4)
            (row,) = await it.rows()
            assert (row["user"], row["peer"], row["state"]) == (USER, "127.0.0.1", "up")
            assert row["address"] == str(caller.up.our_address)
            assert (row["octets_in"], row["octets_out"], row["encryption"]) == (17, 4, "MPPE 128 bit")
            assert row["waits_for"] is None
            assert 0 <= row["idle"] <= row["seconds"]
            assert row["connected"] <= row["since"]

    async def test_one_id_from_accept_to_the_last_line_of_the_log(self, tmp_path):
        async with steered(tmp_path) as it:
            caller = await it.home.log_in()
            await up(it.home)
            (row,) = await it.rows()
            (record,) = it.home.server.sessions.values()
            caller.driver.stop(EndReason.USER_REQUEST)
            await it.home.at_rest()
            lines = [line for line in it.home.log.lines if "peer" in line]
            assert len(lines) >= 3
            assert {line["session"] for line in lines} == {row["id"], record.id} == {row["id"]}

    async def test_who_proves_himself_anew_is_another_session(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.home.log_in()
            await up(it.home)
            ((call_id, record),) = it.home.server.sessions.items()
            record.driver.frame_received(call_id, frame("[LCP ConfReq id=0x77 <mru 1400> <magic 0x12345678>]"))
            await up(it.home, 2)
            (row,) = await it.rows()
            assert row["id"] == f"{record.id}.2"

    async def test_a_connection_that_says_nothing_shows_what_it_waits_for(self, tmp_path):
        async with steered(tmp_path) as it:
            _, writer = await it.home.plain()
            await until(lambda: it.home.held().get("connections"))
            (row,) = await it.rows()
            assert (row["state"], row["user"], row["address"]) == ("waiting", None, None)
            assert row["waits_for"] == "Start-Control-Connection-Request"
            writer.close()

    async def test_a_control_connection_without_a_call_waits_for_one(self, tmp_path):
        async with steered(tmp_path) as it:
            _, writer = await it.home.plain()
            writer.write(StartControlConnectionRequest(host_name="there").encode())
            await until(lambda: it.home.log.about("control connection"))
            (row,) = await it.rows()
            assert row["waits_for"] == "a call"
            assert (await it.show(row))["deadlines"][0]["reason"] == "a message, or an Echo-Request is due"
            writer.close()

    @pytest.mark.parametrize(
        ("mute", "passes", "words"),
        [
            (Protocol.LCP, (), "LCP: the first GRE packet; none has come"),
            (Protocol.LCP, (Protocol.LCP,), "LCP: the peer's LCP packet"),
            (Protocol.CHAP, (), "authentication: repeat CHAP Challenge"),
            (Protocol.CCP, (), "encryption (CCP): the peer's CCP packet"),
            (Protocol.IPCP, (), "addresses (IPCP): the peer's IPCP packet"),
        ],
        ids=["no GRE", "LCP", "authentication", "CCP", "IPCP"],
    )
    async def test_a_session_in_each_state_shows_what_it_waits_for(self, tmp_path, mute, passes, words):
        async with steered(tmp_path) as it:
            path, passing = it.home.caller_path, list(passes)
            send = path.send_frame

            def send_but_the_muted(call_id, frame):
                protocol = decode_frame(frame)[0]
                if protocol in passing:
                    passing.remove(protocol)
                elif protocol == mute:
                    return
                send(call_id, frame)

            path.send_frame = send_but_the_muted
            await it.home.call()
            for _ in range(200):
                (row,) = await it.rows() or [{"waits_for": None}]
                if row["waits_for"] == words:
                    break
            facts = await it.show(row)
            assert facts["waits_for"] == words, facts
            assert (facts["state"], facts["mtu"]) == ("waiting", None)
            assert words.partition(": ")[2].partition(";")[0] in {wait["reason"] for wait in facts["deadlines"]}

    async def test_a_session_on_its_way_shows_what_it_waits_for(self, tmp_path):
        async with steered(tmp_path, auth={"refusal_delay": 15}) as it:
            await it.home.call(password="wrong")
            await until(lambda: it.home.log.about("log-in refused"))
            (row,) = await it.rows()
            assert row["waits_for"].startswith("authentication")

    async def test_only_of_one_user(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.home.log_in()
            await it.home.log_in(user="bob", password="pass")
            assert [row["user"] for row in await it.rows(user="bob")] == ["bob"]
            assert await it.rows(user="b&user=alice/ü") == []


class ShowTests:
    """GET /sessions/ID."""

    async def test_the_negotiation_stands_there_in_pppds_notation(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.home.log_in()
            await up(it.home)
            (row,) = await it.rows()
            said = [f"{x['direction']} {x['packet']}" for x in (await it.show(row))["negotiation"]]
            for word in ("rcvd [LCP ConfReq", "sent [LCP ConfAck", "sent [CHAP Challenge", "sent [CHAP Success",
                         "rcvd [IPCP ConfAck"):  # fmt: skip
                assert any(line.startswith(word) for line in said), said

    async def test_nothing_a_password_can_be_tried_with_stands_there_or_in_memory_p28(self, tmp_path):
        settings = {"methods": ["PAP"], "encryption": "off"}
        async with steered(tmp_path, auth=settings) as it:
            await it.home.log_in(
                answer_with=(AuthMethod.PAP,), encryption=EncryptionPolicy(enabled=False, required=False)
            )
            await up(it.home)
            (row,) = await it.rows()
            facts = await it.show(row)
            assert any("[PAP AuthReq" in line["packet"] for line in facts["negotiation"])
            assert PASSWORD not in json.dumps(facts)
            (driver,) = it.home.server.drivers
            (conversation,) = driver.conversations.values()
            assert PASSWORD not in repr(conversation._frames)

    async def test_counters_drops_by_name_and_loss(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.home.log_in()
            await up(it.home)
            (call_id,) = it.home.data_path.open_calls
            counted = Counters(packets_in=90, lost=10, dropped_source=3, acks_sent=5)
            it.home.data_path.open_calls[call_id] = counted
            (row,) = await it.rows()
            facts = await it.show(row)
            assert (facts["counters"]["packets_in"], facts["counters"]["acks_sent"], facts["loss"]) == (90, 5, 0.1)
            assert facts["drops"]["source"] == 3
            assert facts["drops"]["duplicate"] == 0

    async def test_the_round_trip_is_known_after_an_echo_that_leaves_the_negotiation_alone(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.home.log_in()
            await up(it.home)
            (row,) = await it.rows()
            before = await it.show(row)
            assert before["round_trip"] is None
            ((call_id, record),) = it.home.server.sessions.items()
            conversation = record.driver.conversations.of(call_id)
            conversation.sent(frame("[LCP EchoReq id=0x5 magic=0x1]"), 10.0)
            conversation.received(frame("[LCP EchoRep id=0x4 magic=0x1]"), 10.1)
            assert (await it.show(row))["round_trip"] is None
            conversation.received(frame("[LCP EchoRep id=0x5 magic=0x1]"), 10.25)
            after = await it.show(row)
            assert after["round_trip"] == 0.25
            assert len(after["negotiation"]) == len(before["negotiation"])

    async def test_a_peer_cannot_fill_the_memory(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.home.log_in()
            ((call_id, record),) = it.home.server.sessions.items()
            conversation = record.driver.conversations.of(call_id)
            for _ in range(1000):
                conversation.received(b"\xff\x03\x80\x21\x05" + bytes(1400), 1.0)
            assert sum(len(told) for _, _, told in conversation._frames) <= 40 * 256

    async def test_deadlines_carry_their_reasons(self, tmp_path):
        async with steered(tmp_path) as it:
            await it.home.log_in()
            await up(it.home)
            (row,) = await it.rows()
            assert "LCP echo" in {deadline["reason"] for deadline in (await it.show(row))["deadlines"]}

    async def test_the_beginning_of_an_id_is_enough_when_no_other_has_it(self, tmp_path):
        async with steered(tmp_path) as it:
            for _ in range(2):
                await it.home.log_in()
            first, second = it.home.server.drivers
            first.names._of_call[next(iter(first.names._of_call))] = "abcd1"
            second.names._of_call[next(iter(second.names._of_call))] = "abcd2"
            assert (await it.ask(it.client.show, "abcd2"))["id"] == "abcd2"
            with pytest.raises(SetupError, match="2 sessions have an id that begins with 'abcd'"):
                await it.ask(it.client.show, "abcd")
            with pytest.raises(SetupError, match="no session has the id 'abc'"):
                await it.ask(it.client.show, "abc")


class DisconnectTests:
    """POST /disconnect."""

    async def test_one_ends_in_good_order_and_the_other_lives(self, tmp_path):
        async with steered(tmp_path) as it:
            first, second = await it.home.log_in(), await it.home.log_in(user="bob", password="pass")
            await up(it.home, 2)
            (row,) = await it.rows(user=USER)
            assert await it.ask(it.client.disconnect, session=row["id"]) == {"disconnected": [row["id"]], "ending": []}
            await until(lambda: first.over)
            assert "administrator" in first.ended.detail
            assert second.up
            (line,) = it.home.log.about("session ended")
            assert (line["reason"], line["session"]) == ("admin-disconnect", row["id"])
            assert [row["user"] for row in await it.rows()] == ["bob"]

    async def test_all_sessions_of_a_user(self, tmp_path):
        async with steered(tmp_path) as it:
            for _ in range(3):
                await it.home.log_in()
            other = await it.home.log_in(user="bob", password="pass")
            result = await it.ask(it.client.disconnect, user=USER)
            assert len(result["disconnected"]) == 3
            assert other.up

    async def test_all_also_who_has_not_logged_in(self, tmp_path):
        async with steered(tmp_path) as it:
            callers = [await it.home.log_in() for _ in range(25)]
            _, writer = await it.home.plain()
            await until(lambda: it.home.held().get("connections") == 26)
            result = await it.ask(it.client.disconnect)
            assert len(result["disconnected"]) == 26
            assert result["ending"] == []
            await until(lambda: all(caller.over for caller in callers))
            writer.close()

    async def test_a_user_without_a_session_is_said(self, tmp_path):
        async with steered(tmp_path) as it:
            with pytest.raises(SetupError, match="user 'nobody' has no session"):
                await it.ask(it.client.disconnect, user="nobody")

    async def test_who_does_not_end_in_time_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setattr("openpptp.daemon.disconnect.TAKE_LEAVE", 0.0)
        async with steered(tmp_path) as it:
            await it.home.log_in()
            (row,) = await it.rows()
            it.home.data_path.other = None  # the Terminate-Request is lost
            result = await it.ask(it.client.disconnect)
            assert result == {"disconnected": [], "ending": [row["id"]]}

    @pytest.mark.parametrize(
        "body",
        ["", "{", "[]", "null", "{}", '{"all": false}', '{"all": 1}', '{"session": 7}', '{"user": "a", "all": true}',
         "[" * 5000, '"\\ud800"'],
    )  # fmt: skip
    async def test_a_request_that_names_nobody_ends_nobody(self, tmp_path, body):
        async with steered(tmp_path) as it:
            caller = await it.home.log_in()
            head = f"POST /disconnect HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            status, facts = await it.raw((head + body).encode())
            assert (status, facts["exit_code"]) == (400, 2)
            assert facts["error"]
            assert caller.up


class ReloadTests:
    """POST /reload, and SIGHUP."""

    async def test_what_can_change_does_and_no_session_ends_p21(self, tmp_path):
        async with steered(tmp_path) as it:
            caller = await it.home.log_in()
            it.write(limits={"sessions": 1}, network={"dns": ["10.9.0.53"]})
            report = await it.ask(it.client.reload)
            assert report["applied"] == [
                {"key": "network.dns", "before": [], "after": ["10.9.0.53"]},
                {"key": "limits.sessions", "before": 1000, "after": 1},
            ]
            assert report["needs_restart"] == []
            second = await it.home.call(user="bob", password="pass")
            await until(lambda: second.over)
            assert it.home.log.about("no room for another session")
            assert caller.up
            caller.driver.stop(EndReason.USER_REQUEST)
            await it.home.at_rest()
            third = await it.home.log_in(request_dns=True)
            assert [str(address) for address in third.up.dns] == ["10.9.0.53"]

    async def test_what_cannot_is_named_and_named_again(self, tmp_path):
        async with steered(tmp_path) as it:
            it.write(network={"pool": ["10.8.0.0/24"]}, server={"port": 1724})
            for _ in range(2):
                report = await it.ask(it.client.reload)
                assert report["applied"] == []
                assert [change["key"] for change in report["needs_restart"]] == ["server.port", "network.pool"]
            assert str((await it.home.log_in()).up.peer_address) == "10.9.0.1"
            told = [line["setting"] for line in it.home.log.about("this setting changes with the next start only")]
            assert told == ["server.port", "network.pool"] * 2

    async def test_encryption_that_comes_or_goes_waits_with_the_methods_that_go_with_it(self, tmp_path):
        async with steered(tmp_path) as it:
            it.write(auth={"encryption": "off", "methods": ["PAP"]})
            report = await it.ask(it.client.reload)
            assert {change["key"] for change in report["needs_restart"]} == {"auth.methods", "auth.encryption"}
            assert await it.home.log_in()

    async def test_new_methods_hold_for_who_comes_next(self, tmp_path):
        async with steered(tmp_path) as it:
            first = await it.home.log_in()
            it.write(auth={"methods": ["MS-CHAPv1"]})
            await it.ask(it.client.reload)
            await it.home.log_in(user="bob", password="pass", answer_with=(AuthMethod.MSCHAP_V1,))
            (row,) = await it.rows(user="bob")
            said = [line["packet"] for line in (await it.show(row))["negotiation"]]
            assert any("<auth chap MS>" in line for line in said)
            assert first.up

    async def test_b147_a_bad_file_is_refused_in_its_words_and_nothing_changes_p21(self, tmp_path):
        async with steered(tmp_path) as it:
            caller = await it.home.log_in()
            it.file = SetupError("openpptp.toml:3: limits.sessions: must be at least 1", exit_code=2)
            with pytest.raises(SetupError, match=r"openpptp\.toml:3: limits\.sessions") as caught:
                await it.ask(it.client.reload)
            assert caught.value.exit_code == 2
            assert it.reloader.settings == it.home.settings
            assert it.home.log.about("settings not read again; nothing has changed")
            assert caller.up

    async def test_b147_reloads_that_meet_go_one_after_the_other(self, tmp_path):
        """accel-ppp 84481295: a second one while the first runs, here with a file that is wrong by then."""
        async with steered(tmp_path) as it:
            reading, go_on = threading.Event(), threading.Event()
            files = []

            def slowly() -> Reading:
                file = it.file
                files.append(file)
                reading.set()
                go_on.wait(20)
                if isinstance(file, SetupError):
                    raise file
                return Reading.of(file)

            it.reloader._reread = slowly
            it.write(limits={"sessions": 7})
            first = asyncio.create_task(it.ask(it.client.reload))
            await until(reading.is_set)
            it.file = SetupError("openpptp.toml:3: limits.sessions: must be at least 1", exit_code=2)
            second = asyncio.create_task(it.ask(it.client.reload))
            await until(lambda: len(it.api._tasks) == 2)
            assert len(files) == 1, "the second waits"
            go_on.set()
            assert [change["key"] for change in (await first)["applied"]] == ["limits.sessions"]
            with pytest.raises(SetupError, match=r"openpptp\.toml:3"):
                await second
            assert it.reloader.settings.limits.sessions == 7

    async def test_a_secrets_file_that_cannot_be_read_is_refused_and_nothing_changes(self, tmp_path):
        async with steered(tmp_path) as it:
            it.write(users={"file": str(tmp_path)}, limits={"sessions": 1})
            with pytest.raises(SetupError, match=str(tmp_path)):
                await it.ask(it.client.reload)
            assert it.reloader.settings.limits.sessions == 1000
            assert await it.home.log_in()
            assert await it.home.log_in()

    async def test_the_users_are_read_again_and_bad_lines_are_named(self, tmp_path):
        async with steered(tmp_path) as it:
            secrets = tmp_path / "chap-secrets"
            secrets.write_text('"carol" * "pass" *\ndave\n')
            report = await it.ask(it.client.reload)
            (warning,) = [warning for warning in report["warnings"] if "chap-secrets" in warning]
            assert f"{secrets}:2" in warning
            assert await it.home.log_in(user="carol", password="pass")

    async def test_users_that_cannot_be_read_any_more_are_refused_and_those_before_stay(self, tmp_path):
        async with steered(tmp_path) as it:
            secrets = tmp_path / "chap-secrets"
            secrets.unlink()
            it.write(limits={"sessions": 1})
            with pytest.raises(SetupError, match="chap-secrets"):
                await it.ask(it.client.reload)
            assert it.reloader.settings.limits.sessions == 1000
            assert await it.home.log_in()

    async def test_another_secrets_file_is_used_at_once(self, tmp_path):
        async with steered(tmp_path) as it:
            other = tmp_path / "others"
            other.write_text('"carol" * "pass" *\n')
            other.chmod(0o600)
            it.write(users={"file": str(other)})
            await it.ask(it.client.reload)
            assert await it.home.log_in(user="carol", password="pass")
            caller = await it.home.call()
            await until(lambda: caller.over)

    async def test_a_hang_up_reloads_and_a_bad_file_costs_a_line(self, tmp_path):
        async with steered(tmp_path) as it:
            it.file = SetupError("openpptp.toml:3: is not TOML", exit_code=2)
            it.reloader.hung_up()
            await until(lambda: it.home.log.about("settings not read again; nothing has changed"))
            it.write(limits={"per_source": 3})
            it.reloader.hung_up()
            await until(lambda: it.home.log.about("settings read again"))
            assert it.home.server._admission.limits.waiting_per_source == 3

    async def test_another_level_of_the_log_holds_at_once(self, tmp_path):
        async with steered(tmp_path) as it:
            before = structlog.get_config()
            try:
                it.write(log={"level": "error"})
                await it.ask(it.client.reload)
                assert not structlog.get_logger().bind().is_enabled_for(30)
            finally:
                structlog.configure(**before)


class EventsTests:
    """GET /events."""

    @contextlib.asynccontextmanager
    async def _listening(self, it: Steered) -> AsyncIterator[asyncio.StreamReader]:
        before = len(it.home.server.events)
        reader, writer = await asyncio.open_unix_connection(it.path)
        writer.write(b"GET /events HTTP/1.0\r\n\r\n")
        await until(lambda: len(it.home.server.events) > before)
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        yield reader
        writer.close()

    async def test_a_sessions_life_and_a_refused_log_in_in_order(self, tmp_path):
        async with steered(tmp_path) as it, self._listening(it) as stream:
            caller = await it.home.log_in()
            await up(it.home)
            caller.driver.stop(EndReason.USER_REQUEST)
            await it.home.at_rest()
            refused = await it.home.call(user="mallory")
            await until(lambda: refused.over)
            await it.home.at_rest()
            events = [json.loads(await asyncio.wait_for(stream.readline(), 20)) for _ in range(8)]
            assert [event["event"] for event in events] == [
                *("connected", "session up", "session ended", "connection ended"),
                *("connected", "log-in refused", "session ended", "connection ended"),
            ]
            assert len({event["session"] for event in events[:4]}) == 1
            assert events[1]["user"] == USER
            assert events[2]["reason"] == "peer-request"
            assert events[5]["why"] == "unknown user 'mallory'"
            assert PASSWORD not in str(events)

    async def test_a_slow_listener_loses_events_and_is_told_how_many(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "Queue", partial(Queue, 2))
        async with steered(tmp_path) as it, self._listening(it) as stream:
            for number in range(7):
                it.home.server.events.publish("x", number=number)
            events = [json.loads(await asyncio.wait_for(stream.readline(), 20)) for _ in range(3)]
            assert [event.get("number") for event in events[:2]] == [0, 1]
            assert events[2] == {"event": "lost", "count": 5}
            it.home.server.events.publish("y")
            assert json.loads(await asyncio.wait_for(stream.readline(), 20))["event"] == "y"

    async def test_a_listener_that_goes_away_is_forgotten_without_an_event(self, tmp_path):
        async with steered(tmp_path) as it:
            async with self._listening(it):
                assert len(it.home.server.events) == 1
            await until(lambda: len(it.home.server.events) == 0)

    async def test_too_many_listeners_are_told_so(self, tmp_path):
        async with steered(tmp_path) as it, contextlib.AsyncExitStack() as stack:
            for _ in range(MOST_LISTENERS):
                await stack.enter_async_context(self._listening(it))
            status, facts = await it.raw(b"GET /events HTTP/1.0\r\n\r\n")
            assert status == 503
            assert "listen to the events already" in facts["error"]

    async def test_the_stream_ends_with_the_server_after_its_last_event(self, tmp_path):
        async with steered(tmp_path) as it:
            got: list[dict[str, Any]] = []
            listening = asyncio.create_task(it.ask(lambda: got.extend(it.client.events())))
            await until(lambda: len(it.home.server.events) == 1)
            it.home.server.events.publish("stopping")
            await it.api.close()
            await asyncio.wait_for(listening, 20)
            assert [event["event"] for event in got] == ["stopping"]


class WrongRequestTests:
    """Whatever is sent, the answer is JSON with words and the server goes on."""

    @pytest.mark.parametrize(
        ("request_", "status", "words"),
        [
            ("GET / HTTP/1.0\r\n\r\n", 404, "there is nothing at /"),
            ("GET /sessions/a/b HTTP/1.0\r\n\r\n", 404, "there is nothing at"),
            ("POST /status HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 405, "POST is not what /status takes"),
            ("DELETE /sessions HTTP/1.0\r\n\r\n", 405, "DELETE is not what"),
            ("GET /sessions/%ff%00 HTTP/1.0\r\n\r\n", 409, "no session has the id"),
            (f"POST /disconnect HTTP/1.0\r\nContent-Length: {LONGEST_BODY + 1}\r\n\r\n" + "x" * (LONGEST_BODY + 1),
             413, "longer than"),
        ],
        ids=["nothing_there", "too_deep", "wrong_method", "unknown_method", "odd_id", "too_long"],
    )  # fmt: skip
    async def test_it_is_refused_in_words(self, tmp_path, request_, status, words):
        async with steered(tmp_path) as it:
            found, facts = await it.raw(request_.encode())
            assert found == status
            assert words in facts["error"]
            assert set(facts) == {"error", "exit_code"}

    @pytest.mark.parametrize(
        "octets", [b"\x16\x03\x01\x02\x00", b"\x00" * 9000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
    )
    async def test_what_is_no_http_costs_nothing(self, tmp_path, octets, capfd):
        async with steered(tmp_path) as it:
            reader, writer = await asyncio.open_unix_connection(it.path)
            writer.write(octets)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 20)
            writer.close()
            assert (await it.ask(it.client.status))["sessions"] == 0
        assert capfd.readouterr().err == ""

    async def test_one_connection_too_many_is_told_so(self, tmp_path):
        async with steered(tmp_path) as it:
            held = [await asyncio.open_unix_connection(it.path) for _ in range(MOST_CONNECTIONS)]
            await until(lambda: len(it.api._runner.server.connections) == MOST_CONNECTIONS)
            with pytest.raises(SetupError, match="too many programs use the API already") as caught:
                await it.ask(it.client.status)
            assert caught.value.exit_code == 1
            for _, writer in held:
                writer.close()
            await until(lambda: not it.api._runner.server.connections)
            assert await it.ask(it.client.status)

    async def test_a_defect_costs_one_answer(self, tmp_path, monkeypatch):
        def broken(*_: object) -> None:
            raise ZeroDivisionError

        async with steered(tmp_path) as it:
            with monkeypatch.context() as patch:
                patch.setattr("openpptp.daemon.overview.status", broken)
                with structlog.testing.capture_logs() as lines, pytest.raises(SetupError, match="a defect"):
                    await it.ask(it.client.status)
            assert lines[0]["exc_info"]
            assert await it.ask(it.client.status)


@contextlib.contextmanager
def nobody(path: Path, group: int = 65534) -> Iterator[None]:
    """Be nobody, in one group, who may pass the folders above path."""
    for folder in path.parents[:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)
    groups, before = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(group)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before)
        os.setgroups(groups)


class SocketTests:
    """Who may use it, and what lies there already."""

    @staticmethod
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    def test_without_a_group_it_is_for_its_owner_alone(self, tmp_path):
        with open_socket(tmp_path / "s", None):
            assert self.mode(tmp_path / "s") == 0o600

    def test_a_group_may_use_it_and_loses_it_again(self, tmp_path):
        need_root()
        with open_socket(tmp_path / "s", GROUP):
            assert self.mode(tmp_path / "s") == 0o660
            assert (tmp_path / "s").group() == GROUP
            give_to(tmp_path / "s", None)

    @pytest.mark.parametrize("helped", [True, False])
    def test_a_group_the_server_is_not_in_is_for_root_to_give(self, tmp_path, monkeypatch, helped):
        path, asked = tmp_path / "s", []
        path.touch(0o600)

        def refuse(*_):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("openpptp.daemon.api_socket.os.chown", refuse)
        if helped:
            give_to(path, GROUP, as_root=lambda: asked.append(path))
            assert (asked, path.stat().st_mode & 0o777) == ([path], 0o660)
        else:
            with pytest.raises(SetupError, match=r"cannot give .* to the group"):
                give_to(path, GROUP)
            assert path.stat().st_mode & 0o777 == 0o600
            assert self.mode(tmp_path / "s") == 0o600

    def test_a_member_of_the_group_gets_in_and_nobody_else(self, tmp_path):
        need_root()
        path = tmp_path / "s"
        with open_socket(path, GROUP), socket.socket(socket.AF_UNIX) as caller:
            with nobody(path), pytest.raises(PermissionError):
                caller.connect(str(path))
            with nobody(path, grp.getgrnam(GROUP).gr_gid):
                caller.connect(str(path))

    def test_an_unknown_group_is_wrong_use(self, tmp_path):
        with pytest.raises(SetupError, match="groupadd") as caught:
            open_socket(tmp_path / "s", "no such group")
        assert caught.value.exit_code == 2

    def test_the_socket_of_a_killed_server_makes_room(self, tmp_path):
        open_socket(tmp_path / "s", None).close()
        assert (tmp_path / "s").exists()
        with open_socket(tmp_path / "s", None), socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(tmp_path / "s"))

    def test_what_is_no_socket_is_left_alone(self, tmp_path):
        (tmp_path / "s").write_text("mine")
        with pytest.raises(SetupError, match="is no socket; remove it"):
            open_socket(tmp_path / "s", None)
        assert (tmp_path / "s").read_text() == "mine"

    def test_a_path_too_long_for_a_socket_names_the_setting(self, tmp_path):
        with pytest.raises(SetupError, match=r"server\.runtime_directory"):
            open_socket(tmp_path / ("x" * 120), None)

    async def test_it_is_gone_with_the_server(self, tmp_path):
        async with steered(tmp_path) as it:
            assert it.path.is_socket()
        assert not it.path.exists()


class FindingTests:
    """Which server a command means."""

    def test_the_settings_file_says(self, tmp_path):
        config = tmp_path / "openpptp.toml"
        config.write_text('[server]\nruntime_directory = "/run/second"\n')
        assert path_for(config) == Path("/run/second/api.sock")

    @pytest.mark.parametrize("text", ["", "[network]\n", "server = 3\n", "[server]\nruntime_directory = 3\n", "\x00"])
    def test_one_that_does_not_say_means_the_usual_one(self, tmp_path, text):
        config = tmp_path / "openpptp.toml"
        config.write_text(text)
        assert path_for(config) == Path("/run/openpptp/api.sock")

    def test_a_broken_file_keeps_nobody_from_the_server_that_runs(self, tmp_path):
        config = tmp_path / "openpptp.toml"
        config.write_text('[server\nruntime_directory = "/run/second"\nport = = 3\n')
        assert path_for(config) == Path("/run/second/api.sock")

    def test_a_file_that_is_not_there_means_no_server_at_all(self, tmp_path):
        with pytest.raises(SetupError, match=r"none\.toml: cannot be read") as caught:
            path_for(tmp_path / "none.toml")
        assert caught.value.exit_code == 2


class ClientTests:
    """What the client says when there is nothing to ask."""

    def test_no_server(self, tmp_path):
        with pytest.raises(SetupError, match=r"no server runs with .* sudo openpptp serve") as caught:
            ApiClient(tmp_path / "s").status()
        assert caught.value.exit_code == 1

    def test_the_socket_of_a_killed_server(self, tmp_path):
        open_socket(tmp_path / "s", None).close()
        with pytest.raises(SetupError, match="no server runs with"):
            ApiClient(tmp_path / "s").status()

    def test_a_socket_this_user_may_not_use(self, tmp_path):
        need_root()
        path = tmp_path / "s"
        with open_socket(path, None), nobody(path):
            with pytest.raises(SetupError, match=r"may not use .* admin\.group") as caught:
                ApiClient(path).status()
            assert caught.value.exit_code == 3

    @pytest.mark.parametrize(
        "answer",
        [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello", b"HTTP/1.1 200 OK\r\n\r\n[]",
         b"HTTP/1.1 500 No\r\n\r\nhello", b"HTTP/1.1 500 No\r\n\r\n{}", b"HTTP/1.1 500 No\r\n\r\n[]"],
    )  # fmt: skip
    async def test_something_else_that_answers(self, tmp_path, answer):
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with await asyncio.start_unix_server(serve, tmp_path / "s"):
            with pytest.raises(SetupError, match="is no OpenPPTP server"):
                await asyncio.to_thread(ApiClient(tmp_path / "s").status)

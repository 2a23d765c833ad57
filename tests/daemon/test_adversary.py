"""A server under attack, as far as loopback carries; tests/netns/test_adversary.py has the rest."""

import ast
import asyncio
import contextlib
import socket
import threading
from ipaddress import IPv4Address
from typing import ClassVar

import pytest
from tests.daemon import loopback
from tests.daemon.loopback import PASSWORD, USER, Log, house, open_files
from tests.eventually import until
from tests.machine import REPOSITORY

from openpptp import crypto
from openpptp.daemon import driver as drivers
from openpptp.daemon.admission import LoginLimits
from openpptp.errors import EndReason
from openpptp.wire.auth import ChapCode, ChapValue, MsChapV2Response, MsChapV2Success
from openpptp.wire.control import EchoRequest, OutgoingCallRequest, StartControlConnectionRequest
from openpptp.wire.ppp import Packet, Protocol, decode_frame

START = StartControlConnectionRequest(host_name="there").encode()
CALL = OutgoingCallRequest(0x4242, 1, 300, 100_000_000).encode()
ECHO = EchoRequest(7).encode()


class DeadlineTests:
    """B-019: nobody stays who does not log in."""

    LIMITS: ClassVar = {"start_timeout": 1, "session_timeout": 1, "gre_timeout": 60, "call_timeout": 60}

    async def test_b019_whatever_is_said_a_connection_without_a_session_ends(self, tmp_path):
        async with house(tmp_path, limits=self.LIMITS) as home:
            silent = [await home.plain() for _ in range(5)]
            for (_, writer), said in zip(silent, (b"", START[:5], START, START + ECHO, START + CALL), strict=True):
                writer.write(said)
            chatting = await home.plain()
            chatting[1].write(START)
            caller = await home.log_in()
            await until(lambda: home.held().get("connections") == 7)
            assert len(home.server._waiting_room._login_by) == 6
            (call_id,) = home.server.sessions
            home.server.calls[call_id].disconnect(call_id, EndReason.ADMIN_DISCONNECT)
            await until(lambda: caller.ended)
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionError):
                    while not chatting[0].at_eof():
                        chatting[1].write(ECHO + CALL)
                        await chatting[0].read(4096)
                        await asyncio.sleep(0.01)
            await home.at_rest()
            for _, writer in (*silent, chatting):
                writer.close()

    async def test_a_session_that_is_up_stays(self, tmp_path):
        async with house(tmp_path, limits=self.LIMITS) as home:
            caller = await home.log_in()
            assert not home.server._waiting_room._login_by
            assert caller.up


class CrowdTests:
    """B-020: a crowded door."""

    async def test_b020_who_waits_longest_of_the_largest_crowd_makes_room(self, tmp_path):
        async with house(tmp_path, limits={"unauthenticated": 4, "per_source": 3}) as home:
            crowd = [await home.plain("127.0.0.3") for _ in range(3)]
            lone, newcomer = await home.plain("127.0.0.4"), await home.plain("127.0.0.5")
            await until(lambda: home.held()["at the door"] == 4 and crowd[0][0].at_eof())
            for reader, _ in (*crowd[1:], lone, newcomer):
                assert not reader.at_eof()
            (line,) = home.log.about("connection refused")
            assert line["peer"] == "127.0.0.3"
            for _, writer in (*crowd, lone, newcomer):
                writer.close()

    async def test_b020_p14_a_caller_gets_in_while_others_hold_the_door_full(self, tmp_path):
        async with house(tmp_path, limits={"unauthenticated": 20, "per_source": 10}) as home:
            waiting = [await home.plain(f"127.0.1.{number}") for number in range(1, 61)]
            caller = await home.call()
            waiting += [await home.plain(f"127.0.2.{number}") for number in range(1, 11)]
            await until(lambda: caller.up or caller.over)
            assert caller.up
            for _, writer in waiting:
                writer.close()


class GuardTests:
    """B-086."""

    async def test_b086_a_password_that_is_not_looked_at_does_not_prolong_the_wait(self, tmp_path):
        async with house(tmp_path, auth={"refusal_delay": 0}, limits={"per_source": 100}) as home:
            callers = [await home.call(password="wrong") for _ in range(LoginLimits().failures_per_user + 30)]
            await until(lambda: all(caller.over for caller in callers))
            now = asyncio.get_running_loop().time()
            limits, owed = home.server._guard.limits, home.server._guard._sources.owed
            assert owed(IPv4Address("127.0.0.1"), now, limits.source_forgiven_after) <= limits.failures_per_user + 1


class SlowReaderTests:
    """B-013, B-035: a peer that reads nothing, not even the end."""

    async def test_b013_b035_a_closed_connection_does_not_wait_for_ever_to_be_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(drivers, "CLOSE_TIMEOUT", 0.05)
        async with house(tmp_path) as home:
            files = open_files()
            loop = asyncio.get_running_loop()
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256)
            peer.setblocking(False)
            await loop.sock_connect(peer, (loopback.HOST, home.port))
            await until(lambda: home.server._drivers)
            (driver,) = home.server._drivers
            transport = driver._transport
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
            await loop.sock_sendall(peer, START * 200)
            await until(lambda: transport.get_write_buffer_size() > 0)
            driver.stop(EndReason.SETUP_TIMEOUT)
            await until(lambda: driver.ended)
            await until(lambda: open_files() == files + 1)
            peer.close()
            await home.at_rest(files)


class BusyLoopTests:
    """B-148: the event loop never stands still."""

    async def test_b148_users_are_read_beside_it(self, tmp_path, monkeypatch):
        reading, read_on = threading.Event(), threading.Event()
        async with house(tmp_path) as home:
            users, refresh = home.server.users._users, home.server.users._users.refresh

            def refresh_slowly() -> None:
                reading.set()
                read_on.wait(10)
                refresh()

            monkeypatch.setattr(users, "refresh", refresh_slowly)
            (tmp_path / "chap-secrets").write_text(f'"{USER}" * "{PASSWORD}" *\nnew * p *\n')
            caller = await home.call(user="new", password="p")
            await until(reading.is_set)
            stream, writer = await home.plain()
            writer.write(START + ECHO)
            assert len(await stream.readexactly(156 + 20)) == 176
            assert caller.up is None
            read_on.set()
            await until(lambda: caller.up)
            writer.close()

    async def test_who_leaves_while_the_users_are_read_gets_nothing(self, tmp_path):
        async with house(tmp_path) as home:
            caller = await home.call()
            (tmp_path / "chap-secrets").write_text(f'"{USER}" * "{PASSWORD}" *\n' + "#\n" * 200_000)
            await until(lambda: home.server.users._waiting)
            caller.reset()
            await home.at_rest()
            assert not home.log.about("session up")

    async def test_p12_no_task_is_left(self, tmp_path):
        async with house(tmp_path) as home:
            before = len(asyncio.all_tasks())
            for number in range(50):
                _, writer = await home.plain()
                writer.write((START + CALL)[: number * 6])
                loopback.reset(writer.transport)
                (tmp_path / "chap-secrets").touch()
            caller = await home.log_in()
            caller.reset()
            await home.at_rest()
            await until(lambda: len(asyncio.all_tasks()) <= before)


def forms(secret: bytes) -> set[str]:
    """Return how octets could stand in a log."""
    return {secret.hex(), secret.hex().upper(), secret.hex(" "), repr(secret)[2:-1]}


class LogHygieneTests:
    """P-28: nothing with which a password could be tried out, at any level, on either side."""

    @pytest.mark.parametrize("right", [True, False])
    async def test_p28_a_log_in_at_debug_level_shows_no_secret(self, tmp_path, monkeypatch, right):
        monkeypatch.setattr(loopback, "Log", lambda: Log(10))
        async with house(tmp_path) as home:
            caller = await home.call(password=PASSWORD if right else "guess of a password")
            await until(lambda: caller.up or caller.over)
            assert bool(caller.up) is right
            written = f"{home.log.lines} {home.caller_log.lines}"
            assert "[CHAP Response" in written
            secrets = {PASSWORD.encode(), b"guess of a password", PASSWORD.encode("utf-16-le")}
            hashed = crypto.nt_password_hash(PASSWORD)
            secrets |= {hashed, crypto.hash_nt_password_hash(hashed)}
            for path in (home.data_path, home.caller_path):
                for what, *rest in path.asked:
                    if what == "encryption_up":
                        secrets |= {encryption.start_key for encryption in rest[1:]}
                    elif what == "send_frame":
                        secrets |= self.proofs(rest[1])
            assert len(secrets) > (8 if right else 5)
            for secret in secrets:
                assert not [form for form in forms(secret) if form in written], secret
            caller.driver.abort()

    @staticmethod
    def proofs(frame: bytes) -> set[bytes]:
        protocol, information = decode_frame(frame)
        if protocol != Protocol.CHAP:
            return set()
        packet = Packet.decode(information)
        if packet.code == ChapCode.RESPONSE:
            value = ChapValue.decode(packet.data).value
            return {value, MsChapV2Response.decode(value).nt_response}
        if packet.code == ChapCode.SUCCESS:
            return {MsChapV2Success.decode(packet.data).authenticator_response}
        return set()


SAYING_WHEN = {
    "backends/accounting.py", "daemon/ledger.py", "daemon/events.py",
    "daemon/overview.py", "cli/asking.py", "cli/past_sessions.py",
    "daemon/client/state.py", "daemon/client/kill_switch.py", "cli/client_status.py", "cli/progress.py",
    "daemon/doctor/facts.py", "daemon/doctor/server.py",
}  # fmt: skip
"They tell people when something was; what lasts, and what is due, they know from the monotonic clock."
BY_THE_CALENDAR = {
    "backends/hours.py", "backends/policy.py", "backends/policy_values.py", "backends/users_store.py",
    "daemon/policy_keeper.py", "daemon/policy_rules.py",
}  # fmt: skip
"Hours, dates and quotas are meant by the time of day; where a clock is set they are looked at anew."
SET_BY_NOBODY = {"time.monotonic", "time.monotonic_ns", "time.sleep", "time.clock_gettime", "time.CLOCK_BOOTTIME"}


class ClockTests:
    """B-144: a clock that is set moves no timer."""

    def test_b144_no_file_reads_the_time_of_day_but_to_tell_it(self):
        readers = []
        package = REPOSITORY / "src" / "openpptp"
        for path in package.rglob("*.py"):
            if str(path.relative_to(package)) in SAYING_WHEN | BY_THE_CALENDAR:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
                    readers.append(f"{path}:{node.lineno}: from {node.module} import")
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    whole = f"{node.value.id}.{node.attr}"
                    if node.value.id in ("time", "datetime") and whole not in SET_BY_NOBODY:
                        readers.append(f"{path}:{node.lineno}: {whole}")
        assert not readers

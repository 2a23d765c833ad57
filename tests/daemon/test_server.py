"""The server's policy, over TCP on loopback and a data path that carries frames only."""

import asyncio
import socket
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise

import pytest
from tests.daemon.loopback import HOST, PASSWORD, USER, house, open_files, reset
from tests.eventually import until
from tests.notation import frame

from openpptp.backends.ranges import AddressRange, parse_range
from openpptp.daemon.admission import LoginLimits
from openpptp.daemon.driver import TunnelDriver
from openpptp.daemon.pace import Pace
from openpptp.errors import EndReason
from openpptp.tunnel import outputs as tell
from openpptp.wire.control import (
    ControlStream,
    EchoReply,
    EchoRequest,
    OutgoingCallReply,
    OutgoingCallRequest,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
)

START = StartControlConnectionRequest(host_name="there").encode()
CALL = OutgoingCallRequest(0x4242, 1, 300, 100_000_000).encode()
ECHO = EchoRequest(7).encode()
LIMITS = LoginLimits()

GARBAGE = {
    "b016_wrong_cookie": START[:4] + b"\x1a\x2b\x3c\x4e" + START[8:],
    "b016_message_type_2": START[:2] + b"\x00\x02" + START[4:],
    "b016_control_type_16": START[:8] + b"\x00\x10" + START[10:],
    "b017_start_of_155_octets": b"\x00\x9b" + START[2:],
    "b017_start_of_65535_octets": b"\xff\xff" + START[2:],
    "b001_length_0": b"\x00\x00" + START[2:],
    "http": b"GET / HTTP/1.1\r\nHost: vpn.example.org\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(180),
}


async def messages(reader: asyncio.StreamReader, count: int) -> list[object]:
    """Read so many control messages."""
    stream, found = ControlStream(), []
    async with asyncio.timeout(20):
        while len(found) < count:
            data = await reader.read(4096)
            assert data, f"closed after {found}"
            found += stream.feed(data)
    return found


async def closed(reader: asyncio.StreamReader) -> None:
    """Wait until the other end has closed the connection."""
    async with asyncio.timeout(20):
        try:
            while await reader.read(4096):
                pass
        except ConnectionError:
            pass


class LogInTests:
    """Steps 1 to 10 of a session's life."""

    async def test_a_caller_gets_address_keys_and_data(self, tmp_path):
        async with house(tmp_path, network={"pool": ["10.9.0.0/24"], "dns": ["10.9.0.53"]}) as home:
            caller = await home.log_in(request_dns=True)
            await until(lambda: home.log.about("session up"))
            (record,) = home.server.sessions.values()
            assert str(caller.up.our_address) == str(record.address)
            assert str(caller.up.peer_address) == "10.9.0.1"
            assert [str(address) for address in caller.up.dns] == ["10.9.0.53"]
            assert caller.up.encryption_required
            (line,) = home.log.about("session up")
            assert (line["user"], line["peer"], line["address"]) == (USER, "127.0.0.1", str(record.address))

    async def test_the_data_path_is_asked_in_the_order_of_a_sessions_life(self, tmp_path):
        async with house(tmp_path) as home:
            caller = await home.log_in()
            await until(lambda: home.log.about("session up"))
            caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            methods = [entry[0] for entry in home.data_path.asked if entry[0] not in ("send_frame", "encryption_down")]
            assert methods == [
                *("open_call", "connect_call", "encryption_up", "interface_up", "interface_down", "close_call")
            ]

    async def test_data_is_let_in_from_the_leased_address_only(self, tmp_path):
        async with house(tmp_path) as home:
            caller = await home.log_in()
            await until(lambda: home.log.about("session up"))
            ((_, _, inside),) = [entry for entry in home.data_path.asked if entry[0] == "interface_up"]
            assert inside.allowed_ipv4 == (caller.up.our_address,)
            assert inside.encryption_required

    async def test_nothing_is_let_in_before_authentication_p27(self, tmp_path):
        async with house(tmp_path, auth={"refusal_delay": 30}) as home:
            await home.call(password="wrong")
            await until(lambda: home.log.about("log-in refused"))
            assert "interface_up" not in {entry[0] for entry in home.data_path.asked}

    async def test_the_last_line_says_who_why_and_how_much(self, tmp_path):
        async with house(tmp_path) as home:
            caller = await home.log_in()
            (call_id,) = home.data_path.open_calls
            home.data_path.open_calls[call_id].octets_in = 17
            caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            (line,) = home.log.about("session ended")
            assert (line["user"], line["octets_in"], line["octets_out"]) == (USER, 17, 0)
            assert line["detail"]

    async def test_no_secret_is_logged_p28(self, tmp_path):
        async with house(tmp_path) as home:
            caller = await home.log_in()
            caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            assert PASSWORD not in str(home.log.lines)

    async def test_a_caller_from_none_of_the_sources_is_refused_at_the_door(self, tmp_path):
        async with house(tmp_path, limits={"sources": ["192.0.2.0/24"]}) as home:
            reader, writer = await home.plain()
            await closed(reader)
            writer.close()
            assert "limits.sources" in home.log.about("connection refused")[0]["why"]

    async def test_a_caller_from_one_of_the_sources_comes_in(self, tmp_path):
        async with house(tmp_path) as home:
            here = IPv4Address("127.0.0.1")
            home.server._sources = (parse_range("192.0.2.0/24"), AddressRange(here, here))
            await home.log_in()

    async def test_b037_a_server_that_dials_itself_is_refused(self, tmp_path):
        async with house(tmp_path) as home:
            reader, writer = await home.plain(HOST)
            await closed(reader)
            writer.close()
            (line,) = home.log.about("connection refused")
            assert line["peer"] == HOST
            assert "dials itself" in line["why"]

    async def test_b090_two_sessions_do_not_share_an_ipv6_identifier(self, tmp_path):
        async with house(tmp_path, ppp={"ipv6": True}) as home:
            first = await home.log_in(ipv6=True)
            await until(lambda: home.log.about("session up"))
            identifier = first.up.our_identifier
            (taken,) = home.server.sessions.values()
            second = await home.log_in(source="127.0.0.2", ipv6=True)
            await until(lambda: len(home.log.about("session up")) == 2)
            (record,) = [record for record in home.server.sessions.values() if record is not taken]
            output = replace(second.up, call_id=record.call_id, peer_identifier=identifier)

            def claim() -> bytes | None:
                home.server.interface_down(record.driver, tell.InterfaceDown(record.call_id))
                home.server.interface_up(record.driver, output)
                return home.data_path.asked[-1][2].peer_identifier

            assert claim() is None
            assert home.log.about("no IPv6 for this session: another one has its interface identifier")
            taken.driver.disconnect(taken.call_id, EndReason.ADMIN_DISCONNECT)
            await until(lambda: len(home.server.sessions) == 1)
            assert claim() == identifier

    async def test_an_address_by_number_is_the_lowest_free_of_its_network(self, tmp_path):
        async with house(tmp_path) as home:
            (tmp_path / "chap-secrets").write_text(f'"{USER}" * "{PASSWORD}" 10.7.0.0/29+\n')
            callers = [await home.log_in() for _ in range(2)]
            assert [str(caller.up.our_address) for caller in callers] == ["10.7.0.1", "10.7.0.2"]

    async def test_the_same_user_may_come_twice_from_one_address(self, tmp_path):
        """B-036: Windows and every NAT box open several control connections."""
        async with house(tmp_path) as home:
            callers = [await home.log_in() for _ in range(2)]
            assert len({caller.up.our_address for caller in callers}) == 2


class RefusalTests:
    """Whoever is refused learns as little as possible, and leaves nothing behind."""

    async def test_wrong_password_and_unknown_user_wait_for_the_same_time(self, tmp_path):
        async with house(tmp_path, auth={"refusal_delay": 15}) as home:  # under the 20 s of the LCP echo
            loop = asyncio.get_running_loop()
            for number, credentials in enumerate(({"password": "wrong"}, {"user": "mallory"}), 1):
                before = loop.time()
                await home.call(**credentials)
                await until(lambda n=number: len(home.log.about("log-in refused")) == n)
                deadline = home.server.calls[home.log.about("log-in refused")[-1]["call"]].tunnel.deadline
                assert deadline.reason == "hold the refusal"
                assert before + 15 <= deadline.when <= loop.time() + 15

    @pytest.mark.parametrize("credentials", [{"password": "wrong"}, {"user": "mallory"}])
    async def test_the_refused_caller_reads_the_same_words(self, tmp_path, credentials):
        async with house(tmp_path) as home:
            caller = await home.call(**credentials)
            await until(lambda: caller.over)
            assert caller.ended.reason is EndReason.AUTHENTICATION_REFUSED
            assert "user name or password" in caller.ended.detail
            await home.at_rest()

    async def test_the_log_tells_them_apart(self, tmp_path):
        async with house(tmp_path) as home:
            for credentials in ({"password": "wrong"}, {"user": "mallory"}):
                caller = await home.call(**credentials)
                await until(lambda c=caller: c.over)
            first, second = home.log.about("log-in refused")
            assert first["why"] == "wrong password for user 'alice'"
            assert second["why"] == "unknown user 'mallory'"

    async def test_an_exhausted_pool_ends_the_session_in_words(self, tmp_path):
        async with house(tmp_path, network={"pool": ["10.9.0.1-10.9.0.2"]}) as home:
            await home.log_in()
            caller = await home.call(user="bob", password="pass")
            await until(lambda: caller.over)
            assert caller.ended.reason is not EndReason.AUTHENTICATION_REFUSED
            assert home.log.about("no free address for this user")
            assert len(home.server.sessions) == 1
            (ended,) = home.log.about("session ended")
            assert ended["reason"] == "no-address"

    async def test_a_full_house_takes_no_more_sessions(self, tmp_path):
        async with house(tmp_path, limits={"sessions": 1}) as home:
            first = await home.log_in()
            second = await home.call(user="bob", password="pass")
            await until(lambda: second.over)
            assert second.up is None
            assert home.log.about("no room for another session")[0]["limit"] == 1
            first.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            assert await home.log_in(user="bob", password="pass")

    async def test_the_last_session_there_is_room_for_may_prove_itself_anew(self, tmp_path):
        async with house(tmp_path, limits={"sessions": 1}) as home:
            caller = await home.log_in()
            ((call_id, record),) = home.server.sessions.items()
            record.driver.frame_received(call_id, frame("[LCP ConfReq id=0x77 <mru 1400> <magic 0x12345678>]"))
            await until(lambda: len(home.log.about("session up")) == 2)
            assert not home.log.about("no room for another session")
            assert caller.ended is None

    async def test_one_source_may_not_fill_the_door(self, tmp_path):
        async with house(tmp_path, limits={"per_source": 2}) as home:
            held = [await home.plain() for _ in range(2)]
            await until(lambda: home.held().get("at the door") == 2)
            reader, writer = await home.plain()
            await closed(reader)
            (line,) = home.log.about("connection refused")
            assert line["why"] == "2 connections from this address wait to log in already"
            assert await home.log_in(source="127.0.0.2")
            for _, each in [*held, (reader, writer)]:
                each.close()
            await until(lambda: "at the door" not in home.held())
            assert await home.log_in()

    async def test_a_logged_in_caller_does_not_stand_at_the_door(self, tmp_path):
        async with house(tmp_path, limits={"per_source": 1}) as home:
            assert await home.log_in()
            assert await home.log_in()

    async def test_the_door_as_a_whole_is_bounded_b020(self, tmp_path):
        async with house(tmp_path, limits={"unauthenticated": 3, "per_source": 100}) as home:
            connections = [await home.plain(f"127.0.1.{number}") for number in range(1, 13)]
            await until(lambda: home.log.about("connection refused"))
            assert 1 <= home.held()["at the door"] <= 3
            for _, writer in connections:
                writer.close()

    async def test_who_guesses_passwords_has_to_wait_and_others_do_not(self, tmp_path):
        """B-086, P-16: of many wrong passwords from one source only some are looked at."""
        async with house(tmp_path, auth={"refusal_delay": 0}) as home:
            for number in range(LIMITS.failures_per_source):
                caller = await home.call(user=f"user {number}", password="wrong")
                await until(lambda c=caller: c.over)
            await until(lambda: len(home.log.about("log-in refused")) == LIMITS.failures_per_source)
            late = await home.call()
            await until(lambda: late.over)
            assert late.up is None
            assert home.log.about("connection refused")[-1]["why"] == "too many failed log-ins from this address"
            assert await home.log_in(source="127.0.0.2")

    async def test_a_user_with_an_old_password_has_to_wait_and_its_neighbours_do_not(self, tmp_path):
        """B-086: a site shares one address."""
        async with house(tmp_path, auth={"refusal_delay": 0}) as home:
            for _ in range(LIMITS.failures_per_user + 1):
                caller = await home.call(user="till 7", password="old")
                await until(lambda c=caller: c.over)
            await until(lambda: len(home.log.about("log-in refused")) == LIMITS.failures_per_user + 1)
            assert "not looked at" in home.log.about("log-in refused")[-1]["why"]
            assert await home.log_in()

    async def test_who_is_at_the_door_already_gets_no_more_guesses(self, tmp_path):
        async with house(tmp_path, auth={"refusal_delay": 0}, limits={"per_source": 100}) as home:
            callers = [await home.call(password="wrong") for _ in range(LIMITS.failures_per_source + 3)]
            await until(lambda: all(caller.over for caller in callers))
            looked_at = [line for line in home.log.about("log-in refused") if "wrong password" in line["why"]]
            assert len(looked_at) <= LIMITS.failures_per_source


class BadInputTests:
    """A peer that sends garbage costs one log line and its own connection, no other."""

    @pytest.mark.parametrize("name", GARBAGE)
    async def test_garbage_costs_one_line_and_its_own_connection(self, tmp_path, name):
        async with house(tmp_path) as home:
            good = await home.log_in()
            before = len(home.log.lines)
            reader, writer = await home.plain()
            writer.write(GARBAGE[name])
            await closed(reader)
            writer.close()
            await until(lambda: home.held()["connections"] == 1)
            assert len(home.log.lines) - before == 1, home.log.lines[before:]
            assert good.up
            assert not good.over

    async def test_b018_any_cut_of_the_stream_gives_the_same_replies(self, tmp_path):
        async with house(tmp_path) as home:
            said = []
            octets = START + CALL + ECHO
            for pieces in (
                (octets,),
                tuple(octets[i : i + 1] for i in range(len(octets))),
                (octets[:100], octets[100:]),
            ):
                reader, writer = await home.plain()
                writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(0)
                said.append([type(message) for message in await messages(reader, 3)])
                writer.close()
            assert said == [[StartControlConnectionReply, OutgoingCallReply, EchoReply]] * 3

    async def test_b018_half_a_message_and_then_the_end(self, tmp_path):
        async with house(tmp_path) as home:
            reader, writer = await home.plain()
            writer.write(START + CALL[:50])
            writer.write_eof()
            assert isinstance((await messages(reader, 1))[0], StartControlConnectionReply)
            await closed(reader)
            writer.close()

    async def test_b010_start_call_and_clear_at_once(self, tmp_path):
        """CVE-2021-42870 of accel-ppp, octet by octet the same idea: all three in one segment."""
        async with house(tmp_path) as home:
            reader, writer = await home.plain()
            clear = bytes.fromhex("001000011a2b3c4d000c000042420000")
            writer.write(START + CALL + clear + ECHO)
            kinds = [type(message).__name__ for message in await messages(reader, 4)]
            assert kinds == [
                *("StartControlConnectionReply", "OutgoingCallReply", "CallDisconnectNotify", "EchoReply"),
            ]
            writer.close()

    async def test_b012_a_peer_that_stops_reading_is_dropped(self, tmp_path):
        async with house(tmp_path) as home:
            loop = asyncio.get_running_loop()
            with socket.socket() as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256)
                peer.setblocking(False)
                await loop.sock_connect(peer, ("127.0.0.9", home.port))
                await until(lambda: home.server._drivers)
                (driver,) = home.server._drivers
                driver._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
                driver.pace = Pace(1e9, 1e9)  # as fast as it comes
                # Each refused call is answered; the answers are never read.
                with pytest.raises(ConnectionError):
                    await asyncio.wait_for(loop.sock_sendall(peer, START + CALL * 200_000), 20)
            await home.at_rest()
            assert home.log.about("the peer does not read what it is sent; its connection is dropped")

    async def test_b024_a_flood_of_calls_leases_one_call_id(self, tmp_path):
        async with house(tmp_path) as home:
            reader, writer = await home.plain()
            calls = b"".join(OutgoingCallRequest(n, n, 300, 1000).encode() for n in range(1, 500))
            writer.write(START + calls)
            replies = (await messages(reader, 500))[1:]
            assert [reply.result_code for reply in replies].count(1) == 1
            assert home.held()["call ids"] == 1
            assert len(home.log.lines) < 20
            writer.close()

    async def test_b031_nobody_clears_a_call_of_another_connection(self, tmp_path):
        async with house(tmp_path) as home:
            good = await home.log_in()
            (call_id,) = home.server.calls
            (theirs,) = home.caller_path.open_calls
            reader, writer = await home.plain()
            writer.write(START)
            for number in (call_id, theirs):
                writer.write(bytes.fromhex("001000011a2b3c4d000c0000") + number.to_bytes(2, "big") + b"\0\0")
            writer.write(ECHO)
            await messages(reader, 2)
            assert good.up
            writer.close()


class BrokenConnectionTests:
    """B-009, B-011, B-014, B-034: a reset is a normal end at every stage, and nothing stays."""

    async def test_b009_a_reset_after_every_octet_of_start_and_call(self, tmp_path):
        async with house(tmp_path) as home:
            files = open_files()
            for length in range(len(START + CALL) + 1):
                _, writer = await home.plain()
                writer.write((START + CALL)[:length])
                reset(writer.transport)
            await home.at_rest(files)
            assert await home.log_in()

    async def test_b011_a_reset_at_every_step_of_a_log_in(self, tmp_path):
        """Counted in the caller's inputs; CHAP Success is one of them. Some hundreds of log-ins."""
        async with house(tmp_path) as home:
            steps = 0
            files = open_files()
            for _ in range(40):
                for steps in range(1, 100):
                    caller = await home.call(cut_after=steps)
                    await until(lambda c=caller: c.driver.cut or c.up)
                    if not caller.driver.cut:
                        reset(caller.driver._transport)
                        break
                assert steps > 10, "log-ins have more steps than that"
            await home.at_rest(files)
            assert await home.log_in()
            reasons = {line["reason"] for line in home.log.about("session ended")}
            assert reasons <= {"connection-lost"}

    async def test_b034_half_closed_after_the_call(self, tmp_path):
        async with house(tmp_path) as home:
            files = open_files()
            for _ in range(50):
                reader, writer = await home.plain()
                writer.write(START + CALL)
                writer.write_eof()
                await closed(reader)
                writer.close()
            await home.at_rest(files)

    async def test_b034_stop_and_close_in_one_segment(self, tmp_path):
        async with house(tmp_path) as home:
            reader, writer = await home.plain()
            writer.write(START + CALL + StopControlConnectionRequest(1).encode())
            writer.write_eof()
            replies = await messages(reader, 3)
            assert StopControlConnectionReply in {type(reply) for reply in replies}
            writer.close()

    async def test_b014_a_log_in_and_a_way_out_leave_nothing(self, tmp_path):
        async with house(tmp_path) as home:
            files = open_files()
            for _ in range(100):
                caller = await home.log_in()
                caller.driver.stop(EndReason.USER_REQUEST)
                await until(lambda c=caller: c.over)
            await home.at_rest(files)
            assert not home.caller_path.open_calls


class DefectTests:
    """An exception in a machine of ours costs that connection only."""

    @pytest.fixture
    def broken(self, monkeypatch):
        """Return a function that makes one method of one caller's server-side tunnel raise."""

        def breaking(driver, method: str) -> None:
            def raising(*_):
                raise ZeroDivisionError("planted")

            monkeypatch.setattr(driver.tunnel, method, raising)

        return breaking

    @pytest.mark.parametrize("method", ["receive", "frame_received"])
    async def test_it_ends_this_session_and_no_other(self, tmp_path, broken, method):
        async with house(tmp_path) as home:
            good, bad = await home.log_in(), await home.log_in()
            driver = next(d for d in home.server._drivers if d.log is not None and _serves(home, d, bad))
            broken(driver, method)
            if method == "receive":
                bad.driver._transport.write(ECHO)
            else:
                home.caller_path.send_frame(
                    next(iter(bad.driver._open_calls)), b"\xff\x03\xc0\x21\x09\x01\x00\x08" + bytes(4)
                )
            await until(lambda: bad.over)
            await until(lambda: home.held() and set(home.held().values()) == {1})
            assert good.up
            (line,) = home.log.about("a defect in this program; this control connection is dropped")
            assert line["log_level"] == "error"
            home.log._capture.entries.remove(line)
            assert home.log.about("session ended")[0]["user"] == USER
            good.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()


def _serves(home, driver, caller) -> bool:
    return any(
        home.data_path._peer_call_ids.get(call_id) in caller.driver._open_calls for call_id in driver._open_calls
    )


class MemoryTests:
    """B-141: a connection for which there is no memory leaves nothing at the door."""

    @pytest.mark.parametrize("where", ["__init__", "connection_made"])
    async def test_b141_who_comes_when_there_is_none_is_turned_away_and_the_next_comes_in(
        self, tmp_path, monkeypatch, where
    ):
        async with house(tmp_path, limits={"per_source": 1}) as home:
            reports = []
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reports.append(context))
            with monkeypatch.context() as patch:
                patch.setattr(f"openpptp.daemon.server.TunnelDriver.{where}", _no_memory)
                reader, writer = await home.plain()
                await closed(reader)
                writer.close()
            await home.at_rest()
            assert [type(context["exception"]) for context in reports] == [MemoryError]
            assert await home.log_in()

    async def test_b141_what_those_who_are_in_may_need_is_left_to_them(self, tmp_path, monkeypatch):
        async with house(tmp_path) as home:
            caller = await home.log_in()
            with monkeypatch.context() as patch:
                patch.setattr("openpptp.daemon.server.has_memory", lambda octets: octets < 1 << 20)
                reader, writer = await home.plain()
                await closed(reader)
                writer.close()
                (line,) = home.log.about("connection refused")
                assert line["why"] == "this system has no memory for another connection"
                assert caller.up
            assert await home.log_in(user="bob", password="pass")


def _no_memory(*_: object, **__: object) -> None:
    raise MemoryError


class StopTests:
    """P-20: stop takes leave of every peer, in every stage."""

    async def test_every_peer_is_told(self, tmp_path):
        async with house(tmp_path) as home:
            callers = [await home.log_in(source=f"127.0.0.{number}") for number in (1, 2, 3)]
            reader, writer = await home.plain()
            await until(lambda: home.held()["connections"] == 4)
            await home.server.stop()
            await until(lambda: all(caller.over for caller in callers))
            for caller in callers:
                assert "shutting down" in caller.ended.detail
            await closed(reader)
            writer.close()
            await home.at_rest()
            assert {line["reason"] for line in home.log.about("session ended")} == {"shutdown"}

    async def test_b148_the_end_of_many_leaves_turns_to_the_others(self, tmp_path, monkeypatch):
        monkeypatch.setattr("openpptp.daemon.server.AT_ONCE", 2)
        loop, turns = asyncio.get_running_loop(), [0]
        stop, told = TunnelDriver.stop, []

        def turn() -> None:
            turns[0] += 1
            loop.call_soon(turn)

        def tell(driver: TunnelDriver, reason: EndReason) -> None:
            if reason is EndReason.SHUTDOWN:
                told.append(turns[0])
            stop(driver, reason)

        async with house(tmp_path) as home:
            callers = [await home.log_in() for _ in range(6)]
            monkeypatch.setattr(TunnelDriver, "stop", tell)
            turn()
            await home.server.stop()
            await until(lambda: all(caller.over for caller in callers))
            assert len(told) == 6
            assert all(told.count(number) <= 2 for number in told)

    async def test_who_comes_while_it_stops_is_refused(self, tmp_path):
        async with house(tmp_path) as home:
            await home.server.stop()
            reader, writer = await home.plain()
            await closed(reader)
            writer.close()
            assert home.log.about("connection refused")[0]["why"] == "this server is stopping"

    async def test_a_peer_that_does_not_take_leave_is_dropped(self, tmp_path, monkeypatch):
        monkeypatch.setattr("openpptp.daemon.server.STOP_TIMEOUT", 0.05)
        async with house(tmp_path) as home:
            reader, writer = await home.plain()
            writer.write(START)
            await messages(reader, 1)
            await home.server.stop()
            await closed(reader)
            writer.close()
            await home.at_rest()

    async def test_stopping_with_nobody_there_is_at_once(self, tmp_path):
        async with house(tmp_path) as home:
            await home.server.stop()
            home.server.close()
            assert home.data_path.closed


class OrderTests:
    """Nothing above depends on which of two events comes first."""

    async def test_many_come_and_go_at_once(self, tmp_path):
        async with house(tmp_path, limits={"per_source": 100}) as home:
            callers = [await home.call() for _ in range(30)]
            await until(lambda: all(caller.up for caller in callers))
            leased = sorted(caller.up.our_address for caller in callers)
            assert all(one != other for one, other in pairwise(leased))
            for number, caller in enumerate(callers):
                caller.reset() if number % 2 else caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()

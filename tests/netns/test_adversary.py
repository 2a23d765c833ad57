"""A running server under attack: what floods, lies and trickles costs its sender, and nobody else.

Each test is named by its row of bad-inputs.md (B-) or promise (P-). One server per class; after each attack a canary
logs in, reaches the inside and leaves.
"""

import asyncio
import contextlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import ClassVar

import pytest
from tests.eventually import eventually, until
from tests.machine import NOT_HERE
from tests.netns.adversary import ATTACKER, PORT, SERVER, Attacker, Session
from tests.netns.house import HONEST, SOURCES, House, closed, reset
from tests.netns.namespace import Namespace, join
from tests.netns.programs import SERVER_DEVICE, Counter, start_server, state
from tests.notation import frame
from tests.pcap import ipv4

from openpptp.daemon.admission import LoginLimits
from openpptp.net.gre import RawGrePort
from openpptp.wire import control, gre
from openpptp.wire.ppp import Protocol, encode_frame

pytestmark = pytest.mark.root

START = control.StartControlConnectionRequest(host_name="adversary").encode()
CALL = control.OutgoingCallRequest(7, 1, 300, 100_000_000).encode()
ECHO = control.EchoRequest(7).encode()


def call_id_of(stream: socket.socket) -> int:
    """Return the Call ID the server gives to a call asked for just now."""
    messages = control.ControlStream()
    stream.settimeout(5)
    while True:
        for message in messages.feed(stream.recv(4096)):
            if isinstance(message, control.OutgoingCallReply):
                return message.call_id


class StrangerTests:
    """Who never logs in."""

    SETTINGS: ClassVar = {
        "limits": {
            "start_timeout": 3.0,
            "session_timeout": 3.0,
            "gre_timeout": 2.0,
            "unauthenticated": 3000,
            "per_source": 3000,
        }
    }

    def malformed(self, lot: random.Random) -> bytes:
        """Return what no peer sends."""
        broken = bytearray(START)
        match lot.randrange(6):
            case 0:
                return lot.randbytes(lot.randrange(1, 300))
            case 1:
                broken[0:2] = lot.choice((0, 1, 2, 11, 155, 157, 65535)).to_bytes(2, "big")
            case 2:
                broken[lot.randrange(2, 10)] ^= 1 << lot.randrange(8)
            case 3:
                return CALL
            case 4:
                return START + lot.randbytes(12)
            case _:
                return START + CALL[: lot.randrange(1, 100)]
        return bytes(broken)

    def test_b005_3000_malformed_connections_cost_no_memory(self, home):
        lot = random.Random(5)
        before = warm = home.vitals()
        lines = home.lines()
        for number in range(3300):
            if number == 300:
                warm = home.vitals()
            with home.connection(self.malformed(lot)) as stream:
                if number % 2:
                    reset(stream)
                elif number % 4:
                    stream.shutdown(socket.SHUT_WR)
                    assert closed(stream)
        home.rests(before)
        assert home.vitals().resident - warm.resident < 5 << 20
        assert "control connection ended" in home.program.log()
        assert "connection refused" not in home.program.log()
        # B-149: one line per kind and source in ten seconds.
        assert home.lines() - lines < 30, home.program.log()
        home.canary()

    def test_b006_b008_p12_2000_random_sequences(self, home):
        lot = random.Random(8)
        before = home.vitals()
        with home.peer.inside():
            raw = RawGrePort()
        try:
            for block in range(4):
                for _ in range(500):
                    self.sequence(home, lot, raw)
                home.canary()
                assert home.program.process.poll() is None, f"in block {block}"
        finally:
            raw.close()
        home.rests(before)
        assert not home.server.run("sh", "-c", "ss -Htn state close-wait").stdout

    def sequence(self, home: House, lot: random.Random, raw: RawGrePort) -> None:
        """Say some valid messages in any order, with GRE between them, then leave in some way."""
        call_id, peer_call_id = 7, lot.randrange(65536)
        with home.connection(START if lot.random() < 0.9 else b"") as stream:
            try:
                for _ in range(lot.randrange(1, 8)):
                    if lot.random() < 0.4:
                        raw.send(self.random_gre(lot, peer_call_id), int(IPv4Address(SERVER)), 0)
                        continue
                    stream.sendall(self.random_message(lot, lot.choice((call_id, peer_call_id))))
                    if lot.random() < 0.3:
                        stream.settimeout(0.002)
                        with contextlib.suppress(TimeoutError):
                            for message in control.ControlStream().feed(stream.recv(4096)):
                                if isinstance(message, control.OutgoingCallReply):
                                    peer_call_id = message.call_id
            except (ConnectionError, control.BadStream):
                return
            match lot.randrange(3):
                case 0:
                    reset(stream)
                case 1:
                    with contextlib.suppress(OSError):
                        stream.shutdown(socket.SHUT_WR)

    def random_message(self, lot: random.Random, call_id: int) -> bytes:
        number, small = lot.randrange(65536), lot.randrange(8)
        messages = (
            lambda: control.StartControlConnectionRequest(
                protocol_version=lot.choice((0, 0x100, 0x200)), host_name="x"
            ),
            lambda: control.StartControlConnectionReply(0x100, small),
            lambda: control.StopControlConnectionRequest(small),
            lambda: control.StopControlConnectionReply(small),
            lambda: control.EchoRequest(number),
            lambda: control.EchoReply(number),
            lambda: control.OutgoingCallRequest(7, number, 300, 1000, phone_number="\x1b[2J%n"),
            lambda: control.OutgoingCallReply(number, call_id, small),
            lambda: control.IncomingCallRequest(number, number),
            lambda: control.IncomingCallReply(number, call_id, small),
            lambda: control.IncomingCallConnected(call_id, number, number),
            lambda: control.CallClearRequest(call_id),
            lambda: control.CallDisconnectNotify(call_id, small),
            lambda: control.WanErrorNotify(call_id, number),
            lambda: control.SetLinkInfo(call_id, number, number),
        )
        return lot.choice(messages)().encode()

    def random_gre(self, lot: random.Random, call_id: int) -> bytes:
        protocol = lot.choice((0xC021, 0xC223, 0xC023, 0xC227, 0x80FD, 0x8021, 0x00FD, 0x0021))
        packet = bytes((lot.randrange(16), lot.randrange(256))) + lot.choice((4, 12, 40)).to_bytes(2, "big")
        payload = encode_frame(protocol, packet + lot.randbytes(lot.choice((0, 8, 36))))
        octets = bytearray(
            gre.encode(call_id, payload, lot.randrange(1 << 32) if lot.random() < 0.3 else lot.randrange(9))
        )
        if lot.random() < 0.2:
            octets[lot.randrange(8)] ^= 1 << lot.randrange(8)
        return bytes(octets)

    def test_b019_a_trickle_and_silence_after_the_start_both_end(self, home):
        """A connection that was agreed on has a time to log in as well."""
        before = home.vitals()
        with contextlib.ExitStack() as held:
            trickling = held.enter_context(home.connection(START[:1]))
            silent = held.enter_context(home.connection(START))
            chatting = held.enter_context(home.connection(START))
            began = time.monotonic()
            ended: dict[str, float] = {}
            streams = {"trickling": trickling, "silent": silent, "chatting": chatting}
            for stream in streams.values():
                stream.setblocking(False)
            while len(ended) < 3 and time.monotonic() - began < 15:
                for name, stream in streams.items():
                    if name in ended:
                        continue
                    with contextlib.suppress(BlockingIOError):
                        try:
                            if name != "silent":
                                stream.send(START[1:2] if name == "trickling" else ECHO)
                            if not stream.recv(4096):
                                ended[name] = time.monotonic() - began
                        except ConnectionError:
                            ended[name] = time.monotonic() - began
                time.sleep(0.2)
        assert set(ended) == {"trickling", "silent", "chatting"}
        assert 2 < ended["trickling"] < 6
        assert 5 < ended["silent"] < 13
        assert 5 < ended["chatting"] < 13
        home.rests(before)

    def test_b046_b047_p13_gre_of_no_call_is_never_answered(self, home):
        answers = Counter(home.peer, "meta l4proto gre")
        with home.peer.inside():
            raw = RawGrePort()
        try:
            for number in range(4000):
                payload = frame("[LCP ConfReq id=0x1 <mru 1400>]") if number % 2 else b""
                octets = gre.encode(number * 16, payload, number if payload else None, None if payload else 1)
                raw.send(octets, int(IPv4Address(SERVER)), 0)
                raw.send(os.urandom(number % 40), int(IPv4Address(SERVER)), 0)
            time.sleep(0.3)
            assert answers.count == 0
        finally:
            raw.close()
            answers.remove()
        home.canary()

    def test_b045_gre_from_another_source_is_nobodys(self, home):
        """The right Call ID is not enough."""

        async def inject(attacker: Attacker) -> None:
            session = await attacker.log_in()
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, 47) as raw:
                raw.bind((SOURCES[1], 0))
                terminate = frame("[LCP TermReq id=0x9]")
                for ahead in range(200):
                    octets = gre.encode(session.peer_call_id, terminate, session.next_sequence + ahead)
                    raw.sendto(octets, (SERVER, 0))
            await session.ping()
            assert session.alive

        home.attack(inject)

    def test_p13_the_control_connection_amplifies_nothing(self, home):
        """Octets out over octets in, whatever is asked before the log-in."""
        for flood in (START * 50, START + ECHO * 500, START + CALL * 100, START + b"\xff" * 100):
            with home.connection(flood, source=SOURCES[0]) as stream:
                stream.settimeout(0.3)
                got = 0
                with contextlib.suppress(TimeoutError, ConnectionError):
                    while data := stream.recv(65536):
                        got += len(data)
                assert 0 < got <= len(flood) or flood.endswith(b"\xff")
                reset(stream)
        home.canary()

    def test_b048_p13_frames_before_the_log_in_get_no_more_octets_than_they_bring(self, home):
        """From the right address with the right Call ID, which a stranger could forge after some guessing."""
        floods = (
            frame("[LCP EchoReq id=0x1 magic=0x0]"),
            frame("[LCP ConfReq id=0x1]"),
            frame('[PAP AuthReq id=0x1 user="a" password="b"]'),
            encode_frame(0x8099, b"\x01\x01\x00\x04"),
            frame("[LCP code=0x63 id=0x1]"),
        )
        for flood in floods:
            with home.connection(START + CALL, source=SOURCES[2]) as stream, home.peer.inside():
                peer_call_id = call_id_of(stream)
                with socket.socket(socket.AF_INET, socket.SOCK_RAW, 47) as raw:
                    raw.bind((SOURCES[2], 0))
                    answers = Counter(home.peer, f"meta l4proto gre ip daddr {SOURCES[2]}")
                    sent = 0
                    for number in range(1000):
                        octets = gre.encode(peer_call_id, flood, number)
                        raw.sendto(octets, (SERVER, 0))
                        sent += 20 + len(octets)
                    time.sleep(0.5)
                    assert answers.octets <= sent, flood.hex()
                    answers.remove()

    def test_b035_a_peer_that_never_reads_is_let_go(self, home):
        before = home.vitals()
        with home.peer.inside():
            stream = socket.socket()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256)
            stream.settimeout(5)
            stream.connect((SERVER, PORT))
        with stream:
            with contextlib.suppress(ConnectionError, TimeoutError):
                stream.sendall(START * 1500)  # 234 kB of answers; how many the kernel takes differs
                stream.send(b"!", socket.MSG_OOB)
            home.rests(before, seconds=25)
        home.canary()


class TrickleTests:
    """P-15, with a door wide enough."""

    SETTINGS: ClassVar = {"limits": {"start_timeout": 3.0, "unauthenticated": 600, "per_source": 600}}

    def test_b019_p15_400_connections_at_a_trickle_are_closed_by_the_deadline(self, home):
        before = home.vitals()
        began = time.monotonic()
        with contextlib.ExitStack() as held:
            streams = [held.enter_context(home.connection(START[:1])) for _ in range(400)]
            assert eventually(lambda: home.vitals().files - before.files > 350, seconds=2)
            for octet in range(1, 8):
                for stream in streams:
                    with contextlib.suppress(ConnectionError):
                        stream.send(START[octet : octet + 1])
                if octet == 3:
                    home.canary()
                time.sleep(0.4)
            assert all(closed(stream, seconds=5) for stream in streams)
            assert time.monotonic() - began < 12
        home.rests(before)


class SessionTests:
    """Who has logged in and turns hostile: only that session ends, and others do not notice (P-17)."""

    SETTINGS: ClassVar = {"auth": {"stateful": True, "refusal_delay": 0.0}}

    def flooded(self, home: House, octets: Callable[[Session, int], object], count: int = 1000) -> list[Session]:
        """Let one session do something many times while another one pings; return both, and they live or not."""
        sessions: list[Session] = []

        async def flood(attacker: Attacker) -> None:
            hostile, other = await attacker.log_in(), await attacker.log_in(source=HONEST)
            sessions.extend((hostile, other))
            lags = []
            for number in range(count):
                octets(hostile, number)
                if number % 50 == 0:
                    await asyncio.sleep(0.02)
                if number % 250 == 0:
                    lags.append(await other.ping())
            lags.append(await other.ping())
            await asyncio.sleep(0.2)
            assert max(lags) < 2, lags
            assert other.alive
            hostile.survived = hostile.alive

        home.attack(flood)
        return sessions

    def test_b028_an_echo_flood_is_answered_seldom(self, home):
        before = home.lines()
        hostile, _ = self.flooded(home, lambda session, _: session.send_stream(ECHO * 50))
        assert hostile.survived
        assert home.lines() - before < 20

    def test_b030_b149_set_link_info_is_ignored_without_a_word(self, home):
        before = home.lines()
        flood = b"".join(control.SetLinkInfo(call_id, 0xDEADBEEF, 1).encode() for call_id in range(50))
        hostile, _ = self.flooded(home, lambda session, _: session.send_stream(flood))
        assert hostile.survived
        assert home.lines() - before < 20

    def test_b066_negotiating_anew_without_end_ends_the_session(self, home):
        def flood(session: Session, number: int) -> None:
            session.send_frame(frame(f"[LCP ConfReq id={number % 256:#x} <mru 1400> <magic 0x1a2b3c4d>]"))

        hostile, _ = self.flooded(home, flood, 300)
        assert not hostile.survived

    def test_b069_a_flood_of_protocol_rejects(self, home):
        """Of a protocol that is needed it ends the session, of others it does nothing."""
        hostile, _ = self.flooded(home, lambda session, _: session.send_frame(frame("[LCP ProtRej id=0x1 c0 25 00]")))
        assert hostile.survived
        hostile, _ = self.flooded(home, lambda session, _: session.send_frame(frame("[LCP ProtRej id=0x1 80 fd 00]")))
        assert not hostile.survived

    def test_b104_b105_resets_without_end_end_the_session(self, home):
        hostile, _ = self.flooded(home, lambda session, _: session.send_frame(frame("[CCP ResetReq id=0x1]")))
        assert not hostile.survived

    def test_p17_an_lcp_echo_flood_does_not_slow_others(self, home):
        echo = frame("[LCP EchoReq id=0x1 magic=0x12345678]")
        hostile, _ = self.flooded(home, lambda session, _: session.send_frame(echo), 4000)
        assert hostile.survived

    def test_b100_p18_forged_coherency_counts_do_not_throw_a_session_off(self, home):
        """From the right address with the right Call ID and a likely sequence number, 1,000 a second."""

        async def forge(attacker: Attacker) -> None:
            session = await attacker.log_in()
            await session.ping()
            before = home.vitals()
            began = time.monotonic()
            lot = random.Random(100)
            for number in range(2000):
                count = lot.randrange(4096)
                data = (0x9000 | count).to_bytes(2, "big") + lot.randbytes(60)
                octets = gre.encode(
                    session.peer_call_id,
                    encode_frame(Protocol.MPPE, data),
                    session.next_sequence + lot.randrange(1, 60),
                )
                session.send_gre(octets)
                if number % 20 == 0:
                    await asyncio.sleep(max(0.0, began + number / 1000 - time.monotonic()))
                if number % 500 == 0:
                    await session.ping()
            await session.ping()
            assert session.alive
            spent = home.vitals().processor_seconds - before.processor_seconds
            assert spent < 0.7 * (time.monotonic() - began)

        home.attack(forge)

    def test_b048_p13_at_most_ten_acknowledgements_a_second(self, home):
        """For data as it comes, up to the half window the RFC wants acknowledged at once."""

        async def trickle(attacker: Attacker) -> None:
            session = await attacker.log_in()
            await session.ping()
            answers = Counter(home.peer, "meta l4proto gre")
            began = time.monotonic()
            call = attacker.data_path._table.call(session.call_id)
            packet = ipv4(str(session.up.our_address), "10.91.9.250", 17, bytes(8))
            for _ in range(100):
                attacker.data_path._perform(call, call.path.encapsulate(packet, asyncio.get_running_loop().time()))
                await asyncio.sleep(0.01)
            assert answers.count <= 10 * (time.monotonic() - began) + 5  # the clock runs on between the two looks
            answers.remove()

        home.attack(trickle)

    def test_b086_p16_brute_force_from_one_address_touches_no_other(self, home):
        async def guess(attacker: Attacker) -> None:
            for number in range(400):
                try:
                    session = await attacker.call(password=f"guess {number}", source=SOURCES[5])
                except OSError:
                    continue
                await until(lambda s=session: s.over)
                assert not session.up
            # The right password from there is not looked at either; the same user elsewhere is.
            with contextlib.suppress(OSError):
                session = await attacker.call(source=SOURCES[5])
                await until(lambda: session.over)
                assert not session.up
            await attacker.log_in(source=SOURCES[6])

        before = home.lines()
        home.attack(guess)
        assert 1 <= home.program.log().count("wrong password") <= LoginLimits().failures_per_user + 5
        assert home.lines() - before < 60
        home.canary()

    def test_p12_after_all_that_nothing_is_left(self, home):
        before = home.vitals()
        for _ in range(5):
            home.canary()
        home.rests(before)


class FaultTests:
    """What the host lacks."""

    def test_b140_p22_descriptors_run_out_and_come_back(self, namespaces_possible, folder):
        with starved(
            folder / "files", before="ulimit -n 64;", limits={"unauthenticated": 500, "per_source": 500}
        ) as home:
            before = home.vitals()
            with contextlib.ExitStack() as held:
                for _ in range(150):
                    held.enter_context(home.connection(START))
                assert eventually(lambda: home.vitals().files >= 60)
                spent = home.vitals().processor_seconds
                time.sleep(2)
                assert home.vitals().processor_seconds - spent < 0.5
                assert "Too many open files" in home.program.log()
                assert home.lines() < 40, home.program.log()
            home.rests(before)
            home.canary()

    def test_b141_forty_sessions_and_a_flood_fit_into_little_memory(self, namespaces_possible, folder):
        group = memory_group()
        if group is None:
            pytest.skip(f"{NOT_HERE} no memory cgroup that this user may write to")
        try:
            limit = group / ("memory.max" if (group / "memory.max").exists() else "memory.limit_in_bytes")
            limit.write_text(str(96 << 20))
            before = f'echo $$ > "{group / "cgroup.procs"}";'
            with starved(folder / "memory", before=before) as home:

                async def many(attacker: Attacker) -> None:
                    sessions = [await attacker.log_in() for _ in range(40)]
                    with contextlib.suppress(ConnectionError):
                        for session in sessions:
                            session.send_stream(START * 100)
                    await sessions[-1].ping()

                home.attack(many)
                home.canary()
        finally:
            eventually(lambda: not (group / "cgroup.procs").read_text().strip())
            group.rmdir()

    @pytest.mark.parametrize("before", ["", "mknod /dev/net/tun c 10 199;"])
    def test_b142_without_a_tun_device_nothing_is_left_half_done(self, namespaces_possible, folder, before):
        server = Namespace("server")
        try:
            clean = state(server)
            # A device nobody drives, or none.
            before = f"mount -t tmpfs none /dev/net; {before}"
            program = start_server(server, folder / f"tun{len(before)}", before=before)
            assert program.exit_code() != 0
            assert "Traceback" not in program.log()
            assert len(program.log().splitlines()) <= 3, program.log()
            assert state(server) == clean
        finally:
            server.close()

    def test_b142_a_device_name_that_is_taken(self, namespaces_possible, folder):
        server = Namespace("server")
        try:
            server.ip(f"link add {SERVER_DEVICE} type veth peer name other")
            clean = state(server)
            program = start_server(server, folder / "taken")
            assert program.exit_code() != 0
            assert SERVER_DEVICE in program.log()
            assert "Traceback" not in program.log()
            assert state(server) == clean
        finally:
            server.close()

    def test_b143_a_full_disk_under_the_log_stops_nothing(self, namespaces_possible, folder):
        with starved(folder / "full", before="exec 1>/dev/full 2>/dev/full;", log={"level": "debug"}) as home:
            home.canary()
            home.canary()


@contextlib.contextmanager
def starved(folder: Path, *, before: str, **sections: dict[str, object]) -> Iterator[House]:
    """Run a server that lacks something."""
    server, peer = Namespace("server"), Namespace("client")
    program = None
    try:
        join(server, f"{SERVER}/16", peer, f"{ATTACKER}/16")
        peer.ip(f"addr add {HONEST}/16 dev server0")
        program = start_server(server, folder, before=before, **sections)
        listening = eventually(lambda: f":{PORT}" in server.run("ss", "-Htln").stdout)
        assert listening, program.log()
        yield House(server, peer, program)
        assert program.stop(seconds=8) == 0
    finally:
        if program is not None and program.process.poll() is None:
            program.kill()
        peer.close()
        server.close()


def memory_group() -> Path | None:
    """Make a memory cgroup below our own."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        root = Path("/sys/fs/cgroup/memory") if "memory" in controllers.split(",") else Path("/sys/fs/cgroup")
        if "memory" not in controllers and not (number == "0" and (root / "cgroup.controllers").exists()):
            continue
        for parent in (root / path.lstrip("/"), root):
            group = parent / f"openpptp-{os.getpid()}"
            with contextlib.suppress(OSError):
                group.mkdir()
                if (group / "memory.max").exists() or (group / "memory.limit_in_bytes").exists():
                    return group
                group.rmdir()
    return None

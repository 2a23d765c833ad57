"""The client on loopback with devices in memory: what its user reads, and what it asks of its host."""

import asyncio
import contextlib
import socket
import struct
from ipaddress import IPv4Address

import pytest
from tests import pcap
from tests.daemon.client.place import Place
from tests.daemon.loopback import HOST, open_files
from tests.eventually import until

from openpptp.credentials import AuthMethod
from openpptp.daemon.client import supervisor
from openpptp.daemon.connect_request import Reconnect
from openpptp.errors import EndReason
from openpptp.wire.control import (
    ControlStream,
    OutgoingCallReply,
    StartControlConnectionReply,
    StopControlConnectionReply,
)


@pytest.fixture
async def place(monkeypatch, tmp_path):
    place = Place(monkeypatch, tmp_path)
    yield place
    await place.close()


@contextlib.contextmanager
def silence(place: Place):
    """Let the client call a port whose kernel answers no more: its backlog is full."""
    with socket.socket() as full, socket.socket() as first:
        full.bind((HOST, 0))
        full.listen(0)
        place.port = full.getsockname()[1]
        first.connect(full.getsockname())
        yield


class SessionTests:
    """A session that comes up."""

    async def test_the_host_gets_what_the_server_granted(self, place):
        await place.serve()
        client = place.start()
        await until(lambda: place.log.about("connected"))
        assert place.host.did == [("carry", IPv4Address(HOST)), ("up", "10.9.0.2", 1396)]
        place.stop.set()
        assert (await client)[0] is EndReason.USER_REQUEST
        assert place.host.undone == 1

    async def test_q48_no_more_is_asked_for_than_the_way_carries(self, place):
        server = await place.serve()
        place.host.mtu = 1000
        client = place.start()
        await until(lambda: place.log.about("connected"))
        assert place.host.did[-1] == ("up", "10.9.0.2", 1000 - 40 - 4)
        (session,) = next(iter(server.calls.values())).tunnel.sessions
        assert session.interface.mtu == 1000 - 40 - 4, "nor is the server asked to send more"
        place.stop.set()
        await client

    async def test_each_stage_is_told_in_its_turn(self, place):
        await place.serve()
        client = place.start()
        await until(lambda: place.log.about("connected"))
        place.stop.set()
        await client
        stages = list(dict.fromkeys(stage for event, _, stage in place.audience.heard if event == "stage"))
        order = ["connect", "control", "call", "lcp", "authentication", "encryption", "addresses", "up"]
        assert stages == [stage for stage in order if stage in stages]
        assert {"connect", "control", "call", "lcp", "authentication", "up"} <= set(stages)
        others = [(event, state) for event, state, _ in place.audience.heard if event != "stage"]
        assert others == [
            ("resolving", "resolving"),
            ("calling", "calling"),
            ("connected", "up"),
            ("ended", "over"),
        ]

    async def test_packets_pass_both_ways(self, place):
        await place.serve()
        client = place.start()
        await until(lambda: place.log.about("connected") and place.server_log.about("session up"))
        there, back = pcap.ipv4("10.9.0.2", "10.1.1.1", 17, b"there"), pcap.ipv4("10.1.1.1", "10.9.0.2", 17, b"back")
        place.systems[0].send(there)
        place.server_system.send(back)
        arrived: dict[str, list[bytes]] = {"server": [], "client": []}

        def both() -> bool:
            arrived["server"] += place.server_system.receive()
            arrived["client"] += place.systems[0].receive()
            return all(arrived.values())

        await until(both)
        assert arrived == {"server": [there], "client": [back]}
        place.stop.set()
        await client

    async def test_a_host_that_refuses_ends_the_session(self, place):
        server = await place.serve()
        place.host.refuses = "up"
        reason, detail = await asyncio.wait_for(place.start(), 20)
        assert (reason, detail) == (EndReason.RESOURCES, "the host does not let us")
        assert place.log.about("the host does not let us")
        assert place.host.undone == 1
        await until(lambda: not server.sessions)

    async def test_a_server_that_stops_is_named(self, place):
        server = await place.serve()
        client = place.start()
        await until(lambda: place.log.about("connected"))
        await server.stop()
        reason, detail = await asyncio.wait_for(client, 20)
        assert reason is EndReason.PEER_REQUEST
        assert "shutting down" in detail

    async def test_no_file_stays_open(self, place):
        await place.serve()
        files = open_files()
        for number in range(1, 20):
            client = place.start()
            await until(lambda n=number: len(place.log.about("connected")) == n)
            place.stop.set()
            await client
            place.stop.clear()
            place.systems.pop().close()
        await until(lambda: open_files() == files)


class RefusedTests:
    """No session: what the user reads."""

    async def test_a_wrong_password(self, place):
        await place.serve()
        reason, detail = await asyncio.wait_for(place.start(password="wrong"), 20)
        assert reason is EndReason.AUTHENTICATION_REFUSED
        assert "wrong user name or password" in detail
        assert place.host.undone == 1

    async def test_no_method_suits_both(self, place):
        await place.serve()
        how = {"methods": (AuthMethod.PAP,), "encryption": "off"}
        _, detail = await asyncio.wait_for(place.start(**how), 20)
        assert "the client offers only PAP; this server requires MS-CHAPv2" in detail

    async def test_nobody_listens(self, place):
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            place.port = taken.getsockname()[1]
            reason, detail = await place.start()
        assert reason is EndReason.CONNECTION_LOST
        assert f"127.0.0.9 refuses TCP port {place.port}; no PPTP server" in detail
        assert place.host.undone == 1

    async def test_nobody_answers(self, place):
        with silence(place):
            _, detail = await place.start(timeout=0.05)
        assert f"127.0.0.9 does not answer on TCP port {place.port}; a firewall" in detail
        assert place.host.undone == 1

    async def test_stopping_before_anybody_answers(self, place):
        with silence(place):
            client = place.start()
            await until(lambda: place.host.did)
            place.stop.set()
            reason, _ = await asyncio.wait_for(client, 5)
        assert reason is EndReason.USER_REQUEST
        assert place.host.undone == 1

    async def test_the_name_is_told_with_its_address(self, place):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            place.port = taken.getsockname()[1]
            _, detail = await place.start("localhost")
        assert "localhost (127.0.0.1) refuses" in detail

    async def test_a_call_refused_for_want_of_lines(self, place):
        await place.listen(lambda: Script(StartControlConnectionReply(0x0100, 1), OutgoingCallReply(0, 0, 4)))
        reason, detail = await asyncio.wait_for(place.start(), 20)
        assert reason is EndReason.CALL_REFUSED
        assert "busy" in detail.lower()

    async def test_a_control_connection_refused(self, place):
        await place.listen(lambda: Script(StartControlConnectionReply(0x0100, 4)))
        _, detail = await asyncio.wait_for(place.start(), 20)
        assert detail
        assert place.host.undone == 1

    async def test_something_else_listens_there(self, place):
        await place.listen(lambda: Script(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"))
        reason, detail = await asyncio.wait_for(place.start(), 20)
        assert reason is EndReason.PROTOCOL_ERROR
        assert "no PPTP message" in detail

    async def test_a_server_that_hangs_up_at_once(self, place):
        await place.listen(lambda: Script(None))
        ends = [await asyncio.gather(place.start(), return_exceptions=True) for _ in range(50)]
        for ((_, detail),) in ends:  # the reset may come before we know that we are connected
            assert "cannot reach" in detail or "control connection broke" in detail

    async def test_stopping_a_server_that_says_nothing(self, place, monkeypatch):
        monkeypatch.setattr(supervisor, "STOP_TIMEOUT", 0.05)
        await place.listen(asyncio.Protocol)
        client = place.start()
        await until(lambda: place.host.did)
        place.stop.set()
        reason, _ = await asyncio.wait_for(client, 20)
        assert reason is EndReason.USER_REQUEST


class ReconnectTests:
    """It comes back by itself."""

    async def test_when_the_server_is_back_so_is_the_tunnel(self, place, monkeypatch):
        monkeypatch.setattr(supervisor, "FIRST_WAIT", 0.05)
        monkeypatch.setattr(supervisor, "KNOCK_WAIT", 0.05)
        await place.serve()
        client = place.start(reconnect=Reconnect())
        await until(lambda: place.log.about("connected"))
        await place.close_server()
        await until(lambda: place.client.state.state == "waiting")
        assert "shutting down" in place.client.state.detail
        assert place.client.state.next_attempt is not None
        await place.serve()
        await until(lambda: len(place.log.about("connected")) == 2)
        assert [did[0] for did in place.host.did if did[0] != "carry"] == ["up", "down", "up"]
        assert (place.client.state.state, place.client.state.sessions) == ("up", 2)
        place.stop.set()
        assert (await client)[0] is EndReason.USER_REQUEST
        assert place.host.undone == 1

    async def test_no_way_to_the_server_is_waited_for(self, place):
        place.host.refuses = "carry"
        client = place.start(reconnect=Reconnect("always"))
        await until(lambda: place.client.state.state == "waiting")
        assert place.client.state.detail == "the host does not let us"
        place.stop.set()
        assert (await asyncio.wait_for(client, 5))[0] is EndReason.USER_REQUEST

    async def test_a_change_of_the_network_takes_the_session_along_when_its_address_is_gone(self, place):
        await place.serve()
        client = place.start(reconnect=Reconnect())
        await until(lambda: place.log.about("connected"))
        place.news()
        place.host.gone = "127.0.0.1 is no longer an address of this machine"
        place.news()
        await until(lambda: place.log.about("tunnel down"))
        assert place.log.about("tunnel down")[0]["detail"] == place.host.gone
        place.host.gone = ""
        await until(lambda: len(place.log.about("connected")) == 2)
        place.stop.set()
        await client


class Script(asyncio.Protocol):
    """Answers each control message with the next line of a script; octets go out at once, None resets."""

    def __init__(self, *lines) -> None:
        self._lines = list(lines)
        self._stream = ControlStream()

    def connection_made(self, transport) -> None:
        self._transport = transport
        if self._lines[0] is None:
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        elif isinstance(self._lines[0], bytes):
            transport.write(self._lines.pop(0))

    def data_received(self, data) -> None:
        for message in self._stream.feed(data):
            if not self._lines:
                self._transport.write(StopControlConnectionReply(1).encode())
                return
            reply = self._lines.pop(0)
            if isinstance(reply, OutgoingCallReply):
                reply = OutgoingCallReply(0, message.call_id, reply.result_code)
            self._transport.write(reply.encode())

"""connect(): a tunnel for as long as a block of a program lasts."""

import asyncio
import os
import signal
import socket
from ipaddress import IPv4Address

import pytest
import structlog
from tests import pcap
from tests.daemon.loopback import HOST, PASSWORD, USER, Log
from tests.eventually import until
from tests.library.place import listener

import openpptp
from openpptp.daemon.client import supervisor
from openpptp.errors import EndReason, Misuse, NoTunnel, SetupError
from openpptp.net.memory import tun_pair


def ip(source: str, destination: str, data: bytes = b"data") -> bytes:
    return pcap.ipv4(source, destination, 17, data)


class TunnelTests:
    """What a program is given."""

    async def test_it_is_up_and_says_what_it_is(self, place):
        network = {"pool": ["10.9.0.0/24"], "dns": ["10.9.0.53"]}
        async with place.serve(network=network) as server, place.connect(server) as tunnel:
            assert tunnel.is_up
            assert (tunnel.address, tunnel.peer) == (IPv4Address("10.9.0.2"), IPv4Address("10.9.0.1"))
            assert tunnel.dns == (IPv4Address("10.9.0.53"),)
            assert (tunnel.mtu, tunnel.encryption) == (1396, "MPPE 128 bit")
            assert (str(tunnel.server), tunnel.server_host) == (HOST, "openpptp")
            assert tunnel.interface is None
            assert "10.9.0.2" in repr(tunnel)

    async def test_packets_pass_both_ways_and_are_counted(self, place):
        there, back = ip("10.9.0.2", "10.1.1.1"), ip("10.1.1.1", "10.9.0.2")
        async with place.serve() as server, place.connect(server) as tunnel:
            await until(lambda: server.sessions[0].is_up)
            await tunnel.send(there)
            assert await anext(server.packets) == there
            await server.send(back)
            assert await anext(tunnel.packets) == back
            assert (tunnel.counters.packets_out, tunnel.counters.packets_in) == (1, 1)

    async def test_counters_are_as_of_the_moment(self, place):
        async with place.serve() as server, place.connect(server) as tunnel:
            await until(lambda: server.sessions[0].is_up)
            before = tunnel.counters
            await tunnel.send(ip("10.9.0.2", "10.1.1.1"))
            await anext(server.packets)
            assert (before.packets_out, tunnel.counters.packets_out) == (0, 1)
        assert tunnel.counters.packets_out == 1, "the last ones stay"

    async def test_more_packets_than_fit_at_once_all_pass(self, place):
        async with place.serve() as server, place.connect(server) as tunnel:
            await until(lambda: server.sessions[0].is_up)

            async def send():
                for number in range(6000):
                    await tunnel.send(ip("10.9.0.2", "10.1.1.1", number.to_bytes(2, "big")))

            sending = asyncio.create_task(send())
            numbers = [int.from_bytes((await anext(server.packets))[-2:], "big") for _ in range(6000)]
            assert numbers == list(range(6000))
            await sending

    async def test_a_packet_from_another_address_is_dropped_by_the_server(self, place):
        async with place.serve() as server, place.connect(server) as tunnel:
            await until(lambda: server.sessions[0].is_up)
            await tunnel.send(ip("10.99.0.1", "10.1.1.1"))
            await until(lambda: server.sessions[0].counters.dropped_source)

    async def test_a_device_of_the_program_takes_the_packets(self, place):
        device, system = tun_pair()
        async with place.serve() as server:
            ports = openpptp.Ports(place.wire.port("127.0.0.1"), device)
            async with place.connect(server, ports=ports) as tunnel:
                assert tunnel.interface == device.name
                await until(lambda: server.sessions[0].is_up)
                system.send(ip("10.9.0.2", "10.1.1.1"))
                assert await anext(server.packets) == ip("10.9.0.2", "10.1.1.1")
                with pytest.raises(Misuse, match="through a device"):
                    await tunnel.send(b"")
        system.close()

    async def test_every_change_is_told_from_the_first_on(self, place):
        heard = []
        async with place.serve() as server, place.connect(server, on_event=heard.append):
            pass
        assert [event["event"] for event in heard if event["event"] != "stage"] == [
            *("resolving", "calling", "connected", "ended")
        ]
        assert {"call", "lcp", "authentication"} <= {event["stage"] for event in heard}
        assert PASSWORD not in str(heard)

    async def test_a_listener_that_fails_costs_a_line_in_the_log(self, place):
        def fail(_event):
            raise ValueError("mine")

        async with place.serve() as server, place.connect(server, on_event=fail) as tunnel:
            assert tunnel.is_up
        assert place.log.about("the function that is told the events has failed")

    async def test_iterating_over_events_ends_with_the_tunnel(self, place):
        async with place.serve() as server, place.connect(server) as tunnel:
            events = tunnel.events()
        assert [event["event"] async for event in events] == ["ended"]


class RefusedTests:
    """No tunnel: why, in words and as a value."""

    async def test_a_wrong_password(self, place):
        async with place.serve() as server:
            with pytest.raises(NoTunnel, match="wrong user name or password") as caught:
                async with place.connect(server, password="wrong"):
                    raise AssertionError
            assert caught.value.reason is EndReason.AUTHENTICATION_REFUSED

    async def test_nobody_listens(self, place):
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            with pytest.raises(NoTunnel, match="refuses TCP port"):
                async with openpptp.connect(
                    HOST,
                    USER,
                    PASSWORD,
                    port=taken.getsockname()[1],
                    ports=openpptp.Ports(place.wire.port("127.0.0.1")),
                ):
                    raise AssertionError

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"mru": 100}, "ppp.mru: must be at least 576 (got 100)"),
            ({"key_bits": [64]}, "auth.key_bits[1]: must be 40, 56 or 128 (got 64)"),
            ({"methods": ["PAP"]}, "encryption is required, but PAP makes no keys for it"),
            ({"colour": "red"}, "connect() has no option colour; known are port"),
            ({"routes": ["10.0.0.0/8"], "mark": 3}, "routes and mark: with ports of your own nothing of this host is"),
        ],
    )
    async def test_an_option_that_cannot_be_is_named(self, place, options, words):
        ports = openpptp.Ports(place.wire.port("127.0.0.1"))
        with pytest.raises(SetupError) as caught:
            async with openpptp.connect(HOST, USER, PASSWORD, ports=ports, **options):
                raise AssertionError
        assert words in str(caught.value)

    async def test_no_password_is_shown_in_a_mistake(self, place):
        ports = openpptp.Ports(place.wire.port("127.0.0.1"))
        with pytest.raises(SetupError) as caught:
            async with openpptp.connect(HOST, USER, "secret" * 60, ports=ports):
                raise AssertionError
        assert "secret" not in str(caught.value)


class EndTests:
    """Whatever ends it, nothing is left; the fixture looks for tasks and files."""

    async def test_leaving_the_block_takes_leave_of_the_server(self, place):
        async with place.serve() as server:
            async with place.connect(server):
                await until(lambda: server.sessions)
            await until(lambda: not server.sessions)
        (line,) = place.server_log.about("session ended")
        assert line["reason"] == "peer-request"

    async def test_an_exception_of_the_program_passes(self, place):
        async with place.serve() as server:
            with pytest.raises(LookupError):
                async with place.connect(server):
                    raise LookupError
            await until(lambda: not server.sessions)

    async def test_a_cancelled_program_takes_leave_as_well(self, place):
        async with place.serve() as server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3), place.connect(server):
                    await asyncio.Event().wait()
            await until(lambda: not server.sessions)
        assert place.server_log.about("session ended")[0]["reason"] == "peer-request"

    async def test_connecting_can_be_cancelled(self, place):
        with listener() as silent:  # the kernel accepts, and nobody answers
            ports = openpptp.Ports(place.wire.port("127.0.0.1"))
            with pytest.raises(TimeoutError):
                async with (
                    asyncio.timeout(0.1),
                    openpptp.connect(HOST, USER, PASSWORD, port=silent.getsockname()[1], ports=ports),
                ):
                    raise AssertionError

    async def test_a_second_cancellation_drops_it_at_once(self, place):
        with listener() as silent:
            ports = openpptp.Ports(place.wire.port("127.0.0.1"))

            async def use():
                async with openpptp.connect(HOST, USER, PASSWORD, port=silent.getsockname()[1], ports=ports):
                    raise AssertionError

            using, loop = asyncio.create_task(use()), asyncio.get_running_loop()
            await asyncio.sleep(0.05)
            began = loop.time()
            using.cancel()
            await asyncio.sleep(0.05)
            using.cancel()
            with pytest.raises(asyncio.CancelledError):
                await using
            assert loop.time() - began < supervisor.STOP_TIMEOUT

    async def test_a_server_that_goes_is_told_to_who_waits_for_packets(self, place):
        async with place.serve() as server, place.connect(server) as tunnel:
            waiting = asyncio.create_task(anext(tunnel.packets))
            await until(lambda: server.sessions and server.sessions[0].is_up)
            assert await server.disconnect(user=USER) == [place.server_log.about("session up")[0]["session"]]
            with pytest.raises(NoTunnel, match="disconnected by the administrator"):
                await waiting
            with pytest.raises(NoTunnel):
                await tunnel.send(ip("10.9.0.2", "10.1.1.1"))
            assert (await tunnel.ended()).reason is EndReason.PEER_REQUEST
            assert tunnel.state == "over"

    async def test_it_comes_up_again_where_that_is_wanted(self, place, monkeypatch):
        monkeypatch.setattr(supervisor, "FIRST_WAIT", 0.01)
        async with place.serve() as server, place.connect(server, reconnect="always") as tunnel:
            events = tunnel.events()
            await until(lambda: server.sessions and server.sessions[0].is_up)
            await server.disconnect()
            async for event in events:
                if event["event"] == "connected":
                    break
            await until(lambda: server.sessions and server.sessions[0].is_up)
            await tunnel.send(ip("10.9.0.2", "10.1.1.1"))
            assert await anext(server.packets) == ip("10.9.0.2", "10.1.1.1")
            await events.aclose()

    async def test_ports_are_closed_even_where_an_option_is_wrong(self, place):
        port = place.wire.port("127.0.0.1")
        with pytest.raises(SetupError):
            async with openpptp.connect("", USER, PASSWORD, ports=openpptp.Ports(port)):
                raise AssertionError
        assert port.fileno() == -1


class ProcessTests:
    """What belongs to the process stays the program's."""

    async def test_signals_log_environment_and_loop_are_as_before(self, place):
        def belongings():
            handlers = [signal.getsignal(number) for number in signal.valid_signals()]
            loop = asyncio.get_running_loop()
            return handlers, structlog.get_config(), dict(os.environ), loop.get_exception_handler(), os.umask(0o022)

        before = belongings()
        async with place.serve() as server, place.connect(server):
            assert belongings() == before
        assert belongings() == before

    async def test_without_a_log_of_its_own_it_speaks_through_logging(self, place, caplog, capsys):
        async with place.serve(log=None) as server, place.connect(server, log=None):
            pass
        assert any(record.name == "openpptp" and "PPTP is not secure" in record.message for record in caplog.records)
        assert not capsys.readouterr().out

    async def test_nothing_a_peer_says_forges_a_line(self, place, caplog):
        async with place.serve(log=None) as server:
            with pytest.raises(NoTunnel):
                async with place.connect(server, user="a\nb"):
                    raise AssertionError
        assert all("\n" not in record.message for record in caplog.records)
        assert any("a\\\\nb" in record.message or "a\\nb" in record.message for record in caplog.records)

    async def test_several_tunnels_in_one_program(self, place):
        async with (
            place.serve() as server,
            place.connect(server) as one,
            place.connect(server, source="127.0.0.2", log=Log().logger) as other,
        ):
            assert one.address != other.address

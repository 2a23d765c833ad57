"""serve(): a server for as long as a block of a program lasts."""

import asyncio
import os
import socket
from ipaddress import IPv4Address

import pytest
from tests import pcap
from tests.daemon.loopback import HOST, PASSWORD, USER
from tests.eventually import until
from tests.library.place import POOL, listener

import openpptp
from openpptp.backends.users import SecretsUsers
from openpptp.errors import EndReason, Misuse, NoTunnel, SetupError


def ip(source: str, destination: str) -> bytes:
    return pcap.ipv4(source, destination, 17, b"data")


async def up(server: openpptp.Server, count: int = 1) -> None:
    await until(lambda: sum(session.is_up for session in server.sessions) == count)


class ServerTests:
    """What a program is given."""

    async def test_a_session_says_who_is_in(self, place):
        async with place.serve() as server, place.connect(server):
            await up(server)
            (session,) = server.sessions
            assert (session.user, str(session.address), str(session.peer)) == (USER, "10.9.0.2", "127.0.0.1")
            assert (session.mtu, session.encryption) == (1396, "MPPE 128 bit")
            assert session.counters.packets_in == 0
            assert "1 sessions" in repr(server)

    async def test_a_session_is_shown_with_its_negotiation(self, place):
        async with place.serve() as server, place.connect(server):
            await up(server)
            facts = server.show(server.sessions[0])
            assert any("LCP ConfReq" in line["packet"] for line in facts["negotiation"])
            assert PASSWORD not in str(facts)
            with pytest.raises(SetupError, match="no session has the id"):
                server.show("nobody")

    async def test_one_session_is_ended_and_the_others_stay(self, place):
        async with (
            place.serve() as server,
            place.connect(server) as one,
            place.connect(server, source="127.0.0.2") as other,
        ):
            await up(server, 2)
            (session,) = [each for each in server.sessions if each.address == one.address]
            assert await server.disconnect("nobody") == []
            assert await server.disconnect(session) == [session.id]
            assert (await one.ended()).reason is EndReason.PEER_REQUEST
            assert other.is_up
            assert await server.disconnect(user="bob") == []
            assert len(await server.disconnect()) == 1

    async def test_packets_find_the_user_who_has_their_address(self, place):
        async with (
            place.serve() as server,
            place.connect(server) as one,
            place.connect(server, source="127.0.0.2") as other,
        ):
            await up(server, 2)
            await server.send(ip("10.1.1.1", "10.9.0.99"))
            await server.send(ip("10.1.1.1", str(other.address)))
            await server.send(ip("10.1.1.1", str(one.address)))
            assert await anext(other.packets) == ip("10.1.1.1", str(other.address))
            assert await anext(one.packets) == ip("10.1.1.1", str(one.address))

    async def test_what_happens_is_told(self, place):
        heard = []
        async with place.serve(on_event=heard.append) as server:
            events = server.events()
            async with place.connect(server):
                await up(server)
            await until(lambda: not server.sessions)
        told = [event["event"] for event in heard]
        assert told == ["connected", "session up", "session ended", "connection ended"]
        assert [event["event"] async for event in events] == told

    async def test_a_port_that_is_broken_is_told(self, place):
        class Broken:
            def __init__(self):
                self.descriptor = os.eventfd(1)

            def fileno(self):
                return self.descriptor

            def receive(self, limit=64):
                return []

            def close(self):
                os.close(self.descriptor)

        async with openpptp.serve(
            network={"pool": [POOL]}, users={}, ports=openpptp.Ports(Broken()), listener=listener()
        ) as server:
            event = await anext(server.events())
        assert (event["event"], event["why"]) == ("broken", "a packet device is always ready and gives nothing")

    async def test_packets_end_with_the_server(self, place):
        async with place.serve() as server:
            waiting = asyncio.create_task(anext(server.packets))
            await asyncio.sleep(0)
        with pytest.raises(NoTunnel, match="shutting down"):
            await waiting


class UsersTests:
    """Users a program names itself."""

    async def test_a_mapping_counts_as_it_is_at_each_log_in(self, place):
        users = {}
        async with place.serve(users=users) as server:
            with pytest.raises(NoTunnel, match="wrong user name"):
                async with place.connect(server):
                    raise AssertionError
            users[USER] = PASSWORD
            async with place.connect(server) as tunnel:
                assert tunnel.is_up

    async def test_a_function_is_asked_for_the_name_with_and_without_its_domain(self, place):
        asked = []

        def look_up(name):
            asked.append(name)
            return {"bob": "pass"}.get(name)

        async with place.serve(users=look_up) as server:
            async with place.connect(server, user="DOM\\bob", password="pass"):
                await up(server)
                assert server.sessions[0].user == "bob"
            assert asked[:2] == ["DOM\\bob", "bob"]

    async def test_a_user_may_have_an_address_of_his_own(self, place):
        users = {USER: openpptp.User(PASSWORD, policy="address 10.9.0.77")}
        async with place.serve(users=users) as server, place.connect(server) as tunnel:
            assert tunnel.address == IPv4Address("10.9.0.77")

    async def test_the_hash_of_a_password_is_enough(self, place):
        from openpptp.crypto import nt_password_hash

        users = {USER: openpptp.User(nt_hash=nt_password_hash(PASSWORD))}
        async with place.serve(users=users) as server, place.connect(server) as tunnel:
            assert tunnel.is_up

    async def test_a_function_that_fails_costs_that_connection_only(self, place):
        def look_up(name):
            if name == "bob":
                raise KeyError(name)
            return PASSWORD

        async with place.serve(users=look_up) as server, place.connect(server) as tunnel:
            with pytest.raises(NoTunnel):
                async with place.connect(server, user="bob", source="127.0.0.2"):
                    raise AssertionError
            assert tunnel.is_up
        assert place.server_log.about("a defect in this program; this control connection is dropped")

    async def test_users_of_a_secrets_file(self, place, tmp_path):
        secrets = tmp_path / "secrets"
        secrets.write_text(f'"{USER}" * "{PASSWORD}" *\n')
        secrets.chmod(0o600)
        files = {"file": str(secrets), "store": str(tmp_path / "users.sqlite")}
        async with place.serve(users=SecretsUsers(secrets, "openpptp")) as server, place.connect(server) as tunnel:
            assert tunnel.is_up
        network = {"pool": [POOL]}
        ports = openpptp.Ports(place.wire.port(HOST))
        settings = openpptp.Settings.model_validate({"network": network, "users": files})
        async with (
            openpptp.serve(settings, ports=ports, listener=listener(), accounting={"on": False}) as server,
            place.connect(server) as tunnel,
        ):
            assert tunnel.is_up

    def test_a_user_without_a_password_or_with_an_unknown_policy_is_refused(self):
        with pytest.raises(ValueError, match="password or its NT hash"):
            openpptp.User()
        with pytest.raises(SetupError, match="colour"):
            openpptp.User("x", policy="colour red")
        assert "secret" not in repr(openpptp.User("secret"))


class SettingsTests:
    """Settings by section, or a file's."""

    async def test_each_mistake_is_named(self, place):
        with pytest.raises(SetupError) as caught:
            async with place.serve(network={"pool": ["10.9.0.0/33"]}, ppp={"mru": 1}, colour={}):
                raise AssertionError
        words = str(caught.value)
        assert len(words.splitlines()) == 3
        assert all(key in words for key in ("network.pool[1]", "ppp.mru", "colour"))

    async def test_a_file_and_sections_over_it(self, place, tmp_path):
        path = tmp_path / "openpptp.toml"
        path.write_text(f'[network]\npool = ["{POOL}"]\n[server]\nname = "one"\n[accounting]\non = false\n')
        ports = openpptp.Ports(place.wire.port(HOST))
        async with openpptp.serve(
            path, users={USER: PASSWORD}, ports=ports, listener=listener(), server={"name": "other"}
        ) as server:
            assert server.settings.server.name == "other"
            async with place.connect(server) as tunnel:
                assert tunnel.server_host == "other"

    async def test_nothing_is_written_unless_accounting_is_asked_for(self, place, tmp_path):
        async with place.serve() as server:
            assert not server.settings.accounting.on
        file = tmp_path / "accounting.sqlite"
        async with place.serve(accounting={"file": str(file)}) as server, place.connect(server):
            await up(server)
        assert file.exists()

    async def test_other_settings_hold_for_whoever_comes_next(self, place):
        async with place.serve() as server, place.connect(server) as tunnel:
            report = await server.adopt(auth={"methods": ["MS-CHAPv1"]}, ppp={"mru": 1300})
            assert [change.key for change in report.applied] == ["auth.methods"]
            assert [change.key for change in report.restart] == ["ppp.mru"]
            assert any("MS-CHAPv1" in warning for warning in report.warnings)
            assert tunnel.is_up
            with pytest.raises(NoTunnel, match="requires MS-CHAPv1"):
                async with place.connect(server, source="127.0.0.2"):
                    raise AssertionError
            assert server.settings.auth.methods == (openpptp.AuthMethod.MSCHAP_V1,)

    async def test_other_users_hold_for_whoever_comes_next(self, place):
        async with place.serve() as server, place.connect(server) as tunnel:
            await server.adopt(users={"bob": "pass"})
            assert tunnel.is_up
            async with place.connect(server, user="bob", password="pass", source="127.0.0.2") as other:
                assert other.is_up

    async def test_settings_that_are_wrong_change_nothing(self, place):
        async with place.serve() as server:
            before = server.settings
            with pytest.raises(SetupError, match=r"auth\.methods"):
                await server.adopt(auth={"methods": ["EAP"]})
            assert server.settings is before

    async def test_the_users_file_of_other_settings_is_read(self, place, tmp_path):
        def settings(name):
            (tmp_path / name).write_text(f'"{name}" * "pass" *\n')
            (tmp_path / name).chmod(0o600)
            files = {"file": str(tmp_path / name), "store": str(tmp_path / "users.sqlite")}
            whole = {"network": {"pool": [POOL]}, "users": files, "accounting": {"on": False}}
            return openpptp.Settings.model_validate(whole)

        ports = openpptp.Ports(place.wire.port(HOST))
        async with openpptp.serve(settings("one"), ports=ports, listener=listener()) as server:
            report = await server.adopt(settings("other"))
            assert [change.key for change in report.applied] == ["users.file"]
            async with place.connect(server, user="other", password="pass") as tunnel:
                assert tunnel.is_up


class EndTests:
    """Whatever ends it, nothing is left; the fixture looks for tasks and files."""

    async def test_users_are_told_that_it_ends(self, place):
        async with place.serve() as server:
            connecting = place.connect(server)
            tunnel = await connecting.__aenter__()
            await up(server)
        assert "shutting down" in str(await tunnel.ended())
        await connecting.__aexit__(None, None, None)

    async def test_an_exception_of_the_program_passes(self, place):
        with pytest.raises(LookupError):
            async with place.serve():
                raise LookupError

    async def test_a_cancelled_program_ends_it_in_good_order(self, place):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), place.serve():
                await asyncio.Event().wait()

    async def test_what_it_was_given_is_closed_even_where_a_setting_is_wrong(self, place):
        port, given = place.wire.port(HOST), listener()
        with pytest.raises(SetupError):
            async with openpptp.serve(users={}, ports=openpptp.Ports(port), listener=given):
                raise AssertionError
        assert port.fileno() == given.fileno() == -1

    async def test_a_port_that_is_taken_is_named(self, place):
        with socket.create_server((HOST, 0)) as taken:
            where = {"listen": HOST, "port": taken.getsockname()[1]}
            ports = openpptp.Ports(place.wire.port(HOST))
            with pytest.raises(SetupError, match="is taken by another program"):
                async with openpptp.serve(network={"pool": [POOL]}, users={}, ports=ports, server=where):
                    raise AssertionError

    async def test_several_servers_in_one_program(self, place):
        async with (
            place.serve() as one,
            place.serve(host="127.0.0.8", network={"pool": ["10.8.0.0/24"]}) as other,
            place.connect(one) as tunnel,
            place.connect(other, source="127.0.0.2") as another,
        ):
            assert (str(tunnel.address), str(another.address)) == ("10.9.0.2", "10.8.0.2")

    async def test_packets_through_a_device_are_not_the_programs(self, place):
        from openpptp.net.memory import tun_pair

        device, system = tun_pair()
        ports = openpptp.Ports(place.wire.port(HOST), device)
        async with openpptp.serve(network={"pool": [POOL]}, users={}, ports=ports, listener=listener()) as server:
            with pytest.raises(Misuse):
                await server.send(b"")
        system.close()

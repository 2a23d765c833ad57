"""The client's side of a namespace for one program; the other side is seen in tests/netns/test_one_program.py."""

import os
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from tests.daemon.client.test_host import GRANTED, SERVER
from tests.daemon.loopback import Log

from openpptp.daemon.client import enclosure as module
from openpptp.daemon.client.enclosure import EnclosureHost
from openpptp.daemon.connect_request import ConnectRequest, Dns
from openpptp.errors import SetupError
from openpptp.net.client_links import Carrier


class FakeEnclosure:
    """Takes notice of what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.answer: dict[str, object] = {"ipv6": None, "dns_by": "/etc/resolv.conf"}

    def ask(self, do: str, **facts: object) -> dict[str, object]:
        self.asked.append((do, facts))
        return self.answer


class FakeLinks:
    """A host whose way to the server may change."""

    def __init__(self) -> None:
        self.device: str = "eth0"
        self.addresses = {IPv4Address("192.0.2.7")}

    def way_to(self, server: IPv4Address, *, mark: int | None) -> Carrier:
        if not self.device:
            raise SetupError("there is no way")
        return Carrier(self.device, None, 1500)

    def has_address(self, address: IPv4Address) -> bool:
        return address in self.addresses

    async def later(self, method, *arguments, **named):
        return method(*arguments, **named)


class Stage:
    def __init__(self, dns: Dns | None = None) -> None:
        self.enclosure, self.links, self.log = FakeEnclosure(), FakeLinks(), Log()
        request = ConnectRequest(("h",), "u", "p", dns=dns or Dns())
        self.host = EnclosureHost(request, self.enclosure, self.links, self.log.logger)


class UpTests:
    """What a session brings to the namespace."""

    async def test_address_and_name_servers_and_everything_leads_there(self):
        stage = Stage(Dns(servers=(IPv4Address("9.9.9.9"),), search=("a.example",)))
        given = await stage.host.up(GRANTED)
        ((do, facts),) = stage.enclosure.asked
        assert (do, facts["device"], facts["address"], facts["peer"], facts["mtu"]) == (
            *("up", "pptp-client", "10.9.0.2", "10.9.0.1", 1396),
        )
        assert facts["dns"] == ["9.9.9.9", "10.9.0.53", str(SERVER)]
        assert facts["search"] == ["a.example"]
        assert (given.routes, given.dns_by) == ((IPv4Network("0.0.0.0/0"),), "/etc/resolv.conf")

    async def test_ipv6_and_a_server_without_an_address_of_its_own(self):
        stage = Stage()
        stage.enclosure.answer["ipv6"] = "fe80::1"
        granted = replace(GRANTED, peer_address=IPv4Address(0), our_address=None, our_identifier=bytes(7) + b"\1")
        given = await stage.host.up(granted)
        _, facts = stage.enclosure.asked[0]
        assert (facts["address"], facts["peer"], facts["identifier"]) == (None, None, "0000000000000001")
        assert given.ipv6 == IPv6Address("fe80::1")

    async def test_without_a_file_to_stand_in_for_it_says_so(self):
        stage = Stage()
        stage.enclosure.answer["dns_by"] = ""
        given = await stage.host.up(GRANTED)
        assert given.dns == ()
        assert "no /etc/resolv.conf" in stage.log.lines[-1]["event"]


class CarrierTests:
    """The way to the server, which nothing has to be pinned for."""

    async def test_it_goes_on_while_the_way_is_the_same_or_may_come_back(self):
        stage, local = Stage(), IPv4Address("192.0.2.7")
        assert await stage.host.carrier_gone(local) == ""
        assert (await stage.host.carry(SERVER)).device == "eth0"
        assert await stage.host.carrier_gone(local) == ""
        stage.links.device = ""
        assert await stage.host.carrier_gone(local) == ""

    async def test_another_way_or_address_ends_it(self):
        stage, local = Stage(), IPv4Address("192.0.2.7")
        await stage.host.carry(SERVER)
        stage.links.device = "wlan0"
        assert "leads through wlan0 now" in await stage.host.carrier_gone(local)
        stage.links.addresses.clear()
        assert "no longer an address" in await stage.host.carrier_gone(local)

    async def test_there_is_nothing_to_undo(self):
        stage = Stage()
        await stage.host.down()
        assert stage.host.undo() == []


@pytest.mark.parametrize("name", ["program-x", "office", f"program-{os.getpid()}"])
def test_only_the_directories_of_dead_clients_are_swept(tmp_path, name):
    for each in (name, "program-4194305"):  # above the highest process id there is
        (tmp_path / each).mkdir()
    module._sweep(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [name]

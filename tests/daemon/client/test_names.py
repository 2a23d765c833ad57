"""The addresses of the servers."""

import socket
from ipaddress import IPv4Address

import pytest

from openpptp.daemon.client import names as module
from openpptp.daemon.client.attempt import Where
from openpptp.daemon.client.names import resolve
from openpptp.errors import SetupError

ADDRESSES = {"one.example": ["203.0.113.1", "203.0.113.2", "203.0.113.1"], "two.example": ["203.0.113.3"]}


@pytest.fixture
def names(monkeypatch):
    """A name server that knows a few names, and is silent about one."""

    def getaddrinfo(host, *_, **__):
        if host == "silent.example":
            import time

            time.sleep(0.5)
        if host not in ADDRESSES:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ADDRESSES[host]]

    monkeypatch.setattr(module.socket, "getaddrinfo", getaddrinfo)


class ResolveTests:
    async def test_an_address_is_its_own_name(self):
        assert await resolve(["127.0.0.1"]) == [Where("127.0.0.1", IPv4Address("127.0.0.1"))]

    async def test_all_addresses_of_all_names_in_their_order(self, names):
        found = await resolve(["two.example", "one.example", "192.0.2.1"])
        assert [str(place) for place in found] == [
            "two.example (203.0.113.3)",
            "one.example (203.0.113.1)",
            "one.example (203.0.113.2)",
            "192.0.2.1",
        ]

    async def test_a_name_nobody_knows(self, names):
        with pytest.raises(SetupError, match=r"vpn\.example has no IPv4 address .*DNS"):
            await resolve(["vpn.example"])

    async def test_one_name_that_is_known_is_enough(self, names):
        assert len(await resolve(["vpn.example", "two.example"])) == 1

    async def test_each_name_that_is_not_is_told(self, names):
        with pytest.raises(SetupError, match=r"a\.example has no .*; the name b\.example has no"):
            await resolve(["a.example", "b.example"])

    async def test_a_name_server_that_is_silent_is_not_waited_for(self, names, monkeypatch):
        monkeypatch.setattr(module, "PATIENCE", 0.05)
        with pytest.raises(SetupError, match=r"no name server answers for silent\.example"):
            await resolve(["silent.example"])

    async def test_what_is_no_name_is_said_so(self):
        with pytest.raises(SetupError, match="has no IPv4 address"):
            await resolve([f"{'x' * 64}.example"])

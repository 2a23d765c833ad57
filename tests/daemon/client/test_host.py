"""What the client changes on its host, seen by who is told to change it."""

import os
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from tests.daemon.loopback import Log

from openpptp.daemon.client.host import HostSettings, take_back_left_overs
from openpptp.daemon.connect_request import ConnectRequest, Dns
from openpptp.errors import SetupError
from openpptp.net.client_links import Carrier
from openpptp.net.journal import Journal
from openpptp.net.resolv_conf import ResolvConf
from openpptp.tunnel.outputs import InterfaceUp

SERVER = IPv4Address("203.0.113.1")
GRANTED = InterfaceUp(
    call_id=1,
    user="alice",
    our_address=IPv4Address("10.9.0.2"),
    peer_address=IPv4Address("10.9.0.1"),
    dns=(IPv4Address("10.9.0.53"), SERVER),
    wins=(),
    our_identifier=None,
    peer_identifier=None,
    mtu=1396,
    key_bits=128,
    encryption_required=True,
    compress_address_control=True,
    compress_protocol=True,
)
HALVES = ("0.0.0.0/1", "128.0.0.0/1")


@dataclass
class FakeLinks:
    """Takes notice of what is asked of it; any method there may be."""

    did: list[tuple[object, ...]] = field(default_factory=list)
    pinned: bool = True
    address: bool = True
    device: str = "eth0"
    refuses: str = ""
    owned: tuple[tuple[IPv4Interface, str], ...] = ()

    def addresses(self) -> tuple[tuple[IPv4Interface, str], ...]:
        return self.owned

    def __getattr__(self, name: str):
        def method(*arguments, **named):
            self.did.append((name, *map(str, arguments), *(f"{key}={value}" for key, value in named.items())))
            if name == self.refuses:
                raise SetupError("no")
            answers = {
                "pin_carrier": Carrier(self.device, None, 1500),
                "is_pinned": self.pinned,
                "has_address": self.address,
                "undo": [],
            }
            return answers.get(name)

        return method

    async def later(self, method, *arguments, **named):
        return method(*arguments, **named)

    def routes(self) -> list[str]:
        return [did[1] for did in self.did if did[0] == "add_route"]


class Stage:
    def __init__(self, tmp_path, **how) -> None:
        self.file = tmp_path / "resolv.conf"
        self.file.write_text("nameserver 192.0.2.53\n")
        self.request = ConnectRequest(
            ("h",), "u", "p", runtime_directory=tmp_path / "run", resolv_conf=self.file, **how
        )
        self.links, self.rules, self.log = FakeLinks(), FakeLinks(), Log()
        self.host = HostSettings(self.request, Journal(), self.links, self.rules, self.log.logger)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A function that makes one; this host has neither resolvectl nor resolvconf."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return lambda **how: Stage(tmp_path, **how)


class UpTests:
    """What a session brings."""

    async def test_the_address_then_the_routes(self, stage):
        made = stage(routes=(IPv4Network("10.0.0.0/8"),), default_route=True)
        given = await made.host.up(GRANTED)
        assert made.links.did[0] == (*("device_up", "pptp-client", "address=10.9.0.2/32", "peer=10.9.0.1", "mtu=1396"),)
        assert made.links.routes() == ["10.0.0.0/8", *HALVES]
        assert (given.address, given.mtu, given.dns) == (GRANTED.our_address, 1396, ())
        assert made.file.read_text() == "nameserver 192.0.2.53\n"

    async def test_a_server_without_an_address_of_its_own_is_no_peer(self, stage):
        made = stage()
        await made.host.up(replace(GRANTED, peer_address=IPv4Address(0)))
        assert "peer=None" in made.links.did[0]

    async def test_another_address_comes_before_the_old_one_goes(self, stage):
        made = stage()
        await made.host.up(GRANTED)
        await made.host.up(replace(GRANTED, our_address=IPv4Address("10.9.0.3")))
        names = [did[:3] for did in made.links.did if did[0] in ("device_up", "leave_address")]
        assert names == [
            ("device_up", "pptp-client", "address=10.9.0.2/32"),
            ("device_up", "pptp-client", "address=10.9.0.3/32"),
            ("leave_address", "pptp-client", "10.9.0.2"),
        ]

    async def test_ipv6_where_the_server_gives_it(self, stage):
        made = stage()
        await made.host.up(replace(GRANTED, our_identifier=bytes(range(8))))
        assert ("set_link_local", "pptp-client", str(bytes(range(8)))) in made.links.did

    async def test_only_ipv6_is_something_too(self, stage):
        made = stage()
        given = await made.host.up(replace(GRANTED, our_address=None, peer_address=None))
        assert given.address is None

    async def test_with_a_mark_the_routes_have_a_table_of_their_own(self, stage):
        made = stage(default_route=True, mark=1723)
        await made.host.carry(SERVER)
        await made.host.up(GRANTED)
        assert ("lead_unmarked", "1723", "avoid=pptp-client") in made.rules.did
        assert ("add_route", "0.0.0.0/0", "pptp-client", "table=1723") in made.links.did
        await made.host.carry(SERVER)
        assert made.rules.did.count(("lead_unmarked", "1723", "avoid=pptp-client")) == 1


class DnsTests:
    """DNS servers are asked through the tunnel."""

    async def test_those_of_the_server_have_routes_but_never_the_server_itself(self, stage):
        made = stage(dns=Dns())
        await made.host.carry(SERVER)
        given = await made.host.up(GRANTED)
        assert made.links.routes() == ["10.9.0.53/32"]
        assert given.dns == GRANTED.dns
        assert made.file.read_text().splitlines()[1:] == [f"nameserver {each}" for each in GRANTED.dns]
        assert made.host.undo() == []
        assert made.file.read_text() == "nameserver 192.0.2.53\n"

    async def test_named_ones_come_first(self, stage):
        made = stage(dns=Dns(True, (IPv4Address("9.9.9.9"), IPv4Address("10.9.0.53"))))
        assert (await made.host.up(GRANTED)).dns[:2] == (IPv4Address("9.9.9.9"), IPv4Address("10.9.0.53"))

    async def test_a_server_that_names_none_is_said_so(self, stage):
        made = stage(dns=Dns())
        given = await made.host.up(replace(GRANTED, dns=()))
        assert (given.dns, given.dns_by) == ((), "")
        assert made.log.about("the server names no DNS servers; name one yourself with --dns ADDRESS")

    async def test_a_file_that_another_tunnel_has_costs_a_warning_not_the_tunnel(self, stage):
        made = stage(dns=Dns())
        ResolvConf(made.file).write("other", "nameserver 10.0.0.1\n", keep_search=False)
        assert (await made.host.up(GRANTED)).dns == ()
        assert "in the hands of the tunnel other" in made.log.lines[-1]["event"]


class DownTests:
    """While there is no tunnel."""

    async def test_held_traffic_needs_nothing(self, stage):
        made = stage(default_route=True)
        await made.host.up(GRANTED)
        before = list(made.links.did)
        await made.host.down()
        assert made.links.did == before

    async def test_blocked_is_refused_before_the_routes_go(self, stage):
        made = stage(default_route=True, while_down="block")
        await made.host.up(GRANTED)
        made.links.did.clear()
        await made.host.down()
        assert [did[:2] for did in made.links.did] == [
            ("refuse_route", HALVES[0]),
            ("remove_route", HALVES[0]),
            ("refuse_route", HALVES[1]),
            ("remove_route", HALVES[1]),
        ]

    async def test_passed_has_the_dns_of_before(self, stage):
        made = stage(default_route=True, dns=Dns(), while_down="pass")
        await made.host.up(GRANTED)
        await made.host.down()
        assert made.file.read_text() == "nameserver 192.0.2.53\n"
        assert [did[1] for did in made.links.did if did[:1] == ("remove_route",) and did[2] == "pptp-client"] == [
            *HALVES,
            "10.9.0.53/32",
            "203.0.113.1/32",
        ]

    async def test_before_the_first_session_there_is_nothing_to_treat(self, stage):
        made = stage(while_down="block")
        await made.host.down()
        assert made.links.did == []


class CarrierTests:
    """What the tunnel itself goes by."""

    async def test_another_server_lets_the_pin_of_the_first_go(self, stage):
        made = stage()
        for server in (SERVER, SERVER, IPv4Address("203.0.113.2")):
            await made.host.carry(server)
        assert [did[:2] for did in made.links.did] == [
            ("pin_carrier", "203.0.113.1"),
            ("pin_carrier", "203.0.113.1"),
            ("unpin", "203.0.113.1"),
            ("pin_carrier", "203.0.113.2"),
        ]

    async def test_it_is_gone_with_its_address(self, stage):
        made = stage()
        await made.host.carry(SERVER)
        made.links.address = False
        assert "no longer an address" in await made.host.carrier_gone(IPv4Address("192.0.2.1"))

    async def test_a_pin_that_was_lost_is_led_anew(self, stage):
        made = stage()
        await made.host.carry(SERVER)
        made.links.did.clear()
        assert await made.host.carrier_gone(IPv4Address("192.0.2.1")) == ""
        assert not [did for did in made.links.did if did[0] == "pin_carrier"]
        made.links.pinned = False
        assert await made.host.carrier_gone(IPv4Address("192.0.2.1")) == ""
        assert [did for did in made.links.did if did[0] == "pin_carrier"]

    async def test_through_another_device_it_is_another_way(self, stage):
        made = stage()
        await made.host.carry(SERVER)
        made.links.pinned, made.links.device = False, "wlan0"
        why = await made.host.carrier_gone(IPv4Address("192.0.2.1"))
        assert why == "the way to 203.0.113.1 leads through wlan0 now"

    async def test_while_there_is_no_way_at_all_it_may_come_back(self, stage):
        made = stage()
        await made.host.carry(SERVER)
        made.links.pinned, made.links.refuses = False, "pin_carrier"
        assert await made.host.carrier_gone(IPv4Address("192.0.2.1")) == ""


class LeftOverTests:
    """After a power cut the journal is gone, and the file is not."""

    def test_the_file_is_put_back(self, stage):
        made = stage()
        ResolvConf(made.file).write("pptp-office", "nameserver 10.0.0.1\n", keep_search=False)
        take_back_left_overs(made.request, made.log.logger)
        assert made.file.read_text() == "nameserver 192.0.2.53\n"

    def test_unless_its_tunnel_lives(self, stage):
        made = stage()
        ResolvConf(made.file).write("pptp-office", "nameserver 10.0.0.1\n", keep_search=False)
        journal = Journal(made.request.runtime_directory / "pptp-office")
        try:
            take_back_left_overs(made.request, made.log.logger)
            assert ResolvConf(made.file).owner() == "pptp-office"
        finally:
            journal.close()

    def test_a_name_that_is_a_path_is_left_alone(self, stage):
        made = stage()
        made.file.write_text("# written by openpptp for ../../etc: x\n")
        take_back_left_overs(made.request, made.log.logger)
        assert os.listdir(made.file.parent) == ["resolv.conf"]
